/**
 * BT, BTS, BTR, BTC: one bit, tested and changed.
 *
 * Intel SDM Vol. 2A, "BT—Bit Test" and its neighbours. In memory a bit index from a register is signed and reaches
 * beyond the operand (a bit string); one from an immediate, or into a register, wraps at the operand's size. The
 * manual leaves SF, AF, PF and OF undefined; they stay, and so does ZF, as the manual says.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { wrapLinear } from "../exceptions/mode.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const FLAGS = { writes: ["CF"], undefined: ["OF", "SF", "AF", "PF"] } as const;

/** The operand with its bit changed, from the operand and a mask of that bit. */
type Change = (m: SemanticsBuilder, value: Value, mask: Value) => Value;

const set: Change = (m, value, mask) => m.or(value, mask);
const reset: Change = (m, value, mask) => m.and(value, m.not(mask));
const complement: Change = (m, value, mask) => m.xor(value, mask);

function testedBit(m: SemanticsBuilder, value: Value, index: Value): Value {
  return m.bit(m.shiftRightUnsigned(value, index), 0);
}

function testOperand(m: SemanticsBuilder, base: Operand, offset: Operand, change?: Change): void {
  const index = m.and(m.read(offset), m.constant(m.width - 1));
  const value = m.read(base);
  if (change !== undefined) {
    m.write(base, change(m, value, m.shiftLeft(m.constant(1n), index)));
  }
  m.setFlags({ CF: testedBit(m, value, index) });
}

/**
 * Linear address of an operand whose effective address is moved: it wraps at the address size, the distance included,
 * before the base of the segment is added. Intel SDM Vol. 2A §3.1.1.9, "Operation Section" (Bit(BitBase, BitOffset));
 * Vol. 1 §3.7.5, "Specifying an Offset".
 */
function displaced(m: SemanticsBuilder, base: Operand, distance: Value): Value {
  const linear = m.linearAddress(base);
  if (m.addressWidth === 64) return m.add(linear, distance, 64);
  const before = m.effectiveAddress(base);
  const moved = m.add(before, distance, m.addressWidth);
  // Outside 64-bit mode what is below zero must not borrow from the mark of a checked base.
  return wrapLinear(m, m.add(linear, m.subtract(moved, before, m.mode === 64 ? 64 : 32), 64));
}

/** A bit string: the index selects an operand-sized element before or after the address. */
function testString(m: SemanticsBuilder, base: Operand, offset: Operand, change?: Change): void {
  const bytes = m.width === 16 ? 2 : m.width === 32 ? 4 : 8;
  const index = m.signExtend(m.read(offset), m.width);
  const element = m.shiftRightSigned(index, m.constant(Math.log2(m.width)), 64);
  const linear = displaced(m, base, m.multiply(element, m.constant(bytes), 64));
  const within = m.and(index, m.constant(m.width - 1));
  if (change !== undefined) m.probeWrite(linear, bytes);
  const value = m.load(linear, bytes);
  if (change !== undefined) {
    m.store(linear, bytes, change(m, value, m.shiftLeft(m.constant(1n), within)));
  }
  m.setFlags({ CF: testedBit(m, value, within) });
}

function testBit(m: SemanticsBuilder, base: Operand, offset: Operand, change?: Change): void {
  if (base.kind === "memory" && offset.kind === "register") testString(m, base, offset, change);
  else testOperand(m, base, offset, change);
}

export const bt: Instruction = {
  mnemonic: "bt",
  reference: "Intel SDM Vol. 2A, BT—Bit Test",
  flags: FLAGS,
  addressSized: true,

  encodings: opcodes`
    Opcode            | Instruction    | Access
    o16 0F A3 /r      | BT r/m16, r16  | r r
    o32 0F A3 /r      | BT r/m32, r32  | r r
    REX.W 0F A3 /r    | BT r/m64, r64  | r r
    o16 0F BA /4 ib   | BT r/m16, imm8 | r r
    o32 0F BA /4 ib   | BT r/m32, imm8 | r r
    REX.W 0F BA /4 ib | BT r/m64, imm8 | r r
  `,

  semantics(m, base, offset) {
    testBit(m, base, offset);
  },
};

export const bts: Instruction = {
  mnemonic: "bts",
  reference: "Intel SDM Vol. 2A, BTS—Bit Test and Set",
  flags: FLAGS,
  addressSized: true,
  lockable: true,

  encodings: opcodes`
    Opcode            | Instruction     | Access
    o16 0F AB /r      | BTS r/m16, r16  | rw r
    o32 0F AB /r      | BTS r/m32, r32  | rw r
    REX.W 0F AB /r    | BTS r/m64, r64  | rw r
    o16 0F BA /5 ib   | BTS r/m16, imm8 | rw r
    o32 0F BA /5 ib   | BTS r/m32, imm8 | rw r
    REX.W 0F BA /5 ib | BTS r/m64, imm8 | rw r
  `,

  semantics(m, base, offset) {
    testBit(m, base, offset, set);
  },
};

export const btr: Instruction = {
  mnemonic: "btr",
  reference: "Intel SDM Vol. 2A, BTR—Bit Test and Reset",
  flags: FLAGS,
  addressSized: true,
  lockable: true,

  encodings: opcodes`
    Opcode            | Instruction     | Access
    o16 0F B3 /r      | BTR r/m16, r16  | rw r
    o32 0F B3 /r      | BTR r/m32, r32  | rw r
    REX.W 0F B3 /r    | BTR r/m64, r64  | rw r
    o16 0F BA /6 ib   | BTR r/m16, imm8 | rw r
    o32 0F BA /6 ib   | BTR r/m32, imm8 | rw r
    REX.W 0F BA /6 ib | BTR r/m64, imm8 | rw r
  `,

  semantics(m, base, offset) {
    testBit(m, base, offset, reset);
  },
};

export const btc: Instruction = {
  mnemonic: "btc",
  reference: "Intel SDM Vol. 2A, BTC—Bit Test and Complement",
  flags: FLAGS,
  addressSized: true,
  lockable: true,

  encodings: opcodes`
    Opcode            | Instruction     | Access
    o16 0F BB /r      | BTC r/m16, r16  | rw r
    o32 0F BB /r      | BTC r/m32, r32  | rw r
    REX.W 0F BB /r    | BTC r/m64, r64  | rw r
    o16 0F BA /7 ib   | BTC r/m16, imm8 | rw r
    o32 0F BA /7 ib   | BTC r/m32, imm8 | rw r
    REX.W 0F BA /7 ib | BTC r/m64, imm8 | rw r
  `,

  semantics(m, base, offset) {
    testBit(m, base, offset, complement);
  },
};
