/**
 * Jcc: conditional jumps.
 *
 * Intel SDM Vol. 2A, "Jcc—Jump if Condition Is Met".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { conditionalInstructions } from "./condition.ts";
import { jumpNear } from "./near-transfer.ts";

const rows = opcodes`
    Opcode       | Instruction | Access | Mode
    70 cb        | JO rel8     | n      | 64
    o16 70 cb    | JO rel8     | n      | legacy
    o32 70 cb    | JO rel8     | n      | legacy
    0F 80 cd     | JO rel32    | n      | 64
    o16 0F 80 cw | JO rel16    | n      | legacy
    o32 0F 80 cd | JO rel32    | n      | legacy
    71 cb        | JNO rel8    | n      | 64
    o16 71 cb    | JNO rel8    | n      | legacy
    o32 71 cb    | JNO rel8    | n      | legacy
    0F 81 cd     | JNO rel32   | n      | 64
    o16 0F 81 cw | JNO rel16   | n      | legacy
    o32 0F 81 cd | JNO rel32   | n      | legacy
    72 cb        | JB rel8     | n      | 64
    o16 72 cb    | JB rel8     | n      | legacy
    o32 72 cb    | JB rel8     | n      | legacy
    0F 82 cd     | JB rel32    | n      | 64
    o16 0F 82 cw | JB rel16    | n      | legacy
    o32 0F 82 cd | JB rel32    | n      | legacy
    73 cb        | JAE rel8    | n      | 64
    o16 73 cb    | JAE rel8    | n      | legacy
    o32 73 cb    | JAE rel8    | n      | legacy
    0F 83 cd     | JAE rel32   | n      | 64
    o16 0F 83 cw | JAE rel16   | n      | legacy
    o32 0F 83 cd | JAE rel32   | n      | legacy
    74 cb        | JE rel8     | n      | 64
    o16 74 cb    | JE rel8     | n      | legacy
    o32 74 cb    | JE rel8     | n      | legacy
    0F 84 cd     | JE rel32    | n      | 64
    o16 0F 84 cw | JE rel16    | n      | legacy
    o32 0F 84 cd | JE rel32    | n      | legacy
    75 cb        | JNE rel8    | n      | 64
    o16 75 cb    | JNE rel8    | n      | legacy
    o32 75 cb    | JNE rel8    | n      | legacy
    0F 85 cd     | JNE rel32   | n      | 64
    o16 0F 85 cw | JNE rel16   | n      | legacy
    o32 0F 85 cd | JNE rel32   | n      | legacy
    76 cb        | JBE rel8    | n      | 64
    o16 76 cb    | JBE rel8    | n      | legacy
    o32 76 cb    | JBE rel8    | n      | legacy
    0F 86 cd     | JBE rel32   | n      | 64
    o16 0F 86 cw | JBE rel16   | n      | legacy
    o32 0F 86 cd | JBE rel32   | n      | legacy
    77 cb        | JA rel8     | n      | 64
    o16 77 cb    | JA rel8     | n      | legacy
    o32 77 cb    | JA rel8     | n      | legacy
    0F 87 cd     | JA rel32    | n      | 64
    o16 0F 87 cw | JA rel16    | n      | legacy
    o32 0F 87 cd | JA rel32    | n      | legacy
    78 cb        | JS rel8     | n      | 64
    o16 78 cb    | JS rel8     | n      | legacy
    o32 78 cb    | JS rel8     | n      | legacy
    0F 88 cd     | JS rel32    | n      | 64
    o16 0F 88 cw | JS rel16    | n      | legacy
    o32 0F 88 cd | JS rel32    | n      | legacy
    79 cb        | JNS rel8    | n      | 64
    o16 79 cb    | JNS rel8    | n      | legacy
    o32 79 cb    | JNS rel8    | n      | legacy
    0F 89 cd     | JNS rel32   | n      | 64
    o16 0F 89 cw | JNS rel16   | n      | legacy
    o32 0F 89 cd | JNS rel32   | n      | legacy
    7A cb        | JP rel8     | n      | 64
    o16 7A cb    | JP rel8     | n      | legacy
    o32 7A cb    | JP rel8     | n      | legacy
    0F 8A cd     | JP rel32    | n      | 64
    o16 0F 8A cw | JP rel16    | n      | legacy
    o32 0F 8A cd | JP rel32    | n      | legacy
    7B cb        | JNP rel8    | n      | 64
    o16 7B cb    | JNP rel8    | n      | legacy
    o32 7B cb    | JNP rel8    | n      | legacy
    0F 8B cd     | JNP rel32   | n      | 64
    o16 0F 8B cw | JNP rel16   | n      | legacy
    o32 0F 8B cd | JNP rel32   | n      | legacy
    7C cb        | JL rel8     | n      | 64
    o16 7C cb    | JL rel8     | n      | legacy
    o32 7C cb    | JL rel8     | n      | legacy
    0F 8C cd     | JL rel32    | n      | 64
    o16 0F 8C cw | JL rel16    | n      | legacy
    o32 0F 8C cd | JL rel32    | n      | legacy
    7D cb        | JGE rel8    | n      | 64
    o16 7D cb    | JGE rel8    | n      | legacy
    o32 7D cb    | JGE rel8    | n      | legacy
    0F 8D cd     | JGE rel32   | n      | 64
    o16 0F 8D cw | JGE rel16   | n      | legacy
    o32 0F 8D cd | JGE rel32   | n      | legacy
    7E cb        | JLE rel8    | n      | 64
    o16 7E cb    | JLE rel8    | n      | legacy
    o32 7E cb    | JLE rel8    | n      | legacy
    0F 8E cd     | JLE rel32   | n      | 64
    o16 0F 8E cw | JLE rel16   | n      | legacy
    o32 0F 8E cd | JLE rel32   | n      | legacy
    7F cb        | JG rel8     | n      | 64
    o16 7F cb    | JG rel8     | n      | legacy
    o32 7F cb    | JG rel8     | n      | legacy
    0F 8F cd     | JG rel32    | n      | 64
    o16 0F 8F cw | JG rel16    | n      | legacy
    o32 0F 8F cd | JG rel32    | n      | legacy
`;

export const jcc: readonly Instruction[] = conditionalInstructions(
  "j",
  rows,
  (mnemonic, condition, encodings) => ({
    mnemonic,
    reference: "Intel SDM Vol. 2A, Jcc—Jump if Condition Is Met",
    flags: { reads: condition.reads },
    encodings,

    semantics(m, target) {
      m.when(m.conditionCode(condition.code), () => jumpNear(m, target));
    },
  }),
);
