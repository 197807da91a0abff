/**
 * What x87 instructions share: whether they may execute, their memory operands and register numbers.
 *
 * Intel SDM Vol. 3A §2.5, "Control Registers" (CR0.EM, TS, MP, NE) and Vol. 1 §8.6, "x87 FPU Exception Synchronization".
 */
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots, type Slot } from "../state/layout.ts";
import { SOURCE } from "../x87/arithmetic.ts";

const CR0_EM_TS = 0xcn;
const ERROR_SUMMARY = 0x80n;

/** #NM when the x87 is absent, emulated or switched lazily. */
export function requireX87Enabled(m: SemanticsBuilder): void {
  m.raiseWhen(m.and(m.state(slots.cr0), m.constant(CR0_EM_TS)), "NM");
}

/**
 * #MF when an earlier exception is pending.
 *
 * Differs from the SDM: CR0.NE is taken as set; with it clear the processor signals FERR# to an interrupt controller.
 */
export function requireNoPending(m: SemanticsBuilder): void {
  m.raiseWhen(m.and(m.state(slots.fsw), m.constant(ERROR_SUMMARY)), "MF");
}

/** What every instruction checks but those that do not wait. */
export function requireX87(m: SemanticsBuilder): void {
  requireX87Enabled(m);
  requireNoPending(m);
}

/** Mantissa, and sign with exponent, of physical register 0. */
export const REGISTER_LOW: Slot = { offset: slots.x87.offset, bytes: 8 };
export const REGISTER_HIGH: Slot = { offset: slots.x87.offset + 8, bytes: 2 };

/** Byte offset of ST(`index`) from physical register 0, by the status word as it then is. */
export function stackRegisterOffset(m: SemanticsBuilder, index: number): Value {
  const top = m.shiftRightUnsigned(m.state(slots.fsw), m.constant(11));
  const physical = m.and(m.add(top, m.constant(index), 64), m.constant(7));
  return m.shiftLeft(physical, m.constant(4), 64);
}

/** The number of a stack register. */
export function stackIndex(m: SemanticsBuilder, operand: Operand): Value {
  return m.registerNumber(operand);
}

/** Leaves a memory operand for a helper, and gives the number of its kind. */
export function loadSource(
  m: SemanticsBuilder,
  operand: Operand,
  memory: "float" | "integer",
): number {
  m.setState(slots.scratch0, m.read(operand));
  if (memory === "float") return operand.bits === 32 ? SOURCE.single : SOURCE.double;
  return operand.bits === 16 ? SOURCE.word : SOURCE.doubleword;
}

/** Calls a helper with fixed numbers and values. */
export function callX87(
  m: SemanticsBuilder,
  helper: string,
  parameters: readonly (number | Value)[],
): void {
  m.helper(
    helper,
    parameters.map((parameter) =>
      typeof parameter === "number" ? m.constant(parameter) : parameter,
    ),
  );
}
