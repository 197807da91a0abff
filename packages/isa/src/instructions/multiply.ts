/**
 * MUL and IMUL: integer multiplication.
 *
 * Intel SDM Vol. 2B, "MUL—Unsigned Multiply"; Vol. 2A, "IMUL—Signed Multiply". CF and OF say that the upper half of
 * the product matters.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const RAX = 0;
const RDX = 2;

const FLAGS = {
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  undefined: ["SF", "ZF", "AF", "PF"],
} as const;

/** Stores a product: AX for bytes, else the pair of RDX and RAX. */
function setProduct(m: SemanticsBuilder, low: Value, high: Value): void {
  if (m.width === 8) {
    m.setRegister(RAX, m.or(low, m.shiftLeft(high, m.constant(8), 16)), 16);
    return;
  }
  m.setRegister(RAX, low);
  m.setRegister(RDX, high);
}

export const mul: Instruction = {
  mnemonic: "mul",
  reference: "Intel SDM Vol. 2B, MUL—Unsigned Multiply",
  flags: FLAGS,

  encodings: opcodes`
    Opcode      | Instruction | Access
    F6 /4       | MUL r/m8    | r
    o16 F7 /4   | MUL r/m16   | r
    o32 F7 /4   | MUL r/m32   | r
    REX.W F7 /4 | MUL r/m64   | r
  `,

  semantics(m, src) {
    const lhs = m.register(RAX);
    const rhs = m.read(src);
    const product = m.multiply(lhs, rhs, 64);
    const low = m.truncate(product, m.width);
    const high =
      m.width === 64
        ? m.multiplyHighUnsigned(lhs, rhs)
        : m.shiftRightUnsigned(product, m.constant(m.width));
    const overflow = m.isFalse(m.isZero(high));
    setProduct(m, low, high);
    m.setFlags({ CF: overflow, OF: overflow });
  },
};

/** IMUL with the accumulator: the whole product. */
function multiplyAccumulator(m: SemanticsBuilder, src: Operand): void {
  const lhs = m.signExtend(m.register(RAX), m.width);
  const rhs = m.signExtend(m.read(src), m.width);
  const product = m.multiply(lhs, rhs, 64);
  const low = m.truncate(product, m.width);
  const high =
    m.width === 64
      ? m.multiplyHighSigned(lhs, rhs)
      : m.truncate(m.shiftRightSigned(product, m.constant(m.width), 64), m.width);
  const overflow =
    m.width === 64
      ? m.notEqual(high, m.shiftRightSigned(product, m.constant(63), 64))
      : m.notEqual(product, m.signExtend(low, m.width));
  setProduct(m, low, high);
  m.setFlags({ CF: overflow, OF: overflow });
}

/** IMUL of two and three operands: the low half of the product, and whether it is all of it. */
function multiplyTruncating(m: SemanticsBuilder, dst: Operand, lhs: Value, rhs: Value): void {
  if (m.width !== 64) {
    const product = m.multiply(m.signExtend(lhs, m.width), m.signExtend(rhs, m.width), 64);
    const low = m.truncate(product, m.width);
    const overflow = m.notEqual(product, m.signExtend(low, m.width));
    m.write(dst, low);
    m.setFlags({ CF: overflow, OF: overflow });
    return;
  }
  const product = m.multiply(lhs, rhs);
  const overflow = m.variable(m.constant(0n));
  const fits = m.both(m.equal(lhs, m.signExtend(lhs, 32)), m.equal(rhs, m.signExtend(rhs, 32)));
  // Small factors cannot overflow, and the upper half is expensive.
  m.when(m.isFalse(fits), () => {
    const high = m.multiplyHighSigned(lhs, rhs);
    const sign = m.shiftRightSigned(product, m.constant(63));
    m.set(overflow, m.fromCondition(m.notEqual(high, sign)));
  });
  m.write(dst, product);
  m.setFlags({ CF: m.get(overflow), OF: m.get(overflow) });
}

export const imul: Instruction = {
  mnemonic: "imul",
  reference: "Intel SDM Vol. 2A, IMUL—Signed Multiply",
  flags: FLAGS,

  encodings: opcodes`
    Opcode         | Instruction              | Access
    F6 /5          | IMUL r/m8                | r
    o16 F7 /5      | IMUL r/m16               | r
    o32 F7 /5      | IMUL r/m32               | r
    REX.W F7 /5    | IMUL r/m64               | r
    o16 0F AF /r   | IMUL r16, r/m16          | rw r
    o32 0F AF /r   | IMUL r32, r/m32          | rw r
    REX.W 0F AF /r | IMUL r64, r/m64          | rw r
    o16 6B /r ib   | IMUL r16, r/m16, imm8    | w r sx
    o32 6B /r ib   | IMUL r32, r/m32, imm8    | w r sx
    REX.W 6B /r ib | IMUL r64, r/m64, imm8    | w r sx
    o16 69 /r iw   | IMUL r16, r/m16, imm16   | w r r
    o32 69 /r id   | IMUL r32, r/m32, imm32   | w r r
    REX.W 69 /r id | IMUL r64, r/m64, imm32   | w r sx
  `,

  semantics(m, first, second, third) {
    if (second === undefined) multiplyAccumulator(m, first);
    else if (third === undefined) multiplyTruncating(m, first, m.read(first), m.read(second));
    else multiplyTruncating(m, first, m.read(second), m.read(third));
  },
};
