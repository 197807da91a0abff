/**
 * The extension's own state, beside the registers: what rows, intercepts and the EPT walk read without leaving.
 *
 * The controls are copies of the current VMCS's, loaded by VM entry and zero outside of non-root operation, so that an
 * intercept is one load and one test. Everything else lives in the VMCS, which is memory.
 */
import { extensionSlot, type Slot } from "@ringside/isa";

const word = (index: number): Slot => extensionSlot(index * 8, 8);

/** Values of {@link vmx}.operation. */
export const OPERATION = { NONE: 0, ROOT: 1, NON_ROOT: 2 } as const;
/** A pointer that points nowhere. */
export const NO_POINTER = 0xffff_ffff_ffff_ffffn;

/** Names of the fields. */
type VmxSlot =
  | "operation"
  | "vmxonPointer"
  | "currentVmcs"
  | "featureControl"
  | "pin"
  | "primary"
  | "secondary"
  | "exceptionBitmap"
  | "cr0Mask"
  | "cr4Mask"
  | "cr0Shadow"
  | "cr4Shadow"
  | "eptPointer"
  | "ioBitmapA"
  | "ioBitmapB"
  | "msrBitmap"
  | "virtualApic"
  | "tprThreshold"
  | "cr3TargetCount"
  | "cr3Targets"
  | "qualification"
  | "guestLinear"
  | "guestPhysical"
  | "tscOffset"
  | "softwareTime"
  | "softwareVector"
  | "softwareLength"
  | "timerEnd"
  | "trapEnd"
  | "exitControls"
  | "entryControls"
  | "vpid"
  | "operand0"
  | "operand1"
  | "operand2"
  | "result"
  | "eptAccessedDirty"
  | "eptMode"
  | "nmiExit"
  | "iretTime";

export const vmx: Readonly<Record<VmxSlot, Slot>> = {
  operation: word(0),
  vmxonPointer: word(1),
  /** The current VMCS, or {@link NO_POINTER}. */
  currentVmcs: word(2),
  featureControl: word(3),
  pin: word(4),
  primary: word(5),
  secondary: word(6),
  exceptionBitmap: word(7),
  cr0Mask: word(8),
  cr4Mask: word(9),
  cr0Shadow: word(10),
  cr4Shadow: word(11),
  /** EPTP; 0 while guest-physical addresses are physical ones. */
  eptPointer: word(12),
  ioBitmapA: word(13),
  ioBitmapB: word(14),
  msrBitmap: word(15),
  virtualApic: word(16),
  tprThreshold: word(17),
  cr3TargetCount: word(18),
  /** Four words. */
  cr3Targets: word(19),
  /** What an intercept knows of its exit. */
  qualification: word(23),
  guestLinear: word(24),
  guestPhysical: word(25),
  /** TSC offset in effect: added to the processor's while in non-root operation. */
  tscOffset: word(26),
  /** A software interrupt in progress: machine time, vector, and instruction length. */
  softwareTime: word(27),
  softwareVector: word(28),
  softwareLength: word(29),
  /** Machine time at which the preemption timer expires plus 1, or 0. */
  timerEnd: word(30),
  /** Machine time plus 1 of a monitor-trap-flag exit, or 0. */
  trapEnd: word(31),
  /** 1 when a VM entry left an MTF or debug event to be looked at. */
  exitControls: word(32),
  entryControls: word(33),
  vpid: word(34),
  /** Operands and results of VMX instructions, to and from helpers. */
  operand0: word(35),
  operand1: word(36),
  operand2: word(37),
  result: word(38),
  /** EPT accessed and dirty flags are on: 1. */
  eptAccessedDirty: word(39),
  /** What EPT entries may have: bits of {@link EPT_MODE}. */
  eptMode: word(40),
  /** 1 after an NMI was taken and its blocking is physical. */
  nmiExit: word(41),
  /** Machine time plus 1 of the last IRET that unblocked NMIs. */
  iretTime: word(42),
};

/** Bytes of the area in use. */
export const STATE_BYTES: number = 43 * 8;

/** Reasons that leave for TypeScript without being VM exits. */
export const INTERNAL = { VMLAUNCH: 0x1_0000, VMRESUME: 0x1_0001, TPR_BELOW: 0x1_0002 } as const;

/** Abilities of EPT that the walk must know. */
export const EPT_MODE = { HUGE_PAGES: 1, EXECUTE_ONLY: 2 } as const;
