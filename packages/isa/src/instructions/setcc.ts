/**
 * SETcc: a condition as a byte. The `reg` field of ModRM is ignored.
 *
 * Intel SDM Vol. 2B, "SETcc—Set Byte on Condition".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { conditionalInstructions } from "./condition.ts";

const rows = opcodes`
    Opcode   | Instruction | Access
    0F 90 /r | SETO r/m8   | w
    0F 91 /r | SETNO r/m8  | w
    0F 92 /r | SETB r/m8   | w
    0F 93 /r | SETAE r/m8  | w
    0F 94 /r | SETE r/m8   | w
    0F 95 /r | SETNE r/m8  | w
    0F 96 /r | SETBE r/m8  | w
    0F 97 /r | SETA r/m8   | w
    0F 98 /r | SETS r/m8   | w
    0F 99 /r | SETNS r/m8  | w
    0F 9A /r | SETP r/m8   | w
    0F 9B /r | SETNP r/m8  | w
    0F 9C /r | SETL r/m8   | w
    0F 9D /r | SETGE r/m8  | w
    0F 9E /r | SETLE r/m8  | w
    0F 9F /r | SETG r/m8   | w
`;

export const setcc: readonly Instruction[] = conditionalInstructions(
  "set",
  rows,
  (mnemonic, condition, encodings) => ({
    mnemonic,
    reference: "Intel SDM Vol. 2B, SETcc—Set Byte on Condition",
    flags: { reads: condition.reads },
    encodings,

    semantics(m, dst) {
      m.write(dst, m.fromCondition(m.conditionCode(condition.code)));
    },
  }),
);
