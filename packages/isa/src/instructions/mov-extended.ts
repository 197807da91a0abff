/**
 * MOVZX, MOVSX, MOVSXD: moves that widen.
 *
 * Intel SDM Vol. 2B, "MOVZX—Move With Zero-Extend" and "MOVSX/MOVSXD—Move With Sign-Extension".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const movzx: Instruction = {
  mnemonic: "movzx",
  reference: "Intel SDM Vol. 2B, MOVZX—Move With Zero-Extend",

  encodings: opcodes`
    Opcode         | Instruction      | Access
    o16 0F B6 /r   | MOVZX r16, r/m8  | w r
    o32 0F B6 /r   | MOVZX r32, r/m8  | w r
    REX.W 0F B6 /r | MOVZX r64, r/m8  | w r
    o16 0F B7 /r   | MOVZX r16, r/m16 | w r
    o32 0F B7 /r   | MOVZX r32, r/m16 | w r
    REX.W 0F B7 /r | MOVZX r64, r/m16 | w r
  `,

  semantics(m, dst, src) {
    m.write(dst, m.read(src));
  },
};

export const movsx: Instruction = {
  mnemonic: "movsx",
  reference: "Intel SDM Vol. 2B, MOVSX/MOVSXD—Move With Sign-Extension",

  encodings: opcodes`
    Opcode         | Instruction      | Access
    o16 0F BE /r   | MOVSX r16, r/m8  | w sx
    o32 0F BE /r   | MOVSX r32, r/m8  | w sx
    REX.W 0F BE /r | MOVSX r64, r/m8  | w sx
    o16 0F BF /r   | MOVSX r16, r/m16 | w sx
    o32 0F BF /r   | MOVSX r32, r/m16 | w sx
    REX.W 0F BF /r | MOVSX r64, r/m16 | w sx
  `,

  semantics(m, dst, src) {
    m.write(dst, m.read(src));
  },
};

export const movsxd: Instruction = {
  mnemonic: "movsxd",
  reference: "Intel SDM Vol. 2B, MOVSX/MOVSXD—Move With Sign-Extension",

  encodings: opcodes`
    Opcode      | Instruction       | Access | Mode
    o16 63 /r   | MOVSXD r16, r/m16 | w r    | 64
    o32 63 /r   | MOVSXD r32, r/m32 | w r    | 64
    REX.W 63 /r | MOVSXD r64, r/m32 | w sx   | 64
  `,

  semantics(m, dst, src) {
    m.write(dst, m.read(src));
  },
};
