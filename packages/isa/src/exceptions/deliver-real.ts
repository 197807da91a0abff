/**
 * Delivery in real-address mode: the interrupt vector table.
 *
 * Intel SDM Vol. 3B §21.1.4, "Interrupt and Exception Handling".
 */
import { RFLAGS } from "../profile/registers.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { csSlots, ssSlots, type Delivery } from "./delivery.ts";
import { updateMode } from "./mode.ts";

/** Records delivery with CR0.PE = 0. No error code is pushed. */
export function deliverReal(m: SemanticsBuilder, delivery: Delivery): void {
  const offset = m.shiftLeft(delivery.vector, m.constant(2));
  const beyond = m.lessThanUnsigned(m.state(slots.idtrLimit), m.or(offset, m.constant(3)));
  m.raiseWhen(beyond, "GP", m.constant(0));
  const target = m.load(m.add(m.state(slots.idtrBase), offset), 4, "system");

  const pointer = m.register(4, 16);
  const push = (bytes: number, value: Value): void => {
    const offset = m.truncate(m.subtract(pointer, m.constant(bytes)), 16);
    const linear = m.and(m.add(m.state(ssSlots.effectiveBase), offset), m.state(slots.linearMask));
    m.store(linear, 2, value, "stack");
  };
  push(2, delivery.savedFlags);
  push(4, m.state(csSlots.selector));
  push(6, delivery.returnRip);

  m.setRegister(4, m.subtract(pointer, m.constant(6)), 16);
  const selector = m.shiftRightUnsigned(target, m.constant(16));
  m.setState(csSlots.selector, selector);
  m.setState(csSlots.base, m.shiftLeft(selector, m.constant(4)));
  m.writeFlagsRegister(m.constant(0), m.constant(RFLAGS.IF | RFLAGS.TF | RFLAGS.RF | RFLAGS.AC));
  m.setState(slots.stepDecided, m.constant(1));
  m.setState(slots.interruptShadow, m.constant(0));
  m.call(updateMode);
  m.setState(slots.rip, m.and(target, m.constant(0xffff)));
}
