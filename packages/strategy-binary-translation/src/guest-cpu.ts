/**
 * The guest's processor: what it is to the guest, and what of it is in the host's processor at the moment.
 *
 * Control registers, segments, descriptor tables and MSRs live in the emulator's state, which is the authority.
 * General registers, flags and floating point are in the host's processor while the guest runs: at CPL 1 in the
 * translation cache, or at CPL 3 in a program. There they come back from with {@link GuestCpu.leaveCache} and {@link GuestCpu.leaveProgram}.
 */
import {
  CR0,
  CR4,
  EFER,
  RFLAGS,
  segmentSlots,
  slots,
  type Processor,
  type ProcessorState,
} from "@ringside/isa";
import type { VirtualCpu } from "@ringside/hypervisor";
import type { VirtualCpuSlots } from "./cache/virtual-cpu-slots.ts";
import { hasBreakpoints, passBreakpoints } from "./guest-breakpoints.ts";
import type { Spill } from "./translator/unit.ts";

/** General registers; then RIP; then flags. */
const generalBytes = slots.rip.offset;
const statusRange = [slots.flagsResult.offset, slots.flagsSystem.offset] as const;
/** x87 and SSE. */
const floatingRanges = [
  [slots.mxcsr.offset, slots.fds.offset + 2],
  [slots.xmm.offset, slots.x87.offset + 8 * 16],
] as const;
/** ES to GS with their hidden parts. */
const segmentRange = [segmentSlots(0).base.offset, segmentSlots(6).base.offset] as const;

const [cs, ss, ldtr, tr] = [1, 2, 6, 7] as const;

/** Flat segments of CPL 1 for translated code. The guest cannot see them: what would show them is not copied. */
const cacheCode = { selector: 0x09, attributes: 0xa0bb };
const cacheStack = { selector: 0x11, attributes: 0xc0b3 };
/** Where SIDT finds the interrupt table of the host: in the hypervisor's part of the address space. */
const hypervisorTable = 0xffff_ffff_ffef_0000n;
const cacheLevel = 1;
const programLevel = 3;

/** Flags that are the processor's in the cache, too: they change nothing but the guest's own course. */
const ownFlags = RFLAGS.DF | RFLAGS.AC | RFLAGS.ID;
const fixedFlags = 2n;
const interruptFlagOff = -RFLAGS.IF;
/** Bits of CR0 whose faults the guest is to see as they come. The others are the hypervisor's. */
const passedCr0 = CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.AM;
const fixedCr0 = CR0.PE | CR0.ET | CR0.WP | CR0.PG;
const passedCr4 =
  CR4.OSFXSR |
  CR4.OSXMMEXCPT |
  CR4.DE |
  CR4.UMIP |
  CR4.SMEP |
  CR4.SMAP |
  CR4.TSD |
  CR4.FSGSBASE |
  CR4.PCE;
const fixedEfer = EFER.LME | EFER.LMA | EFER.NXE;

/** MSRs that the processor uses in the cache or for programs. */
const passedSlots = [slots.tscOffset, slots.tscAux] as const;

type ShownSlot = "cr0" | "cr2" | "cr3" | "cr4" | "kernelGsBase";

export class GuestCpu implements VirtualCpu {
  /** The guest's registers while nothing runs. */
  readonly state: ProcessorState;
  readonly #processor: Processor;
  readonly #physical: ProcessorState;
  readonly #slots: VirtualCpuSlots;
  readonly #guestViews: Views;
  readonly #physicalViews: Views;
  /** What the slots of that name hold, as far as the hypervisor wrote them. */
  readonly #shown: Record<ShownSlot, bigint> = {
    cr0: 0n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    kernelGsBase: 0n,
  };

  /** The processor may have breakpoints armed. */
  #passedBreakpoints = false;

  constructor(processor: Processor, state: ProcessorState, slotsOf: VirtualCpuSlots) {
    this.#processor = processor;
    this.#physical = processor.state;
    this.state = state;
    this.#slots = slotsOf;
    this.#guestViews = viewsOf(state);
    this.#physicalViews = viewsOf(this.#physical);
  }

  get isInKernel(): boolean {
    return this.state.cpl === 0;
  }

  /** RFLAGS.IF of a guest in the cache. */
  get interruptsOpenInCache(): boolean {
    return this.#slots.get("interruptFlag") === 0n;
  }

  /** For an instruction or a delivery by the emulator: what it needs beside what {@link leaveCache} brought. */
  load(_state: ProcessorState): void {
    copy(this.#physicalViews.floating, this.#guestViews.floating);
  }

  store(_state: ProcessorState): void {
    copy(this.#guestViews.floating, this.#physicalViews.floating);
  }

  /** Translated code goes on, at a linear address of the cache where all registers are the guest's. */
  enterCache(linear: bigint): void {
    const { state } = this;
    const physical = this.#physical;
    copy(this.#guestViews.registers, this.#physicalViews.registers);
    physical.rip = linear;
    const flags = state.get(slots.flagsSystem);
    physical.set(slots.flagsSystem, (flags & ownFlags) | fixedFlags | RFLAGS.IF);
    this.#slots.set("interruptFlag", (flags & RFLAGS.IF) === 0n ? interruptFlagOff : 0n);
    this.#setFlat(cs, cacheCode);
    this.#setFlat(ss, cacheStack);
    this.#passControls(CR4.FSGSBASE, CR4.TSD);
    this.#show("cr0", state.cr0);
    this.#show("cr2", state.cr2);
    this.#show("cr3", state.cr3);
    this.#show("cr4", state.cr4);
    this.#show("kernelGsBase", state.get(slots.kernelGsBase));
    physical.fsBase = state.fsBase;
    physical.gsBase = state.gsBase;
    this.#passDebug(false);
    this.#processor.enterLevel(cacheLevel);
  }

  /**
   * The guest stopped in the cache, at an instruction of its own.
   *
   * @param spilled Registers to be put back from slots.
   */
  leaveCache(guestRip: bigint, spilled: readonly Spill[]): void {
    const { state } = this;
    copy(this.#physicalViews.registers, this.#guestViews.registers);
    for (const { register, slot } of spilled) state.setRegister(register, this.#slots.get(slot));
    state.rip = guestRip;
    const kept = state.get(slots.flagsSystem) & ~(ownFlags | RFLAGS.IF);
    const flags = this.#physical.get(slots.flagsSystem) & ownFlags;
    const open = this.interruptsOpenInCache ? RFLAGS.IF : 0n;
    state.set(slots.flagsSystem, kept | flags | open);
    state.gsBase = this.#physical.gsBase;
    const kernelGsBase = this.#slots.get("kernelGsBase");
    if (kernelGsBase !== this.#shown.kernelGsBase) {
      this.#shown.kernelGsBase = kernelGsBase;
      state.set(slots.kernelGsBase, kernelGsBase);
    }
  }

  /** A program goes on where its registers say, with the guest's own segments. */
  enterProgram(): void {
    const physical = this.#physical;
    const { state } = this;
    copy(this.#guestViews.registers, this.#physicalViews.registers);
    physical.rip = state.rip;
    physical.set(slots.flagsSystem, state.get(slots.flagsSystem));
    copy(this.#guestViews.segments, this.#physicalViews.segments);
    for (const slot of [slots.gdtrBase, slots.idtrBase, slots.gdtrLimit, slots.idtrLimit]) {
      physical.set(slot, state.get(slot));
    }
    this.#copySegment(ldtr);
    this.#copySegment(tr);
    // Without an I/O map every port faults, and the hypervisor looks into the guest's own.
    physical.setNumber(segmentSlots(tr).limit, 0);
    this.#passControls(0n, 0n);
    this.#passDebug(true);
    this.#processor.enterLevel(programLevel);
  }

  /**
   * The guest's kernel goes on as it stands, deprivileged: for trap-and-emulate. Programs' segments are its own, code and stack
   * are those of CPL 1, and so are the flags; the interrupt table is the hypervisor's.
   */
  enterKernel(): void {
    this.enterProgram();
    const physical = this.#physical;
    const flags = this.state.get(slots.flagsSystem);
    physical.set(slots.flagsSystem, (flags & ownFlags) | fixedFlags | RFLAGS.IF);
    this.#setFlat(cs, cacheCode);
    this.#setFlat(ss, cacheStack);
    physical.set(slots.idtrBase, hypervisorTable);
    this.#processor.enterLevel(cacheLevel);
  }

  /** A kernel that {@link enterKernel} let go on has stopped. */
  leaveKernel(): void {
    const { state } = this;
    const [code, stack] = [state.segment("cs"), state.segment("ss")];
    copy(this.#physicalViews.registers, this.#guestViews.registers);
    state.rip = this.#physical.rip;
    const kept = state.get(slots.flagsSystem) & ~ownFlags;
    state.set(slots.flagsSystem, kept | (this.#physical.get(slots.flagsSystem) & ownFlags));
    copy(this.#physicalViews.segments, this.#guestViews.segments);
    state.setSegment("cs", code);
    state.setSegment("ss", stack);
  }

  /** A program stopped. */
  leaveProgram(): void {
    copy(this.#physicalViews.registers, this.#guestViews.registers);
    this.state.rip = this.#physical.rip;
    this.state.set(slots.flagsSystem, this.#physical.get(slots.flagsSystem));
    copy(this.#physicalViews.segments, this.#guestViews.segments);
  }

  /** Arms the guest's own breakpoints while there are any. */
  #passDebug(withInstructions: boolean): void {
    const has = hasBreakpoints(this.state);
    if (!has && !this.#passedBreakpoints) return;
    this.#passedBreakpoints = has;
    passBreakpoints(this.state, this.#physical, withInstructions);
    this.#processor.readDebugRegisters();
  }

  /** A debug trap: why. */
  takeDebugStatus(): void {
    this.state.set(slots.dr6, this.state.get(slots.dr6) | this.#physical.get(slots.dr6));
    this.#physical.set(slots.dr6, 0n);
  }

  #copySegment(index: number): void {
    const { base, limit, attributes, selector } = segmentSlots(index);
    for (const slot of [base, limit, attributes, selector]) {
      this.#physical.set(slot, this.state.get(slot));
    }
  }

  #setFlat(
    index: number,
    { selector, attributes }: { readonly selector: number; readonly attributes: number },
  ): void {
    const segment = segmentSlots(index);
    this.#physical.setNumber(segment.selector, selector);
    this.#physical.setNumber(segment.attributes, attributes);
    this.#physical.set(segment.base, 0n);
  }

  /** Control registers as far as they are the guest's; `on` and `off` are bits of CR4 that translated code needs so. */
  #passControls(on: bigint, off: bigint): void {
    const { state } = this;
    const physical = this.#physical;
    physical.set(slots.cr0, fixedCr0 | (state.cr0 & passedCr0));
    physical.set(slots.cr4, CR4.PAE | (((state.cr4 & passedCr4) | on) & ~off));
    physical.set(slots.efer, fixedEfer | (state.efer & EFER.SCE));
    for (const slot of passedSlots) physical.set(slot, state.get(slot));
  }

  #show(name: ShownSlot, value: bigint): void {
    if (this.#shown[name] === value) return;
    this.#shown[name] = value;
    this.#slots.set(name, value);
  }
}

type Views = Readonly<Record<"registers" | "segments" | "floating", readonly Uint8Array[]>>;

/** What is copied together, as views that are made once. */
function viewsOf(state: ProcessorState): Views {
  const view = ([from, to]: readonly [number, number]): Uint8Array =>
    new Uint8Array(state.buffer, state.base + from, to - from);
  return {
    registers: [view([0, generalBytes]), view(statusRange)],
    segments: [view(segmentRange)],
    floating: floatingRanges.map(view),
  };
}

function copy(from: readonly Uint8Array[], to: readonly Uint8Array[]): void {
  for (const [index, bytes] of from.entries()) to[index]?.set(bytes);
}
