/** A unit for people: the guest's code and its translation side by side, with what was done and why. */
import { disassemble, HostMemory } from "@ringside/isa";
import { Region, regionFrames } from "../cache/region.ts";
import { slotAddress, slotOffsets, type SlotName } from "../cache/virtual-cpu-slots.ts";
import { Translator } from "./translator.ts";
import type { TranslatedUnit, UnitExit } from "./unit.ts";

export interface ListedLine {
  /** Linear address: in the guest, or in the cache. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** Assembly. Slots of the virtual CPU and the lookup table have names: `[$rcx]`. */
  readonly text: string;
  /** What a callout is for. */
  readonly note?: string;
}

export interface ListedInstruction {
  /** Undefined where no instruction can be decoded. */
  readonly guest: ListedLine | undefined;
  /** What was done, in a word. */
  readonly treatment: string;
  readonly why: string;
  readonly code: readonly ListedLine[];
}

export interface ListedUnit {
  readonly guestRip: bigint;
  readonly instructions: readonly ListedInstruction[];
  /** Code behind the last instruction: where the unit goes on, and what branches away from it. */
  readonly behind: readonly ListedLine[];
  /** Where direct branches lead. */
  readonly targets: readonly bigint[];
}

export class TranslationListing {
  readonly #translator: Translator;
  readonly #region: Region;
  readonly #names: readonly (readonly [string, string])[];
  #offset = 0;

  /** @param read Code from a linear address on: what is mapped of it up to the end of the page. */
  constructor(read: (linear: bigint) => Uint8Array | undefined) {
    const memory = HostMemory.create({
      physicalBytes: regionFrames * pageBytes,
      codeCacheBytes: 1 << 20,
    });
    this.#region = new Region(memory, 0);
    this.#names = slotNames(this.#region);
    this.#translator = new Translator({
      region: this.#region,
      fetch: (linear) => {
        const bytes = read(linear);
        // Where in the guest's memory it lies does not matter to a listing.
        return bytes === undefined ? undefined : { gpa: Number(linear & 0xfffn), bytes };
      },
      isTrapping: () => false,
      hasBreakpoint: () => false,
      hasUnusualFlags: () => false,
    });
  }

  /** Translates one unit; undefined where no code is. */
  unit(guestRip: bigint): ListedUnit | undefined {
    const unit = this.#translator.translate(guestRip, this.#offset);
    if (unit === undefined) return undefined;
    this.#offset += unit.bytes.length;
    const lines = this.#linesOf(unit);
    const starts = unit.instructions.map(({ offset }) => offset);
    const end = this.#ownEnd(unit);
    const between = (from: number, to: number): readonly ListedLine[] =>
      lines.filter(({ offset }) => offset >= from && offset < to).map(({ line }) => line);
    return {
      guestRip,
      instructions: unit.instructions.map(({ guestRip: address, bytes, treatment, why }, index) => {
        const [text] = [...disassemble(bytes, { address })];
        const from = starts[index] ?? 0;
        return {
          guest: text === undefined ? undefined : { address, bytes, text: text.text },
          treatment,
          why,
          code: between(from, starts[index + 1] ?? end),
        };
      }),
      behind: between(end, unit.offset + unit.bytes.length),
      targets: unit.exits.flatMap((exit) => (exit.kind === "continuation" ? [exit.target] : [])),
    };
  }

  /** Where what stands for the last instruction ends: at the first exit that is another place. */
  #ownEnd({ instructions, exits, offset, bytes }: TranslatedUnit): number {
    const last = instructions.at(-1);
    const continuation = exits.find(
      (exit) => exit.kind === "continuation" && exit.offset >= (last?.offset ?? 0),
    );
    return continuation?.offset ?? offset + bytes.length;
  }

  #linesOf(unit: TranslatedUnit): { readonly offset: number; readonly line: ListedLine }[] {
    const start = this.#region.code + BigInt(unit.offset);
    const notes = new Map(unit.exits.map((exit) => [exit.offset, noteOf(exit)]));
    return [...disassemble(unit.bytes, { address: start })].map(({ address, bytes, text }) => {
      const offset = Number(address - this.#region.code);
      const note = notes.get(offset);
      const named = this.#names.reduce((all, [from, to]) => all.replaceAll(from, to), text);
      const line = { address, bytes, text: named, ...(note === undefined ? {} : { note }) };
      return { offset, line };
    });
  }
}

const pageBytes = 4096;

function noteOf(exit: UnitExit): string {
  switch (exit.kind) {
    case "continuation":
      return `to 0x${exit.target.toString(16)}: becomes a jump once that is translated`;
    case "lookup":
      return "the table does not have the target";
    case "emulate":
      return exit.mnemonic === "undefined"
        ? "the hypervisor finds out what is wrong here"
        : `the hypervisor executes ${exit.mnemonic.toUpperCase()}`;
    case "breakpoint":
      return "a breakpoint of the guest";
    case "pending":
      return "an interrupt waits";
  }
}

function slotNames(region: Region): readonly (readonly [string, string])[] {
  const hex = (address: bigint): string => `0x${address.toString(16)}`;
  const slots = (Object.keys(slotOffsets) as SlotName[]).map(
    (name) => [`[${hex(slotAddress(region, name))}]`, `[$${name}]`] as const,
  );
  const signed = (address: bigint): string => `-0x${(-BigInt.asIntN(64, address)).toString(16)}`;
  return [
    ...slots,
    [`rax${signed(region.lookup)}`, "rax+$lookup"],
    [`rax${signed(region.lookup + 8n)}`, "rax+$lookup+8"],
  ];
}
