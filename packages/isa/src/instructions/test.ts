/**
 * TEST: the flags of a bitwise and whose result is dropped.
 *
 * Intel SDM Vol. 2B, "TEST—Logical Compare". F6 /1 and F7 /1 are not in the manual's table, but processors execute them.
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const test: Instruction = {
  mnemonic: "test",
  reference: "Intel SDM Vol. 2B, TEST—Logical Compare",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"], undefined: ["AF"] },

  encodings: opcodes`
    Opcode         | Instruction       | Access
    A8 ib          | TEST AL, imm8     | r r
    o16 A9 iw      | TEST AX, imm16    | r r
    o32 A9 id      | TEST EAX, imm32   | r r
    REX.W A9 id    | TEST RAX, imm32   | r sx
    F6 /0 ib       | TEST r/m8, imm8   | r r
    F6 /1 ib       | TEST r/m8, imm8   | r r
    o16 F7 /0 iw   | TEST r/m16, imm16 | r r
    o16 F7 /1 iw   | TEST r/m16, imm16 | r r
    o32 F7 /0 id   | TEST r/m32, imm32 | r r
    o32 F7 /1 id   | TEST r/m32, imm32 | r r
    REX.W F7 /0 id | TEST r/m64, imm32 | r sx
    REX.W F7 /1 id | TEST r/m64, imm32 | r sx
    84 /r          | TEST r/m8, r8     | r r
    o16 85 /r      | TEST r/m16, r16   | r r
    o32 85 /r      | TEST r/m32, r32   | r r
    REX.W 85 /r    | TEST r/m64, r64   | r r
  `,

  semantics(m, lhs, rhs) {
    m.setLogicFlags(m.and(m.read(lhs), m.read(rhs)));
  },
};
