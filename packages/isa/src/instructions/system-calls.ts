/**
 * Fast system calls: SYSCALL, SYSRET, SYSENTER and SYSEXIT. They load flat segments without reading descriptors.
 *
 * Intel SDM Vol. 2B, "SYSCALL—Fast System Call"; "SYSRET—Return From Fast System Call"; "SYSENTER—Fast System Call";
 * "SYSEXIT—Fast Return from Fast System Call"; Vol. 3A §5.8.8, "Fast System Calls in 64-Bit Mode".
 */
import { opcodes, type Classification, type Encoding, type Instruction } from "../dsl.ts";
import { DR6_SINGLE_STEP } from "../exceptions/event.ts";
import { hasBits, requireSupervisor, updateMode } from "../exceptions/mode.ts";
import { leaveWithSyscall, leaveWithSysenter } from "../exceptions/monitor.ts";
import { CR0, EFER, RFLAGS, STATUS_FLAGS } from "../profile/registers.ts";
import { DPL_3, FLAT_CODE_32, FLAT_CODE_64, FLAT_DATA } from "../segmentation/attributes.ts";
import { flatSegment, setSegment } from "../segmentation/segment-register.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";

const CS = 1;
const SS = 2;
const RCX = 1;
const RDX = 2;
const RSP = 4;
const R11 = 11;

const entersKernel: Classification = {
  privilege: "none",
  sensitive: "control",
  why: "It enters the kernel that the machine's MSRs name, at CPL 0.",
};

const leavesKernel: Classification = {
  privilege: "cpl0",
  sensitive: "control",
  why: "It lowers the privilege level.",
};

/** Flags that SYSRET takes from R11: all but RF, VM and the reserved ones. */
const SYSRET_FLAGS: bigint =
  STATUS_FLAGS |
  RFLAGS.TF |
  RFLAGS.IF |
  RFLAGS.DF |
  RFLAGS.IOPL |
  RFLAGS.NT |
  RFLAGS.AC |
  RFLAGS.VIF |
  RFLAGS.VIP |
  RFLAGS.ID;

function requireSyscallEnabled(m: SemanticsBuilder): void {
  m.raiseWhen(m.isFalse(hasBits(m, m.state(slots.efer), EFER.SCE)), "UD");
}

/**
 * SYSCALL and SYSRET look at TF when they are done, and trap behind themselves if it is set then.
 *
 * Intel SDM Vol. 3B §18.3.1.4, "Single-Step Exception Condition".
 */
function stepByNewFlags(m: SemanticsBuilder): void {
  m.setState(slots.stepDecided, m.constant(1));
  m.when(hasBits(m, m.state(slots.flagsSystem), RFLAGS.TF), () => {
    m.setState(slots.pendingDebug, m.constant(DR6_SINGLE_STEP));
  });
}

export const syscall: Instruction = {
  mnemonic: "syscall",
  reference: "Intel SDM Vol. 2B, SYSCALL—Fast System Call",
  feature: "syscall",
  classification: entersKernel,
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    0F 05  | SYSCALL     |        | 64
  `,
  semantics(m) {
    requireSyscallEnabled(m);
    const next = m.nextRip();
    m.setRegister(RCX, next, 64);
    m.setRegister(R11, m.readFlagsRegister(), 64);
    m.when(
      m.state(slots.monitorDelivery),
      () => leaveWithSyscall(m, next),
      () => {
        const selector = m.and(
          m.shiftRightUnsigned(m.state(slots.star), m.constant(32)),
          m.constant(0xfffc),
        );
        setSegment(m, CS, flatSegment(m, selector, FLAT_CODE_64));
        setSegment(m, SS, flatSegment(m, m.add(selector, m.constant(8), 64), FLAT_DATA));
        m.writeFlagsRegister(m.constant(0), m.or(m.state(slots.sfmask), m.constant(RFLAGS.RF)));
        stepByNewFlags(m);
        m.setPrivilegeLevel(m.constant(0));
        m.call(updateMode);
        m.resumeAt(m.state(slots.lstar));
      },
    );
  },
};

function sysretRow(toLongMode: boolean, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic: "sysret",
    reference: "Intel SDM Vol. 2B, SYSRET—Return From Fast System Call",
    feature: "syscall",
    classification: leavesKernel,
    flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
    counted: true,
    ends: true,
    encodings,
    semantics(m) {
      requireSyscallEnabled(m);
      requireSupervisor(m);
      const rcx = m.register(RCX, toLongMode ? 64 : 32);
      // Checked before the privilege level changes, so that the fault is the kernel's.
      if (toLongMode) m.raiseWhen(m.isFalse(m.isCanonical(rcx)), "GP", m.constant(0));
      const base = m.and(
        m.shiftRightUnsigned(m.state(slots.star), m.constant(48)),
        m.constant(0xffff),
      );
      const user = (offset: number): Value =>
        m.or(m.and(m.add(base, m.constant(offset), 64), m.constant(0xffff)), m.constant(3));
      const code = toLongMode
        ? flatSegment(m, user(16), FLAT_CODE_64 | DPL_3)
        : flatSegment(m, user(0), FLAT_CODE_32 | DPL_3);
      setSegment(m, CS, code);
      setSegment(m, SS, flatSegment(m, user(8), FLAT_DATA | DPL_3));
      m.writeFlagsRegister(m.register(R11, 64), m.constant(SYSRET_FLAGS | RFLAGS.RF));
      m.setState(slots.flagsSystem, m.and(m.state(slots.flagsSystem), m.constant(~RFLAGS.RF)));
      stepByNewFlags(m);
      m.setPrivilegeLevel(m.constant(3));
      m.call(updateMode);
      m.resumeAt(rcx);
    },
  };
}

export const sysret: Instruction = sysretRow(
  false,
  opcodes`
    Opcode    | Instruction | Access | Mode
    0F 07     | SYSRET      |        | 64
  `,
);

export const sysretq: Instruction = sysretRow(
  true,
  opcodes`
    Opcode      | Instruction | Access | Mode
    REX.W 0F 07 | SYSRETQ     |        | 64
  `,
);

/** SYSENTER and SYSEXIT need protected mode and a selector in IA32_SYSENTER_CS. */
function requireSysenter(m: SemanticsBuilder): Value {
  const selector = m.and(m.state(slots.sysenterCs), m.constant(0xfffc));
  m.raiseWhen(m.isZero(selector), "GP", m.constant(0));
  m.raiseWhen(m.isFalse(hasBits(m, m.state(slots.cr0), CR0.PE)), "GP", m.constant(0));
  return selector;
}

export const sysenter: Instruction = {
  mnemonic: "sysenter",
  reference: "Intel SDM Vol. 2B, SYSENTER—Fast System Call",
  feature: "sep",
  classification: entersKernel,
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 34  | SYSENTER    |
  `,
  semantics(m) {
    const selector = requireSysenter(m);
    m.when(
      m.state(slots.monitorDelivery),
      () => leaveWithSysenter(m, m.nextRip()),
      () => {
        const longMode = m.state(slots.longMode);
        const code = flatSegment(m, selector, FLAT_CODE_32);
        const attributes = m.select(longMode, m.constant(FLAT_CODE_64), code.attributes);
        setSegment(m, CS, { ...code, attributes });
        setSegment(m, SS, flatSegment(m, m.add(selector, m.constant(8), 64), FLAT_DATA));
        m.writeFlagsRegister(m.constant(0), m.constant(RFLAGS.VM | RFLAGS.IF | RFLAGS.RF));
        const mask = m.select(longMode, m.constant(-1n), m.constant(0xffff_ffffn));
        m.setRegister(RSP, m.and(m.state(slots.sysenterEsp), mask), 64);
        m.setPrivilegeLevel(m.constant(0));
        m.call(updateMode);
        m.resumeAt(m.and(m.state(slots.sysenterEip), mask));
      },
    );
  },
};

function sysexitRow(toLongMode: boolean, encodings: readonly Encoding[]): Instruction {
  return {
    mnemonic: "sysexit",
    reference: "Intel SDM Vol. 2B, SYSEXIT—Fast Return from Fast System Call",
    feature: "sep",
    classification: leavesKernel,
    counted: true,
    ends: true,
    encodings,
    semantics(m) {
      const selector = requireSysenter(m);
      requireSupervisor(m);
      const width = toLongMode ? 64 : 32;
      const rsp = m.register(RCX, width);
      const rip = m.register(RDX, width);
      if (toLongMode) {
        const reachable = m.both(m.isCanonical(rsp), m.isCanonical(rip));
        m.raiseWhen(m.isFalse(reachable), "GP", m.constant(0));
      }
      const user = (offset: number): Value =>
        m.or(m.and(m.add(selector, m.constant(offset), 64), m.constant(0xffff)), m.constant(3));
      const code = toLongMode
        ? flatSegment(m, user(32), FLAT_CODE_64 | DPL_3)
        : flatSegment(m, user(16), FLAT_CODE_32 | DPL_3);
      setSegment(m, CS, code);
      setSegment(m, SS, flatSegment(m, user(toLongMode ? 40 : 24), FLAT_DATA | DPL_3));
      m.setRegister(RSP, rsp, 64);
      m.setPrivilegeLevel(m.constant(3));
      m.call(updateMode);
      m.resumeAt(rip);
    },
  };
}

export const sysexit: Instruction = sysexitRow(
  false,
  opcodes`
    Opcode    | Instruction |
    0F 35     | SYSEXIT     |
  `,
);

export const sysexitq: Instruction = sysexitRow(
  true,
  opcodes`
    Opcode      | Instruction |
    REX.W 0F 35 | SYSEXITQ    |
  `,
);
