/**
 * The SSE, SSE2 and SSE3 instructions.
 *
 * Intel SDM Vol. 1 chapters 10, 11 and 12.
 */
import type { Instruction } from "../dsl.ts";
import { sse2Integers, sse2Shifts } from "./sse-integer.ts";
import { maskmovdqu, sse2Moves, sse3Moves, sseMoves } from "./sse-move.ts";
import { sse2Shuffles, sseShuffles } from "./sse-shuffle.ts";

export const sseInstructions: readonly Instruction[] = [
  ...sseMoves,
  ...sse2Moves,
  ...sse3Moves,
  maskmovdqu,
  ...sse2Integers,
  ...sse2Shifts,
  ...sseShuffles,
  ...sse2Shuffles,
];
