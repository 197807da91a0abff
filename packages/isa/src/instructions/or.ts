/**
 * OR: bitwise inclusive or.
 *
 * Intel SDM Vol. 2B, "OR—Logical Inclusive OR".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const or: Instruction = {
  mnemonic: "or",
  reference: "Intel SDM Vol. 2B, OR—Logical Inclusive OR",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"], undefined: ["AF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction     | Access
    0C ib          | OR AL, imm8     | rw r
    o16 0D iw      | OR AX, imm16    | rw r
    o32 0D id      | OR EAX, imm32   | rw r
    REX.W 0D id    | OR RAX, imm32   | rw sx
    80 /1 ib       | OR r/m8, imm8   | rw r
    o16 81 /1 iw   | OR r/m16, imm16 | rw r
    o32 81 /1 id   | OR r/m32, imm32 | rw r
    REX.W 81 /1 id | OR r/m64, imm32 | rw sx
    o16 83 /1 ib   | OR r/m16, imm8  | rw sx
    o32 83 /1 ib   | OR r/m32, imm8  | rw sx
    REX.W 83 /1 ib | OR r/m64, imm8  | rw sx
    08 /r          | OR r/m8, r8     | rw r
    o16 09 /r      | OR r/m16, r16   | rw r
    o32 09 /r      | OR r/m32, r32   | rw r
    REX.W 09 /r    | OR r/m64, r64   | rw r
    0A /r          | OR r8, r/m8     | rw r
    o16 0B /r      | OR r16, r/m16   | rw r
    o32 0B /r      | OR r32, r/m32   | rw r
    REX.W 0B /r    | OR r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const result = m.or(m.read(dst), m.read(src));
    m.write(dst, result);
    m.setLogicFlags(result);
  },
};
