/**
 * ROL, ROR, RCL, RCR: rotations, without and with the carry flag as one more bit.
 *
 * Intel SDM Vol. 2B, "RCL/RCR/ROL/ROR—Rotate". Only CF and OF change, and neither does when the masked count is zero.
 * OF is defined for single rotations only; here it follows the same formula for every count, as processors do.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const REFERENCE = "Intel SDM Vol. 2B, RCL/RCR/ROL/ROR—Rotate";

/** The count as the processor masks it: six bits for 64-bit operands, else five. */
function maskedCount(m: SemanticsBuilder, count: Operand): Value {
  return m.and(m.read(count), m.constant(m.width === 64 ? 63 : 31));
}

/** Rotates by a count below 64; counts above the width wrap around. */
function rotate(m: SemanticsBuilder, value: Value, count: Value, left: boolean): Value {
  if (m.width === 64) return m.wasm(left ? "i64.rotl" : "i64.rotr", [value, count]);
  if (m.width === 32) {
    const operation = left ? "i32.rotl" : "i32.rotr";
    return m.fromI32Unsigned(m.wasm(operation, [m.toI32(value), m.toI32(count)]));
  }
  const by = m.and(count, m.constant(m.width - 1));
  const rest = m.subtract(m.constant(m.width), by, 64);
  return left
    ? m.or(m.shiftLeft(value, by), m.shiftRightUnsigned(value, rest))
    : m.or(m.shiftRightUnsigned(value, by), m.shiftLeft(value, rest));
}

function rotateOperand(m: SemanticsBuilder, dst: Operand, by: Operand, left: boolean): void {
  const sign = m.width - 1;
  const value = m.read(dst);
  const count = maskedCount(m, by);
  const result = rotate(m, value, count, left);
  m.write(dst, result);
  const setFlags = (): void => {
    const top = m.bit(result, sign);
    const carry = left ? m.bit(result, 0) : top;
    const other = left ? top : m.bit(result, sign - 1);
    m.setFlags({ CF: carry, OF: m.notEqual(carry, other) });
  };
  if (by.kind === "constant") setFlags();
  else m.when(m.isFalse(m.isZero(count)), setFlags);
}

/** The masked count modulo the width and the carry. */
function carryCount(m: SemanticsBuilder, by: Operand): Value {
  const count = maskedCount(m, by);
  return m.width < 32 ? m.remainderUnsigned(count, m.constant(m.width + 1)) : count;
}

function rotateThroughCarry(m: SemanticsBuilder, dst: Operand, by: Operand, left: boolean): void {
  const sign = m.width - 1;
  const one = m.constant(1n);
  const value = m.read(dst);
  const count = carryCount(m, by);
  const carryIn = m.fromCondition(m.flag("CF"));
  m.when(
    m.isZero(count),
    // A 32-bit register loses its upper half even so.
    () => m.write(dst, value),
    () => {
      // Two shifts, because a shift by 64 would be one by 0.
      const rest = m.subtract(m.constant(m.width), count, 64);
      const less = m.subtract(count, one, 64);
      const before = left ? m.shiftRightUnsigned(value, rest) : m.shiftRightUnsigned(value, less);
      const carry = m.bit(before, 0);
      const result = left
        ? m.or(
            m.or(m.shiftLeft(value, count), m.shiftLeft(carryIn, less)),
            m.shiftRightUnsigned(m.shiftRightUnsigned(value, one), rest),
          )
        : m.or(
            m.or(m.shiftRightUnsigned(before, one), m.shiftLeft(carryIn, rest)),
            m.shiftLeft(m.shiftLeft(value, one), rest),
          );
      m.write(dst, result);
      const top = m.bit(result, sign);
      const overflow = m.notEqual(top, left ? carry : m.bit(result, sign - 1));
      m.setFlags({ CF: carry, OF: overflow });
    },
  );
}

export const rcl: Instruction = {
  mnemonic: "rcl",
  reference: REFERENCE,
  flags: { reads: ["CF"], writes: ["OF", "CF"], undefined: ["OF"] },

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /2          | RCL r/m8, 1     | rw r
    D2 /2          | RCL r/m8, CL    | rw r
    C0 /2 ib       | RCL r/m8, imm8  | rw r
    o16 D1 /2      | RCL r/m16, 1    | rw r
    o16 D3 /2      | RCL r/m16, CL   | rw r
    o16 C1 /2 ib   | RCL r/m16, imm8 | rw r
    o32 D1 /2      | RCL r/m32, 1    | rw r
    REX.W D1 /2    | RCL r/m64, 1    | rw r
    o32 D3 /2      | RCL r/m32, CL   | rw r
    REX.W D3 /2    | RCL r/m64, CL   | rw r
    o32 C1 /2 ib   | RCL r/m32, imm8 | rw r
    REX.W C1 /2 ib | RCL r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    rotateThroughCarry(m, dst, count, true);
  },
};

export const rcr: Instruction = {
  mnemonic: "rcr",
  reference: REFERENCE,
  flags: { reads: ["CF"], writes: ["OF", "CF"], undefined: ["OF"] },

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /3          | RCR r/m8, 1     | rw r
    D2 /3          | RCR r/m8, CL    | rw r
    C0 /3 ib       | RCR r/m8, imm8  | rw r
    o16 D1 /3      | RCR r/m16, 1    | rw r
    o16 D3 /3      | RCR r/m16, CL   | rw r
    o16 C1 /3 ib   | RCR r/m16, imm8 | rw r
    o32 D1 /3      | RCR r/m32, 1    | rw r
    REX.W D1 /3    | RCR r/m64, 1    | rw r
    o32 D3 /3      | RCR r/m32, CL   | rw r
    REX.W D3 /3    | RCR r/m64, CL   | rw r
    o32 C1 /3 ib   | RCR r/m32, imm8 | rw r
    REX.W C1 /3 ib | RCR r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    rotateThroughCarry(m, dst, count, false);
  },
};

export const rol: Instruction = {
  mnemonic: "rol",
  reference: REFERENCE,
  flags: { writes: ["OF", "CF"], undefined: ["OF"] },

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /0          | ROL r/m8, 1     | rw r
    D2 /0          | ROL r/m8, CL    | rw r
    C0 /0 ib       | ROL r/m8, imm8  | rw r
    o16 D1 /0      | ROL r/m16, 1    | rw r
    o16 D3 /0      | ROL r/m16, CL   | rw r
    o16 C1 /0 ib   | ROL r/m16, imm8 | rw r
    o32 D1 /0      | ROL r/m32, 1    | rw r
    REX.W D1 /0    | ROL r/m64, 1    | rw r
    o32 D3 /0      | ROL r/m32, CL   | rw r
    REX.W D3 /0    | ROL r/m64, CL   | rw r
    o32 C1 /0 ib   | ROL r/m32, imm8 | rw r
    REX.W C1 /0 ib | ROL r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    rotateOperand(m, dst, count, true);
  },
};

export const ror: Instruction = {
  mnemonic: "ror",
  reference: REFERENCE,
  flags: { writes: ["OF", "CF"], undefined: ["OF"] },

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /1          | ROR r/m8, 1     | rw r
    D2 /1          | ROR r/m8, CL    | rw r
    C0 /1 ib       | ROR r/m8, imm8  | rw r
    o16 D1 /1      | ROR r/m16, 1    | rw r
    o16 D3 /1      | ROR r/m16, CL   | rw r
    o16 C1 /1 ib   | ROR r/m16, imm8 | rw r
    o32 D1 /1      | ROR r/m32, 1    | rw r
    REX.W D1 /1    | ROR r/m64, 1    | rw r
    o32 D3 /1      | ROR r/m32, CL   | rw r
    REX.W D3 /1    | ROR r/m64, CL   | rw r
    o32 C1 /1 ib   | ROR r/m32, imm8 | rw r
    REX.W C1 /1 ib | ROR r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    rotateOperand(m, dst, count, false);
  },
};
