/**
 * Control and debug registers: MOV CR, MOV DR, LMSW, SMSW and CLTS.
 *
 * Intel SDM Vol. 2B, "MOV—Move to/from Control Registers"; "MOV—Move to/from Debug Registers"; Vol. 2A, "LMSW—Load
 * Machine Status Word"; Vol. 2B, "SMSW—Store Machine Status Word"; Vol. 2A, "CLTS—Clear Task-Switched Flag in CR0".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { writeCr0, writeCr3, writeCr4 } from "../exceptions/control-register.ts";
import { DR6_GENERAL_DETECT, DR7_GENERAL_DETECT } from "../exceptions/event.ts";
import { hasBits, requireSupervisor } from "../exceptions/mode.ts";
import { CR0, CR4 } from "../profile/registers.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { requireSupervisorUnderUmip } from "./descriptor-tables.ts";

/** L0 to L3 and G0 to G3 of DR7. */
const DR7_ENABLES = 0xffn;

/** MOV r, CRn. Counted as `instructions.mov-from-cr`, apart from other MOVs. */
export const movFromControl: Instruction = {
  mnemonic: "mov",
  reference: "Intel SDM Vol. 2B, MOV—Move to/from Control Registers",
  classification: {
    privilege: "cpl0",
    sensitive: "behaviour",
    why: "It reads control registers of the machine: paging, protection and the task priority.",
  },
  encodings: opcodes`
    Opcode   | Instruction      | Access | Mode
    0F 20 /r | MOV r32, CR0-CR7 | w n    | legacy
    0F 20 /r | MOV r64, CR0-CR7 | w n    | 64
  `,
  semantics(m, destination, source) {
    requireSupervisor(m);
    m.count("instructions.mov-from-cr");
    const number = m.registerNumber(source);
    const is = (wanted: number): Value => m.equal(number, m.constant(wanted));
    const value = m.variable(
      m.select(
        is(0),
        m.state(slots.cr0),
        m.select(
          is(2),
          m.state(slots.cr2),
          m.select(is(3), m.state(slots.cr3), m.state(slots.cr4)),
        ),
      ),
    );
    m.when(is(8), () => {
      m.set(value, m.fromI32Unsigned(m.helper("readTaskPriority", [], "i32")));
    });
    m.write(destination, m.get(value));
  },
};

/** MOV CRn, r. Counted as `instructions.mov-to-cr0` and so on. */
export const movToControl: Instruction = {
  mnemonic: "mov",
  reference: "Intel SDM Vol. 2B, MOV—Move to/from Control Registers",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It writes control registers of the machine: paging, protection and the task priority.",
  },
  ends: true,
  encodings: opcodes`
    Opcode   | Instruction      | Access | Mode
    0F 22 /r | MOV CR0-CR7, r32 | n r    | legacy
    0F 22 /r | MOV CR0-CR7, r64 | n r    | 64
  `,
  semantics(m, destination, source) {
    requireSupervisor(m);
    const number = m.registerNumber(destination);
    const value = m.read(source);
    const is = (wanted: number): Value => m.equal(number, m.constant(wanted));
    m.when(is(0), () => {
      m.call(writeCr0, value);
      m.count("instructions.mov-to-cr0");
    });
    m.when(is(2), () => {
      m.count("instructions.mov-to-cr2");
      m.setState(slots.cr2, value);
    });
    m.when(is(3), () => {
      m.call(writeCr3, value);
      m.count("instructions.mov-to-cr3");
    });
    m.when(is(4), () => {
      m.call(writeCr4, value);
      // CR4.DE decides what DR7 enables.
      m.when(hasBits(m, m.state(slots.dr7), DR7_ENABLES), () => m.helper("debugRegisters"));
      m.count("instructions.mov-to-cr4");
    });
    m.when(is(8), () => {
      m.raiseWhen(m.and(value, m.constant(~0xfn)), "GP", m.constant(0));
      m.count("instructions.mov-to-cr8");
      m.helper("writeTaskPriority", [m.toI32(value)]);
    });
    recheckWhenPending(m);
    m.resumeAt(m.nextRip());
  },
};

/** Leaves for the driver when an event waits, after an instruction that may have opened the way for it. */
export function recheckWhenPending(m: SemanticsBuilder): void {
  m.when(m.state(slots.interruptPending), () => m.recheckEvents());
}

/** DR4 and DR5 are other names of DR6 and DR7, or #UD under CR4.DE. Intel SDM Vol. 3B §18.2.2, "Debug Registers DR4 and DR5". */
function debugRegisterNumber(m: SemanticsBuilder, encoded: Value): Value {
  const isAlias = m.equal(m.and(encoded, m.constant(~1n)), m.constant(4));
  m.raiseWhen(m.both(isAlias, hasBits(m, m.state(slots.cr4), CR4.DE)), "UD");
  return m.select(isAlias, m.or(encoded, m.constant(2)), encoded);
}

/** DR7.GD turns accesses to debug registers into #DB. Intel SDM Vol. 3B §18.2.4, "Debug Control Register (DR7)". */
function detectGeneral(m: SemanticsBuilder): void {
  const dr7 = m.state(slots.dr7);
  m.when(hasBits(m, dr7, DR7_GENERAL_DETECT), () => {
    m.setState(slots.dr6, m.or(m.state(slots.dr6), m.constant(DR6_GENERAL_DETECT)));
    // The processor clears the flag when it enters the handler.
    m.setState(slots.dr7, m.and(dr7, m.constant(~DR7_GENERAL_DETECT)));
    m.raise("DB");
  });
}

/** Byte distance of debug register `number` from DR0: they lie in order, without DR4 and DR5. */
function debugSlotOffset(m: SemanticsBuilder, number: Value): Value {
  const isHigh = m.lessThanUnsigned(m.constant(3), number);
  const position = m.select(isHigh, m.subtract(number, m.constant(2), 64), number);
  return m.shiftLeft(position, m.constant(3), 64);
}

/** MOV r, DRn. Counted as `instructions.mov-from-dr`. */
export const movFromDebug: Instruction = {
  mnemonic: "mov",
  reference: "Intel SDM Vol. 2B, MOV—Move to/from Debug Registers",
  classification: {
    privilege: "cpl0",
    sensitive: "behaviour",
    why: "It reads the machine's debug registers.",
  },
  encodings: opcodes`
    Opcode   | Instruction      | Access | Mode
    0F 21 /r | MOV r32, DR0-DR7 | w n    | legacy
    0F 21 /r | MOV r64, DR0-DR7 | w n    | 64
  `,
  semantics(m, destination, source) {
    requireSupervisor(m);
    const number = debugRegisterNumber(m, m.registerNumber(source));
    detectGeneral(m);
    m.write(destination, m.stateAt(slots.dr0, debugSlotOffset(m, number)));
    m.count("instructions.mov-from-dr");
  },
};

/** MOV DRn, r. Counted as `instructions.mov-to-dr`. */
export const movToDebug: Instruction = {
  mnemonic: "mov",
  ends: true,
  reference: "Intel SDM Vol. 2B, MOV—Move to/from Debug Registers",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It writes the machine's debug registers, which can stop any program.",
  },
  encodings: opcodes`
    Opcode   | Instruction      | Access | Mode
    0F 23 /r | MOV DR0-DR7, r32 | n r    | legacy
    0F 23 /r | MOV DR0-DR7, r64 | n r    | 64
  `,
  semantics(m, destination, source) {
    requireSupervisor(m);
    const number = debugRegisterNumber(m, m.registerNumber(destination));
    detectGeneral(m);
    const value = m.read(source);
    const isControl = m.lessThanUnsigned(m.constant(3), number);
    m.raiseWhen(m.both(isControl, hasBits(m, value, 0xffff_ffff_0000_0000n)), "GP", m.constant(0));
    // Reserved bits keep their fixed values. Intel SDM Vol. 3B §18.2.3, "Debug Status Register (DR6)".
    const dr6 = m.or(m.and(value, m.constant(0xe00f)), m.constant(0xffff_0ff0n));
    const dr7 = m.or(m.and(value, m.constant(0xffff_23ffn)), m.constant(0x400));
    const written = m.select(
      m.equal(number, m.constant(6)),
      dr6,
      m.select(m.equal(number, m.constant(7)), dr7, value),
    );
    m.setStateAt(slots.dr0, debugSlotOffset(m, number), written);
    m.helper("debugRegisters");
    m.count("instructions.mov-to-dr");
    // A breakpoint may have come before the next instruction.
    m.resumeAt(m.nextRip());
  },
};

export const lmsw: Instruction = {
  mnemonic: "lmsw",
  reference: "Intel SDM Vol. 2A, LMSW—Load Machine Status Word",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It writes the low flags of CR0.",
  },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode   | Instruction | Access
    0F 01 /6 | LMSW r/m16  | r
  `,
  semantics(m, source) {
    requireSupervisor(m);
    const changed = CR0.MP | CR0.EM | CR0.TS;
    const old = m.state(slots.cr0);
    // PE can be set, not cleared.
    const given = m.and(m.read(source), m.constant(changed | CR0.PE));
    m.call(writeCr0, m.or(m.and(old, m.constant(~changed)), given));
    m.resumeAt(m.nextRip());
  },
};

export const smsw: Instruction = {
  mnemonic: "smsw",
  reference: "Intel SDM Vol. 2B, SMSW—Store Machine Status Word",
  classification: {
    privilege: "none",
    sensitive: "behaviour",
    why: "It reads the low flags of CR0 of the real machine at any privilege level.",
  },
  counted: true,
  encodings: opcodes`
    Opcode         | Instruction  | Access
    o16 0F 01 /4   | SMSW r/m16   | w
    o32 0F 01 /4   | SMSW r32/m16 | w
    REX.W 0F 01 /4 | SMSW r64/m16 | w
  `,
  semantics(m, destination) {
    requireSupervisorUnderUmip(m);
    m.write(destination, m.state(slots.cr0));
  },
};

export const clts: Instruction = {
  mnemonic: "clts",
  reference: "Intel SDM Vol. 2A, CLTS—Clear Task-Switched Flag in CR0",
  classification: { privilege: "cpl0", sensitive: "control", why: "It clears CR0.TS." },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction | Access
    0F 06  | CLTS        |
  `,
  semantics(m) {
    requireSupervisor(m);
    m.setState(slots.cr0, m.and(m.state(slots.cr0), m.constant(~CR0.TS)));
  },
};
