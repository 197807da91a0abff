/**
 * The SSE, SSE2 and SSE3 instructions.
 *
 * Intel SDM Vol. 1 chapters 10, 11 and 12.
 */
import type { Instruction } from "../dsl.ts";
import { sse2Arithmetic, sseArithmetic } from "./sse-arithmetic.ts";
import { sse2Compare, sse2CompareOrdered, sseCompare, sseCompareOrdered } from "./sse-compare.ts";
import { sse2Convert, sseConvert } from "./sse-convert.ts";
import { sse2Integers, sse2Shifts } from "./sse-integer.ts";
import { maskmovdqu, sse2Moves, sse3Moves, sseMoves } from "./sse-move.ts";
import { sse2Shuffles, sseShuffles } from "./sse-shuffle.ts";
import { fxrstor, fxrstor64, fxsave, fxsave64, ldmxcsr, stmxcsr } from "./sse-state.ts";

export const sseInstructions: readonly Instruction[] = [
  ...sseMoves,
  ...sse2Moves,
  ...sse3Moves,
  maskmovdqu,
  ...sse2Integers,
  ...sse2Shifts,
  ...sseShuffles,
  ...sse2Shuffles,
  ...sseArithmetic,
  ...sse2Arithmetic,
  ...sseCompare,
  ...sse2Compare,
  ...sseCompareOrdered,
  ...sse2CompareOrdered,
  ...sseConvert,
  ...sse2Convert,
  ldmxcsr,
  stmxcsr,
  fxsave,
  fxsave64,
  fxrstor,
  fxrstor64,
];
