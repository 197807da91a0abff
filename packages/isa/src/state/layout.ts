/**
 * The processor's state block: where each register lies in the host's memory.
 *
 * Handlers, routines and TypeScript address a block by its base and these offsets; the base is never baked in, so one
 * compiled module serves every processor of a host. All fields are little-endian, multi-byte ones aligned to their size.
 */

/** A field of the state block. */
export interface Slot {
  /** Bytes from the block's base. */
  readonly offset: number;
  readonly bytes: 1 | 2 | 4 | 8 | 16;
}

function slot(offset: number, bytes: Slot["bytes"]): Slot {
  return { offset, bytes };
}

/** Values of `interruptShadow`: what the boundary after this instruction holds back. */
export const SHADOW = {
  none: 0,
  /** After STI: external interrupts. */
  interrupts: 1,
  /** After a load of SS: interrupts, NMIs and single-step traps. */
  stackLoad: 2,
} as const;

/** Segment registers in the order of their encoding, then the system segments. */
export const SEGMENTS: readonly ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] = [
  "es",
  "cs",
  "ss",
  "ds",
  "fs",
  "gs",
  "ldtr",
  "tr",
];
export type SegmentName = (typeof SEGMENTS)[number];

/**
 * A segment register with its hidden part. Stride {@link SEGMENT_STRIDE}.
 * `attributes` holds bits 55:40 of the descriptor in bits 15:0 as VMX stores access rights: type 3:0, S 4, DPL 6:5,
 * P 7, AVL 12, L 13, D/B 14, G 15, and bit 16 "unusable".
 */
export const SEGMENT_STRIDE = 32;
const SEGMENT_BASE_OFFSET = 0x180;

export interface SegmentSlots {
  /** Bits 15:0: the visible selector. */
  readonly selector: Slot;
  readonly attributes: Slot;
  /** Limit in bytes, granularity applied. */
  readonly limit: Slot;
  /** The base as loaded from the descriptor (or the FS/GS base MSR). */
  readonly base: Slot;
  /**
   * The base that addresses use now: 0 for ES, CS, SS and DS in 64-bit mode, else `base`. Outside 64-bit mode it is
   * marked (see {@link CHECKED_BASE}) unless the segment is flat and may be read and written everywhere.
   */
  readonly effectiveBase: Slot;
}

/**
 * Marks the base of a segment whose accesses must be checked: bits 63:60 of it are 4, bits 58:56 the segment's number.
 * A linear address made with it is in no TLB, so the access goes the slow way, where segmentation/check-segment.ts looks
 * at limit and type; flat segments pay nothing.
 */
export const CHECKED_BASE = 0x4000_0000_0000_0000n;
export const CHECKED_BASE_SHIFT = 56;
/** Bits of a linear address outside 64-bit mode: 32, and the mark of a segment that is checked. */
export const LINEAR_MASK = 0x4700_0000_ffff_ffffn;

/** Slots of segment register `index` (position in {@link SEGMENTS}). */
export function segmentSlots(index: number): SegmentSlots {
  const at = SEGMENT_BASE_OFFSET + index * SEGMENT_STRIDE;
  return {
    base: slot(at, 8),
    effectiveBase: slot(at + 8, 8),
    limit: slot(at + 16, 4),
    attributes: slot(at + 20, 4),
    selector: slot(at + 24, 2),
  };
}

/** Byte offset of general register `number`. AH, CH, DH and BH are 16 to 19: the second byte of 0 to 3. */
export function registerOffset(number: number): number {
  return number < 16 ? number * 8 : (number - 16) * 8 + 1;
}

/**
 * The memory type range registers, which are stored and have no effect: 8 bytes each, in the order of
 * profile/memory-types.ts. Behind the counters of the interpreter's layout.
 */
export const MTRR_OFFSET = 0x1d00;
export const MTRR_BYTES = 0x100;
/** The last 32 of these bytes, which no range register takes. */
const PDPTES_OFFSET = 0x1de0;

export const XMM_OFFSET = 0x400;
export const X87_OFFSET = 0x500;

/** Fields of the state block by name. */
export type SlotName =
  | "generalRegisters"
  | "rip"
  | "flagsResult"
  | "flagsAuxiliary"
  | "flagsSystem"
  | "zero"
  | "codePageRip"
  | "addressScratch"
  | "stackMask"
  | "ripMask"
  | "linearMask"
  | "fetchBase"
  | "limitInPage"
  | "stepsToLimit"
  | "pendingFault"
  | "pendingDebug"
  | "stepDecided"
  | "debugArmed"
  | "alignmentChecked"
  | "readMask"
  | "writeMask"
  | "executeMask"
  | "cr0"
  | "cr2"
  | "cr3"
  | "cr4"
  | "efer"
  | "star"
  | "lstar"
  | "cstar"
  | "sfmask"
  | "kernelGsBase"
  | "sysenterCs"
  | "sysenterEsp"
  | "sysenterEip"
  | "pat"
  | "mtrrDefaultType"
  | "tscAux"
  | "tscOffset"
  | "gdtrBase"
  | "idtrBase"
  | "gdtrLimit"
  | "idtrLimit"
  | "cpl"
  | "mode"
  | "longMode"
  | "interruptShadow"
  | "monitorDelivery"
  | "interruptPending"
  | "nmiBlocked"
  | "halted"
  | "dr0"
  | "dr1"
  | "dr2"
  | "dr3"
  | "dr6"
  | "dr7"
  | "faultVector"
  | "faultErrorCode"
  | "faultLinear"
  | "faultHasErrorCode"
  | "remaining"
  | "remainingAtRing"
  | "sliceEnd"
  | "idleUnits"
  | "instructionsByRing"
  | "monitorEvent"
  | "monitorVector"
  | "monitorRip"
  | "scratch0"
  | "scratch1"
  | "scratch2"
  | "scratch3"
  | "mxcsr"
  | "fcw"
  | "fsw"
  | "ftw"
  | "fop"
  | "fip"
  | "fdp"
  | "fcs"
  | "fds"
  | "entryReserved"
  | "physicalReserved"
  | "cr4Allowed"
  | "eferAllowed"
  | "hugePageReserved"
  | "walkLinear"
  | "pdptes"
  | "pdptesOf"
  | "xmm"
  | "x87";

/** Every single field. Registers with many members have functions beside this table. */
export const slots: Readonly<Record<SlotName, Slot>> = {
  /** 16 general registers of 8 bytes, in the order of their encoding. */
  generalRegisters: slot(0x000, 8),
  /** RIP of the next instruction; valid whenever TypeScript or a routine looks. */
  rip: slot(0x080, 8),
  /**
   * The arithmetic flags, as the last result: ZF is "result = 0"; SF is bit 63 of the result XOR bit 2 of
   * {@link slots.flagsAuxiliary}; PF is the parity of the result's low byte XOR the auxiliary's bits 15:8.
   */
  flagsResult: slot(0x088, 8),
  /** Carries: bit 63 carry out of the top (CF), bit 62 carry into the top (OF = bit 63 XOR bit 62), bit 3 carry out of bit 3 (AF). */
  flagsAuxiliary: slot(0x090, 8),
  /** RFLAGS without the six arithmetic flags, bit 1 set: TF 8, IF 9, DF 10, IOPL 13:12, NT 14, RF 16, VM 17, AC 18, VIF 19, VIP 20, ID 21. */
  flagsSystem: slot(0x098, 8),
  /** Always zero: the base or index of an operand that has none. */
  zero: slot(0x0a0, 8),
  /** RIP of the first byte of the page that code is executed from (RIP = this + offset in page). */
  codePageRip: slot(0x0a8, 8),
  /** Effective address computed by an address-size record before its instruction. */
  addressScratch: slot(0x0b0, 8),
  /** All ones, or the mask of the stack's size (SS.B) outside 64-bit mode. */
  stackMask: slot(0x0b8, 8),
  /** All ones in 64-bit mode, else 0xffff_ffff: how RIP wraps. Jumps of 16 bits clear its upper half themselves. */
  ripMask: slot(0x0c0, 8),
  /** All ones in 64-bit mode, else {@link LINEAR_MASK}: how linear addresses wrap. */
  linearMask: slot(0x380, 8),
  /** The base that RIP is added to when code is fetched; marked when CS has a limit to check. */
  fetchBase: slot(0x388, 8),
  /** 1: the limit of CS lies in or just behind the page that code was looked up in, so each instruction is looked up. */
  limitInPage: slot(0x390, 1),
  /** 1 while the driver looks up one instruction because of that. */
  stepsToLimit: slot(0x391, 1),
  /** An exception that a task switch met in the new task, raised at the next boundary (interpreter/task-helper.ts); or 0. */
  pendingFault: slot(0x394, 4),
  /** DR6 bits of a debug trap that is taken at the next boundary; 0 without one. */
  pendingDebug: slot(0x398, 4),
  /** 1: the instruction has said itself whether a single step ends behind it, whatever TF was before it. */
  stepDecided: slot(0x39e, 1),
  /** 1 while DR7 enables a breakpoint on an instruction. */
  debugArmed: slot(0x39c, 1),
  /** 1 at CPL 3 with CR0.AM and EFLAGS.AC: accesses must be aligned. */
  alignmentChecked: slot(0x39d, 1),

  /** Bits of a TLB tag that an access at the current CPL must find clear. */
  readMask: slot(0x0c8, 8),
  writeMask: slot(0x0d0, 8),
  executeMask: slot(0x0d8, 8),

  cr0: slot(0x0e0, 8),
  cr2: slot(0x0e8, 8),
  cr3: slot(0x0f0, 8),
  cr4: slot(0x0f8, 8),
  efer: slot(0x100, 8),
  star: slot(0x108, 8),
  lstar: slot(0x110, 8),
  cstar: slot(0x118, 8),
  sfmask: slot(0x120, 8),
  kernelGsBase: slot(0x128, 8),
  sysenterCs: slot(0x130, 8),
  sysenterEsp: slot(0x138, 8),
  sysenterEip: slot(0x140, 8),
  pat: slot(0x148, 8),
  /** IA32_MTRR_DEF_TYPE, the first of the memory type range registers. */
  mtrrDefaultType: slot(MTRR_OFFSET, 8),
  tscAux: slot(0x150, 8),
  /** What the TSC adds to machine time (writes to IA32_TIME_STAMP_COUNTER). */
  tscOffset: slot(0x158, 8),
  gdtrBase: slot(0x160, 8),
  idtrBase: slot(0x168, 8),
  gdtrLimit: slot(0x170, 2),
  idtrLimit: slot(0x172, 2),
  /** Current privilege level, 0 to 3. */
  cpl: slot(0x174, 1),
  /** Bits of code: 16, 32 or 64. */
  mode: slot(0x175, 1),
  /** 1 when LMA: IA-32e mode, compatibility mode included. */
  longMode: slot(0x176, 1),
  /** A value of {@link SHADOW}: whether the next instruction boundary takes interrupts. */
  interruptShadow: slot(0x177, 1),
  /** 1: exceptions and interrupts go to the monitor instead of the IDT. */
  monitorDelivery: slot(0x178, 1),
  /** 1 while INTR is asserted or an NMI waits: instructions that open a window leave for the driver. */
  interruptPending: slot(0x179, 1),
  /** 1 between NMI delivery and IRET. */
  nmiBlocked: slot(0x17a, 1),
  /** 1 after HLT until an event. */
  halted: slot(0x17b, 1),

  // 0x180 to 0x27f: segment registers, see segmentSlots().

  dr0: slot(0x280, 8),
  dr1: slot(0x288, 8),
  dr2: slot(0x290, 8),
  dr3: slot(0x298, 8),
  dr6: slot(0x2a0, 8),
  dr7: slot(0x2a8, 8),

  /** Vector + 1 of the fault that ends the current instruction, or 0. */
  faultVector: slot(0x2b0, 4),
  faultErrorCode: slot(0x2b4, 4),
  /** Linear address of a page fault. */
  faultLinear: slot(0x2b8, 8),
  /** 1 when the fault has an error code to push. */
  faultHasErrorCode: slot(0x2c0, 1),

  /** Units left in this slice, stored before anything outside the handlers looks. Signed. */
  remaining: slot(0x2c8, 4),
  /** Units left when the current ring was entered. */
  remainingAtRing: slot(0x2cc, 4),
  /** Unit count at which {@link slots.remaining} is 0. */
  sliceEnd: slot(0x2d0, 8),
  /** Units skipped while halted. */
  idleUnits: slot(0x2d8, 8),
  /** Four 64-bit counters: instructions retired at CPL 0 to 3. */
  instructionsByRing: slot(0x2e0, 8),
  /** A software interrupt or SYSCALL for the monitor: see exceptions/monitor.ts. */
  monitorEvent: slot(0x300, 4),
  monitorVector: slot(0x304, 4),
  /** RIP of the instruction that left for the monitor; the state's own is behind it. */
  monitorRip: slot(0x3c0, 8),
  /** Scratch for routines and helpers that exchange 64-bit data with TypeScript. */
  scratch0: slot(0x308, 8),
  scratch1: slot(0x310, 8),
  scratch2: slot(0x318, 8),
  scratch3: slot(0x320, 8),
  /** MXCSR. Intel SDM Vol. 1 §10.2.3, "MXCSR Control and Status Register". */
  mxcsr: slot(0x328, 4),

  /** x87 control, status (TOP included) and tag words, last opcode, instruction and data pointers. */
  fcw: slot(0x330, 2),
  fsw: slot(0x332, 2),
  /** Full 16-bit tag word, two bits a physical register: 0 valid, 1 zero, 2 special, 3 empty. */
  ftw: slot(0x334, 2),
  fop: slot(0x336, 2),
  fip: slot(0x338, 8),
  fdp: slot(0x340, 8),
  fcs: slot(0x348, 2),
  fds: slot(0x34a, 2),

  // What the processor's profile allows, set at reset so that rows and routines check it without leaving.
  /** Bits of a paging-structure entry that are reserved now: 51:MAXPHYADDR, and bit 63 while EFER.NXE is 0. */
  entryReserved: slot(0x350, 8),
  /** Bits 51:MAXPHYADDR: reserved in CR3 and in paging-structure entries. */
  physicalReserved: slot(0x358, 8),
  /** Bits that software may set in CR4 and in IA32_EFER. */
  cr4Allowed: slot(0x360, 8),
  eferAllowed: slot(0x368, 8),
  /** Bit 7 set when PDPTEs may not map 1-GByte pages (a paging entry's PS bit is then reserved there). */
  hugePageReserved: slot(0x370, 8),

  /** Linear address of the page walk in progress, where there is a second stage of translation. */
  walkLinear: slot(0x378, 8),

  /** The four PDPTE registers of PAE paging, 8 bytes each. */
  pdptes: slot(PDPTES_OFFSET, 8),
  /** The CR3 that they were loaded from, with bit 0 set; 0 makes the next walk load them. */
  pdptesOf: slot(0x3a0, 8),

  // 0x400 to 0x4ff: XMM0-15, 16 bytes each. 0x500 to 0x57f: physical x87 registers R0-R7, 16 bytes each (10 used).
  xmm: slot(XMM_OFFSET, 16),
  x87: slot(X87_OFFSET, 16),
};

/** Bytes of a state block's architectural part. Counters and TLBs follow, see the interpreter's layout. */
export const STATE_BYTES = 0x600;
