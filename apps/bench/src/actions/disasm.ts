/** What `ringside disasm` does. */
import { readFile } from "node:fs/promises";
import { disassemble } from "@ringside/isa";
import { ImageError, isElf, parseElf } from "@ringside/machine";
import type { DisasmOptions } from "../commands/disasm.ts";
import { CommandError, unreadable } from "../failure.ts";
import { colours } from "../terminal.ts";

const WRITE_LENGTH = 1 << 16;

interface Piece {
  readonly title: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** Prints the file as instructions. */
export async function disasm(path: string, options: DisasmOptions): Promise<void> {
  const bytes = await readInput(path);
  const pieces = isElf(bytes)
    ? segments(path, bytes)
    : [{ title: "", address: options.address ?? 0n, bytes }];
  const { dim, bold } = colours(process.stdout);
  const mode = options.mode === "32" ? 32 : 64;
  let left = options.count ?? Number.POSITIVE_INFINITY;
  let text = "";
  for (const piece of pieces) {
    const from = isElf(bytes) ? options.address : undefined;
    const skip = from === undefined ? 0n : from - piece.address;
    if (skip < 0n || skip >= BigInt(piece.bytes.length)) {
      if (from !== undefined) continue;
    }
    if (piece.title !== "") text += `${bold(piece.title)}\n`;
    const code = piece.bytes.subarray(Number(skip));
    for (const line of disassemble(code, { address: piece.address + skip, mode })) {
      if (left === 0) break;
      left -= 1;
      const hex = [...line.bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      text += `${line.address.toString(16).padStart(16)}  ${dim(hex.padEnd(32))}  ${line.text}\n`;
      if (text.length < WRITE_LENGTH) continue;
      await written(text);
      text = "";
    }
    if (left === 0) break;
  }
  await written(text);
}

function written(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.write(text, () => resolve()); // What goes wrong is an event of the stream, too.
  });
}

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * What the file loads as code. Section headers would tell code from data more exactly, but may be missing or lie. A file
 * that calls no segment executable is shown whole.
 */
function segments(path: string, bytes: Uint8Array): readonly Piece[] {
  try {
    const all = parseElf(bytes).segments;
    const code = all.filter(({ isExecutable }) => isExecutable);
    return (code.length === 0 ? all : code).map(({ fileOffset, fileBytes, linear }) => ({
      title: `segment at 0x${linear.toString(16)}, ${fileBytes} bytes at offset 0x${fileOffset.toString(16)} of the file`,
      address: linear,
      bytes: bytes.subarray(fileOffset, fileOffset + fileBytes),
    }));
  } catch (error) {
    if (error instanceof ImageError)
      throw new CommandError(`${path}: ${error.message.replace(/^\[[^\]]*\] /u, "")}`, undefined, {
        cause: error,
      });
    throw error;
  }
}
