/**
 * Where string instructions find an element, and how their pointers move. The source's segment can be overridden, the
 * destination's is ES.
 *
 * Intel SDM Vol. 1 §7.3.9.1, "String Instructions".
 */
import { wrapLinear } from "../exceptions/mode.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";

export const RSI = 6;
export const RDI = 7;
const ES = 0;
const DIRECTION_BIT = 10;

/** Linear address of the element that RSI points to. */
export function sourceAddress(m: SemanticsBuilder): Value {
  return linear(m, m.segmentBase(), m.register(RSI, m.addressWidth));
}

/** Linear address of the element that RDI points to. */
export function destinationAddress(m: SemanticsBuilder): Value {
  const offset = m.register(RDI, m.addressWidth);
  return m.mode === 64 ? offset : linear(m, m.state(segmentSlots(ES).effectiveBase), offset);
}

function linear(m: SemanticsBuilder, base: Value, offset: Value): Value {
  return wrapLinear(m, m.add(base, offset, 64));
}

/** Moves RSI or RDI by one element, in the direction that DF says. */
export function advance(m: SemanticsBuilder, register: number, bytes: number): void {
  const width = m.addressWidth;
  const isDown = m.bit(m.state(slots.flagsSystem), DIRECTION_BIT);
  const step = m.select(isDown, m.constant(-bytes), m.constant(bytes));
  m.setRegister(register, m.add(m.register(register, width), step, width), width);
}
