/**
 * x87 control: initialization, control and status words, environments, the whole state, FWAIT and EMMS.
 *
 * The forms that wait (FSTCW and its like) are FWAIT and the form that does not.
 *
 * Intel SDM Vol. 1 §8.3.11, "x87 FPU Control Instructions"; §8.1.10, "Saving the x87 FPU's State with FSTENV/FNSTENV and
 * FSAVE/FNSAVE" (Figures 8-9 to 8-12 are the layouts).
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots, type Slot } from "../state/layout.ts";
import { family } from "./family.ts";
import { enterMmx, requireMmx } from "./mmx-operand.ts";
import {
  callX87,
  REGISTER_HIGH,
  REGISTER_LOW,
  requireNoPending,
  requireX87,
  requireX87Enabled,
  stackIndex,
  stackRegisterOffset,
} from "./x87-operand.ts";

type Meaning = (m: SemanticsBuilder, ...operands: Operand[]) => void;

const INITIAL_CONTROL = 0x37fn;
const ALL_EMPTY = 0xffffn;
const ALL_MASKED = 0x3fn;
const CR0_MP_TS = 0xan;
/** Bit 6 of the control word reads as set. */
const CONTROL_FIXED = 0x40n;
const CONTROL_BITS = 0x1f3fn;

function initialize(m: SemanticsBuilder): void {
  const zero = m.constant(0n);
  m.setState(slots.fcw, m.constant(INITIAL_CONTROL));
  m.setState(slots.fsw, zero);
  m.setState(slots.ftw, m.constant(ALL_EMPTY));
  m.setState(slots.fop, zero);
  m.setState(slots.fip, zero);
  m.setState(slots.fdp, zero);
  m.setState(slots.fcs, zero);
  m.setState(slots.fds, zero);
}

function setControl(m: SemanticsBuilder, value: Value): void {
  const kept = m.and(value, m.constant(CONTROL_BITS));
  m.setState(slots.fcw, m.or(kept, m.constant(CONTROL_FIXED)));
}

const fninit: Meaning = (m) => {
  requireX87Enabled(m);
  initialize(m);
};

const fnclex: Meaning = (m) => {
  requireX87Enabled(m);
  m.helper("x87.clearExceptions");
};

const fldcw: Meaning = (m, operand) => {
  requireX87(m);
  if (operand === undefined) return;
  setControl(m, m.read(operand));
  m.helper("x87.summarize");
};

const fnstcw: Meaning = (m, operand) => {
  requireX87Enabled(m);
  if (operand !== undefined) m.write(operand, m.state(slots.fcw));
};

const fnstsw: Meaning = (m, operand) => {
  requireX87Enabled(m);
  if (operand !== undefined) m.write(operand, m.state(slots.fsw));
};

/** FWAIT raises what is pending, and #NM only when both MP and TS are set. */
const fwait: Meaning = (m) => {
  const bits = m.constant(CR0_MP_TS);
  m.raiseWhen(m.equal(m.and(m.state(slots.cr0), bits), bits), "NM");
  requireNoPending(m);
};

function rotate(distance: 1 | -1): Meaning {
  return (m) => {
    requireX87(m);
    callX87(m, "x87.rotate", [distance]);
  };
}

function free(pops: 0 | 1): Meaning {
  return (m, operand) => {
    requireX87(m);
    if (operand !== undefined) callX87(m, "x87.free", [stackIndex(m, operand), pops]);
  };
}

/** The words of an environment in order; each fills a slot of 2 or 4 bytes. */
const ENVIRONMENT: readonly Slot[] = [
  slots.fcw,
  slots.fsw,
  slots.ftw,
  slots.fip,
  slots.fcs,
  slots.fdp,
  slots.fds,
];

function unitBytes(m: SemanticsBuilder): 2 | 4 {
  return m.width === 16 ? 2 : 4;
}

function environmentBytes(m: SemanticsBuilder): number {
  return ENVIRONMENT.length * unitBytes(m);
}

function place(m: SemanticsBuilder, operand: Operand): (at: number) => Value {
  const linear = m.linearAddress(operand);
  return (at) => m.add(linear, m.constant(at), 64);
}

function storeEnvironment(m: SemanticsBuilder, at: (offset: number) => Value): void {
  const bytes = unitBytes(m);
  for (const [index, slot] of ENVIRONMENT.entries()) {
    const value = m.state(slot);
    const word =
      index === 4 ? m.or(value, m.shiftLeft(m.state(slots.fop), m.constant(16), 64)) : value;
    // Reserved upper halves are ones; the pointers and the opcode use theirs.
    const filled = index < 3 || index === 6 ? m.or(value, m.constant(0xffff_0000n)) : word;
    m.store(at(index * bytes), bytes, filled);
  }
}

function loadEnvironment(m: SemanticsBuilder, at: (offset: number) => Value): void {
  const bytes = unitBytes(m);
  const words = ENVIRONMENT.map((_slot, index) => m.load(at(index * bytes), bytes));
  for (const [index, slot] of ENVIRONMENT.entries()) {
    const word = words[index];
    if (word === undefined) continue;
    if (slot === slots.fcw) setControl(m, word);
    else m.setState(slot, word);
    if (index === 4 && bytes === 4) {
      m.setState(slots.fop, m.and(m.shiftRightUnsigned(word, m.constant(16)), m.constant(0x7ff)));
    }
  }
}

const fnstenv: Meaning = (m, operand) => {
  requireX87Enabled(m);
  if (operand === undefined) return;
  const at = place(m, operand);
  m.probeWrite(at(0), 2);
  m.probeWrite(at(environmentBytes(m) - 2), 2);
  storeEnvironment(m, at);
  m.setState(slots.fcw, m.or(m.state(slots.fcw), m.constant(ALL_MASKED)));
  m.helper("x87.summarize");
};

const fldenv: Meaning = (m, operand) => {
  requireX87(m);
  if (operand === undefined) return;
  loadEnvironment(m, place(m, operand));
  m.helper("x87.refreshTags");
};

const REGISTER_BYTES = 10;

const fnsave: Meaning = (m, operand) => {
  requireX87Enabled(m);
  if (operand === undefined) return;
  const at = place(m, operand);
  const start = environmentBytes(m);
  m.probeWrite(at(0), 2);
  m.probeWrite(at(start + 8 * REGISTER_BYTES - 2), 2);
  storeEnvironment(m, at);
  for (let index = 0; index < 8; index++) {
    const offset = stackRegisterOffset(m, index);
    m.store(at(start + index * REGISTER_BYTES), 8, m.stateAt(REGISTER_LOW, offset));
    m.store(at(start + index * REGISTER_BYTES + 8), 2, m.stateAt(REGISTER_HIGH, offset));
  }
  initialize(m);
};

const frstor: Meaning = (m, operand) => {
  requireX87(m);
  if (operand === undefined) return;
  const at = place(m, operand);
  const start = environmentBytes(m);
  // The last byte first: after it and the first, nothing faults.
  m.load(at(start + 8 * REGISTER_BYTES - 2), 2);
  loadEnvironment(m, at);
  for (let index = 0; index < 8; index++) {
    const offset = stackRegisterOffset(m, index);
    m.setStateAt(REGISTER_LOW, offset, m.load(at(start + index * REGISTER_BYTES), 8));
    m.setStateAt(REGISTER_HIGH, offset, m.load(at(start + index * REGISTER_BYTES + 8), 2));
  }
  m.helper("x87.refreshTags");
};

const emms: Meaning = (m) => {
  requireMmx(m);
  enterMmx(m);
  m.setState(slots.ftw, m.constant(ALL_EMPTY));
};

const fnop: Meaning = (m) => {
  requireX87(m);
};

export const x87Control: readonly Instruction[] = family(
  { feature: "fpu" },
  opcodes`
    Opcode       | Instruction        | Access
    DB E3        | FNINIT             | -
    DB E2        | FNCLEX             | -
    D9 /5        | FLDCW m2byte       | r
    D9 /7        | FNSTCW m2byte      | w
    DD /7        | FNSTSW m2byte      | w
    DF E0        | FNSTSW AX          | w
    9B           | FWAIT              | -
    D9 F7        | FINCSTP            | -
    D9 F6        | FDECSTP            | -
    DD C0+i      | FFREE ST(i)        | n
    DF C0+i      | FFREEP ST(i)       | n
    D9 D0        | FNOP               | -
    o16 D9 /6    | FNSTENV m14/28byte | n
    o32 D9 /6    | FNSTENV m14/28byte | n
    REX.W D9 /6  | FNSTENV m14/28byte | n
    o16 D9 /4    | FLDENV m14/28byte  | n
    o32 D9 /4    | FLDENV m14/28byte  | n
    REX.W D9 /4  | FLDENV m14/28byte  | n
    o16 DD /6    | FNSAVE m94/108byte | n
    o32 DD /6    | FNSAVE m94/108byte | n
    REX.W DD /6  | FNSAVE m94/108byte | n
    o16 DD /4    | FRSTOR m94/108byte | n
    o32 DD /4    | FRSTOR m94/108byte | n
    REX.W DD /4  | FRSTOR m94/108byte | n
  `,
  {
    fninit: ["FINIT/FNINIT—Initialize Floating-Point Unit", fninit],
    fnclex: ["FCLEX/FNCLEX—Clear Exceptions", fnclex],
    fldcw: ["FLDCW—Load x87 FPU Control Word", fldcw],
    fnstcw: ["FSTCW/FNSTCW—Store x87 FPU Control Word", fnstcw],
    fnstsw: ["FSTSW/FNSTSW—Store x87 FPU Status Word", fnstsw],
    fwait: ["WAIT/FWAIT—Wait", fwait],
    fincstp: ["FINCSTP—Increment Stack-Top Pointer", rotate(1)],
    fdecstp: ["FDECSTP—Decrement Stack-Top Pointer", rotate(-1)],
    ffree: ["FFREE—Free Floating-Point Register", free(0)],
    ffreep: ["FFREE—Free Floating-Point Register", free(1)],
    fnop: ["FNOP—No Operation", fnop],
    fnstenv: ["FSTENV/FNSTENV—Store x87 FPU Environment", fnstenv],
    fldenv: ["FLDENV—Load x87 FPU Environment", fldenv],
    fnsave: ["FSAVE/FNSAVE—Store x87 FPU State", fnsave],
    frstor: ["FRSTOR—Restore x87 FPU State", frstor],
  },
);

export const mmxControl: readonly Instruction[] = family(
  { feature: "mmx" },
  opcodes`
    Opcode   | Instruction | Access
    NP 0F 77 | EMMS        | -
  `,
  { emms: ["EMMS—Empty MMX Technology State", emms] },
);
