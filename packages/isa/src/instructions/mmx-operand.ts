/**
 * MMX registers, which are the x87's: what makes them usable, and what using them does to the x87.
 *
 * Intel SDM Vol. 1 §9.2.2, "MMX Registers" and §9.5.1, "MMX Instructions and the x87 FPU Tag Word"; Vol. 3A §12.1,
 * "Emulation of the MMX Instruction Set".
 */
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";

const CR0_EM = 0x4n;
const CR0_TS = 0x8n;
const ERROR_SUMMARY = 0x80n;
const TOP = 0x3800n;
/** All registers in use; with exponents of ones they look like NaNs to the x87. */
const ALL_SPECIAL = 0xaaaan;

/** #UD with CR0.EM, #NM with CR0.TS, #MF when an x87 exception is pending. */
export function requireMmx(m: SemanticsBuilder): void {
  const cr0 = m.state(slots.cr0);
  m.raiseWhen(m.and(cr0, m.constant(CR0_EM)), "UD");
  m.raiseWhen(m.and(cr0, m.constant(CR0_TS)), "NM");
  m.raiseWhen(m.and(m.state(slots.fsw), m.constant(ERROR_SUMMARY)), "MF");
}

/** The x87's stack is full and its top is register 0. Comes after the last access to memory that may fault. */
export function enterMmx(m: SemanticsBuilder): void {
  m.setState(slots.fsw, m.and(m.state(slots.fsw), m.constant(~TOP)));
  m.setState(slots.ftw, m.constant(ALL_SPECIAL));
}

/** Writes an MMX register, and ones where the x87 has sign and exponent. */
export function writeMmx(m: SemanticsBuilder, register: Operand, value: Value): void {
  m.writeAs(register, value, 8);
  const offset = m.shiftLeft(m.registerNumber(register), m.constant(4), 64);
  m.setStateAt({ offset: slots.x87.offset + 8, bytes: 2 }, offset, m.constant(0xffff));
}
