/**
 * BSF, BSR, POPCNT: the lowest bit, the highest bit, the number of bits.
 *
 * Intel SDM Vol. 2A, "BSF—Bit Scan Forward" and "BSR—Bit Scan Reverse"; Vol. 2B, "POPCNT—Return the Count of Number of
 * Bits Set to 1". Scanning zero leaves the destination as it is, upper half included. F3 before BSF and BSR means TZCNT
 * and LZCNT only to processors that have them; it is ignored here.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const FLAGS = {
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  undefined: ["OF", "SF", "AF", "PF", "CF"],
} as const;

function scan(
  m: SemanticsBuilder,
  dst: Operand,
  src: Operand,
  find: (value: Value) => Value,
): void {
  const value = m.read(src);
  m.when(m.isFalse(m.isZero(value)), () => m.write(dst, find(value)));
  m.setLogicFlags(value);
}

export const bsf: Instruction = {
  mnemonic: "bsf",
  reference: "Intel SDM Vol. 2A, BSF—Bit Scan Forward",
  flags: FLAGS,

  encodings: opcodes`
    Opcode         | Instruction    | Access
    o16 0F BC /r   | BSF r16, r/m16 | rw r
    o32 0F BC /r   | BSF r32, r/m32 | rw r
    REX.W 0F BC /r | BSF r64, r/m64 | rw r
  `,

  semantics(m, dst, src) {
    scan(m, dst, src, (value) => m.countTrailingZeros(value));
  },
};

export const bsr: Instruction = {
  mnemonic: "bsr",
  reference: "Intel SDM Vol. 2A, BSR—Bit Scan Reverse",
  flags: FLAGS,

  encodings: opcodes`
    Opcode         | Instruction    | Access
    o16 0F BD /r   | BSR r16, r/m16 | rw r
    o32 0F BD /r   | BSR r32, r/m32 | rw r
    REX.W 0F BD /r | BSR r64, r/m64 | rw r
  `,

  semantics(m, dst, src) {
    scan(m, dst, src, (value) => m.subtract(m.constant(63), m.countLeadingZeros(value), 64));
  },
};

export const popcnt: Instruction = {
  mnemonic: "popcnt",
  reference: "Intel SDM Vol. 2B, POPCNT—Return the Count of Number of Bits Set to 1",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  feature: "popcnt",

  encodings: opcodes`
    Opcode            | Instruction       | Access
    F3 o16 0F B8 /r   | POPCNT r16, r/m16 | w r
    F3 o32 0F B8 /r   | POPCNT r32, r/m32 | w r
    F3 REX.W 0F B8 /r | POPCNT r64, r/m64 | w r
  `,

  semantics(m, dst, src) {
    const value = m.read(src);
    const clear = m.constant(0n);
    m.write(dst, m.populationCount(value));
    m.setFlags({ OF: clear, SF: clear, ZF: m.isZero(value), AF: clear, PF: clear, CF: clear });
  },
};
