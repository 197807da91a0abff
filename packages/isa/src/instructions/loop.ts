/**
 * LOOP, LOOPE, LOOPNE, JCXZ, JECXZ, JRCXZ: jumps that depend on a counter whose size is the address size.
 *
 * Intel SDM Vol. 2A, "LOOP/LOOPcc—Loop According to ECX Counter" and "Jcc—Jump if Condition Is Met". No flag changes.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { jumpNear, requireReachableWhen } from "./near-transfer.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const RCX = 1;
const LOOP = "Intel SDM Vol. 2A, LOOP/LOOPcc—Loop According to ECX Counter";
const JCC = "Intel SDM Vol. 2A, Jcc—Jump if Condition Is Met";

function countDown(m: SemanticsBuilder, target: Operand, onlyIf?: Value): void {
  const width = m.addressWidth;
  const count = m.subtract(m.register(RCX, width), m.constant(1n), width);
  const more = m.isFalse(m.isZero(count));
  const jumps = onlyIf === undefined ? more : m.both(more, onlyIf);
  requireReachableWhen(m, jumps, target);
  m.setRegister(RCX, count, width);
  m.when(jumps, () => jumpNear(m, target));
}

export const loop: Instruction = {
  mnemonic: "loop",
  reference: LOOP,
  addressSized: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    E2 cb     | LOOP rel8   | n      | 64
    o16 E2 cb | LOOP rel8   | n      | legacy
    o32 E2 cb | LOOP rel8   | n      | legacy
  `,

  semantics(m, target) {
    countDown(m, target);
  },
};

export const loope: Instruction = {
  mnemonic: "loope",
  reference: LOOP,
  flags: { reads: ["ZF"] },
  addressSized: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    E1 cb     | LOOPE rel8  | n      | 64
    o16 E1 cb | LOOPE rel8  | n      | legacy
    o32 E1 cb | LOOPE rel8  | n      | legacy
  `,

  semantics(m, target) {
    countDown(m, target, m.flag("ZF"));
  },
};

export const loopne: Instruction = {
  mnemonic: "loopne",
  reference: LOOP,
  flags: { reads: ["ZF"] },
  addressSized: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    E0 cb     | LOOPNE rel8 | n      | 64
    o16 E0 cb | LOOPNE rel8 | n      | legacy
    o32 E0 cb | LOOPNE rel8 | n      | legacy
  `,

  semantics(m, target) {
    countDown(m, target, m.isFalse(m.flag("ZF")));
  },
};

function jumpWhenZero(m: SemanticsBuilder, target: Operand): void {
  m.when(m.isZero(m.register(RCX, m.addressWidth)), () => jumpNear(m, target));
}

export const jcxz: Instruction = {
  mnemonic: "jcxz",
  reference: JCC,
  addressSized: true,

  encodings: opcodes`
    Opcode        | Instruction | Access | Mode
    o16 a16 E3 cb | JCXZ rel8   | n      | legacy
    o32 a16 E3 cb | JCXZ rel8   | n      | legacy
  `,

  semantics: jumpWhenZero,
};

export const jecxz: Instruction = {
  mnemonic: "jecxz",
  reference: JCC,
  addressSized: true,

  encodings: opcodes`
    Opcode        | Instruction | Access | Mode
    a32 E3 cb     | JECXZ rel8  | n      | 64
    o16 a32 E3 cb | JECXZ rel8  | n      | legacy
    o32 a32 E3 cb | JECXZ rel8  | n      | legacy
  `,

  semantics: jumpWhenZero,
};

export const jrcxz: Instruction = {
  mnemonic: "jrcxz",
  reference: JCC,
  addressSized: true,

  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    a64 E3 cb | JRCXZ rel8  | n      | 64
  `,

  semantics: jumpWhenZero,
};
