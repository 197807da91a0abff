/**
 * Sensitive instructions as code in the cache, on the slots of the virtual CPU.
 *
 * None changes a flag that its instruction does not change: comparisons are kept out by JRCXZ, which looks at a register and at no flag,
 * or stand between LAHF with SETO and SAHF.
 */
import { registerName, type Decoded } from "@ringside/isa";
import { calloutBytes, type UnitBuilder } from "./unit-builder.ts";

const rax = 0;
const rcx = 1;
/** Conditions of Jcc. Intel SDM Vol. 1 Appendix B, "EFLAGS Condition Codes". */
const below = 2;
const notZero = 5;
const above = 7;
/** Opcode of JRCXZ rel8. Intel SDM Vol. 2A, "Jcc—Jump if Condition Is Met". */
const jrcxz = 0xe3;

/** RFLAGS.IF as the processor has it in the cache, and so what a guest without interrupts lacks. */
const interruptFlag = "0x200";
/** TF, IOPL, NT, VM, VIF and VIP: bits that POPF may change and that only the hypervisor can. */
const otherFlags = "0x1a7100";

/** Saves RAX, and the status flags in AX; {@link restoreFlags} is the way back. */
export const saveFlags = `
  mov qword ptr [$rax], rax
  lahf
  seto al
  mov dword ptr [$flags], eax
`;
/** 1 + 0x7f overflows, 0 + 0x7f does not; SAHF sets the other five. */
export const restoreFlags = `
  mov eax, dword ptr [$flags]
  add al, 0x7f
  sahf
  mov rax, qword ptr [$rax]
`;
const restoreRcx = "mov rcx, qword ptr [$rcx]";
const restoreBoth = `
  ${restoreRcx}
  mov rax, qword ptr [$rax]
`;

/** Where an instruction is, and where the guest goes on behind it. */
export interface GuestPlace {
  /** Its bytes. */
  readonly code: Uint8Array;
  readonly guestRip: bigint;
  readonly next: bigint;
}

/** Emits the translation of an instruction whose treatment is `in-cache`. */
export function emitInCache(unit: UnitBuilder, decoded: Decoded, place: GuestPlace): void {
  const { mnemonic } = decoded.form;
  switch (mnemonic) {
    case "cli":
      unit.sequence(`mov qword ptr [$interruptFlag], -${interruptFlag}`);
      return;
    case "sti":
      unit.sequence("mov qword ptr [$interruptFlag], 0");
      return;
    case "rdtsc":
    case "rdtscp":
      unit.append(place.code);
      return;
    case "in":
      unit.sequence("mov al, byte ptr [$postPort]");
      return;
    case "pushfq":
      emitPushFlags(unit);
      return;
    case "popfq":
      emitPopFlags(unit, place);
      return;
    case "swapgs":
      emitSwapGs(unit);
      return;
    case "mov":
      emitControl(unit, decoded, place);
      return;
    default:
      throw new Error(`Bug in ringside: ${mnemonic} has no sequence, please report.`);
  }
}

/** Leaves for the hypervisor when something waits, with interrupts just opened; the guest goes on at `next`. */
export function emitPendingCheck(unit: UnitBuilder, next: bigint): void {
  unit.boundary(next);
  unit.sequence(`
    mov qword ptr [$rcx], rcx
    movzx ecx, byte ptr [$pending]
  `);
  unit.spilled({ register: rcx, slot: "rcx" });
  unit.append([jrcxz, unit.sequenceBytes(restoreRcx) + calloutBytes.length]);
  unit.sequence(restoreRcx);
  unit.boundary(next);
  unit.callout({ kind: "pending", next });
  unit.spilled({ register: rcx, slot: "rcx" });
  unit.sequence(restoreRcx);
}

function emitPushFlags(unit: UnitBuilder): void {
  unit.sequence("pushfq");
  unit.spilled();
  unit.sequence(`
    mov qword ptr [$rax], rax
    mov qword ptr [$rcx], rcx
    mov rax, qword ptr [rsp]
    mov rcx, qword ptr [$interruptFlag]
    lea rax, [rax+rcx]
    mov qword ptr [rsp], rax
    ${restoreBoth}
  `);
}

/** The flags may be overwritten before the POPF, which writes all of them. */
function emitPopFlags(unit: UnitBuilder, { code, guestRip, next }: GuestPlace): void {
  unit.sequence(`
    mov qword ptr [$rcx], rcx
    mov qword ptr [$rax], rax
  `);
  unit.spilled({ register: rcx, slot: "rcx" });
  unit.sequence(`
    mov rcx, qword ptr [rsp]
    test ecx, ${otherFlags}
  `);
  unit.branchAway(notZero, () => {
    unit.sequence(restoreBoth);
    unit.boundary(guestRip);
    unit.callout({ kind: "emulate", guestRip, mnemonic: "popf", code });
  });
  unit.sequence(`
    mov eax, ecx
    and eax, ${interruptFlag}
    lea rax, [rax-${interruptFlag}]
    mov qword ptr [$interruptFlag], rax
    cmp byte ptr [$pending], 0
  `);
  unit.branchAway(notZero, () => {
    unit.sequence(`popfq
      ${restoreBoth}`);
    unit.boundary(next);
    unit.callout({ kind: "pending", next });
  });
  unit.sequence(`popfq
    ${restoreBoth}`);
}

function emitSwapGs(unit: UnitBuilder): void {
  unit.sequence(`
    mov qword ptr [$rax], rax
    mov qword ptr [$rcx], rcx
  `);
  unit.spilled({ register: rax, slot: "rax" }, { register: rcx, slot: "rcx" });
  unit.sequence(`
    rdgsbase rax
    mov rcx, qword ptr [$kernelGsBase]
    wrgsbase rcx
    mov qword ptr [$kernelGsBase], rax
    ${restoreBoth}
  `);
}

function emitControl(unit: UnitBuilder, { form, registers }: Decoded, place: GuestPlace): void {
  const isWrite = form.operands[0]?.kind === "control";
  const general = registerName("register", registers[isWrite ? 1 : 0] ?? 0, 64);
  const control = registers[isWrite ? 0 : 1] ?? 0;
  if (isWrite) {
    emitTaskPriority(unit, general, place);
    return;
  }
  const slot = control === 8 ? "taskPriority" : `cr${control}`;
  unit.sequence(`mov ${general}, qword ptr [$${slot}]`);
}

/** MOV to CR8: without the hypervisor unless the value is impossible, or lets a waiting interrupt through. */
function emitTaskPriority(unit: UnitBuilder, from: string, { code, guestRip }: GuestPlace): void {
  const callOut = (): void => {
    unit.sequence(restoreFlags);
    unit.boundary(guestRip);
    unit.callout({ kind: "emulate", guestRip, mnemonic: "mov", code });
  };
  unit.sequence(saveFlags);
  unit.spilled({ register: rax, slot: "rax" });
  unit.sequence(`
    mov rax, ${from === "rax" ? "qword ptr [$rax]" : from}
    cmp rax, 15
  `);
  unit.branchAway(above, callOut);
  unit.sequence("cmp rax, qword ptr [$waitingClass]");
  unit.branchAway(below, callOut);
  unit.sequence(`
    mov qword ptr [$taskPriority], rax
    ${restoreFlags}
  `);
}
