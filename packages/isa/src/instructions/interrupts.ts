/**
 * Software interrupts: INT n, INT3, INTO and INT1.
 *
 * Intel SDM Vol. 2A, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure".
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { deliverSoftwareInterrupt } from "../exceptions/deliver.ts";
import { EVENT } from "../exceptions/event.ts";
import { leaveWithSoftwareInterrupt } from "../exceptions/monitor.ts";
import { VECTOR } from "../exceptions/vectors.ts";
import { requireVirtual8086Iopl } from "../segmentation/paragraph.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";

const REFERENCE = "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure";

const entersKernel: Classification = {
  privilege: "none",
  sensitive: "control",
  why: "It compares the gate's DPL with the real CPL and enters the handler that the real IDT names.",
};

function interrupt(m: SemanticsBuilder, vector: Value, kind: number): void {
  const next = m.nextRip();
  m.when(
    m.state(slots.monitorDelivery),
    () => leaveWithSoftwareInterrupt(m, vector, next),
    () => {
      m.call(deliverSoftwareInterrupt, vector, m.constant(kind), next);
      m.resumeAt(m.state(slots.rip));
    },
  );
}

export const int: Instruction = {
  mnemonic: "int",
  reference: REFERENCE,
  classification: entersKernel,
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction | Access
    CD ib  | INT imm8    | r
  `,
  semantics(m, vector) {
    requireVirtual8086Iopl(m);
    interrupt(m, m.read(vector), EVENT.SOFTWARE);
  },
};

export const int3: Instruction = {
  mnemonic: "int3",
  reference: REFERENCE,
  classification: entersKernel,
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction |
    CC     | INT3        |
  `,
  semantics(m) {
    interrupt(m, m.constant(VECTOR.BP), EVENT.SOFTWARE);
  },
};

export const into: Instruction = {
  mnemonic: "into",
  reference: REFERENCE,
  classification: entersKernel,
  flags: { reads: ["OF"] },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    CE     | INTO        |        | legacy
  `,
  semantics(m) {
    m.when(m.flag("OF"), () => interrupt(m, m.constant(VECTOR.OF), EVENT.SOFTWARE));
  },
};

export const int1: Instruction = {
  mnemonic: "int1",
  reference: REFERENCE,
  classification: entersKernel,
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction |
    F1     | INT1        |
  `,
  semantics(m) {
    interrupt(m, m.constant(VECTOR.DB), EVENT.PRIVILEGED_SOFTWARE);
  },
};
