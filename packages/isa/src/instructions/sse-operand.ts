/**
 * What SSE instructions share: whether they may execute at all, aligned operands, and parts of registers.
 *
 * Intel SDM Vol. 3A §14.1.4, "Initialization of the SSE Extensions" and Vol. 2A §2.4, "AVX and SSE Instruction Exception
 * Classification".
 */
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { enterMmx, requireMmx, writeMmx } from "./mmx-operand.ts";

const CR0_EM = 0x4n;
const CR0_TS = 0x8n;
const CR4_OSFXSR = 0x200n;

/** #UD when the operating system has not enabled SSE, #NM when it switches its state lazily. */
export function requireSse(m: SemanticsBuilder): void {
  const cr0 = m.state(slots.cr0);
  const disabled = m.or(
    m.and(cr0, m.constant(CR0_EM)),
    m.xor(m.and(m.state(slots.cr4), m.constant(CR4_OSFXSR)), m.constant(CR4_OSFXSR)),
  );
  const switched = m.and(cr0, m.constant(CR0_TS));
  m.when(m.or(disabled, switched), () => {
    m.raiseWhen(disabled, "UD");
    m.raise("NM");
  });
}

/** #GP(0) when a memory operand is not on a 16-byte boundary. */
export function requireAligned(m: SemanticsBuilder, operand: Operand): void {
  if (operand.kind !== "memory") return;
  const misaligned = m.and(m.linearAddress(operand), m.constant(15n));
  m.raiseWhen(misaligned, "GP", m.constant(0n));
}

/** All 128 bits of a register, or of memory that must be aligned. */
export function readVector(m: SemanticsBuilder, operand: Operand): Value {
  requireAligned(m, operand);
  return m.readAs(operand, "v128", 16);
}

/** Stores all 128 bits of a register, or of memory that must be aligned. */
export function writeVector(m: SemanticsBuilder, operand: Operand, value: Value): void {
  requireAligned(m, operand);
  m.writeAs(operand, value, 16);
}

/** A vector with an integer in its low half and zero above. */
export function lowVector(m: SemanticsBuilder, low: Value): Value {
  return m.wasm("i64x2.replace_lane", [m.constantV128(0n, 0n), low], [0]);
}

/** One 64-bit half of a vector as an integer. */
export function half(m: SemanticsBuilder, vector: Value, lane: 0 | 1): Value {
  return m.wasm("i64x2.extract_lane", [vector], [lane]);
}

/** A vector with one 64-bit half replaced. */
export function withHalf(m: SemanticsBuilder, vector: Value, lane: 0 | 1, value: Value): Value {
  return m.wasm("i64x2.replace_lane", [vector, value], [lane]);
}

/** What {@link requireSse} or {@link requireMmx} checks, by the register that an instruction works on. */
export function requirePacked(m: SemanticsBuilder, register: Operand): void {
  if (register.kind === "mmx") requireMmx(m);
  else requireSse(m);
}

/** A packed operand; one of 64 or 32 bits has zeros above. Memory of 128 bits must be aligned. */
export function readPacked(m: SemanticsBuilder, operand: Operand): Value {
  if (operand.bits === 128) return readVector(m, operand);
  return m.readAs(operand, "v128", operand.bits === 32 ? 4 : 8);
}

/** Writes a register, of which an MMX register takes the low half. */
export function writePacked(m: SemanticsBuilder, register: Operand, value: Value): void {
  if (register.kind !== "mmx") {
    m.writeAs(register, value, 16);
    return;
  }
  enterMmx(m);
  writeMmx(m, register, half(m, value, 0));
}
