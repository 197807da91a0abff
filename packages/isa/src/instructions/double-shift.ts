/**
 * SHLD and SHRD: shifts of a register pair.
 *
 * Intel SDM Vol. 2B, "SHLD—Double Precision Shift Left" and "SHRD—Double Precision Shift Right". With 16-bit operands
 * counts above 16 are undefined; here, as in AMD's processors, the source follows itself.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const FLAGS = {
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  undefined: ["OF", "AF"],
} as const;

/** Shifts by 1 to 63, at most the width. */
function shiftPair(
  m: SemanticsBuilder,
  value: Value,
  filler: Value,
  count: Value,
  left: boolean,
): Value {
  const rest = m.subtract(m.constant(m.width), count, 64);
  return left
    ? m.or(m.shiftLeft(value, count), m.shiftRightUnsigned(filler, rest))
    : m.or(m.shiftRightUnsigned(value, count), m.shiftLeft(filler, rest));
}

/** Shifts 16 bits by 1 to 31: of 48 bits, in which the source stands twice. */
function shiftWords(
  m: SemanticsBuilder,
  value: Value,
  filler: Value,
  count: Value,
  left: boolean,
): Value {
  const at = (word: Value, position: number): Value =>
    m.shiftLeft(word, m.constant(16 * position), 64);
  const all = left
    ? m.or(m.or(at(value, 2), at(filler, 1)), filler)
    : m.or(m.or(at(filler, 2), at(filler, 1)), value);
  const shift = left ? m.subtract(m.constant(32), count, 64) : count;
  return m.truncate(m.shiftRightUnsigned(all, shift), 16);
}

function doubleShift(
  m: SemanticsBuilder,
  dst: Operand,
  src: Operand,
  by: Operand,
  left: boolean,
): void {
  const sign = m.width - 1;
  const value = m.read(dst);
  const filler = m.read(src);
  const count = m.and(m.read(by), m.constant(m.width === 64 ? 63 : 31));
  m.when(
    m.isZero(count),
    // A 32-bit register loses its upper half even so.
    () => m.write(dst, value),
    () => {
      const shiftOperands = m.width === 16 ? shiftWords : shiftPair;
      const result = shiftOperands(m, value, filler, count, left);
      const less = m.subtract(count, m.constant(1n), 64);
      const carry = left
        ? m.bit(m.shiftLeft(value, less, 64), sign)
        : m.bit(m.shiftRightUnsigned(value, less), 0);
      m.write(dst, result);
      m.setLogicFlags(result);
      m.setFlags({ CF: carry, OF: m.bit(m.xor(value, result), sign) });
    },
  );
}

export const shld: Instruction = {
  mnemonic: "shld",
  reference: "Intel SDM Vol. 2B, SHLD—Double Precision Shift Left",
  flags: FLAGS,

  encodings: opcodes`
    Opcode            | Instruction           | Access
    o16 0F A4 /r ib   | SHLD r/m16, r16, imm8 | rw r r
    o16 0F A5 /r      | SHLD r/m16, r16, CL   | rw r r
    o32 0F A4 /r ib   | SHLD r/m32, r32, imm8 | rw r r
    REX.W 0F A4 /r ib | SHLD r/m64, r64, imm8 | rw r r
    o32 0F A5 /r      | SHLD r/m32, r32, CL   | rw r r
    REX.W 0F A5 /r    | SHLD r/m64, r64, CL   | rw r r
  `,

  semantics(m, dst, src, count) {
    doubleShift(m, dst, src, count, true);
  },
};

export const shrd: Instruction = {
  mnemonic: "shrd",
  reference: "Intel SDM Vol. 2B, SHRD—Double Precision Shift Right",
  flags: FLAGS,

  encodings: opcodes`
    Opcode            | Instruction           | Access
    o16 0F AC /r ib   | SHRD r/m16, r16, imm8 | rw r r
    o16 0F AD /r      | SHRD r/m16, r16, CL   | rw r r
    o32 0F AC /r ib   | SHRD r/m32, r32, imm8 | rw r r
    REX.W 0F AC /r ib | SHRD r/m64, r64, imm8 | rw r r
    o32 0F AD /r      | SHRD r/m32, r32, CL   | rw r r
    REX.W 0F AD /r    | SHRD r/m64, r64, CL   | rw r r
  `,

  semantics(m, dst, src, count) {
    doubleShift(m, dst, src, count, false);
  },
};
