/**
 * Far control transfers: JMP, CALL and RET with a selector, and IRET.
 *
 * Intel SDM Vol. 2A, "JMP—Jump"; "CALL—Call Procedure"; "IRET/IRETD/IRETQ—Interrupt Return"; Vol. 2B, "RET—Return From
 * Procedure".
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { followAlignmentCheck, hasBits, isProtected } from "../exceptions/mode.ts";
import { leaveWithCallGate } from "../exceptions/monitor.ts";
import { RFLAGS, STATUS_FLAGS } from "../profile/registers.ts";
import { returnFar } from "../segmentation/far-return.ts";
import { TRANSFER, transferFar } from "../segmentation/far-transfer.ts";
import {
  requireVirtual8086Iopl,
  returnToParagraph,
  returnToVirtual8086,
} from "../segmentation/paragraph.ts";
import { returnToPreviousTask } from "../segmentation/task-gate.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { recheckWhenPending } from "./control-registers.ts";

const transfersPrivilege: Classification = {
  privilege: "none",
  sensitive: "control",
  why: "It compares the real CPL with descriptors and gates, and can change it.",
};

function transfer(m: SemanticsBuilder, target: Operand, isCall: boolean): void {
  const offsetBytes = target.bits === 32 ? 2 : target.bits === 48 ? 4 : 8;
  const { selector, offset } = readTarget(m, target, offsetBytes);
  const next = m.nextRip();
  const outcome = m.call(
    transferFar,
    selector,
    offset,
    m.constant(offsetBytes),
    m.constant(isCall ? 1 : 0),
    next,
  );
  m.count(`instructions.${isCall ? "call-far" : "jmp-far"}`);
  m.when(
    m.equal(outcome, m.constant(TRANSFER.GATE_FOR_MONITOR)),
    () => leaveWithCallGate(m, selector, next),
    () => m.resumeAt(m.state(slots.rip)),
  );
}

function readTarget(
  m: SemanticsBuilder,
  target: Operand,
  offsetBytes: 2 | 4 | 8,
): { selector: Value; offset: Value } {
  if (target.kind === "far-pointer") {
    return { selector: m.registerNumber(target), offset: m.read(target) };
  }
  const linear = m.linearAddress(target);
  const offset = m.load(linear, offsetBytes);
  return { offset, selector: m.load(m.add(linear, m.constant(offsetBytes), 64), 2) };
}

export const jmpFar: Instruction = {
  mnemonic: "jmp",
  reference: "Intel SDM Vol. 2A, JMP—Jump",
  classification: transfersPrivilege,
  ends: true,
  encodings: opcodes`
    Opcode      | Instruction   | Access | Mode
    o16 EA cd   | JMP ptr16:16  | n      | legacy
    o32 EA cp   | JMP ptr16:32  | n      | legacy
    o16 FF /5   | JMP m16:16    | n      |
    o32 FF /5   | JMP m16:32    | n      |
    REX.W FF /5 | JMP m16:64    | n      |
  `,
  semantics(m, target) {
    transfer(m, target, false);
  },
};

export const callFar: Instruction = {
  mnemonic: "call",
  reference: "Intel SDM Vol. 2A, CALL—Call Procedure",
  classification: transfersPrivilege,
  ends: true,
  encodings: opcodes`
    Opcode      | Instruction   | Access | Mode
    o16 9A cd   | CALL ptr16:16 | n      | legacy
    o32 9A cp   | CALL ptr16:32 | n      | legacy
    o16 FF /3   | CALL m16:16   | n      |
    o32 FF /3   | CALL m16:32   | n      |
    REX.W FF /3 | CALL m16:64   | n      |
  `,
  semantics(m, target) {
    transfer(m, target, true);
  },
};

/** Bytes of one slot of a far return's or IRET's frame. */
function slotBytes(m: SemanticsBuilder): 2 | 4 | 8 {
  return m.width === 16 ? 2 : m.width === 32 ? 4 : 8;
}

/** Far RET pops SS:RSP only when it returns to an outer level. Its mnemonic is that of assemblers; the SDM says RET. */
export const retf: Instruction = {
  mnemonic: "retf",
  reference: "Intel SDM Vol. 2B, RET—Return From Procedure",
  classification: {
    privilege: "none",
    sensitive: "control",
    why: "It returns to an outer level only when the stack's RPL differs from the real CPL.",
  },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode      | Instruction | Access
    o16 CB      | RETF        |
    o32 CB      | RETF        |
    REX.W CB    | RETF        |
    o16 CA iw   | RETF imm16  | r
    o32 CA iw   | RETF imm16  | r
    REX.W CA iw | RETF imm16  | r
  `,
  semantics(m, ...[released]) {
    const bytes = slotBytes(m);
    const extra = released === undefined ? m.constant(0) : m.read(released);
    const rip = m.peek(bytes, 0);
    const cs = m.and(m.peek(bytes, bytes), m.constant(0xffff));
    const moved = m.add(extra, m.constant(2 * bytes), 64);
    if (m.mode !== 64) {
      m.when(m.isFalse(isProtected(m)), () => {
        m.call(returnToParagraph, rip, cs, moved);
        m.resumeAt(m.state(slots.rip));
      });
    }
    const isOuter = m.notEqual(m.and(cs, m.constant(3)), m.state(slots.cpl));
    const rsp = m.variable(m.constant(0));
    const ss = m.variable(m.constant(0));
    m.when(isOuter, () => {
      // The outer stack lies above the parameters that are released here.
      const stack = m.add(m.add(m.register(4, 64), extra, 64), m.constant(2 * bytes), 64);
      const at = (offset: number): Value => m.stackAddress(m.add(stack, m.constant(offset), 64));
      m.set(rsp, m.add(m.load(at(0), bytes), extra, 64));
      m.set(ss, m.and(m.load(at(bytes), bytes), m.constant(0xffff)));
    });
    m.call(returnFar, rip, cs, m.get(rsp), m.get(ss), m.fromCondition(isOuter), moved);
    m.resumeAt(m.state(slots.rip));
  },
};

/** Flags that IRET takes from its frame. Intel SDM Vol. 2A, "IRET/IRETD/IRETQ—Interrupt Return" (operation). */
function returnedFlags(m: SemanticsBuilder, bytes: 2 | 4 | 8): Value {
  const always = STATUS_FLAGS | RFLAGS.TF | RFLAGS.DF | RFLAGS.NT;
  const base = bytes === 2 ? always : always | RFLAGS.RF | RFLAGS.AC | RFLAGS.ID;
  return m.or(m.constant(base), interruptFlagsMask(m));
}

/** IF when CPL is at most IOPL, and IOPL when CPL is 0. Intel SDM Vol. 1 §3.4.3.3, "System Flags and IOPL Field". */
export function interruptFlagsMask(m: SemanticsBuilder): Value {
  const cpl = m.state(slots.cpl);
  const iopl = m.and(
    m.shiftRightUnsigned(m.state(slots.flagsSystem), m.constant(12)),
    m.constant(3),
  );
  const none = m.constant(0);
  const maskIf = m.select(m.lessThanUnsigned(iopl, cpl), none, m.constant(RFLAGS.IF));
  return m.or(maskIf, m.select(cpl, none, m.constant(RFLAGS.IOPL)));
}

/** IRET in real-address mode, and in virtual-8086 mode with IOPL 3. */
function iretInParagraphs(m: SemanticsBuilder, bytes: 2 | 4 | 8): void {
  const rip = m.peek(bytes, 0);
  const cs = m.and(m.peek(bytes, bytes), m.constant(0xffff));
  const flags = m.peek(bytes, 2 * bytes);
  const mask = returnedFlags(m, bytes);
  m.call(returnToParagraph, rip, cs, m.constant(3 * bytes));
  m.writeFlagsRegister(flags, mask);
  settleResumeFlag(m);
  recheckWhenPending(m);
  m.resumeAt(m.state(slots.rip));
}

/**
 * RF holds back instruction breakpoints of the next instruction, which the driver takes as a single step. Without such
 * breakpoints it would be clear again after that instruction, unseen.
 */
function settleResumeFlag(m: SemanticsBuilder): void {
  const system = m.state(slots.flagsSystem);
  m.when(hasBits(m, system, RFLAGS.RF), () => {
    m.when(
      m.state(slots.debugArmed),
      () => m.recheckEvents(),
      () => m.setState(slots.flagsSystem, m.and(system, m.constant(~RFLAGS.RF))),
    );
  });
}

/** IRET: 64-bit code always pops SS:RSP, other code only when it returns to an outer level. */
export const iret: Instruction = {
  mnemonic: "iret",
  reference: "Intel SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return",
  classification: {
    privilege: "none",
    sensitive: "control",
    why: "It changes CPL, and without privilege leaves IF and IOPL as they are instead of trapping.",
  },
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode   | Instruction |
    o16 CF   | IRET        |
    o32 CF   | IRETD       |
    REX.W CF | IRETQ       |
  `,
  semantics(m) {
    const bytes = slotBytes(m);
    // NMIs are unblocked even when the return faults. Intel SDM Vol. 3A §6.7.1, "Handling Multiple NMIs".
    m.setState(slots.nmiBlocked, m.constant(0));
    requireVirtual8086Iopl(m);
    if (m.mode !== 64) m.when(m.isFalse(isProtected(m)), () => iretInParagraphs(m, bytes));
    const isNested = hasBits(m, m.state(slots.flagsSystem), RFLAGS.NT);
    if (m.mode !== 64) {
      m.when(m.both(isNested, m.isZero(m.state(slots.longMode))), () => {
        returnToPreviousTask(m, m.nextRip());
        m.resumeAt(m.state(slots.rip));
      });
    }
    // There are no tasks in IA-32e mode.
    m.raiseWhen(isNested, "GP", m.constant(0));
    const rip = m.peek(bytes, 0);
    const cs = m.and(m.peek(bytes, bytes), m.constant(0xffff));
    const flags = m.peek(bytes, 2 * bytes);
    const rsp = m.variable(m.constant(0));
    const ss = m.variable(m.constant(0));
    const is64 = m.mode === 64;
    const loadsStack = is64
      ? m.constant(1)
      : m.fromCondition(m.notEqual(m.and(cs, m.constant(3)), m.state(slots.cpl)));
    if (!is64 && bytes === 4) {
      const isLegacy = m.isZero(m.state(slots.longMode));
      const asksForVirtual8086 = m.both(hasBits(m, flags, RFLAGS.VM), m.isZero(m.state(slots.cpl)));
      m.when(m.both(isLegacy, asksForVirtual8086), () => {
        const above = [3, 4, 5, 6, 7, 8].map((position) => m.peek(bytes, position * bytes));
        m.call(returnToVirtual8086, rip, cs, flags, ...above);
        settleResumeFlag(m);
        recheckWhenPending(m);
        m.resumeAt(m.state(slots.rip));
      });
    }
    m.when(loadsStack, () => {
      m.set(rsp, m.peek(bytes, 3 * bytes));
      m.set(ss, m.and(m.peek(bytes, 4 * bytes), m.constant(0xffff)));
    });
    const mask = returnedFlags(m, bytes);
    m.call(returnFar, rip, cs, m.get(rsp), m.get(ss), loadsStack, m.constant(3 * bytes));
    const before = m.state(slots.flagsSystem);
    m.writeFlagsRegister(flags, mask);
    followAlignmentCheck(m, before);
    settleResumeFlag(m);
    // An NMI that waited for this return is taken whatever IF is.
    recheckWhenPending(m);
    m.resumeAt(m.state(slots.rip));
  },
};
