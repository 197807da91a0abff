/** What intercepts share: tests of the controls, and the way out. */
import { slots, type SemanticsBuilder, type Slot, type Value } from "@ringside/isa";
import { OPERATION, vmx } from "./vmx-state.ts";

/** Whether one of a field's bits is 1: most intercepts are such a test of a control. */
export function has(m: SemanticsBuilder, slot: Slot, bits: number | bigint): Value {
  return m.notEqual(m.and(m.state(slot), m.constant(bits)), m.constant(0));
}

export function isNonRoot(m: SemanticsBuilder): Value {
  return m.equal(m.state(vmx.operation), m.constant(OPERATION.NON_ROOT));
}

export function isSupervisor(m: SemanticsBuilder): Value {
  return m.isZero(m.state(slots.cpl));
}

/** Leaves for a VM exit. */
export function exit(m: SemanticsBuilder, reason: number, qualification?: Value): void {
  m.setState(vmx.qualification, qualification ?? m.constant(0));
  m.raise("EXIT", m.constant(reason));
}
