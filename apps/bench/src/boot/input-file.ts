/**
 * A kernel or an initrd, as bytes.
 *
 * What is no plain file (a pipe, as in `--kernel <(zcat FILE)`, or a device) has no size and perhaps no end, so it is
 * read up to a limit.
 */
import { open } from "node:fs/promises";
import { CommandError, unreadable } from "../failure.ts";

/** Larger than any kernel with its debugging information. */
const inputBytesMaximum = 1 << 30;
const partBytes = 1 << 20;

/**
 * @param bytesMaximum Another limit.
 * @throws {CommandError} The file cannot be read, or is larger than the limit.
 */
export async function readInput(
  path: string,
  bytesMaximum: number = inputBytesMaximum,
): Promise<Uint8Array> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > bytesMaximum) throw tooLarge(path, bytesMaximum);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of file.createReadStream({
      autoClose: false,
      highWaterMark: partBytes,
    })) {
      if (!(part instanceof Uint8Array))
        throw new TypeError("Bug in ringside: text, please report.");
      length += part.length;
      if (length > bytesMaximum) throw tooLarge(path, bytesMaximum);
      parts.push(part);
    }
    return Buffer.concat(parts, length);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw unreadable(path, error);
  }
}

function tooLarge(path: string, bytesMaximum: number): CommandError {
  return new CommandError(
    `${path} is larger than ${bytesMaximum / 2 ** 20} MiB, which no kernel and no initrd is. Name the file itself.`,
  );
}
