/**
 * LEA: the address of an operand as a number. It never touches memory and cannot fault.
 *
 * Intel SDM Vol. 2A, "LEA—Load Effective Address".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const lea: Instruction = {
  mnemonic: "lea",
  reference: "Intel SDM Vol. 2A, LEA—Load Effective Address",

  encodings: opcodes`
    Opcode      | Instruction | Access
    o16 8D /r   | LEA r16, m  | w n
    o32 8D /r   | LEA r32, m  | w n
    REX.W 8D /r | LEA r64, m  | w n
  `,

  semantics(m, dst, src) {
    m.write(dst, m.truncate(m.effectiveAddress(src), m.width));
  },
};
