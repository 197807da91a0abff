/**
 * NEG: two's complement negation, with the flags of a subtraction from zero.
 *
 * Intel SDM Vol. 2B, "NEG—Two's Complement Negation".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const neg: Instruction = {
  mnemonic: "neg",
  reference: "Intel SDM Vol. 2B, NEG—Two's Complement Negation",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode      | Instruction | Access
    F6 /3       | NEG r/m8    | rw
    o16 F7 /3   | NEG r/m16   | rw
    o32 F7 /3   | NEG r/m32   | rw
    REX.W F7 /3 | NEG r/m64   | rw
  `,

  semantics(m, dst) {
    const zero = m.constant(0n);
    const rhs = m.read(dst);
    const difference = m.negate(rhs);
    m.write(dst, difference);
    m.setSubtractFlags(zero, rhs, difference);
  },
};
