/**
 * UD0, UD1, UD2: opcodes that raise #UD by design.
 *
 * Intel SDM Vol. 2B, "UD—Undefined Instruction".
 */
import { opcodes, type Encoding, type Instruction } from "../dsl.ts";

function undefinedOpcode(mnemonic: string, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic,
    reference: "Intel SDM Vol. 2B, UD—Undefined Instruction",
    encodings,
    ends: true,
    semantics(m) {
      m.raise("UD");
    },
  };
}

export const ud0: Instruction = undefinedOpcode(
  "ud0",
  opcodes`
    Opcode   | Instruction    | Access
    0F FF /r | UD0 r32, r/m32 | n n
  `,
);

export const ud1: Instruction = undefinedOpcode(
  "ud1",
  opcodes`
    Opcode   | Instruction    | Access
    0F B9 /r | UD1 r32, r/m32 | n n
  `,
);

export const ud2: Instruction = undefinedOpcode(
  "ud2",
  opcodes`
    Opcode   | Instruction    | Access
    0F 0B    | UD2            | -
  `,
);
