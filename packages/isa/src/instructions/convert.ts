/**
 * CBW, CWDE, CDQE and CWD, CDQ, CQO: sign extension within the accumulator and into RDX.
 *
 * Intel SDM Vol. 2A, "CBW/CWDE/CDQE—Convert Byte to Word/Convert Word to Doubleword/Convert Doubleword to Quadword" and
 * "CWD/CDQ/CQO—Convert Word to Doubleword/Convert Doubleword to Quadword".
 */
import { opcodes, type Encoding, type Instruction } from "../dsl.ts";
import type { Width } from "../semantics.ts";

const RAX = 0;
const RDX = 2;

function widen(mnemonic: string, to: 16 | 32 | 64, encodings: readonly Encoding[]): Instruction {
  const from: Width = to === 16 ? 8 : to === 32 ? 16 : 32;
  return {
    mnemonic,
    reference: "Intel SDM Vol. 2A, CBW/CWDE/CDQE—Convert Byte to Word and Wider",
    encodings,
    semantics(m) {
      m.setRegister(RAX, m.signExtend(m.register(RAX, from), from, to), to);
    },
  };
}

function spread(
  mnemonic: string,
  width: 16 | 32 | 64,
  encodings: readonly Encoding[],
): Instruction {
  return {
    mnemonic,
    reference: "Intel SDM Vol. 2A, CWD/CDQ/CQO—Convert Word to Doubleword and Wider",
    encodings,
    semantics(m) {
      const sign = m.shiftRightSigned(m.register(RAX, width), m.constant(width - 1), width);
      m.setRegister(RDX, sign, width);
    },
  };
}

export const cbw: Instruction = widen(
  "cbw",
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 98   | CBW         | -
  `,
);

export const cwde: Instruction = widen(
  "cwde",
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 98   | CWDE        | -
  `,
);

export const cdqe: Instruction = widen(
  "cdqe",
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W 98 | CDQE        | -
  `,
);

export const cwd: Instruction = spread(
  "cwd",
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 99   | CWD         | -
  `,
);

export const cdq: Instruction = spread(
  "cdq",
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 99   | CDQ         | -
  `,
);

export const cqo: Instruction = spread(
  "cqo",
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W 99 | CQO         | -
  `,
);
