/**
 * INC: addition of one that keeps the carry flag, so that loop counters do not disturb long additions.
 *
 * Intel SDM Vol. 2A, "INC—Increment by 1".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const inc: Instruction = {
  mnemonic: "inc",
  reference: "Intel SDM Vol. 2A, INC—Increment by 1",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF"] },
  lockable: true,

  encodings: opcodes`
    Opcode      | Instruction | Access | Mode
    FE /0       | INC r/m8    | rw     |
    o16 FF /0   | INC r/m16   | rw     |
    o32 FF /0   | INC r/m32   | rw     |
    REX.W FF /0 | INC r/m64   | rw     |
    o16 40 +rw  | INC r16     | rw     | legacy
    o32 40 +rd  | INC r32     | rw     | legacy
  `,

  semantics(m, dst) {
    const one = m.constant(1n);
    const lhs = m.read(dst);
    const sum = m.add(lhs, one);
    const carry = m.flag("CF");
    m.write(dst, sum);
    m.setAddFlags(lhs, one, sum);
    m.setFlags({ CF: carry });
  },
};
