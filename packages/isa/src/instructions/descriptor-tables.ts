/**
 * The descriptor-table registers: LGDT, LIDT, SGDT, SIDT, LLDT, SLDT, LTR and STR.
 *
 * The loads are privileged. The stores are not, unless CR4.UMIP is set: a program sees the tables of whoever owns the
 * machine, which is why a kernel at CPL 1 can notice that it is not alone.
 *
 * Intel SDM Vol. 2A, "LGDT/LIDT—Load Global/Interrupt Descriptor Table Register"; Vol. 2A, "LLDT—Load Local Descriptor
 * Table Register"; Vol. 2B, "SGDT—Store Global Descriptor Table Register" and its neighbours.
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { hasBits, requireProtected, requireSupervisor } from "../exceptions/mode.ts";
import { CR4 } from "../profile/registers.ts";
import { loadLdt, loadTaskRegister } from "../segmentation/load-system-segment.ts";
import type { Operand, SemanticsBuilder } from "../semantics.ts";
import { segmentSlots, slots, type Slot } from "../state/layout.ts";

const LDTR = 6;
const TR = 7;

const privilegedLoad = (register: string): Classification => ({
  privilege: "cpl0",
  sensitive: "control",
  why: `It loads ${register}, which decides what every selector or vector means.`,
});

const unprivilegedStore = (register: string): Classification => ({
  privilege: "none",
  sensitive: "behaviour",
  why: `It stores ${register} of the real machine at any privilege level.`,
});

/** CR4.UMIP makes the stores privileged. Intel SDM Vol. 3A §2.5, "Control Registers". */
export function requireSupervisorUnderUmip(m: SemanticsBuilder): void {
  const isUser = m.notEqual(m.state(slots.cpl), m.constant(0));
  m.raiseWhen(m.both(isUser, hasBits(m, m.state(slots.cr4), CR4.UMIP)), "GP", m.constant(0));
}

/** Loads limit and base from memory; with an operand size of 16 bits, 24 bits of the base. */
function loadTable(m: SemanticsBuilder, source: Operand, base: Slot, limit: Slot): void {
  requireSupervisor(m);
  const linear = m.linearAddress(source);
  const newLimit = m.load(linear, 2);
  const wide = m.load(m.add(linear, m.constant(2), 64), m.mode === 64 ? 8 : 4);
  const newBase = m.width === 16 ? m.and(wide, m.constant(0xff_ffff)) : wide;
  if (m.mode === 64) m.raiseWhen(m.isFalse(m.isCanonical(newBase)), "GP", m.constant(0));
  m.setState(base, newBase);
  m.setState(limit, newLimit);
}

function storeTable(m: SemanticsBuilder, destination: Operand, base: Slot, limit: Slot): void {
  requireSupervisorUnderUmip(m);
  const linear = m.linearAddress(destination);
  const baseBytes = m.mode === 64 ? 8 : 4;
  m.probeWrite(linear, 2 + baseBytes);
  m.store(linear, 2, m.state(limit));
  m.store(m.add(linear, m.constant(2), 64), baseBytes, m.state(base));
}

export const lgdt: Instruction = {
  mnemonic: "lgdt",
  reference: "Intel SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register",
  classification: privilegedLoad("GDTR"),
  counted: true,
  encodings: opcodes`
    Opcode       | Instruction  | Access | Mode
    o16 0F 01 /2 | LGDT m16&32  | n      | legacy
    o32 0F 01 /2 | LGDT m16&32  | n      | legacy
    0F 01 /2     | LGDT m16&64  | n      | 64
  `,
  semantics(m, source) {
    loadTable(m, source, slots.gdtrBase, slots.gdtrLimit);
  },
};

export const lidt: Instruction = {
  mnemonic: "lidt",
  reference: "Intel SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register",
  classification: privilegedLoad("IDTR"),
  counted: true,
  encodings: opcodes`
    Opcode       | Instruction  | Access | Mode
    o16 0F 01 /3 | LIDT m16&32  | n      | legacy
    o32 0F 01 /3 | LIDT m16&32  | n      | legacy
    0F 01 /3     | LIDT m16&64  | n      | 64
  `,
  semantics(m, source) {
    loadTable(m, source, slots.idtrBase, slots.idtrLimit);
  },
};

export const sgdt: Instruction = {
  mnemonic: "sgdt",
  reference: "Intel SDM Vol. 2B, SGDT—Store Global Descriptor Table Register",
  classification: unprivilegedStore("GDTR"),
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction  | Access | Mode
    0F 01 /0 | SGDT m16&32  | n      | legacy
    0F 01 /0 | SGDT m16&64  | n      | 64
  `,
  semantics(m, destination) {
    storeTable(m, destination, slots.gdtrBase, slots.gdtrLimit);
  },
};

export const sidt: Instruction = {
  mnemonic: "sidt",
  reference: "Intel SDM Vol. 2B, SIDT—Store Interrupt Descriptor Table Register",
  classification: unprivilegedStore("IDTR"),
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction  | Access | Mode
    0F 01 /1 | SIDT m16&32  | n      | legacy
    0F 01 /1 | SIDT m16&64  | n      | 64
  `,
  semantics(m, destination) {
    storeTable(m, destination, slots.idtrBase, slots.idtrLimit);
  },
};

export const lldt: Instruction = {
  mnemonic: "lldt",
  reference: "Intel SDM Vol. 2A, LLDT—Load Local Descriptor Table Register",
  classification: privilegedLoad("LDTR"),
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction | Access
    0F 00 /2 | LLDT r/m16  | r
  `,
  semantics(m, source) {
    requireProtected(m);
    requireSupervisor(m);
    m.call(loadLdt, m.read(source));
  },
};

export const ltr: Instruction = {
  mnemonic: "ltr",
  reference: "Intel SDM Vol. 2A, LTR—Load Task Register",
  classification: privilegedLoad("TR"),
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction | Access
    0F 00 /3 | LTR r/m16   | r
  `,
  semantics(m, source) {
    requireProtected(m);
    requireSupervisor(m);
    m.call(loadTaskRegister, m.read(source));
  },
};

export const sldt: Instruction = {
  mnemonic: "sldt",
  reference: "Intel SDM Vol. 2B, SLDT—Store Local Descriptor Table Register",
  classification: unprivilegedStore("LDTR's selector"),
  counted: true,
  encodings: opcodes`
    Opcode         | Instruction  | Access
    o16 0F 00 /0   | SLDT r/m16   | w
    o32 0F 00 /0   | SLDT r32/m16 | w
    REX.W 0F 00 /0 | SLDT r64/m16 | w
  `,
  semantics(m, destination) {
    requireProtected(m);
    requireSupervisorUnderUmip(m);
    m.write(destination, m.state(segmentSlots(LDTR).selector));
  },
};

export const str: Instruction = {
  mnemonic: "str",
  reference: "Intel SDM Vol. 2B, STR—Store Task Register",
  classification: unprivilegedStore("TR's selector, with its RPL,"),
  counted: true,
  encodings: opcodes`
    Opcode         | Instruction | Access
    o16 0F 00 /1   | STR r/m16   | w
    o32 0F 00 /1   | STR r32/m16 | w
    REX.W 0F 00 /1 | STR r64/m16 | w
  `,
  semantics(m, destination) {
    requireProtected(m);
    requireSupervisorUnderUmip(m);
    m.write(destination, m.state(segmentSlots(TR).selector));
  },
};
