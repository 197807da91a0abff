/**
 * The instructions from SSE to SSE4.2.
 *
 * Intel SDM Vol. 1 chapters 10, 11 and 12.
 */
import type { Instruction } from "../dsl.ts";
import { sse2Arithmetic, sseArithmetic } from "./sse-arithmetic.ts";
import { sse2Compare, sse2CompareOrdered, sseCompare, sseCompareOrdered } from "./sse-compare.ts";
import { sse2Convert, sseConvert } from "./sse-convert.ts";
import { sse2Integers, sse2Shifts } from "./sse-integer.ts";
import { maskmovdqu, sse2Moves, sse3Moves, sseMoves } from "./sse-move.ts";
import { sse3Arithmetic, sse41Arithmetic } from "./sse3-arithmetic.ts";
import { sse41Integers } from "./sse41-integer.ts";
import { sse41Selections } from "./sse41-select.ts";
import { sse42Instructions } from "./sse42.ts";
import { ssse3Instructions } from "./ssse3.ts";
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
  ...sse3Arithmetic,
  ...ssse3Instructions,
  ...sse41Integers,
  ...sse41Selections,
  ...sse41Arithmetic,
  ...sse42Instructions,
];
