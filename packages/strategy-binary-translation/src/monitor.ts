/**
 * The monitor: what runs when the processor comes back, and what decides where the guest goes on.
 *
 * The guest is in one of three places. In the cache, the processor runs translated kernel code at CPL 1. In a program
 * it runs the guest's own code at CPL 3. At rest its registers are with the hypervisor, at an instruction boundary: there
 * instructions are emulated and events delivered.
 */
import {
  isCanonical,
  RFLAGS,
  slots,
  VECTOR,
  type MonitorEvent,
  type ProcessorExit,
} from "@ringside/isa";
import type { CachedExit } from "./cache/translation-cache.ts";
import { addTo } from "./counts.ts";
import { GuestAtRest } from "./guest-at-rest.ts";
import { breakpointKey, hasBreakpoints, instructionBreakpoints } from "./guest-breakpoints.ts";
import type { GuestCpu } from "./guest-cpu.ts";
import { crash, ran, type MonitorOptions, type StepResult } from "./monitor-options.ts";
import { ShownState } from "./shown-state.ts";
import { calloutBytes, calloutVector } from "./translator/unit-builder.ts";

type Fault = Extract<MonitorEvent, { kind: "exception" }>;

/** Page-fault error code. Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions". */
const wasWrite = 2;
const wasUser = 4;
const wasFetch = 16;

export class Monitor {
  readonly #o: MonitorOptions;
  readonly #shown: ShownState;
  readonly #rest: GuestAtRest;
  #where: "cache" | "program" | "rest" = "rest";
  /** The monitor was called by translated code, and has not resumed the guest since. */
  #calledOut = false;
  #isRunning = false;
  /** The guest is in the middle of an instruction, and something is to be delivered behind it. */
  #steps = false;
  /** Translated code met a breakpoint on data: #DB behind the present instruction of the guest. */
  #debugTraps = false;
  /** The instruction breakpoints that code in the cache stands for. */
  #breakpoints = "";
  /** IOPL or NT was set when translated code ran last. */
  #wasUnusual = false;

  constructor(options: MonitorOptions) {
    this.#o = options;
    this.#shown = new ShownState(options);
    this.#rest = new GuestAtRest({ ...options, shown: this.#shown });
  }

  /** Where the guest is; for inspection. */
  get where(): "cache" | "program" | "rest" {
    return this.#where;
  }

  /** The processor runs: what a program does to its devices must be looked at soon. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** The processor has executed an instruction that comes here, and has not come yet: its units were spent. */
  get isLeaving(): boolean {
    return this.#where !== "rest" && this.#o.processor.state.getNumber(slots.monitorEvent) !== 0;
  }

  /** Whether the processor would run next: then the caller sets the timer, and says for how long. */
  prepare(): StepResult | undefined {
    const { interrupts, cpu } = this.#o;
    this.#steps = false;
    if (interrupts.isPending && !this.isLeaving) {
      const taken = this.#takePending();
      if (taken !== undefined) return taken;
    }
    if (this.#debugTraps && !this.isLeaving) {
      const isAtBoundary = this.#where === "rest" || this.#leaveCacheAtBoundary();
      if (isAtBoundary) {
        this.#debugTraps = false;
        return this.#rest.deliver({ vector: VECTOR.DB, kind: "exception" });
      }
      this.#steps = true;
    }
    if (this.#where !== "rest") return undefined;
    if (this.#rest.repeats) return this.#rest.emulate();
    if (cpu.isInKernel && this.#rest.isTracing) {
      return this.#rest.stepKernel();
    }
    return this.#enter();
  }

  /** Runs the processor for at most `units`. */
  run(units: number): StepResult {
    const { processor } = this.#o;
    if (this.#where === "cache") this.#shown.showInterrupts();
    this.#isRunning = true;
    const exit = processor.run(this.#steps ? 1 : units);
    this.#isRunning = false;
    if (this.#where === "cache") this.#shown.readTaskPriority();
    return this.#afterRun(exit);
  }

  /** Puts the guest's registers where the hypervisor keeps them, as far as they can be without it going on. */
  #takePending(): StepResult | undefined {
    const { interrupts, cpu, processor } = this.#o;
    const { state } = cpu;
    const nmiBlocked = state.getNumber(slots.nmiBlocked) !== 0;
    const nmi = interrupts.isNmiPending && !nmiBlocked;
    if (this.#where === "cache") {
      if (!nmi && !cpu.interruptsOpenInCache) return undefined;
      if (!this.#leaveCacheAtBoundary()) {
        this.#steps = true;
        return undefined;
      }
    } else if (this.#where === "program") {
      const isShadowed = processor.state.getNumber(slots.interruptShadow) !== 0;
      const flags = cpu.isInKernel ? state : processor.state;
      const open = (flags.get(slots.flagsSystem) & RFLAGS.IF) !== 0n;
      // A kernel that closed them, by an instruction that trapped, opens them by one that does.
      if (cpu.isInKernel && !nmi && !open) return undefined;
      if (isShadowed || (!nmi && !open)) {
        // A program that closes interrupts itself (IOPL 3) opens them without telling.
        this.#steps = true;
        return undefined;
      }
      this.#leaveProgram();
    }
    const interruptsEnabled = (state.get(slots.flagsSystem) & RFLAGS.IF) !== 0n;
    const shadowed = state.getNumber(slots.interruptShadow) !== 0;
    if (shadowed && (nmi || interruptsEnabled)) {
      state.setNumber(slots.interruptShadow, 0);
      return this.#rest.emulate();
    }
    const event = interrupts.take({ interruptsEnabled, shadowed, nmiBlocked });
    switch (event.kind) {
      case "interrupt":
        return this.#rest.deliver({ vector: event.vector, kind: "external" });
      case "nmi":
        return this.#rest.deliver({ vector: VECTOR.NMI, kind: "nmi" });
      default:
        return undefined;
    }
  }

  #leaveCacheAtBoundary(): boolean {
    const { region, cache, processor } = this.#o;
    const offset = region.codeOffset(processor.state.rip);
    const found = offset === undefined ? undefined : cache.placeAt(offset);
    if (found === undefined || !found.place.isBoundary || found.place.offset !== offset) {
      return false;
    }
    this.#leaveCache(found.place.guestRip);
    return true;
  }

  #leaveCache(guestRip: bigint, spilled: Parameters<GuestCpu["leaveCache"]>[1] = []): void {
    this.#o.cpu.leaveCache(guestRip, spilled);
    this.#o.cpu.state.setNumber(slots.interruptShadow, 0);
    this.#where = "rest";
  }

  #leaveProgram(): void {
    const { cpu } = this.#o;
    if (cpu.isInKernel) cpu.leaveKernel();
    else cpu.leaveProgram();
    this.#o.cpu.state.setNumber(slots.interruptShadow, 0);
    this.#where = "rest";
  }

  /** The guest goes on at its RIP: in the cache, or in a program. */
  #enter(): StepResult | undefined {
    const { cpu, code, counts, region, guard } = this.#o;
    const { state } = cpu;
    state.setNumber(slots.interruptShadow, 0);
    const level = state.cpl;
    if (level === 3) {
      this.#loadRoot();
      cpu.enterProgram();
      if (this.#calledOut) counts.programsAfterCallouts += 1;
      this.#calledOut = false;
      this.#where = "program";
      return undefined;
    }
    const unsuitable = whyNotTranslated(level, state.mode, state.cr0);
    if (unsuitable !== undefined) return crash(unsuitable);
    if (this.#o.watch !== undefined) {
      this.#loadRoot();
      cpu.enterKernel();
      this.#where = "program";
      return undefined;
    }
    if (this.#rest.takeTablesChanged() || code.hasDoubts) {
      if (guard.isTaken(state.cr3, region.slots)) return { kind: "region-taken" };
    }
    code.settleDoubts();
    this.#checkFlags();
    const entry = code.entry(state.rip);
    if (entry === undefined) return this.#deliverFetchFault();
    this.#loadRoot();
    cpu.enterCache(region.code + BigInt(entry.offset));
    this.#calledOut = false;
    this.#where = "cache";
    return undefined;
  }

  /** Code in the cache stands for IOPL, NT and instruction breakpoints as they were: all of it goes when they change, which is rare. */
  #checkFlags(): void {
    const { cache, code, cpu } = this.#o;
    const { state } = cpu;
    // RF is for the instruction that the guest resumes at, and only where it has a breakpoint.
    const flags = state.get(slots.flagsSystem);
    if ((flags & RFLAGS.RF) !== 0n && instructionBreakpoints(state, state.rip) === 0n) {
      state.set(slots.flagsSystem, flags & ~RFLAGS.RF);
    }
    const breakpoints = hasBreakpoints(state) ? breakpointKey(state) : "";
    if (code.hasUnusualFlags === this.#wasUnusual && breakpoints === this.#breakpoints) return;
    this.#wasUnusual = code.hasUnusualFlags;
    this.#breakpoints = breakpoints;
    // IRET then keeps RF.
    state.setNumber(slots.debugArmed, breakpoints === "" ? 0 : 1);
    cache.clear();
  }

  /** Fetching at RIP faults, or finds no memory. */
  #deliverFetchFault(): StepResult {
    const { emulator, cpu } = this.#o;
    const { rip } = cpu.state;
    if (!isCanonical(rip)) return this.#rest.deliverException(VECTOR.GP, 0, 0n);
    const walked = emulator.walk(rip, { execute: true });
    if (walked.kind === "translated") {
      return this.#rest.deliver({ vector: VECTOR.UD, kind: "exception" });
    }
    return this.#rest.deliverException(walked.vector, walked.errorCode, rip);
  }

  #afterRun(exit: ProcessorExit): StepResult {
    switch (exit.reason) {
      case "limit":
      case "stopped":
        if (this.#o.watch?.isWaiting === true && !this.isLeaving) {
          this.#leaveProgram();
          this.#o.watch.compare(this.#o.cpu.state);
        }
        return ran;
      case "event":
        return this.#where === "cache"
          ? this.#fromCache(exit.event)
          : this.#fromProgram(exit.event);
      case "halted":
      case "shutdown":
      case "extension":
        throw new Error(`Bug in ringside: the guest's processor ${exit.reason}, please report.`);
    }
  }

  // From the cache.

  #fromCache(event: MonitorEvent): StepResult {
    const { processor, region, cache, counts } = this.#o;
    this.#calledOut = event.kind === "software-interrupt" && event.vector === calloutVector;
    if (!this.#calledOut) counts.traps += 1;
    switch (event.kind) {
      case "interrupt":
        return this.#physicalInterrupt();
      case "nmi":
        // The host has no source of them.
        return ran;
      case "exception":
        return this.#cacheFault(event);
      case "software-interrupt": {
        const offset = region.codeOffset(processor.state.rip - BigInt(calloutBytes.length));
        const exit =
          event.vector === calloutVector && offset !== undefined ? cache.exitAt(offset) : undefined;
        return exit === undefined ? this.#strayed() : this.#callOut(exit);
      }
      case "syscall":
      case "sysenter":
      case "call-gate":
        return this.#strayed();
    }
  }

  #callOut(cached: CachedExit): StepResult {
    const { counts, onEntry, slots: virtual, cache, code } = this.#o;
    const { exit, unit } = cached;
    const name = exit.kind === "emulate" ? `emulate.${exit.mnemonic}` : exit.kind;
    addTo(counts.callouts, name);
    onEntry?.(`callout ${name}`);
    switch (exit.kind) {
      case "continuation": {
        const entry = code.entry(exit.target);
        if (entry === undefined) {
          this.#leaveCache(exit.target);
          return this.#deliverFetchFault();
        }
        cache.chain(cached, entry);
        this.#goTo(entry.offset);
        return ran;
      }
      case "lookup":
        return this.#lookUp(exit.guestRip, virtual.get("target"), exit.stackBytes);
      case "emulate": {
        this.#leaveCache(exit.guestRip);
        this.#rest.expectNeed();
        const result = this.#rest.emulate(exit.code);
        code.noteCallout(exit.guestRip, this.#rest.wasNeeded, unit);
        return result;
      }
      case "breakpoint":
        this.#leaveCache(exit.guestRip);
        return this.#rest.breakAt(exit.guestRip);
      case "pending":
        this.#leaveCache(exit.next);
        return ran;
    }
  }

  #lookUp(guestRip: bigint, target: bigint, stackBytes: bigint): StepResult {
    const { cpu, code, cache, counts } = this.#o;
    counts.lookupMisses += 1;
    if (!isCanonical(target)) {
      // The branch itself faults, and has not moved the stack pointer.
      this.#leaveCache(guestRip);
      cpu.state.rsp = BigInt.asUintN(64, cpu.state.rsp - stackBytes);
      return this.#rest.deliverException(VECTOR.GP, 0, 0n);
    }
    const entry = code.entry(target);
    if (entry === undefined) {
      this.#leaveCache(target);
      return this.#deliverFetchFault();
    }
    cache.remember(target, entry.offset);
    this.#goTo(entry.offset);
    return ran;
  }

  /** Translated code goes on elsewhere in the cache. */
  #goTo(offset: number): void {
    const { processor, region } = this.#o;
    processor.state.rip = region.code + BigInt(offset);
  }

  #cacheFault(fault: Fault): StepResult {
    const { processor, region, cache, cpu, mmu, code, onEntry } = this.#o;
    const offset = region.codeOffset(processor.state.rip);
    const found = offset === undefined ? undefined : cache.placeAt(offset);
    if (found === undefined) return this.#strayed();
    onEntry?.(`exception ${fault.vector} in the kernel`);
    const { unit, place } = found;
    if (fault.vector === VECTOR.DB) {
      cpu.takeDebugStatus();
      this.#debugTraps = true;
      return ran;
    }
    if (fault.vector !== VECTOR.PF) {
      this.#leaveCache(place.guestRip, place.spilled);
      return this.#rest.deliverException(fault.vector, fault.errorCode, 0n);
    }
    const error = fault.errorCode ?? 0;
    const access = { write: (error & wasWrite) !== 0, user: false, execute: false };
    const shadow = mmu.fault(cpu.state, fault.linear, access);
    addTo(this.#o.counts.faults, shadow.kind);
    switch (shadow.kind) {
      case "hidden":
        this.#retry(fault.linear);
        return ran;
      case "true":
        this.#leaveCache(place.guestRip, place.spilled);
        return this.#rest.deliverException(shadow.vector, shadow.errorCode, fault.linear);
      case "traced":
      case "device":
        this.#leaveCache(place.guestRip, place.spilled);
        code.noteTrap(place.guestRip, unit);
        return this.#rest.emulate();
    }
  }

  /** The guest got out of its translation, by overwriting the virtual CPU's slots. */
  #strayed(): StepResult {
    const { rip } = this.#o.processor.state;
    return crash(
      `The guest's kernel broke out of its translation and ran at 0x${rip.toString(16)}: it must have written into the translator's region.`,
    );
  }

  // From programs.

  #fromProgram(event: MonitorEvent): StepResult {
    const { cpu, processor, counts, onEntry, watch } = this.#o;
    counts.traps += 1;
    // What traps after all is not silent.
    watch?.forget();
    if (event.kind === "interrupt") return this.#physicalInterrupt();
    if (event.kind === "nmi") return ran;
    if (event.kind === "exception" && event.vector === VECTOR.PF) return this.#programFault(event);
    this.#leaveProgram();
    switch (event.kind) {
      case "exception":
        onEntry?.(`exception ${event.vector} in a program`);
        if (event.vector === VECTOR.GP) return this.#rest.emulate(); // Perhaps a port that the guest's kernel allows.
        if (event.vector === VECTOR.DB) cpu.takeDebugStatus();
        return this.#rest.deliverException(event.vector, event.errorCode, 0n);
      case "software-interrupt":
        onEntry?.(`INT ${event.vector} in a program`);
        break;
      case "syscall":
      case "sysenter":
      case "call-gate":
        onEntry?.(event.kind);
    }
    // The instruction itself enters the kernel, on the guest's own state and tables.
    cpu.state.rip = processor.state.get(slots.monitorRip);
    return this.#rest.emulate();
  }

  #programFault(fault: Fault): StepResult {
    const { cpu, mmu, counts, onEntry } = this.#o;
    onEntry?.(`exception ${fault.vector} in a program`);
    const error = fault.errorCode ?? 0;
    const access = {
      write: (error & wasWrite) !== 0,
      // A load of a segment reads the descriptor table with the supervisor's rights.
      user: (error & wasUser) !== 0,
      execute: (error & wasFetch) !== 0,
    };
    const shadow = mmu.fault(cpu.state, fault.linear, access);
    addTo(counts.faults, shadow.kind);
    if (shadow.kind === "hidden") {
      this.#retry(fault.linear);
      return ran;
    }
    this.#leaveProgram();
    if (shadow.kind === "true") {
      return this.#rest.deliverException(shadow.vector, shadow.errorCode, fault.linear);
    }
    return this.#rest.emulate();
  }

  // Both.

  #physicalInterrupt(): StepResult {
    this.#o.onEntry?.("interrupt");
    this.#o.physicalInterrupts.acknowledge();
    this.#o.devices.board.dispatchDue();
    return ran;
  }

  /** A translation was made: the access happens again. */
  #retry(linear: bigint): void {
    this.#o.processor.invalidatePage(linear);
    this.#loadRoot();
  }

  #loadRoot(): void {
    const { mmu, cpu, processor } = this.#o;
    const root = BigInt(mmu.root(cpu.state.cr3));
    if (root !== processor.state.cr3) processor.state.setControl("cr3", root);
  }

  // At rest.

  /** A write of a handler or an emulated instruction reached guest memory. */
  noteWrite(gpa: number): void {
    this.#rest.noteWrite(gpa);
  }

  /** A device was reached through memory. */
  noteDevice(): void {
    this.#rest.noteDevice();
  }
}

/** Why the kernel's code cannot be translated; undefined when it can. */
function whyNotTranslated(level: number, mode: number, cr0: bigint): string | undefined {
  if (level !== 0)
    return `The guest runs code at privilege level ${level}, which is not translated.`;
  if (mode !== 64)
    return `The guest's kernel runs ${mode}-bit code; only 64-bit code is translated.`;
  if (cr0 >> 31n === 0n)
    return "The guest turned paging off, and only code behind paging is translated.";
  return undefined;
}
