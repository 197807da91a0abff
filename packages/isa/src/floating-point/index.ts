/**
 * All floating-point helpers, by the names under which semantics call them.
 */
import type { Helper } from "../helpers.ts";
import { arithmeticHelpers } from "../x87/arithmetic.ts";
import { tagHelpers } from "../x87/tags.ts";
import { transcendentalHelpers } from "../x87/transcendental.ts";
import { transferHelpers } from "../x87/transfer.ts";
import { sseHelpers } from "./sse.ts";
import { stringHelpers } from "./strings.ts";

export const floatingPointHelpers: Readonly<Record<string, Helper>> = {
  ...sseHelpers,
  ...stringHelpers,
  ...tagHelpers,
  ...arithmeticHelpers,
  ...transferHelpers,
  ...transcendentalHelpers,
};
