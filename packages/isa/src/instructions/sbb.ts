/**
 * SBB: integer subtraction with the borrow of a previous one.
 *
 * Intel SDM Vol. 2B, "SBB—Integer Subtraction With Borrow".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const sbb: Instruction = {
  mnemonic: "sbb",
  reference: "Intel SDM Vol. 2B, SBB—Integer Subtraction With Borrow",
  flags: { reads: ["CF"], writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction      | Access
    1C ib          | SBB AL, imm8     | rw r
    o16 1D iw      | SBB AX, imm16    | rw r
    o32 1D id      | SBB EAX, imm32   | rw r
    REX.W 1D id    | SBB RAX, imm32   | rw sx
    80 /3 ib       | SBB r/m8, imm8   | rw r
    o16 81 /3 iw   | SBB r/m16, imm16 | rw r
    o32 81 /3 id   | SBB r/m32, imm32 | rw r
    REX.W 81 /3 id | SBB r/m64, imm32 | rw sx
    o16 83 /3 ib   | SBB r/m16, imm8  | rw sx
    o32 83 /3 ib   | SBB r/m32, imm8  | rw sx
    REX.W 83 /3 ib | SBB r/m64, imm8  | rw sx
    18 /r          | SBB r/m8, r8     | rw r
    o16 19 /r      | SBB r/m16, r16   | rw r
    o32 19 /r      | SBB r/m32, r32   | rw r
    REX.W 19 /r    | SBB r/m64, r64   | rw r
    1A /r          | SBB r8, r/m8     | rw r
    o16 1B /r      | SBB r16, r/m16   | rw r
    o32 1B /r      | SBB r32, r/m32   | rw r
    REX.W 1B /r    | SBB r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const lhs = m.read(dst);
    const rhs = m.read(src);
    const borrow = m.fromCondition(m.flag("CF"));
    const difference = m.subtract(m.subtract(lhs, rhs), borrow);
    m.write(dst, difference);
    m.setSubtractFlags(lhs, rhs, difference);
  },
};
