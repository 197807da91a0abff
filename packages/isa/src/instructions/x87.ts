/**
 * The x87 instructions.
 *
 * Intel SDM Vol. 1 §5.2, "x87 FPU Instructions".
 */
import type { Instruction } from "../dsl.ts";
import {
  x87Arithmetic,
  x87Compare,
  x87CompareFlags,
  x87Transcendentals,
} from "./x87-arithmetic.ts";
import { mmxControl, x87Control } from "./x87-control.ts";
import { sse3X87, x87ConditionalMoves, x87Transfers } from "./x87-transfer.ts";

export const x87Instructions: readonly Instruction[] = [
  ...x87Arithmetic,
  ...x87Compare,
  ...x87CompareFlags,
  ...x87Transcendentals,
  ...x87Transfers,
  ...sse3X87,
  ...x87ConditionalMoves,
  ...x87Control,
  ...mmxControl,
];
