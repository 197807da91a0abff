/**
 * What the hypervisor does at each VM exit.
 *
 * Intel SDM Vol. 3C §28.2, "Recording VM-Exit Information and Updating VM-Entry Control Fields".
 */
import { VECTOR, type Emulation, type ProcessorState } from "@ringside/isa";
import type {
  GuestDevices,
  GuestStep,
  InstructionEmulator,
  ProcessorIdentity,
} from "@ringside/hypervisor";
import { EXIT, exitName, INTERRUPTION_VALID, type VmExit } from "@ringside/isa-vmx";
import type { Events } from "./events.ts";
import type { Paging } from "./paging.ts";
import type { Vmcs } from "./vmcs.ts";
import { switchTask } from "./task-switch.ts";
import { cr0Restricted } from "./vmcs-setup.ts";
import type { VtxCpu } from "./vtx-cpu.ts";

export interface ExitContext {
  readonly vmcs: Vmcs;
  readonly cpu: VtxCpu;
  readonly physical: ProcessorState;
  readonly events: Events;
  readonly paging: Paging;
  readonly devices: GuestDevices;
  readonly emulator: InstructionEmulator;
  readonly identity: ProcessorIdentity;
  /** An interrupt of the host's own processor arrived. */
  readonly onPhysicalInterrupt: (vector: number) => void;
}

const resume: GuestStep = { kind: "resume" };
/** I/O qualification, SDM Vol. 3C, table "Exit Qualification for I/O Instructions". */
const ioSize = 7;
const ioIn = 8;
const ioString = 0x10;

export function handleExit(context: ExitContext, exit: VmExit): GuestStep {
  if (exit.entryFailure !== undefined) {
    return { kind: "crashed", why: `VM entry failed. ${exit.entryFailure.message}` };
  }
  const vectoring = context.vmcs.readNumber("IDT_VECTORING_INFORMATION");
  return context.paging.handle(context, exit.reason, vectoring) ?? handle(context, exit);
}

/** True when the IDT-vectoring information field holds an event. */
export function isVectoring(vectoring: number): boolean {
  return vectoring >= INTERRUPTION_VALID;
}

function handle(context: ExitContext, exit: VmExit): GuestStep {
  const { vmcs, events } = context;
  switch (exit.reason) {
    case EXIT.EXTERNAL_INTERRUPT:
      context.onPhysicalInterrupt(vmcs.readNumber("EXIT_INTERRUPTION_INFORMATION") & 0xff);
      return resume;
    case EXIT.EXCEPTION_OR_NMI:
      // A physical NMI; the host has no source of them, and the exit has consumed it.
      return resume;
    case EXIT.INTERRUPT_WINDOW:
    case EXIT.NMI_WINDOW:
    case EXIT.TPR_BELOW_THRESHOLD:
      // Whatever waits is injected on the way back.
      return resume;
    case EXIT.IO_INSTRUCTION:
      return accessPort(context);
    case EXIT.TASK_SWITCH:
      return switchTask(context);
    case EXIT.CPUID:
      answerCpuid(context);
      return resume;
    case EXIT.HLT:
      context.cpu.skipInstruction();
      return { kind: "halted" };
    case EXIT.CONTROL_REGISTER_ACCESS:
      return changeControls(context);
    case EXIT.RDMSR:
    case EXIT.WRMSR:
      return emulate(context);
    case EXIT.INVD:
      // There are no caches whose contents could be lost.
      context.cpu.skipInstruction();
      return resume;
    case EXIT.VMCALL:
    case EXIT.VMCLEAR:
    case EXIT.VMLAUNCH:
    case EXIT.VMPTRLD:
    case EXIT.VMPTRST:
    case EXIT.VMREAD:
    case EXIT.VMRESUME:
    case EXIT.VMWRITE:
    case EXIT.VMXOFF:
    case EXIT.VMXON:
    case EXIT.INVEPT:
    case EXIT.INVVPID:
      // The guest's processor has no VMX.
      events.raise({ vector: VECTOR.UD });
      return resume;
    case EXIT.TRIPLE_FAULT:
      return { kind: "crashed", why: "Triple fault." };
    default:
      return {
        kind: "crashed",
        why: `The hypervisor has no answer to the VM exit "${exitName(exit.reason)}" (${exit.reason}).`,
      };
  }
}

function accessPort(context: ExitContext): GuestStep {
  const { vmcs, physical, devices } = context;
  const qualification = vmcs.readNumber("EXIT_QUALIFICATION");
  if ((qualification & ioString) !== 0) return emulate(context);
  const size = (qualification & ioSize) + 1;
  if (size !== 1 && size !== 2 && size !== 4) {
    throw new Error(`Bug in ringside: a port access of ${size} bytes, please report.`);
  }
  const port = Math.floor(qualification / 0x1_0000) & 0xffff;
  if ((qualification & ioIn) === 0) {
    devices.writePort(port, size, Number(BigInt.asUintN(8 * size, physical.rax)));
  } else {
    const value = BigInt(devices.readPort(port, size) >>> 0);
    // A doubleword clears the upper half of RAX; smaller ones leave the rest.
    physical.rax =
      size === 4
        ? value
        : (physical.rax & ~((1n << BigInt(8 * size)) - 1n)) | BigInt.asUintN(8 * size, value);
  }
  context.cpu.skipInstruction();
  return resume;
}

function answerCpuid({ physical, identity, cpu }: ExitContext): void {
  const low = (register: bigint): number => Number(register & 0xffff_ffffn);
  const answer = identity.cpuid(low(physical.rax), low(physical.rcx));
  physical.rax = BigInt(answer.eax);
  physical.rbx = BigInt(answer.ebx);
  physical.rcx = BigInt(answer.ecx);
  physical.rdx = BigInt(answer.edx);
  cpu.skipInstruction();
}

/** A write that would change a bit of CR0 or CR4 that VMX holds. */
export function changeControls(context: ExitContext): GuestStep {
  const handled = emulate(context);
  const held = context.paging.controls.cr0Held & cr0Restricted;
  if ((context.vmcs.read("CR0_READ_SHADOW") & held) === held) return handled;
  return {
    kind: "crashed",
    why: "The guest turned paging or protection off, which needs a processor with unrestricted guests.",
  };
}

/** Executes the guest's instruction for it. */
export function emulate({ emulator, cpu, events }: ExitContext): GuestStep {
  const emulation: Emulation = emulator.emulate(cpu);
  switch (emulation.kind) {
    case "retired":
      return resume;
    case "fault":
      events.raise(emulation);
      return resume;
    case "event":
      throw new Error(
        "Bug in ringside: an emulated instruction left for a monitor, please report.",
      );
  }
}
