/**
 * CMOVcc: conditional moves. The source is read, and a 32-bit destination zero-extended, whatever the condition.
 *
 * Intel SDM Vol. 2A, "CMOVcc—Conditional Move".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { conditionalInstructions } from "./condition.ts";

const rows = opcodes`
    Opcode         | Instruction       | Access
    o16 0F 40 /r   | CMOVO r16, r/m16  | rw r
    o32 0F 40 /r   | CMOVO r32, r/m32  | rw r
    REX.W 0F 40 /r | CMOVO r64, r/m64  | rw r
    o16 0F 41 /r   | CMOVNO r16, r/m16 | rw r
    o32 0F 41 /r   | CMOVNO r32, r/m32 | rw r
    REX.W 0F 41 /r | CMOVNO r64, r/m64 | rw r
    o16 0F 42 /r   | CMOVB r16, r/m16  | rw r
    o32 0F 42 /r   | CMOVB r32, r/m32  | rw r
    REX.W 0F 42 /r | CMOVB r64, r/m64  | rw r
    o16 0F 43 /r   | CMOVAE r16, r/m16 | rw r
    o32 0F 43 /r   | CMOVAE r32, r/m32 | rw r
    REX.W 0F 43 /r | CMOVAE r64, r/m64 | rw r
    o16 0F 44 /r   | CMOVE r16, r/m16  | rw r
    o32 0F 44 /r   | CMOVE r32, r/m32  | rw r
    REX.W 0F 44 /r | CMOVE r64, r/m64  | rw r
    o16 0F 45 /r   | CMOVNE r16, r/m16 | rw r
    o32 0F 45 /r   | CMOVNE r32, r/m32 | rw r
    REX.W 0F 45 /r | CMOVNE r64, r/m64 | rw r
    o16 0F 46 /r   | CMOVBE r16, r/m16 | rw r
    o32 0F 46 /r   | CMOVBE r32, r/m32 | rw r
    REX.W 0F 46 /r | CMOVBE r64, r/m64 | rw r
    o16 0F 47 /r   | CMOVA r16, r/m16  | rw r
    o32 0F 47 /r   | CMOVA r32, r/m32  | rw r
    REX.W 0F 47 /r | CMOVA r64, r/m64  | rw r
    o16 0F 48 /r   | CMOVS r16, r/m16  | rw r
    o32 0F 48 /r   | CMOVS r32, r/m32  | rw r
    REX.W 0F 48 /r | CMOVS r64, r/m64  | rw r
    o16 0F 49 /r   | CMOVNS r16, r/m16 | rw r
    o32 0F 49 /r   | CMOVNS r32, r/m32 | rw r
    REX.W 0F 49 /r | CMOVNS r64, r/m64 | rw r
    o16 0F 4A /r   | CMOVP r16, r/m16  | rw r
    o32 0F 4A /r   | CMOVP r32, r/m32  | rw r
    REX.W 0F 4A /r | CMOVP r64, r/m64  | rw r
    o16 0F 4B /r   | CMOVNP r16, r/m16 | rw r
    o32 0F 4B /r   | CMOVNP r32, r/m32 | rw r
    REX.W 0F 4B /r | CMOVNP r64, r/m64 | rw r
    o16 0F 4C /r   | CMOVL r16, r/m16  | rw r
    o32 0F 4C /r   | CMOVL r32, r/m32  | rw r
    REX.W 0F 4C /r | CMOVL r64, r/m64  | rw r
    o16 0F 4D /r   | CMOVGE r16, r/m16 | rw r
    o32 0F 4D /r   | CMOVGE r32, r/m32 | rw r
    REX.W 0F 4D /r | CMOVGE r64, r/m64 | rw r
    o16 0F 4E /r   | CMOVLE r16, r/m16 | rw r
    o32 0F 4E /r   | CMOVLE r32, r/m32 | rw r
    REX.W 0F 4E /r | CMOVLE r64, r/m64 | rw r
    o16 0F 4F /r   | CMOVG r16, r/m16  | rw r
    o32 0F 4F /r   | CMOVG r32, r/m32  | rw r
    REX.W 0F 4F /r | CMOVG r64, r/m64  | rw r
`;

export const cmovcc: readonly Instruction[] = conditionalInstructions(
  "cmov",
  rows,
  (mnemonic, condition, encodings) => ({
    mnemonic,
    reference: "Intel SDM Vol. 2A, CMOVcc—Conditional Move",
    feature: "cmov",
    flags: { reads: condition.reads },
    encodings,

    semantics(m, dst, src) {
      const moved = m.read(src);
      m.write(dst, m.select(m.conditionCode(condition.code), moved, m.read(dst)));
    },
  }),
);
