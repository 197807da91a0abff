/**
 * What differs between a recorded result and one of ours.
 */
import type { Instruction } from "../dsl.ts";
import type { StatusFlag } from "../semantics.ts";
import { namedRegisters } from "./format.ts";
import type { Patch, VectorResult } from "./machine.ts";

const FLAG_BITS: Readonly<Record<StatusFlag, bigint>> = {
  CF: 0x1n,
  PF: 0x4n,
  AF: 0x10n,
  ZF: 0x40n,
  SF: 0x80n,
  OF: 0x800n,
};

/** Flags that a program can see, but for TF and RF, which the recorder's single step changes. */
const COMPARED_FLAGS = 0x24_4ed7n;

const C1 = 0x200;
const ALL_CONDITION_CODES = 0x4700;

/**
 * Condition codes of the x87 that the manual leaves undefined, or that recorded processors of other vendors set otherwise than it says.
 */
const DISPUTED_STATUS: readonly (readonly [RegExp, number])[] = [
  // "C1 set to 0" (Intel); kept by AMD processors.
  [/^fu?comip?$/u, C1],
  // "C0, C2, C3 undefined"; C1 is kept or cleared.
  [/^fcmov/u, ALL_CONDITION_CODES],
  // "C0, C1, C2, C3 undefined".
  [/^ffreep?$/u, ALL_CONDITION_CODES],
];

/** What of the recorded state is not compared, for a row. */
export interface Uncompared {
  readonly flags: readonly StatusFlag[];
  /** Bits of FSW. */
  readonly statusWord: number;
}

/** What is not compared for an instruction: flags that its row calls undefined, and disputed condition codes. */
export function uncompared(instruction: Instruction): Uncompared {
  const disputed = DISPUTED_STATUS.find(([mnemonics]) => mnemonics.test(instruction.mnemonic));
  return { flags: instruction.flags?.undefined ?? [], statusWord: disputed?.[1] ?? 0 };
}

/** Differences in words, `rax is 2, recorded 1`; none when the results agree but for what is not compared. */
export function differences(
  ours: VectorResult,
  recorded: VectorResult,
  except: Uncompared,
): string[] {
  const found: string[] = [];
  const differ = (name: string, left: string, right: string): void => {
    if (left !== right) found.push(`${name} is ${left}, recorded ${right}`);
  };
  differ("exception", faultText(ours), faultText(recorded));
  differ("rip", hex(ours.rip), hex(recorded.rip));
  let mask = COMPARED_FLAGS;
  for (const flag of except.flags) mask &= ~FLAG_BITS[flag];
  const status = BigInt(except.statusWord);
  const theirs = namedRegisters(recorded.registers);
  for (const [index, [name, value]] of namedRegisters(ours.registers).entries()) {
    const other = theirs[index]?.[1] ?? 0n;
    if (name === "f") differ("flags", hex(value & mask), hex(other & mask));
    else if (name === "sw") differ(name, hex(value & ~status), hex(other & ~status));
    else differ(name, hex(value), hex(other));
  }
  differ("memory", memoryText(ours.memory), memoryText(recorded.memory));
  return found;
}

function faultText({ fault }: VectorResult): string {
  if (fault === undefined) return "none";
  return fault.linear === undefined ? `${fault.vector}` : `${fault.vector} at ${hex(fault.linear)}`;
}

/** Byte by byte, so that it does not matter how changes were gathered. */
function memoryText(patches: readonly Patch[]): string {
  return patches
    .flatMap(({ linear, bytes }) =>
      [...bytes].map((byte, index) => `${(linear + index).toString(16)}=${byte.toString(16)}`),
    )
    .join(" ");
}

function hex(value: bigint): string {
  return value.toString(16);
}
