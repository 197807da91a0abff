/**
 * NOT: one's complement. The only arithmetic instruction that leaves the flags alone.
 *
 * Intel SDM Vol. 2B, "NOT—One's Complement Negation".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const not: Instruction = {
  mnemonic: "not",
  reference: "Intel SDM Vol. 2B, NOT—One's Complement Negation",
  lockable: true,

  encodings: opcodes`
    Opcode      | Instruction | Access
    F6 /2       | NOT r/m8    | rw
    o16 F7 /2   | NOT r/m16   | rw
    o32 F7 /2   | NOT r/m32   | rw
    REX.W F7 /2 | NOT r/m64   | rw
  `,

  semantics(m, dst) {
    m.write(dst, m.not(m.read(dst)));
  },
};
