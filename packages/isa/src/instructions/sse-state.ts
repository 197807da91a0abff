/**
 * LDMXCSR, STMXCSR, FXSAVE, FXRSTOR: the state of SSE and the x87 in memory.
 *
 * Intel SDM Vol. 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State" (Tables 3-43 and 3-46 are the layouts):
 * control words and pointers in bytes 31:0, ST0 to ST7 in 16 bytes each from 32, XMM registers from 160. Bytes from
 * 464 on are the operating system's and are not written.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots, type Slot } from "../state/layout.ts";
import { requireAligned, requireSse } from "./sse-operand.ts";
import { REGISTER_HIGH, REGISTER_LOW, stackRegisterOffset } from "./x87-operand.ts";

/** Bits of MXCSR that exist, DAZ included: what FXSAVE stores as MXCSR_MASK. */
export const MXCSR_MASK = 0xffffn;
const CR0_EM_TS = 0xcn;
const X87_REGISTERS_AT = 32;
const XMM_REGISTERS_AT = 160;
const IMAGE_BYTES = 512;

export const ldmxcsr: Instruction = {
  mnemonic: "ldmxcsr",
  reference: "Intel SDM Vol. 2A, LDMXCSR—Load MXCSR Register",
  feature: "sse",

  encodings: opcodes`
    Opcode      | Instruction | Access
    NP 0F AE /2 | LDMXCSR m32 | r
  `,

  semantics(m, src) {
    requireSse(m);
    setMxcsr(m, m.read(src));
  },
};

function setMxcsr(m: SemanticsBuilder, value: Value): void {
  m.raiseWhen(m.and(value, m.constant(~MXCSR_MASK)), "GP", m.constant(0n));
  m.setState(slots.mxcsr, value);
}

export const stmxcsr: Instruction = {
  mnemonic: "stmxcsr",
  reference: "Intel SDM Vol. 2B, STMXCSR—Store MXCSR Register State",
  feature: "sse",

  encodings: opcodes`
    Opcode      | Instruction | Access
    NP 0F AE /3 | STMXCSR m32 | w
  `,

  semantics(m, dst) {
    requireSse(m);
    m.write(dst, m.state(slots.mxcsr));
  },
};

/** A place in the image and the field of the state block that it holds. */
interface ImageField {
  readonly at: number;
  readonly slot: Slot;
  readonly bytes: 2 | 4 | 8;
}

/** The instruction and data pointers: 64 bits with REX.W, else 32 bits and their segments. */
function pointerFields(wide: boolean): readonly ImageField[] {
  if (wide) {
    return [
      { at: 8, slot: slots.fip, bytes: 8 },
      { at: 16, slot: slots.fdp, bytes: 8 },
    ];
  }
  return [
    { at: 8, slot: slots.fip, bytes: 4 },
    { at: 12, slot: slots.fcs, bytes: 4 },
    { at: 16, slot: slots.fdp, bytes: 4 },
    { at: 20, slot: slots.fds, bytes: 4 },
  ];
}

const CONTROL_FIELDS: readonly ImageField[] = [
  { at: 0, slot: slots.fcw, bytes: 2 },
  { at: 2, slot: slots.fsw, bytes: 2 },
  { at: 6, slot: slots.fop, bytes: 2 },
];

function beginImage(m: SemanticsBuilder, image: Operand): (at: number) => Value {
  m.raiseWhen(m.and(m.state(slots.cr0), m.constant(CR0_EM_TS)), "NM");
  requireAligned(m, image);
  const linear = m.linearAddress(image);
  return (at) => m.add(linear, m.constant(at), 64);
}

function xmmCount(m: SemanticsBuilder): number {
  return m.mode === 64 ? 16 : 8;
}

function xmmSlot(number: number): Slot {
  return { offset: slots.xmm.offset + 16 * number, bytes: 16 };
}

function save(wide: boolean): (m: SemanticsBuilder, image: Operand) => void {
  return (m, image) => {
    const place = beginImage(m, image);
    m.probeWrite(place(0), 8);
    m.probeWrite(place(IMAGE_BYTES - 8), 8);
    for (const { at, slot, bytes } of [...CONTROL_FIELDS, ...pointerFields(wide)]) {
      m.store(place(at), bytes, m.state(slot));
    }
    m.store(place(4), 2, m.fromI32Unsigned(m.helper("x87.abridgeTags", [], "i32")));
    m.store(place(24), 4, m.state(slots.mxcsr));
    m.store(place(28), 4, m.constant(MXCSR_MASK));
    for (let index = 0; index < 8; index++) {
      const offset = stackRegisterOffset(m, index);
      const at = X87_REGISTERS_AT + 16 * index;
      m.store(place(at), 8, m.stateAt(REGISTER_LOW, offset));
      m.store(place(at + 8), 8, m.stateAt(REGISTER_HIGH, offset));
    }
    for (let number = 0; number < xmmCount(m); number++) {
      m.storeAs(place(XMM_REGISTERS_AT + 16 * number), m.state(xmmSlot(number)), 16);
    }
  };
}

function restore(wide: boolean): (m: SemanticsBuilder, image: Operand) => void {
  return (m, image) => {
    const place = beginImage(m, image);
    // The image is in at most two pages: after these two loads none faults.
    m.load(place(IMAGE_BYTES - 8), 8);
    setMxcsr(m, m.load(place(24), 4));
    for (const { at, slot, bytes } of [...CONTROL_FIELDS, ...pointerFields(wide)]) {
      m.setState(slot, m.load(place(at), bytes));
    }
    for (let index = 0; index < 8; index++) {
      const offset = stackRegisterOffset(m, index);
      const at = X87_REGISTERS_AT + 16 * index;
      m.setStateAt(REGISTER_LOW, offset, m.load(place(at), 8));
      m.setStateAt(REGISTER_HIGH, offset, m.load(place(at + 8), 2));
    }
    m.helper("x87.expandTags", [m.load(place(4), 1)]);
    for (let number = 0; number < xmmCount(m); number++) {
      m.setState(xmmSlot(number), m.loadAs(place(XMM_REGISTERS_AT + 16 * number), "v128", 16));
    }
  };
}

function imageInstruction(
  mnemonic: string,
  reference: string,
  encodings: Instruction["encodings"],
  semantics: Instruction["semantics"],
): Instruction {
  return { mnemonic, reference, feature: "fxsr", encodings, semantics };
}

const FXSAVE = "Intel SDM Vol. 2A, FXSAVE—Save x87 FPU, MMX Technology, and SSE State";
const FXRSTOR = "Intel SDM Vol. 2A, FXRSTOR—Restore x87 FPU, MMX, XMM, and MXCSR State";

export const fxsave: Instruction = imageInstruction(
  "fxsave",
  FXSAVE,
  opcodes`
    Opcode             | Instruction       | Access
    NP o32 0F AE /0    | FXSAVE m512byte   | n
  `,
  save(false),
);

export const fxsave64: Instruction = imageInstruction(
  "fxsave64",
  FXSAVE,
  opcodes`
    Opcode             | Instruction       | Access | Mode
    NP REX.W 0F AE /0  | FXSAVE64 m512byte | n      | 64
  `,
  save(true),
);

export const fxrstor: Instruction = imageInstruction(
  "fxrstor",
  FXRSTOR,
  opcodes`
    Opcode             | Instruction        | Access
    NP o32 0F AE /1    | FXRSTOR m512byte   | n
  `,
  restore(false),
);

export const fxrstor64: Instruction = imageInstruction(
  "fxrstor64",
  FXRSTOR,
  opcodes`
    Opcode             | Instruction        | Access | Mode
    NP REX.W 0F AE /1  | FXRSTOR64 m512byte | n      | 64
  `,
  restore(true),
);
