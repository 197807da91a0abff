/**
 * What stack instructions share: the size of their slots and addresses within the stack segment.
 *
 * Intel SDM Vol. 1 §6.2, "Stacks".
 */
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";

const SS = 2;

/** Bytes that one push or pop of the operand size moves. */
export function operandBytes(m: SemanticsBuilder): 2 | 4 | 8 {
  if (m.width === 16) return 2;
  return m.width === 32 ? 4 : 8;
}

/** Linear address of an offset into the stack segment, wrapped at the stack's size. */
export function stackAddress(m: SemanticsBuilder, offset: Value): Value {
  if (m.mode === 64) return offset;
  const within = m.and(offset, m.state(slots.stackMask));
  return m.truncate(m.add(m.state(segmentSlots(SS).effectiveBase), within, 64), 32);
}
