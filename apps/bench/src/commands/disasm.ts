/** `ringside disasm`: a file as instructions. */
import { readFile } from "node:fs/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { disassemble } from "@ringside/isa";
import { ImageError, isElf, parseElf } from "@ringside/machine";
import { CommandError } from "../failure.ts";
import { colours } from "../terminal.ts";

interface Piece {
  readonly title: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

interface DisasmOptions {
  readonly address?: bigint;
  readonly mode: "32" | "64";
  readonly count?: number;
}

export function addDisasm(program: Command): void {
  program
    .command("disasm")
    .description(
      "Disassembles an ELF executable's segments, or any file as code. Bytes that are no instruction are shown as db.",
    )
    .argument("<file>", "ELF executable or flat binary")
    .option(
      "--address <address>",
      "flat files: linear address of the first byte; ELF: where to begin",
      parseAddress,
    )
    .addOption(new Option("--mode <bits>", "code size").choices(["64", "32"]).default("64"))
    .option("--count <n>", "at most so many lines", parseCount)
    .addHelpText("after", "\nExample:\n  $ ringside disasm --count 20 /bin/busybox")
    .action(disasm);
}

function parseAddress(text: string): bigint {
  if (!/^(0x[0-9a-f]+|\d+)$/iu.test(text))
    throw new InvalidArgumentError("Give an address such as 0x401000.");
  return BigInt(text);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError("Give a whole number of at least 1.");
  return count;
}

async function disasm(path: string, options: DisasmOptions): Promise<void> {
  const bytes = await readInput(path);
  const pieces = isElf(bytes)
    ? segments(path, bytes)
    : [{ title: "", address: options.address ?? 0n, bytes }];
  const { dim, bold } = colours(process.stdout);
  const mode = options.mode === "32" ? 32 : 64;
  let left = options.count ?? Number.POSITIVE_INFINITY;
  let piped = true;
  process.stdout.on("error", () => {
    piped = false; // The reader is gone (`| head`): nothing is left to do.
  });
  for (const piece of pieces) {
    const from = isElf(bytes) ? options.address : undefined;
    const skip = from === undefined ? 0n : from - piece.address;
    if (skip < 0n || skip >= BigInt(piece.bytes.length)) {
      if (from !== undefined) continue;
    }
    if (piece.title !== "") process.stdout.write(`${bold(piece.title)}\n`);
    const code = piece.bytes.subarray(Number(skip));
    for (const line of disassemble(code, { address: piece.address + skip, mode })) {
      if (left === 0 || !piped) return;
      left -= 1;
      const hex = [...line.bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
      process.stdout.write(
        `${line.address.toString(16).padStart(16)}  ${dim(hex.padEnd(32))}  ${line.text}\n`,
      );
    }
  }
}

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new CommandError(`${path} cannot be read (${code}).`, undefined, { cause: error });
  }
}

/** What the file loads, executable or not: section headers may be missing or may lie. */
function segments(path: string, bytes: Uint8Array): readonly Piece[] {
  try {
    return parseElf(bytes).segments.map(({ fileOffset, fileBytes, linear }) => ({
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
