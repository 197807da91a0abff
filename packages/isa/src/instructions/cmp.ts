/**
 * CMP: the flags of a subtraction whose difference is dropped.
 *
 * Intel SDM Vol. 2A, "CMP—Compare Two Operands".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const cmp: Instruction = {
  mnemonic: "cmp",
  reference: "Intel SDM Vol. 2A, CMP—Compare Two Operands",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },

  encodings: opcodes`
    Opcode         | Instruction      | Access
    3C ib          | CMP AL, imm8     | r r
    o16 3D iw      | CMP AX, imm16    | r r
    o32 3D id      | CMP EAX, imm32   | r r
    REX.W 3D id    | CMP RAX, imm32   | r sx
    80 /7 ib       | CMP r/m8, imm8   | r r
    o16 81 /7 iw   | CMP r/m16, imm16 | r r
    o32 81 /7 id   | CMP r/m32, imm32 | r r
    REX.W 81 /7 id | CMP r/m64, imm32 | r sx
    o16 83 /7 ib   | CMP r/m16, imm8  | r sx
    o32 83 /7 ib   | CMP r/m32, imm8  | r sx
    REX.W 83 /7 ib | CMP r/m64, imm8  | r sx
    38 /r          | CMP r/m8, r8     | r r
    o16 39 /r      | CMP r/m16, r16   | r r
    o32 39 /r      | CMP r/m32, r32   | r r
    REX.W 39 /r    | CMP r/m64, r64   | r r
    3A /r          | CMP r8, r/m8     | r r
    o16 3B /r      | CMP r16, r/m16   | r r
    o32 3B /r      | CMP r32, r/m32   | r r
    REX.W 3B /r    | CMP r64, r/m64   | r r
  `,

  semantics(m, dst, src) {
    const lhs = m.read(dst);
    const rhs = m.read(src);
    m.setSubtractFlags(lhs, rhs, m.subtract(lhs, rhs));
  },
};
