/**
 * Exception vectors. Intel SDM Vol. 3A §6.3, "Sources of Interrupts", Table 6-1, "Protected-Mode Exceptions and Interrupts".
 */
import type { ExceptionName } from "../semantics.ts";

/** Vectors by the manual's mnemonics. NMI and MC are not raised by semantics. */
export const VECTOR = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** What stands in a vector's place when an instruction was abandoned for an extension. */
export const EXIT_VECTOR = 256;

/** What semantics raise. */
export const EXCEPTION_VECTORS: Readonly<Record<ExceptionName, number>> = {
  ...VECTOR,
  EXIT: EXIT_VECTOR,
};

const WITH_ERROR_CODE: ReadonlySet<number> = new Set([
  VECTOR.DF,
  VECTOR.TS,
  VECTOR.NP,
  VECTOR.SS,
  VECTOR.GP,
  VECTOR.PF,
  VECTOR.AC,
]);

/** Whether the delivery of a vector pushes an error code. */
export function setsErrorCode(vector: number): boolean {
  return WITH_ERROR_CODE.has(vector);
}
