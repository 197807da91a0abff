/** What stack instructions share. Intel SDM Vol. 1 §6.2, "Stacks". */
import type { SemanticsBuilder } from "../semantics.ts";

/** Bytes that one push or pop of the operand size moves. */
export function operandBytes(m: SemanticsBuilder): 2 | 4 | 8 {
  if (m.width === 16) return 2;
  return m.width === 32 ? 4 : 8;
}
