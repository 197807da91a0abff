/**
 * XCHG: exchange. With memory it is locked even without the prefix, which one processor at a time makes true of all.
 *
 * Intel SDM Vol. 2D, "XCHG—Exchange Register/Memory With Register". 90 without REX.B is NOP.
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const xchg: Instruction = {
  mnemonic: "xchg",
  reference: "Intel SDM Vol. 2D, XCHG—Exchange Register/Memory With Register",
  lockable: true,

  encodings: opcodes`
    Opcode       | Instruction     | Access
    o16 90 +rw   | XCHG AX, r16    | rw rw
    o32 90 +rd   | XCHG EAX, r32   | rw rw
    REX.W 90 +ro | XCHG RAX, r64   | rw rw
    86 /r        | XCHG r/m8, r8   | rw rw
    o16 87 /r    | XCHG r/m16, r16 | rw rw
    o32 87 /r    | XCHG r/m32, r32 | rw rw
    REX.W 87 /r  | XCHG r/m64, r64 | rw rw
  `,

  semantics(m, dst, src) {
    const first = m.read(dst);
    const second = m.read(src);
    m.write(dst, second);
    m.write(src, first);
  },
};
