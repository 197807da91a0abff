/**
 * What differs between a recorded result and one of ours.
 */
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

/** Differences in words, `rax is 2, recorded 1`; none when the results agree but for the flags left undefined. */
export function differences(
  ours: VectorResult,
  recorded: VectorResult,
  undefinedFlags: readonly StatusFlag[],
): string[] {
  const found: string[] = [];
  const differ = (name: string, left: string, right: string): void => {
    if (left !== right) found.push(`${name} is ${left}, recorded ${right}`);
  };
  differ("exception", faultText(ours), faultText(recorded));
  differ("rip", hex(ours.rip), hex(recorded.rip));
  let mask = COMPARED_FLAGS;
  for (const flag of undefinedFlags) mask &= ~FLAG_BITS[flag];
  const theirs = namedRegisters(recorded.registers);
  for (const [index, [name, value]] of namedRegisters(ours.registers).entries()) {
    const other = theirs[index]?.[1] ?? 0n;
    if (name === "f") differ("flags", hex(value & mask), hex(other & mask));
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
