/**
 * Segment registers: MOV, PUSH and POP of a selector, and the far-pointer loads LDS, LES, LSS, LFS and LGS.
 *
 * Intel SDM Vol. 2B, "MOV—Move"; "PUSH—Push Word, Doubleword, or Quadword Onto the Stack"; "POP—Pop a Value From the
 * Stack"; Vol. 2A, "LDS/LES/LFS/LGS/LSS—Load Far Pointer".
 */
import { opcodes, type Classification, type Encoding, type Instruction } from "../dsl.ts";
import { loadSegment } from "../segmentation/load-segment.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { SEGMENT_STRIDE, segmentSlots, SHADOW, slots } from "../state/layout.ts";

const SS = 2;

const readsSelector: Classification = {
  privilege: "none",
  sensitive: "behaviour",
  why: "A selector's low bits show the real privilege level, not the one that a deprivileged kernel believes in.",
};

const loadsSelector: Classification = {
  privilege: "none",
  sensitive: "behaviour",
  why: "The load is checked against the real CPL and against descriptors that the real kernel owns.",
};

function selectorOf(m: SemanticsBuilder, number: Value): Value {
  return m.stateAt(segmentSlots(0).selector, m.multiply(number, m.constant(SEGMENT_STRIDE), 64));
}

/**
 * No interrupt and no trap between a load of SS and the next instruction, which loads RSP.
 * Intel SDM Vol. 3A §6.8.3, "Masking Exceptions and Interrupts When Switching Stacks".
 */
function shadowStackLoad(m: SemanticsBuilder, number: Value): void {
  m.when(m.equal(number, m.constant(SS)), () => {
    m.setState(slots.interruptShadow, m.constant(SHADOW.stackLoad));
    m.recheckEvents();
  });
}

/** MOV r/m, Sreg. Counted as `instructions.mov-from-sreg`, apart from other MOVs. */
export const movFromSegment: Instruction = {
  mnemonic: "mov",
  reference: "Intel SDM Vol. 2B, MOV—Move",
  classification: readsSelector,
  encodings: opcodes`
    Opcode      | Instruction       | Access
    o16 8C /r   | MOV r/m16, Sreg   | w n
    o32 8C /r   | MOV r32/m16, Sreg | w n
    REX.W 8C /r | MOV r64/m16, Sreg | w n
  `,
  semantics(m, destination, source) {
    m.write(destination, selectorOf(m, m.registerNumber(source)));
    m.count("instructions.mov-from-sreg");
  },
};

/** MOV Sreg, r/m. Counted as `instructions.mov-to-sreg`. */
export const movToSegment: Instruction = {
  mnemonic: "mov",
  reference: "Intel SDM Vol. 2B, MOV—Move",
  classification: loadsSelector,
  encodings: opcodes`
    Opcode      | Instruction       | Access
    o16 8E /r   | MOV Sreg, r/m16   | n r
    o32 8E /r   | MOV Sreg, r32/m16 | n r
    REX.W 8E /r | MOV Sreg, r64/m16 | n r
  `,
  semantics(m, destination, source) {
    const number = m.registerNumber(destination);
    m.call(loadSegment, number, m.read(source));
    m.count("instructions.mov-to-sreg");
    shadowStackLoad(m, number);
  },
};

export const pushSegment: Instruction = {
  mnemonic: "push",
  reference: "Intel SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack",
  classification: readsSelector,
  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    o16 0E    | PUSH CS     | n      | legacy
    o32 0E    | PUSH CS     | n      | legacy
    o16 16    | PUSH SS     | n      | legacy
    o32 16    | PUSH SS     | n      | legacy
    o16 1E    | PUSH DS     | n      | legacy
    o32 1E    | PUSH DS     | n      | legacy
    o16 06    | PUSH ES     | n      | legacy
    o32 06    | PUSH ES     | n      | legacy
    o16 0F A0 | PUSH FS     | n      |
    o32 0F A0 | PUSH FS     | n      | legacy
    o64 0F A0 | PUSH FS     | n      | 64
    o16 0F A8 | PUSH GS     | n      |
    o32 0F A8 | PUSH GS     | n      | legacy
    o64 0F A8 | PUSH GS     | n      | 64
  `,
  semantics(m, source) {
    m.push(selectorOf(m, m.registerNumber(source)));
    m.count("instructions.push-sreg");
  },
};

export const popSegment: Instruction = {
  mnemonic: "pop",
  reference: "Intel SDM Vol. 2B, POP—Pop a Value From the Stack",
  classification: loadsSelector,
  encodings: opcodes`
    Opcode    | Instruction | Access | Mode
    o16 1F    | POP DS      | n      | legacy
    o32 1F    | POP DS      | n      | legacy
    o16 07    | POP ES      | n      | legacy
    o32 07    | POP ES      | n      | legacy
    o16 17    | POP SS      | n      | legacy
    o32 17    | POP SS      | n      | legacy
    o16 0F A1 | POP FS      | n      |
    o32 0F A1 | POP FS      | n      | legacy
    o64 0F A1 | POP FS      | n      | 64
    o16 0F A9 | POP GS      | n      |
    o32 0F A9 | POP GS      | n      | legacy
    o64 0F A9 | POP GS      | n      | 64
  `,
  semantics(m, destination) {
    const number = m.registerNumber(destination);
    const selector = m.peek();
    m.call(loadSegment, number, m.and(selector, m.constant(0xffff)));
    m.moveStackPointer(m.constant(m.width === 16 ? 2 : m.mode === 64 ? 8 : 4));
    m.count("instructions.pop-sreg");
    shadowStackLoad(m, number);
  },
};

function loadFarPointer(
  mnemonic: string,
  segment: number,
  encodings: readonly Encoding[],
): Instruction {
  return {
    mnemonic,
    reference: "Intel SDM Vol. 2A, LDS/LES/LFS/LGS/LSS—Load Far Pointer",
    classification: loadsSelector,
    counted: true,
    encodings,
    semantics(m, destination, source) {
      const linear = m.linearAddress(source);
      const bytes = destination.bits === 16 ? 2 : destination.bits === 32 ? 4 : 8;
      const offset = m.load(linear, bytes);
      const selector = m.load(m.add(linear, m.constant(bytes), 64), 2);
      m.call(loadSegment, m.constant(segment), selector);
      m.write(destination, offset);
    },
  };
}

export const les: Instruction = loadFarPointer(
  "les",
  0,
  opcodes`
    Opcode    | Instruction     | Access | Mode
    o16 C4 /r | LES r16, m16:16 | w n    | legacy
    o32 C4 /r | LES r32, m16:32 | w n    | legacy
  `,
);

export const lss: Instruction = loadFarPointer(
  "lss",
  SS,
  opcodes`
    Opcode         | Instruction     | Access
    o16 0F B2 /r   | LSS r16, m16:16 | w n
    o32 0F B2 /r   | LSS r32, m16:32 | w n
    REX.W 0F B2 /r | LSS r64, m16:64 | w n
  `,
);

export const lds: Instruction = loadFarPointer(
  "lds",
  3,
  opcodes`
    Opcode    | Instruction     | Access | Mode
    o16 C5 /r | LDS r16, m16:16 | w n    | legacy
    o32 C5 /r | LDS r32, m16:32 | w n    | legacy
  `,
);

export const lfs: Instruction = loadFarPointer(
  "lfs",
  4,
  opcodes`
    Opcode         | Instruction     | Access
    o16 0F B4 /r   | LFS r16, m16:16 | w n
    o32 0F B4 /r   | LFS r32, m16:32 | w n
    REX.W 0F B4 /r | LFS r64, m16:64 | w n
  `,
);

export const lgs: Instruction = loadFarPointer(
  "lgs",
  5,
  opcodes`
    Opcode         | Instruction     | Access
    o16 0F B5 /r   | LGS r16, m16:16 | w n
    o32 0F B5 /r   | LGS r32, m16:32 | w n
    REX.W 0F B5 /r | LGS r64, m16:64 | w n
  `,
);
