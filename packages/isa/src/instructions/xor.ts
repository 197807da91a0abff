/**
 * XOR: bitwise exclusive or.
 *
 * Intel SDM Vol. 2D, "XOR—Logical Exclusive OR".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const xor: Instruction = {
  mnemonic: "xor",
  reference: "Intel SDM Vol. 2D, XOR—Logical Exclusive OR",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"], undefined: ["AF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction      | Access
    34 ib          | XOR AL, imm8     | rw r
    o16 35 iw      | XOR AX, imm16    | rw r
    o32 35 id      | XOR EAX, imm32   | rw r
    REX.W 35 id    | XOR RAX, imm32   | rw sx
    80 /6 ib       | XOR r/m8, imm8   | rw r
    o16 81 /6 iw   | XOR r/m16, imm16 | rw r
    o32 81 /6 id   | XOR r/m32, imm32 | rw r
    REX.W 81 /6 id | XOR r/m64, imm32 | rw sx
    o16 83 /6 ib   | XOR r/m16, imm8  | rw sx
    o32 83 /6 ib   | XOR r/m32, imm8  | rw sx
    REX.W 83 /6 ib | XOR r/m64, imm8  | rw sx
    30 /r          | XOR r/m8, r8     | rw r
    o16 31 /r      | XOR r/m16, r16   | rw r
    o32 31 /r      | XOR r/m32, r32   | rw r
    REX.W 31 /r    | XOR r/m64, r64   | rw r
    32 /r          | XOR r8, r/m8     | rw r
    o16 33 /r      | XOR r16, r/m16   | rw r
    o32 33 /r      | XOR r32, r/m32   | rw r
    REX.W 33 /r    | XOR r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const result = m.xor(m.read(dst), m.read(src));
    m.write(dst, result);
    m.setLogicFlags(result);
  },
};
