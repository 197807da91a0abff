/**
 * MOV between general registers, memory and immediates. Segment, control and debug registers are in files of their own.
 *
 * Intel SDM Vol. 2B, "MOV—Move".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const mov: Instruction = {
  mnemonic: "mov",
  reference: "Intel SDM Vol. 2B, MOV—Move",

  encodings: opcodes`
    Opcode          | Instruction      | Access
    88 /r           | MOV r/m8, r8     | w r
    o16 89 /r       | MOV r/m16, r16   | w r
    o32 89 /r       | MOV r/m32, r32   | w r
    REX.W 89 /r     | MOV r/m64, r64   | w r
    8A /r           | MOV r8, r/m8     | w r
    o16 8B /r       | MOV r16, r/m16   | w r
    o32 8B /r       | MOV r32, r/m32   | w r
    REX.W 8B /r     | MOV r64, r/m64   | w r
    A0              | MOV AL, moffs8   | w r
    o16 A1          | MOV AX, moffs16  | w r
    o32 A1          | MOV EAX, moffs32 | w r
    REX.W A1        | MOV RAX, moffs64 | w r
    A2              | MOV moffs8, AL   | w r
    o16 A3          | MOV moffs16, AX  | w r
    o32 A3          | MOV moffs32, EAX | w r
    REX.W A3        | MOV moffs64, RAX | w r
    B0 +rb ib       | MOV r8, imm8     | w r
    o16 B8 +rw iw   | MOV r16, imm16   | w r
    o32 B8 +rd id   | MOV r32, imm32   | w r
    REX.W B8 +ro io | MOV r64, imm64   | w r
    C6 /0 ib        | MOV r/m8, imm8   | w r
    o16 C7 /0 iw    | MOV r/m16, imm16 | w r
    o32 C7 /0 id    | MOV r/m32, imm32 | w r
    REX.W C7 /0 id  | MOV r/m64, imm32 | w sx
  `,

  semantics(m, dst, src) {
    m.write(dst, m.read(src));
  },
};
