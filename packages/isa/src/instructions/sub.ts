/**
 * SUB: integer subtraction.
 *
 * Intel SDM Vol. 2B, "SUB—Subtract".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const sub: Instruction = {
  mnemonic: "sub",
  reference: "Intel SDM Vol. 2B, SUB—Subtract",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction      | Access
    2C ib          | SUB AL, imm8     | rw r
    o16 2D iw      | SUB AX, imm16    | rw r
    o32 2D id      | SUB EAX, imm32   | rw r
    REX.W 2D id    | SUB RAX, imm32   | rw sx
    80 /5 ib       | SUB r/m8, imm8   | rw r
    o16 81 /5 iw   | SUB r/m16, imm16 | rw r
    o32 81 /5 id   | SUB r/m32, imm32 | rw r
    REX.W 81 /5 id | SUB r/m64, imm32 | rw sx
    o16 83 /5 ib   | SUB r/m16, imm8  | rw sx
    o32 83 /5 ib   | SUB r/m32, imm8  | rw sx
    REX.W 83 /5 ib | SUB r/m64, imm8  | rw sx
    28 /r          | SUB r/m8, r8     | rw r
    o16 29 /r      | SUB r/m16, r16   | rw r
    o32 29 /r      | SUB r/m32, r32   | rw r
    REX.W 29 /r    | SUB r/m64, r64   | rw r
    2A /r          | SUB r8, r/m8     | rw r
    o16 2B /r      | SUB r16, r/m16   | rw r
    o32 2B /r      | SUB r32, r/m32   | rw r
    REX.W 2B /r    | SUB r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const lhs = m.read(dst);
    const rhs = m.read(src);
    const difference = m.subtract(lhs, rhs);
    m.write(dst, difference);
    m.setSubtractFlags(lhs, rhs, difference);
  },
};
