/**
 * SHL (SAL), SHR, SAR: shifts. A count of zero, after masking, leaves all flags alone.
 *
 * Intel SDM Vol. 2B, "SAL/SAR/SHL/SHR—Shift". OF is defined for single shifts only; here it follows the same formula for
 * every count, as processors do.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const REFERENCE = "Intel SDM Vol. 2B, SAL/SAR/SHL/SHR—Shift";
const FLAGS = {
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  // OF is undefined for counts other than 1 and CF for counts above the size.
  undefined: ["OF", "AF", "CF"],
} as const;

/** What a shift leaves: the result, and the carry and overflow flags for a count that is not zero. */
interface Shifted {
  readonly result: Value;
  readonly carry: Value;
  readonly overflow: Value;
}

/** Shifts by a count of at least 1, given as the count less one. */
type Shifter = (m: SemanticsBuilder, value: Value, countLessOne: Value) => Shifted;

const shiftLeft: Shifter = (m, value, countLessOne) => {
  const before = m.shiftLeft(value, countLessOne, 64);
  const result = m.truncate(m.shiftLeft(before, m.constant(1n), 64), m.width);
  const sign = m.width - 1;
  return {
    result,
    carry: m.bit(before, sign),
    overflow: m.bit(m.xor(before, result), sign),
  };
};

const shiftRight: Shifter = (m, value, countLessOne) => {
  const before = m.shiftRightUnsigned(value, countLessOne);
  const result = m.shiftRightUnsigned(before, m.constant(1n));
  return {
    result,
    carry: m.bit(before, 0),
    overflow: m.bit(before, m.width - 1),
  };
};

const shiftRightArithmetic: Shifter = (m, value, countLessOne) => {
  const before = m.shiftRightSigned(m.signExtend(value, m.width), countLessOne, 64);
  const result = m.truncate(m.shiftRightSigned(before, m.constant(1n), 64), m.width);
  return { result, carry: m.bit(before, 0), overflow: m.constant(0n) };
};

function shift(m: SemanticsBuilder, dst: Operand, by: Operand, shifter: Shifter): void {
  const value = m.read(dst);
  const one = m.constant(1n);
  if (by.kind === "constant") {
    const { result, carry, overflow } = shifter(m, value, m.constant(0n));
    m.write(dst, result);
    m.setLogicFlags(result);
    m.setFlags({ CF: carry, OF: overflow });
    return;
  }
  const count = m.and(m.read(by), m.constant(m.width === 64 ? 63 : 31));
  m.when(
    m.isZero(count),
    // A 32-bit register loses its upper half even so.
    () => m.write(dst, value),
    () => {
      const { result, carry, overflow } = shifter(m, value, m.subtract(count, one, 64));
      m.write(dst, result);
      m.setLogicFlags(result);
      m.setFlags({ CF: carry, OF: overflow });
    },
  );
}

export const shl: Instruction = {
  mnemonic: "shl",
  reference: REFERENCE,
  flags: FLAGS,

  // /6 is SAL in no manual's table and in every processor.
  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /4          | SHL r/m8, 1     | rw r
    D2 /4          | SHL r/m8, CL    | rw r
    C0 /4 ib       | SHL r/m8, imm8  | rw r
    o16 D1 /4      | SHL r/m16, 1    | rw r
    o16 D3 /4      | SHL r/m16, CL   | rw r
    o16 C1 /4 ib   | SHL r/m16, imm8 | rw r
    o32 D1 /4      | SHL r/m32, 1    | rw r
    REX.W D1 /4    | SHL r/m64, 1    | rw r
    o32 D3 /4      | SHL r/m32, CL   | rw r
    REX.W D3 /4    | SHL r/m64, CL   | rw r
    o32 C1 /4 ib   | SHL r/m32, imm8 | rw r
    REX.W C1 /4 ib | SHL r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    shift(m, dst, count, shiftLeft);
  },
};

export const sal: Instruction = {
  mnemonic: "sal",
  reference: REFERENCE,
  flags: FLAGS,

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /6          | SAL r/m8, 1     | rw r
    D2 /6          | SAL r/m8, CL    | rw r
    C0 /6 ib       | SAL r/m8, imm8  | rw r
    o16 D1 /6      | SAL r/m16, 1    | rw r
    o16 D3 /6      | SAL r/m16, CL   | rw r
    o16 C1 /6 ib   | SAL r/m16, imm8 | rw r
    o32 D1 /6      | SAL r/m32, 1    | rw r
    REX.W D1 /6    | SAL r/m64, 1    | rw r
    o32 D3 /6      | SAL r/m32, CL   | rw r
    REX.W D3 /6    | SAL r/m64, CL   | rw r
    o32 C1 /6 ib   | SAL r/m32, imm8 | rw r
    REX.W C1 /6 ib | SAL r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    shift(m, dst, count, shiftLeft);
  },
};

export const shr: Instruction = {
  mnemonic: "shr",
  reference: REFERENCE,
  flags: FLAGS,

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /5          | SHR r/m8, 1     | rw r
    D2 /5          | SHR r/m8, CL    | rw r
    C0 /5 ib       | SHR r/m8, imm8  | rw r
    o16 D1 /5      | SHR r/m16, 1    | rw r
    o16 D3 /5      | SHR r/m16, CL   | rw r
    o16 C1 /5 ib   | SHR r/m16, imm8 | rw r
    o32 D1 /5      | SHR r/m32, 1    | rw r
    REX.W D1 /5    | SHR r/m64, 1    | rw r
    o32 D3 /5      | SHR r/m32, CL   | rw r
    REX.W D3 /5    | SHR r/m64, CL   | rw r
    o32 C1 /5 ib   | SHR r/m32, imm8 | rw r
    REX.W C1 /5 ib | SHR r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    shift(m, dst, count, shiftRight);
  },
};

export const sar: Instruction = {
  mnemonic: "sar",
  reference: REFERENCE,
  flags: FLAGS,

  encodings: opcodes`
    Opcode         | Instruction     | Access
    D0 /7          | SAR r/m8, 1     | rw r
    D2 /7          | SAR r/m8, CL    | rw r
    C0 /7 ib       | SAR r/m8, imm8  | rw r
    o16 D1 /7      | SAR r/m16, 1    | rw r
    o16 D3 /7      | SAR r/m16, CL   | rw r
    o16 C1 /7 ib   | SAR r/m16, imm8 | rw r
    o32 D1 /7      | SAR r/m32, 1    | rw r
    REX.W D1 /7    | SAR r/m64, 1    | rw r
    o32 D3 /7      | SAR r/m32, CL   | rw r
    REX.W D3 /7    | SAR r/m64, CL   | rw r
    o32 C1 /7 ib   | SAR r/m32, imm8 | rw r
    REX.W C1 /7 ib | SAR r/m64, imm8 | rw r
  `,

  semantics(m, dst, count) {
    shift(m, dst, count, shiftRightArithmetic);
  },
};
