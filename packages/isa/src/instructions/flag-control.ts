/**
 * CLC, STC, CMC, CLD, STD, LAHF, SAHF: single flags, and the low byte of the flags in AH.
 *
 * Differs from the SDM: LAHF and SAHF exist in 64-bit code also where CPUID does not report them.
 *
 * Intel SDM Vol. 2A and 2B, under each name. CLI, STI, PUSHF and POPF are with the system instructions.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { SemanticsBuilder } from "../semantics.ts";
import { slots } from "../state/layout.ts";

const RAX = 0;
const DIRECTION = 0x400n;
/** SF, ZF, AF, PF and CF in the low byte of RFLAGS. */
const LOW_STATUS = 0xd5n;

export const clc: Instruction = {
  mnemonic: "clc",
  reference: "Intel SDM Vol. 2A, CLC—Clear Carry Flag",
  flags: { writes: ["CF"] },

  encodings: opcodes`
    Opcode | Instruction | Access
    F8     | CLC         | -
  `,

  semantics(m: SemanticsBuilder) {
    m.setFlags({ CF: m.constant(0n) });
  },
};

export const stc: Instruction = {
  mnemonic: "stc",
  reference: "Intel SDM Vol. 2B, STC—Set Carry Flag",
  flags: { writes: ["CF"] },

  encodings: opcodes`
    Opcode | Instruction | Access
    F9     | STC         | -
  `,

  semantics(m: SemanticsBuilder) {
    m.setFlags({ CF: m.constant(1n) });
  },
};

export const cmc: Instruction = {
  mnemonic: "cmc",
  reference: "Intel SDM Vol. 2A, CMC—Complement Carry Flag",
  flags: { reads: ["CF"], writes: ["CF"] },

  encodings: opcodes`
    Opcode | Instruction | Access
    F5     | CMC         | -
  `,

  semantics(m: SemanticsBuilder) {
    m.setFlags({ CF: m.isFalse(m.flag("CF")) });
  },
};

export const cld: Instruction = {
  mnemonic: "cld",
  reference: "Intel SDM Vol. 2A, CLD—Clear Direction Flag",

  encodings: opcodes`
    Opcode | Instruction | Access
    FC     | CLD         | -
  `,

  semantics(m: SemanticsBuilder) {
    m.setState(slots.flagsSystem, m.and(m.state(slots.flagsSystem), m.constant(~DIRECTION)));
  },
};

export const std: Instruction = {
  mnemonic: "std",
  reference: "Intel SDM Vol. 2B, STD—Set Direction Flag",

  encodings: opcodes`
    Opcode | Instruction | Access
    FD     | STD         | -
  `,

  semantics(m: SemanticsBuilder) {
    m.setState(slots.flagsSystem, m.or(m.state(slots.flagsSystem), m.constant(DIRECTION)));
  },
};

export const lahf: Instruction = {
  mnemonic: "lahf",
  reference: "Intel SDM Vol. 2A, LAHF—Load Status Flags Into AH Register",
  flags: { reads: ["SF", "ZF", "AF", "PF", "CF"] },

  encodings: opcodes`
    Opcode | Instruction | Access
    9F     | LAHF        | -
  `,

  semantics(m: SemanticsBuilder) {
    const flags = m.shiftLeft(m.truncate(m.readFlagsRegister(), 8), m.constant(8), 16);
    m.setRegister(RAX, m.or(m.register(RAX, 8), flags), 16);
  },
};

export const sahf: Instruction = {
  mnemonic: "sahf",
  reference: "Intel SDM Vol. 2B, SAHF—Store AH Into Flags",
  flags: { writes: ["SF", "ZF", "AF", "PF", "CF"] },

  encodings: opcodes`
    Opcode | Instruction | Access
    9E     | SAHF        | -
  `,

  semantics(m: SemanticsBuilder) {
    const flags = m.shiftRightUnsigned(m.register(RAX, 16), m.constant(8));
    m.writeFlagsRegister(flags, m.constant(LOW_STATUS));
  },
};
