/**
 * All floating-point helpers, by the names under which semantics call them.
 */
import type { Helper } from "../helpers.ts";
import { tagHelpers } from "../x87/tags.ts";
import { sseHelpers } from "./sse.ts";

export const floatingPointHelpers: Readonly<Record<string, Helper>> = {
  ...sseHelpers,
  ...tagHelpers,
};
