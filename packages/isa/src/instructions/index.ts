/**
 * The instruction table: every row that the processor has before extensions add theirs.
 *
 * The order of the list is the order in which forms are numbered, and nothing else.
 */
import type { Instruction } from "../dsl.ts";
import { integerInstructions } from "./integer.ts";
import { systemInstructions } from "./system.ts";
import { mmxInstructions } from "./mmx.ts";
import { sseInstructions } from "./sse.ts";
import { x87Instructions } from "./x87.ts";

export const instructions: readonly Instruction[] = [
  ...integerInstructions,
  ...systemInstructions,
  ...mmxInstructions,
  ...sseInstructions,
  ...x87Instructions,
];
