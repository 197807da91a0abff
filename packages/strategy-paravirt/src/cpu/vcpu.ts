/**
 * The virtual processor: kernel and user mode of a guest that always runs at CPL 3, and how it gets from one to the other.
 *
 * What the architecture does with an IDT, Xen does with bounce frames: it pushes what an interrupt gate would push on
 * the kernel's stack, and goes on at the address that the guest registered. Xen, xen/arch/x86/x86_64/entry.S
 * (create_bounce_frame), xen/arch/x86/pv/iret.c, xen/arch/x86/pv/traps.c.
 */
import {
  segmentSlots,
  SEGMENTS,
  slots,
  VECTOR,
  type PhysicalMemory,
  type Processor,
  type ProcessorState,
} from "@ringside/isa";
import type { MonitorWork } from "@ringside/hypervisor";
import { frameBytes } from "@ringside/machine";
import {
  FLAT_CODE_SELECTOR,
  FLAT_DATA_SELECTOR,
  VCPU_INFO,
  XEN_HIGH_FIRST,
  XEN_HIGH_LAST,
} from "../abi/domain.ts";
import type { GuestAccess, Linear } from "../memory/guest-access.ts";
import { isCanonical } from "../paging/entry.ts";
import type { DescriptorTables } from "./descriptors.ts";
import { R11, RAX, RCX, RSP, type RegisterHalves } from "./registers.ts";

export interface TrapEntry extends Linear {
  readonly flags: number;
}

export interface Callback extends Linear {
  readonly masksEvents: boolean;
}

export const nowhere: Callback = { low: 0, high: 0, masksEvents: false };
const noEntry: TrapEntry = { low: 0, high: 0, flags: 0 };

/** Flags of a trap table's entry: bits 1:0 the level that may use INT n for it, bit 2 masks events. */
const TRAP_MASKS_EVENTS = 4;
const TRAP_LEVEL = 3;

const INTERRUPT_FLAG = 0x200;
/** Cleared when the guest's kernel is entered: TF, IOPL, NT, RF, VM, AC. */
const ENTRY_CLEARED = 0x7_7100;
/** What a guest kernel cannot choose at IRET: IOPL and VM. */
const IRET_CLEARED = 0x2_3000;
/** RFLAGS without reserved bits: bits 21:0 without 1, 3, 5 and 15. */
const FLAGS_DEFINED = 0x3f_7fd5;

const CS = segmentSlots(SEGMENTS.indexOf("cs"));
const SS = segmentSlots(SEGMENTS.indexOf("ss"));
const FLAT_CODE = 0xa0fb;
const FLAT_DATA = 0xc0f3;
const FLAT_LIMIT = 0xffff_ffff;

/** Set in the flags of an IRET frame: the way in was SYSCALL, and SYSRET is good enough as the way out. */
const IN_SYSCALL = 1 << 8;
const iretFrameBytes = 72;

export interface VcpuOptions {
  readonly processor: Processor;
  readonly registers: RegisterHalves;
  readonly memory: PhysicalMemory;
  readonly access: GuestAccess;
  readonly descriptors: DescriptorTables;
  readonly work: MonitorWork;
  /** The whole TLB was emptied. */
  readonly onFlush: () => void;
}

export class Vcpu {
  /** Whether the guest's kernel runs, as opposed to its programs. */
  inKernel = true;
  /** Frame of the level-4 table for the kernel, and for programs; 0 for none. */
  kernelRoot = 0;
  userRoot = 0;
  kernelStack: Linear = { low: 0, high: 0 };
  event: Callback = nowhere;
  failsafe: Callback = nowhere;
  syscall: Callback = nowhere;
  /** The guest's I/O privilege level; its kernel counts as level 1. */
  privilegeLevel = 0;
  /** Physical address of its vcpu_info. */
  info = 0;
  /** It lies where the guest wants it. */
  hasOwnInfo = false;
  /** Whether the way back to the guest is SYSRET, which is faster than IRET. Xen takes it into handlers too. */
  returnsFast = false;
  /** Why the domain cannot go on. */
  crashed: string | undefined;
  readonly #traps = new Map<number, TrapEntry>();
  readonly #options: VcpuOptions;
  readonly #state: ProcessorState;
  readonly #frame: Uint8Array = new Uint8Array(96);
  readonly #frameView: DataView = new DataView(this.#frame.buffer);
  readonly #bounces = new Map<string, number>();

  constructor(options: VcpuOptions) {
    this.#options = options;
    this.#state = options.processor.state;
  }

  /** Bounce frames by kind. */
  get bounces(): ReadonlyMap<string, number> {
    return this.#bounces;
  }

  /** As a new domain finds it. */
  reset(): void {
    this.inKernel = true;
    this.kernelRoot = 0;
    this.userRoot = 0;
    this.event = nowhere;
    this.failsafe = nowhere;
    this.syscall = nowhere;
    this.privilegeLevel = 0;
    this.hasOwnInfo = false;
    this.crashed = undefined;
    this.#traps.clear();
  }

  setTrap(vector: number, entry: TrapEntry): void {
    this.#traps.set(vector, entry);
  }

  clearTraps(): void {
    this.#traps.clear();
  }

  crash(why: string): void {
    this.crashed ??= why;
  }

  // Address spaces.

  /** Loads the root of the present mode. */
  loadRoot(includingGlobal: boolean): void {
    const { processor, access, work } = this.#options;
    const root = (this.inKernel ? this.kernelRoot : this.userRoot) * frameBytes;
    access.root = root;
    this.#state.set(slots.cr3, BigInt(root));
    work.add("rootLoads");
    processor.flushTlb(includingGlobal);
    if (includingGlobal) this.#options.onFlush();
  }

  /** From kernel to user mode or back: the other page tables, the other GS. Pages of programs are global and stay cached. */
  #toggle(): void {
    this.inKernel = !this.inKernel;
    const state = this.#state;
    const gs = state.get(slots.kernelGsBase);
    state.set(slots.kernelGsBase, state.gsBase);
    state.gsBase = gs;
    this.loadRoot(false);
  }

  // Events.

  get eventsMasked(): boolean {
    return this.#options.memory.readU8(this.info + VCPU_INFO.upcallMask) !== 0;
  }

  get eventPending(): boolean {
    return this.#options.memory.readU8(this.info + VCPU_INFO.upcallPending) !== 0;
  }

  setEventsMasked(masked: boolean): void {
    this.#options.work.add("mappedWords");
    this.#options.memory.writeU8(this.info + VCPU_INFO.upcallMask, masked ? 1 : 0);
  }

  /** Calls the guest's event callback when something is pending and not masked. */
  deliverEvents(): void {
    if (!this.eventPending || this.eventsMasked || this.crashed !== undefined) return;
    this.#bounce("event", this.event, this.event.masksEvents, undefined);
  }

  // Exceptions.

  /** Whether INT n may be used for a vector from the present mode; Xen counts the guest's kernel as level 1. */
  permitsSoftwareInterrupt(vector: number): boolean {
    const { flags, low, high } = this.#traps.get(vector) ?? noEntry;
    return (low !== 0 || high !== 0) && (flags & TRAP_LEVEL) >= (this.inKernel ? 1 : 3);
  }

  /** An exception or software interrupt for the guest's kernel. */
  inject(vector: number, errorCode: number | undefined): void {
    const entry = this.#traps.get(vector) ?? noEntry;
    this.#bounce(`exception.${vector}`, entry, (entry.flags & TRAP_MASKS_EVENTS) !== 0, errorCode);
  }

  /** A page fault. The error code says whether the guest's kernel or a program did it: the hardware saw CPL 3 only. */
  injectPageFault(errorCode: number, linear: bigint): void {
    this.#options.memory.writeU64(this.info + VCPU_INFO.cr2, linear);
    this.#options.work.add("mappedWords");
    this.#state.cr2 = linear;
    this.inject(VECTOR.PF, (errorCode & ~4) | (this.inKernel ? 0 : 4));
  }

  /** A program's SYSCALL. */
  enterSyscall(): void {
    if (this.syscall.low === 0 && this.syscall.high === 0) {
      this.#options.registers.rewind(2);
      this.inject(VECTOR.UD, undefined);
      return;
    }
    // What the architecture loses at SYSCALL: the program's own selectors.
    this.#state.setNumber(CS.selector, FLAT_CODE_SELECTOR);
    this.#state.setNumber(SS.selector, FLAT_DATA_SELECTOR);
    this.#bounce("syscall", this.syscall, this.syscall.masksEvents, undefined);
  }

  /** Pushes a frame on the kernel's stack and goes on at an address of the guest's. */
  #bounce(kind: string, to: Linear, masksEvents: boolean, errorCode: number | undefined): void {
    if (this.crashed !== undefined) return;
    if (to.low === 0 && to.high === 0) {
      this.crash(`The guest has no handler for its ${kindInWords(kind)}.`);
      return;
    }
    this.#bounces.set(kind, (this.#bounces.get(kind) ?? 0) + 1);
    const { registers, access } = this.#options;
    const state = this.#state;
    const fromKernel = this.inKernel;
    const selector = state.getNumber(CS.selector);
    const stackSelector = state.getNumber(SS.selector);
    const [oldLow, oldHigh] = [registers.low(RSP), registers.high(RSP)];
    if (!fromKernel) this.#toggle();
    const stack = fromKernel ? { low: oldLow, high: oldHigh } : this.kernelStack;
    const masked = this.eventsMasked;
    const flags = Number(state.rflags);

    const words = errorCode === undefined ? 7 : 8;
    const to16 = (stack.low & ~15) >>> 0;
    const low = to16 - words * 8;
    const at: Linear = { low: low >>> 0, high: low < 0 ? (stack.high - 1) >>> 0 : stack.high };
    const view = this.#frameView;
    let offset = 0;
    const push = (wordLow: number, wordHigh: number): void => {
      view.setUint32(offset, wordLow, true);
      view.setUint32(offset + 4, wordHigh, true);
      offset += 8;
    };
    push(registers.low(RCX), registers.high(RCX));
    push(registers.low(R11), registers.high(R11));
    if (errorCode !== undefined) push(errorCode, 0);
    push(registers.ripLow, registers.ripHigh);
    // Its kernel believes that it is in ring 0.
    push(fromKernel ? selector & ~3 : selector, masked ? 1 : 0);
    push(masked ? flags & ~INTERRUPT_FLAG : flags | INTERRUPT_FLAG, 0);
    push(oldLow, oldHigh);
    push(stackSelector, 0);
    const inXen = at.high >= XEN_HIGH_FIRST && at.high <= XEN_HIGH_LAST;
    if (inXen || !access.write(at, this.#frame.subarray(0, words * 8))) {
      this.crash(
        `The guest's kernel stack cannot be written at 0x${hex(at)}, for its ${kindInWords(kind)}.`,
      );
      return;
    }
    if (masksEvents) this.setEventsMasked(true);
    registers.set(RSP, at.low, at.high);
    registers.setRip(to.low, to.high);
    this.#enterKernelFlat((flags & ~ENTRY_CLEARED) | INTERRUPT_FLAG);
    if (!isCanonical(to.high)) this.crash(`The guest's handler at 0x${hex(to)} is no address.`);
  }

  #enterKernelFlat(flags: number): void {
    const state = this.#state;
    state.rflags = BigInt(flags);
    this.returnsFast = true;
    if (
      state.getNumber(CS.attributes) === FLAT_CODE &&
      state.getNumber(SS.attributes) === FLAT_DATA
    ) {
      state.setNumber(CS.selector, FLAT_CODE_SELECTOR);
      state.setNumber(SS.selector, FLAT_DATA_SELECTOR);
      return;
    }
    this.#loadFlat();
  }

  #loadFlat(): void {
    const flat = { base: 0n, limit: FLAT_LIMIT };
    this.#state.setSegment("cs", { ...flat, selector: FLAT_CODE_SELECTOR, attributes: FLAT_CODE });
    this.#state.setSegment("ss", { ...flat, selector: FLAT_DATA_SELECTOR, attributes: FLAT_DATA });
    this.#options.onFlush();
  }

  // Returning.

  /** The iret hypercall: loads what the guest's kernel left on its stack. */
  iret(): void {
    const { registers, access } = this.#options;
    const at = { low: registers.low(RSP), high: registers.high(RSP) };
    const bytes = access.read(at, iretFrameBytes);
    if (bytes === undefined) {
      this.crash(`The guest's IRET frame cannot be read at 0x${hex(at)}.`);
      return;
    }
    const view = new DataView(bytes.buffer);
    const word = (index: number): readonly [number, number] => [
      view.getUint32(index * 8, true),
      view.getUint32(index * 8 + 4, true),
    ];
    const [flags] = word(3);
    const [cs] = word(5);
    const [rflags] = word(6);
    const [ss] = word(8);
    if ((cs & 3) === 3) {
      if (this.userRoot === 0) {
        this.crash("The guest's kernel returns to a program and has no page tables for it.");
        return;
      }
      this.#toggle();
    }
    registers.setRip(...word(4));
    registers.set(RSP, ...word(7));
    registers.set(RAX, ...word(0));
    this.returnsFast = (flags & IN_SYSCALL) !== 0;
    const newFlags = (rflags & FLAGS_DEFINED & ~IRET_CLEARED) | INTERRUPT_FLAG | 2;
    // SYSRET takes RIP and RFLAGS from RCX and R11.
    registers.set(RCX, ...word(this.returnsFast ? 4 : 2));
    if (this.returnsFast) registers.set(R11, newFlags, 0);
    else registers.set(R11, ...word(1));
    this.setEventsMasked((rflags & INTERRUPT_FLAG) === 0);
    this.#state.rflags = BigInt(newFlags);
    const fault = this.#loadSelectors((cs & 0xffff) | 3, (ss & 0xffff) | 3);
    if (fault !== undefined) this.inject(VECTOR.GP, fault);
    else if (!isCanonical(registers.ripHigh)) this.inject(VECTOR.GP, 0);
  }

  /** Loads CS and SS as IRET to CPL 3 does. Gives the error code of the fault, if it is one. */
  #loadSelectors(cs: number, ss: number): number | undefined {
    const state = this.#state;
    const isFlat = (selector: number): boolean =>
      selector === FLAT_CODE_SELECTOR || selector === FLAT_DATA_SELECTOR;
    if (isFlat(cs) && isFlat(ss) && state.getNumber(CS.attributes) === FLAT_CODE) {
      if (cs !== FLAT_CODE_SELECTOR || ss !== FLAT_DATA_SELECTOR)
        return (isFlat(cs) ? ss : cs) & ~3;
      state.setNumber(CS.selector, cs);
      state.setNumber(SS.selector, ss);
      return undefined;
    }
    const code = this.#segment(cs);
    // Present code for CPL 3, not both 64-bit and 32-bit.
    if (
      code === undefined ||
      (code.attributes & 0x98) !== 0x98 ||
      (code.attributes & 0x6000) === 0x6000
    )
      return cs & ~3;
    const stack = this.#segment(ss);
    // Present, writable data.
    if (stack === undefined || (stack.attributes & 0x9a) !== 0x92) return ss & ~3;
    if (
      state.getNumber(CS.attributes) === code.attributes &&
      state.getNumber(SS.attributes) === stack.attributes &&
      (code.attributes & 0x2000) !== 0
    ) {
      // In 64-bit mode nothing else of them counts, and the TLB stays as it is.
      state.setNumber(CS.selector, cs);
      state.setNumber(SS.selector, ss);
      return undefined;
    }
    state.setSegment("cs", { selector: cs, ...code });
    state.setSegment("ss", { selector: ss, ...stack });
    this.#options.onFlush();
    return undefined;
  }

  /** Base of the segment that a selector names, or undefined. */
  segmentBase(selector: number): bigint | undefined {
    return this.#segment(selector)?.base;
  }

  /** A segment from its descriptor: base, limit and access rights, with the accessed bit set; undefined without one for CPL 3. */
  #segment(
    selector: number,
  ): { readonly base: bigint; readonly limit: number; readonly attributes: number } | undefined {
    if (selector >>> 2 === 0) return undefined;
    const descriptor = this.#options.descriptors.descriptor(selector);
    if (descriptor === undefined) return undefined;
    const [low, high] = descriptor;
    // Present, and for CPL 3.
    if ((high & 0xe000) !== 0xe000) return undefined;
    const raw = (low & 0xffff) | (high & 0xf_0000);
    return {
      base: BigInt(((high & 0xff00_0000) | ((high & 0xff) << 16) | (low >>> 16)) >>> 0),
      limit: (high & 0x80_0000) === 0 ? raw : ((raw << 12) | 0xfff) >>> 0,
      attributes: ((high >>> 8) & 0xf0ff) | 1,
    };
  }
}

function hex({ low, high }: Linear): string {
  return ((BigInt(high) << 32n) | BigInt(low)).toString(16);
}

function kindInWords(kind: string): string {
  return kind.startsWith("exception.") ? `exception ${kind.slice(10)}` : kind;
}
