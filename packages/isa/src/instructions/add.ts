/**
 * ADD: integer addition.
 *
 * Intel SDM Vol. 2A, "ADD—Add".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const add: Instruction = {
  mnemonic: "add",
  reference: "Intel SDM Vol. 2A, ADD—Add",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction      | Access
    04 ib          | ADD AL, imm8     | rw r
    o16 05 iw      | ADD AX, imm16    | rw r
    o32 05 id      | ADD EAX, imm32   | rw r
    REX.W 05 id    | ADD RAX, imm32   | rw sx
    80 /0 ib       | ADD r/m8, imm8   | rw r
    o16 81 /0 iw   | ADD r/m16, imm16 | rw r
    o32 81 /0 id   | ADD r/m32, imm32 | rw r
    REX.W 81 /0 id | ADD r/m64, imm32 | rw sx
    o16 83 /0 ib   | ADD r/m16, imm8  | rw sx
    o32 83 /0 ib   | ADD r/m32, imm8  | rw sx
    REX.W 83 /0 ib | ADD r/m64, imm8  | rw sx
    00 /r          | ADD r/m8, r8     | rw r
    o16 01 /r      | ADD r/m16, r16   | rw r
    o32 01 /r      | ADD r/m32, r32   | rw r
    REX.W 01 /r    | ADD r/m64, r64   | rw r
    02 /r          | ADD r8, r/m8     | rw r
    o16 03 /r      | ADD r16, r/m16   | rw r
    o32 03 /r      | ADD r32, r/m32   | rw r
    REX.W 03 /r    | ADD r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const lhs = m.read(dst);
    const rhs = m.read(src);
    const sum = m.add(lhs, rhs);
    m.write(dst, sum);
    m.setAddFlags(lhs, rhs, sum);
  },
};
