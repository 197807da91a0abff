/**
 * DEC: subtraction of one that keeps the carry flag, so that loop counters do not disturb long additions.
 *
 * Intel SDM Vol. 2A, "DEC—Decrement by 1".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const dec: Instruction = {
  mnemonic: "dec",
  reference: "Intel SDM Vol. 2A, DEC—Decrement by 1",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF"] },
  lockable: true,

  encodings: opcodes`
    Opcode      | Instruction | Access | Mode
    FE /1       | DEC r/m8    | rw     |
    o16 FF /1   | DEC r/m16   | rw     |
    o32 FF /1   | DEC r/m32   | rw     |
    REX.W FF /1 | DEC r/m64   | rw     |
    o16 48 +rw  | DEC r16     | rw     | legacy
    o32 48 +rd  | DEC r32     | rw     | legacy
  `,

  semantics(m, dst) {
    const one = m.constant(1n);
    const lhs = m.read(dst);
    const difference = m.subtract(lhs, one);
    const carry = m.flag("CF");
    m.write(dst, difference);
    m.setSubtractFlags(lhs, one, difference);
    m.setFlags({ CF: carry });
  },
};
