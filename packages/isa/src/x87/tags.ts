/**
 * The x87's tag word: what each physical register holds, two bits each in full, one bit (not empty) abridged.
 *
 * Intel SDM Vol. 1 §8.1.7, "x87 FPU Tag Word" and Vol. 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State".
 */
import type { Helper, HelperContext } from "../helpers.ts";
import { slots } from "../state/layout.ts";

/** A number with a normal significand. */
export const VALID = 0;
export const ZERO = 1;
/** A NaN, an infinity, a denormal or an encoding without a meaning. */
export const SPECIAL = 2;
export const EMPTY = 3;

const REGISTER_BYTES = 16;

function tagWordIndex(cpu: HelperContext): number {
  return cpu.base + slots.ftw.offset;
}

/** The full tag word. */
export function readTags(cpu: HelperContext): number {
  const at = tagWordIndex(cpu);
  return (cpu.u8[at] ?? 0) | ((cpu.u8[at + 1] ?? 0) << 8);
}

export function writeTags(cpu: HelperContext, tags: number): void {
  const at = tagWordIndex(cpu);
  cpu.u8[at] = tags & 0xff;
  cpu.u8[at + 1] = (tags >> 8) & 0xff;
}

/** Tag of an 80-bit number in parts. */
export function tagOf(significand: bigint, signAndExponent: number): number {
  const exponent = signAndExponent & 0x7fff;
  if (exponent === 0 && significand === 0n) return ZERO;
  if (exponent === 0 || exponent === 0x7fff || significand >> 63n === 0n) return SPECIAL;
  return VALID;
}

/** Tag that the contents of a physical register deserve. */
export function tagOfRegister(cpu: HelperContext, physical: number): number {
  const at = cpu.base + slots.x87.offset + REGISTER_BYTES * physical;
  const exponent = (cpu.u8[at + 8] ?? 0) | ((cpu.u8[at + 9] ?? 0) << 8);
  return tagOf(cpu.u64[at >>> 3] ?? 0n, exponent);
}

/** One bit for each physical register that is not empty. */
export function abridgeTags(cpu: HelperContext): number {
  const tags = readTags(cpu);
  let abridged = 0;
  for (let physical = 0; physical < 8; physical++) {
    if (((tags >> (2 * physical)) & 3) !== EMPTY) abridged |= 1 << physical;
  }
  return abridged;
}

/** Makes the full tag word from an abridged one and the registers' contents. */
export function expandTags(cpu: HelperContext, abridged: number): void {
  let tags = 0;
  for (let physical = 0; physical < 8; physical++) {
    const present = ((abridged >> physical) & 1) === 1;
    tags |= (present ? tagOfRegister(cpu, physical) : EMPTY) << (2 * physical);
  }
  writeTags(cpu, tags);
}

export const tagHelpers: Readonly<Record<string, Helper>> = {
  "x87.abridgeTags": (cpu) => abridgeTags(cpu),
  "x87.expandTags": (cpu, abridged = 0) => expandTags(cpu, abridged),
};
