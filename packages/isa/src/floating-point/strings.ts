/**
 * The string comparisons of SSE4.2: too intricate for WebAssembly's vectors, and too rare.
 *
 * Intel SDM Vol. 2B §4.1, "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
 */
import type { Helper, HelperContext } from "../helpers.ts";
import { slots, type Slot } from "../state/layout.ts";

const FLAG_CARRY = 0x100;
const FLAG_ZERO = 0x200;
const FLAG_SIGN = 0x400;
const FLAG_OVERFLOW = 0x800;

/** Imm8 bits 3:2. */
const AGGREGATION = { EQUAL_ANY: 0, RANGES: 1, EQUAL_EACH: 2, EQUAL_ORDERED: 3 } as const;

/** Characters of an operand, by imm8 bits 1:0: unsigned or signed, bytes or words. */
function readCharacters(cpu: HelperContext, slot: Slot, control: number): readonly number[] {
  const at = cpu.base + slot.offset;
  const view = new DataView(cpu.u8.buffer, at, 16);
  const isWide = (control & 1) !== 0;
  const isSigned = (control & 2) !== 0;
  return Array.from({ length: isWide ? 8 : 16 }, (_, index) => {
    if (isWide) return isSigned ? view.getInt16(index * 2, true) : view.getUint16(index * 2, true);
    return isSigned ? view.getInt8(index) : view.getUint8(index);
  });
}

/** A length that was given, or that up to the first null. */
function lengthOf(characters: readonly number[], given: number): number {
  if (given >= 0) return Math.min(given, characters.length);
  const end = characters.indexOf(0);
  return end < 0 ? characters.length : end;
}

/** One bit for each character of the second string. */
function aggregate(
  control: number,
  first: readonly number[],
  firstLength: number,
  second: readonly number[],
  secondLength: number,
): number {
  const matches = (index: number): boolean => {
    const character = second[index] ?? 0;
    const isValid = index < secondLength;
    switch ((control >> 2) & 3) {
      case AGGREGATION.EQUAL_ANY:
        return isValid && first.slice(0, firstLength).includes(character);
      case AGGREGATION.RANGES:
        return isValid && isInRange(first.slice(0, firstLength & ~1), character);
      case AGGREGATION.EQUAL_EACH: {
        // Beyond both ends characters are equal.
        const isFirstValid = index < firstLength;
        return isValid && isFirstValid ? first[index] === character : isValid === isFirstValid;
      }
      default:
        return isSubstringAt(first.slice(0, firstLength), second, secondLength, index);
    }
  };
  let bits = 0;
  for (let index = 0; index < second.length; index++) if (matches(index)) bits |= 1 << index;
  return bits;
}

/** Ranges are pairs of a first and a last character. */
function isInRange(bounds: readonly number[], character: number): boolean {
  for (let at = 0; at + 1 < bounds.length; at += 2) {
    if (character >= (bounds[at] ?? 0) && character <= (bounds[at + 1] ?? 0)) return true;
  }
  return false;
}

/** Whether the whole first string, or as much of it as fits into the register, begins at an index of the second. */
function isSubstringAt(
  wanted: readonly number[],
  second: readonly number[],
  secondLength: number,
  index: number,
): boolean {
  const room = second.length - index;
  return wanted
    .slice(0, room)
    .every((character, at) => index + at < secondLength && second[index + at] === character);
}

/** Parameters: imm8, the lengths or -1, 1 for a mask. Result: the index, and CF, ZF, SF and OF from bit 8 on. */
const compareStrings: Helper = (cpu, control = 0, firstGiven = -1, secondGiven = -1, mask = 0) => {
  const first = readCharacters(cpu, slots.scratch0, control);
  const second = readCharacters(cpu, slots.scratch2, control);
  const firstLength = lengthOf(first, firstGiven);
  const secondLength = lengthOf(second, secondGiven);
  const size = second.length;
  const all = (1 << size) - 1;
  const found = aggregate(control, first, firstLength, second, secondLength);
  const isNegated = (control & 0x10) !== 0;
  // A masked negation leaves characters beyond the end alone.
  const negation = (control & 0x20) === 0 ? all : (1 << secondLength) - 1;
  const bits = isNegated ? (found ^ negation) & all : found;
  if (mask !== 0) writeMask(cpu, bits, size, (control & 0x40) !== 0);
  const last = (control & 0x40) !== 0;
  const index = bits === 0 ? size : last ? 31 - Math.clz32(bits) : 31 - Math.clz32(bits & -bits);
  return (
    index |
    (bits === 0 ? 0 : FLAG_CARRY) |
    (secondLength < size ? FLAG_ZERO : 0) |
    (firstLength < size ? FLAG_SIGN : 0) |
    ((bits & 1) === 0 ? 0 : FLAG_OVERFLOW)
  );
};

/** The bits as they are, or each as a whole character of ones. */
function writeMask(cpu: HelperContext, bits: number, size: number, expands: boolean): void {
  const at = cpu.base + slots.scratch0.offset;
  cpu.u8.fill(0, at, at + 16);
  if (!expands) {
    cpu.u32[at >>> 2] = bits;
    return;
  }
  const bytes = 16 / size;
  for (let index = 0; index < size; index++) {
    if (((bits >> index) & 1) !== 0)
      cpu.u8.fill(0xff, at + index * bytes, at + (index + 1) * bytes);
  }
}

export const stringHelpers: Readonly<Record<string, Helper>> = {
  "sse.compareStrings": compareStrings,
};
