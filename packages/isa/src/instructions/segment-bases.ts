/**
 * RDFSBASE, RDGSBASE, WRFSBASE and WRGSBASE: the bases of FS and GS for programs, where CR4.FSGSBASE allows it.
 *
 * Intel SDM Vol. 2B, "RDFSBASE/RDGSBASE—Read FS/GS Segment Base"; Vol. 2D, "WRFSBASE/WRGSBASE—Write FS/GS Segment Base".
 */
import { opcodes, type Classification, type Encoding, type Instruction } from "../dsl.ts";
import { hasBits } from "../exceptions/mode.ts";
import { CR4 } from "../profile/registers.ts";
import type { SemanticsBuilder } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";

const FS = 4;
const GS = 5;

const classification: Classification = {
  privilege: "cr4",
  sensitive: "behaviour",
  why: "It reaches a base register of the machine when CR4.FSGSBASE allows it.",
};

function requireEnabled(m: SemanticsBuilder): void {
  m.raiseWhen(m.isFalse(hasBits(m, m.state(slots.cr4), CR4.FSGSBASE)), "UD");
}

function readBase(mnemonic: string, segment: number, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic,
    reference: "Intel SDM Vol. 2B, RDFSBASE/RDGSBASE—Read FS/GS Segment Base",
    feature: "fsgsbase",
    classification,
    counted: true,
    encodings,
    semantics(m, destination) {
      requireEnabled(m);
      m.write(destination, m.state(segmentSlots(segment).base));
    },
  };
}

function writeBase(mnemonic: string, segment: number, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic,
    reference: "Intel SDM Vol. 2D, WRFSBASE/WRGSBASE—Write FS/GS Segment Base",
    feature: "fsgsbase",
    classification: { ...classification, sensitive: "control" },
    counted: true,
    encodings,
    semantics(m, source) {
      requireEnabled(m);
      const base = m.read(source);
      m.raiseWhen(m.isFalse(m.isCanonical(base)), "GP", m.constant(0));
      m.setState(segmentSlots(segment).base, base);
      m.setState(segmentSlots(segment).effectiveBase, base);
    },
  };
}

export const rdfsbase: Instruction = readBase(
  "rdfsbase",
  FS,
  opcodes`
    Opcode            | Instruction  | Access | Mode
    F3 0F AE /0   | RDFSBASE r32 | w      | 64
    F3 REX.W 0F AE /0 | RDFSBASE r64 | w      | 64
  `,
);

export const rdgsbase: Instruction = readBase(
  "rdgsbase",
  GS,
  opcodes`
    Opcode            | Instruction  | Access | Mode
    F3 0F AE /1   | RDGSBASE r32 | w      | 64
    F3 REX.W 0F AE /1 | RDGSBASE r64 | w      | 64
  `,
);

export const wrfsbase: Instruction = writeBase(
  "wrfsbase",
  FS,
  opcodes`
    Opcode            | Instruction  | Access | Mode
    F3 0F AE /2   | WRFSBASE r32 | r      | 64
    F3 REX.W 0F AE /2 | WRFSBASE r64 | r      | 64
  `,
);

export const wrgsbase: Instruction = writeBase(
  "wrgsbase",
  GS,
  opcodes`
    Opcode            | Instruction  | Access | Mode
    F3 0F AE /3   | WRGSBASE r32 | r      | 64
    F3 REX.W 0F AE /3 | WRGSBASE r64 | r      | 64
  `,
);
