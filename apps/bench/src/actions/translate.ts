/** What `ringside translate` does. */
import { readFile } from "node:fs/promises";
import { kernelImage, nanoImage } from "@ringside/guest";
import { ImageError, isElf, parseElf } from "@ringside/machine";
import {
  TranslationListing,
  type ListedLine,
  type ListedUnit,
} from "@ringside/strategy-binary-translation";
import type { TranslateOptions } from "../commands/translate.ts";
import { CommandError, unreadable } from "../failure.ts";
import { colours } from "../terminal.ts";

const PAGE_BYTES = 4096;
const FLAT_BASE = 0x10_0000n;
const GUEST_COLUMN = 50;

/** Code where it would lie in memory. */
interface Code {
  readonly entry: bigint;
  readonly segments: readonly { readonly linear: bigint; readonly bytes: Uint8Array }[];
}

/** Prints units of a file, side by side with their translations. */
export async function translate(file: string, { at, units }: TranslateOptions): Promise<void> {
  const code = await load(file);
  const listing = new TranslationListing((linear) => readCode(code, linear));
  const first = at ?? code.entry;
  const waiting = [first];
  const seen = new Set<bigint>();
  for (
    let next = waiting.shift();
    next !== undefined && seen.size < units;
    next = waiting.shift()
  ) {
    if (seen.has(next)) continue;
    const unit = listing.unit(next);
    if (unit === undefined) {
      if (next === first)
        throw new CommandError(
          `${file} has no code at 0x${next.toString(16)}. Give --at an address of one of its segments.`,
        );
      continue;
    }
    seen.add(next);
    print(unit);
    waiting.push(...unit.targets);
  }
}

function print({ guestRip, instructions, behind }: ListedUnit): void {
  const { bold, dim } = colours(process.stdout);
  let text = `${bold(`unit 0x${guestRip.toString(16)}`)}, ${instructions.length} ${instructions.length === 1 ? "instruction" : "instructions"}\n`;
  for (const { guest, treatment, why, code } of instructions) {
    // Most are copied, which the two sides show.
    if (treatment !== "copy") text += `\n  ${dim(`${treatment}: ${why}`)}\n`;
    const left = guest === undefined ? "(no instruction)" : lineText(guest);
    text += code.map((line, index) => row(index === 0 ? left : "", line)).join("");
    if (code.length === 0) text += `  ${left}\n`;
  }
  if (behind.length > 0) text += `\n  ${dim("behind the unit")}\n`;
  text += behind.map((line) => row("", line)).join("");
  process.stdout.write(`${text}\n`);

  function row(left: string, line: ListedLine): string {
    const note = line.note === undefined ? "" : `  ${dim(`; ${line.note}`)}`;
    return `  ${left.padEnd(GUEST_COLUMN)}  ${lineText(line)}${note}\n`;
  }
}

function lineText({ address, text }: ListedLine): string {
  return `${address.toString(16).padStart(16)}  ${text}`;
}

function readCode({ segments }: Code, linear: bigint): Uint8Array | undefined {
  const segment = segments.find(
    (each) => linear >= each.linear && linear < each.linear + BigInt(each.bytes.length),
  );
  if (segment === undefined) return undefined;
  const from = Number(linear - segment.linear);
  return segment.bytes.subarray(from, from + PAGE_BYTES - Number(linear % BigInt(PAGE_BYTES)));
}

async function load(file: string): Promise<Code> {
  const bytes = await readInput(file);
  if (!isElf(bytes)) return { entry: FLAT_BASE, segments: [{ linear: FLAT_BASE, bytes }] };
  try {
    const elf = parseElf(bytes);
    const segments = elf.segments.flatMap(({ fileOffset, fileBytes, linear, physical }) => {
      const content = bytes.subarray(fileOffset, fileOffset + fileBytes);
      // A kernel is entered where its segments are loaded, and goes on where they are linked.
      return [
        { linear, bytes: content },
        { linear: BigInt(physical), bytes: content },
      ];
    });
    return { entry: elf.entry, segments };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new CommandError(`${file}: ${error.message.replace(/^\[[^\]]*\] /u, "")}`, undefined, {
      cause: error,
    });
  }
}

async function readInput(file: string): Promise<Uint8Array> {
  if (file === "kernel") return kernelImage();
  if (file === "nano") return nanoImage();
  try {
    return await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}
