/**
 * RFLAGS and the interrupt flag: PUSHF, POPF, CLI and STI.
 *
 * POPF is the classic hole: without privilege it drops changes of IF and IOPL instead of trapping.
 *
 * Intel SDM Vol. 2B, "PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack"; "POPF/POPFD/POPFQ—Pop Stack Into EFLAGS
 * Register"; Vol. 2A, "CLI—Clear Interrupt Flag"; Vol. 2B, "STI—Set Interrupt Flag".
 */
import { opcodes, type Classification, type Encoding, type Instruction } from "../dsl.ts";
import { followAlignmentCheck, hasBits, updateMode } from "../exceptions/mode.ts";
import { RFLAGS, STATUS_FLAGS } from "../profile/registers.ts";
import { requireVirtual8086Iopl } from "../segmentation/paragraph.ts";
import type { SemanticsBuilder } from "../semantics.ts";
import { SHADOW, slots } from "../state/layout.ts";
import { interruptFlagsMask } from "./far-transfers.ts";

const ALL_FLAGS = ["OF", "SF", "ZF", "AF", "PF", "CF"] as const;

const needsIopl: Classification = {
  privilege: "iopl",
  sensitive: "control",
  why: "It changes whether the machine takes interrupts.",
};

/** CLI and STI are for code whose CPL is at most IOPL. Intel SDM Vol. 1 §19.5.1, "I/O Privilege Level". */
function requireIopl(m: SemanticsBuilder): void {
  const iopl = m.and(
    m.shiftRightUnsigned(m.state(slots.flagsSystem), m.constant(12)),
    m.constant(3),
  );
  m.raiseWhen(m.lessThanUnsigned(iopl, m.state(slots.cpl)), "GP", m.constant(0));
}

export const pushf: Instruction = {
  mnemonic: "pushf",
  reference: "Intel SDM Vol. 2B, PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack",
  classification: {
    privilege: "none",
    sensitive: "behaviour",
    why: "It stores the real IF and IOPL at any privilege level.",
  },
  flags: { reads: ALL_FLAGS },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o16 9C | PUSHF       |        |
    o32 9C | PUSHFD      |        | legacy
    o64 9C | PUSHFQ      |        | 64
  `,
  semantics(m) {
    requireVirtual8086Iopl(m);
    m.push(m.and(m.readFlagsRegister(), m.constant(~(RFLAGS.RF | RFLAGS.VM))));
  },
};

export const popf: Instruction = {
  mnemonic: "popf",
  reference: "Intel SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register",
  classification: {
    privilege: "none",
    sensitive: "control",
    why: "Outside its privilege it leaves IF and IOPL as they are instead of trapping.",
  },
  flags: { writes: ALL_FLAGS },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o16 9D | POPF        |        |
    o32 9D | POPFD       |        | legacy
    o64 9D | POPFQ       |        | 64
  `,
  semantics(m) {
    requireVirtual8086Iopl(m);
    const bytes = m.width === 16 ? 2 : m.mode === 64 ? 8 : 4;
    const value = m.peek(bytes);
    const always = STATUS_FLAGS | RFLAGS.TF | RFLAGS.DF | RFLAGS.NT;
    const mask = m.width === 16 ? always : always | RFLAGS.AC | RFLAGS.ID | RFLAGS.RF;
    m.moveStackPointer(m.constant(bytes));
    const before = m.state(slots.flagsSystem);
    // RF is cleared, whatever the image says.
    m.writeFlagsRegister(
      m.and(value, m.constant(~RFLAGS.RF)),
      m.or(m.constant(mask), interruptFlagsMask(m)),
    );
    followAlignmentCheck(m, before);
  },
};

function alignmentCheckRow(mnemonic: "clac" | "stac", encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic,
    reference: `Intel SDM Vol. ${mnemonic === "clac" ? "2A, CLAC—Clear" : "2B, STAC—Set"} AC Flag in EFLAGS Register`,
    feature: "smap",
    classification: {
      privilege: "cpl0",
      sensitive: "control",
      why: "It decides whether the kernel may reach the pages of programs.",
    },
    counted: true,
    encodings,
    semantics(m) {
      // Not #GP: outside CPL 0 the opcode is undefined.
      m.raiseWhen(m.state(slots.cpl), "UD");
      const flags = m.state(slots.flagsSystem);
      const changed =
        mnemonic === "stac"
          ? m.or(flags, m.constant(RFLAGS.AC))
          : m.and(flags, m.constant(~RFLAGS.AC));
      m.setState(slots.flagsSystem, changed);
      m.call(updateMode);
    },
  };
}

export const clac: Instruction = alignmentCheckRow(
  "clac",
  opcodes`
    Opcode      | Instruction |
    NP 0F 01 CA | CLAC        |
  `,
);

export const stac: Instruction = alignmentCheckRow(
  "stac",
  opcodes`
    Opcode      | Instruction |
    NP 0F 01 CB | STAC        |
  `,
);

export const cli: Instruction = {
  mnemonic: "cli",
  reference: "Intel SDM Vol. 2A, CLI—Clear Interrupt Flag",
  classification: needsIopl,
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    FA     | CLI         |
  `,
  semantics(m) {
    requireIopl(m);
    m.setState(slots.flagsSystem, m.and(m.state(slots.flagsSystem), m.constant(~RFLAGS.IF)));
  },
};

export const sti: Instruction = {
  mnemonic: "sti",
  reference: "Intel SDM Vol. 2B, STI—Set Interrupt Flag",
  classification: needsIopl,
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    FB     | STI         |
  `,
  semantics(m) {
    requireIopl(m);
    const flags = m.state(slots.flagsSystem);
    m.setState(slots.flagsSystem, m.or(flags, m.constant(RFLAGS.IF)));
    // The instruction after an STI that sets IF runs before any interrupt is taken.
    m.when(m.isFalse(hasBits(m, flags, RFLAGS.IF)), () => {
      m.setState(slots.interruptShadow, m.constant(SHADOW.interrupts));
      m.recheckEvents();
    });
  },
};
