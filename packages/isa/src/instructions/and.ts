/**
 * AND: bitwise and.
 *
 * Intel SDM Vol. 2A, "AND—Logical AND".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const and: Instruction = {
  mnemonic: "and",
  reference: "Intel SDM Vol. 2A, AND—Logical AND",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"], undefined: ["AF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction      | Access
    24 ib          | AND AL, imm8     | rw r
    o16 25 iw      | AND AX, imm16    | rw r
    o32 25 id      | AND EAX, imm32   | rw r
    REX.W 25 id    | AND RAX, imm32   | rw sx
    80 /4 ib       | AND r/m8, imm8   | rw r
    o16 81 /4 iw   | AND r/m16, imm16 | rw r
    o32 81 /4 id   | AND r/m32, imm32 | rw r
    REX.W 81 /4 id | AND r/m64, imm32 | rw sx
    o16 83 /4 ib   | AND r/m16, imm8  | rw sx
    o32 83 /4 ib   | AND r/m32, imm8  | rw sx
    REX.W 83 /4 ib | AND r/m64, imm8  | rw sx
    20 /r          | AND r/m8, r8     | rw r
    o16 21 /r      | AND r/m16, r16   | rw r
    o32 21 /r      | AND r/m32, r32   | rw r
    REX.W 21 /r    | AND r/m64, r64   | rw r
    22 /r          | AND r8, r/m8     | rw r
    o16 23 /r      | AND r16, r/m16   | rw r
    o32 23 /r      | AND r32, r/m32   | rw r
    REX.W 23 /r    | AND r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const result = m.and(m.read(dst), m.read(src));
    m.write(dst, result);
    m.setLogicFlags(result);
  },
};
