/**
 * The processor: its public face, and the driver that runs handlers between events.
 *
 * Handlers leave for one of four reasons: no units left, a fault, code to decode, or something to look at. The driver
 * then delivers what is pending, at an instruction boundary, and goes on. Everything that can happen often happens in
 * WebAssembly; the driver only decides.
 */
import { escalate } from "./exceptions/escalate.ts";
import { DR6_SINGLE_STEP, DR7_GENERAL_DETECT, EVENT } from "./exceptions/event.ts";
import { decodeMonitorEvent, type MonitorEvent } from "./exceptions/monitor.ts";
import type { ExtensionContext, ExtensionEvent, InjectedEvent } from "./extension.ts";
import type { HelperContext } from "./helpers.ts";
import { EXIT_VECTOR, VECTOR } from "./exceptions/vectors.ts";
import { CONTROL, LEFT } from "./interpreter/dispatch-function.ts";
import {
  boundFloatingPoint,
  compile,
  helperContext,
  Engine,
  stateEngine,
  takeFault,
  type BoundHelper,
  type WasmFunction,
} from "./interpreter/engine.ts";
import {
  AttachedExtensions,
  withExtensions,
  type Taken,
} from "./interpreter/attached-extensions.ts";
import { CodeCache } from "./interpreter/code-cache.ts";
import { operandOf } from "./interpreter/current-operand.ts";
import { Debugging } from "./interpreter/debugging.ts";
import { accessSize, DeviceRanges } from "./interpreter/device-ranges.ts";
import {
  RECORD,
  RECORD_BYTES,
  COUNTERS_OFFSET,
  ENGINE,
  EXTENSION_BYTES,
  EXTENSION_OFFSET,
  FIXED_RECORDS,
  FIXED_RECORDS_END,
  PROCESSOR_BLOCK_BYTES,
} from "./interpreter/layout.ts";
import { EventCounts } from "./interpreter/event-counts.ts";
import type { Watchpoint } from "./interpreter/stop-points.ts";
import { taskHelper, takePendingFault } from "./interpreter/task-helper.ts";
import { Tlb } from "./interpreter/tlb.ts";
import type { HostMemory } from "./memory/host-memory.ts";
import { checkProfile, defaultProfile, type ProcessorProfile } from "./profile/profile.ts";
import { RFLAGS } from "./profile/registers.ts";
import type {
  Delivery,
  InterruptSource,
  MmioRegion,
  PortIo,
  ProcessorExit,
  ProcessorOptions,
} from "./processor-options.ts";
import { resetRegisters } from "./profile/reset.ts";
import { systemHelpers, type SystemContext, type SystemHelpers } from "./profile/system-helpers.ts";
import { MTRR_BYTES, MTRR_OFFSET, SHADOW, slots } from "./state/layout.ts";
import { ProcessorState } from "./state/processor-state.ts";

/** Engines swap in optimized code only when a function is entered, so handlers are left regularly. */
const SLICE_MAXIMUM = 200_000;
const FLAG_TF = 0x100;
const FLAG_IF = 0x200;
const EXECUTABLE_MODES: ReadonlySet<number> = new Set([16, 32, 64]);

type Mode = 16 | 32 | 64;
/** One x86-64 processor. */
export class Processor {
  readonly state: ProcessorState;
  readonly memory: HostMemory;
  /** Machine time that passed without units, while halted. The TSC counts units and this. */
  idleUnits = 0;

  readonly profile: ProcessorProfile;

  readonly #ports: PortIo;
  readonly #devices: DeviceRanges;
  readonly #interrupts: InterruptSource;
  readonly #onMark: ((id: number) => void) | undefined;
  readonly #onDelivery: ((delivery: Delivery) => void) | undefined;
  readonly #base: number;
  readonly #counters: readonly string[];
  readonly #cache: CodeCache;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;
  readonly #i32: Int32Array;
  readonly #u64: BigUint64Array;
  readonly #tlb: Tlb;
  readonly #extensions: AttachedExtensions;
  #injected: InjectedEvent | undefined;
  readonly #helperTable: Readonly<Record<string, BoundHelper>>;
  /** An extension wants to be asked at boundaries. */
  #watched = false;
  /** Machine time at which extensions are asked. */
  #deadline: number | undefined;
  readonly #engine: Engine;
  readonly #function: (name: string) => WasmFunction;
  readonly #execute: WasmFunction;
  readonly #lookup: WasmFunction;
  readonly #settleRing: WasmFunction;

  /** Units when the current slice's `remaining` is 0. */
  #sliceEnd = 0;
  #runEnd = 0;
  #delivered = 0;
  #stopRequested = false;
  readonly #debugging: Debugging;
  #nmiPending = false;
  #interruptRequest = false;
  readonly #eventCounts = new EventCounts();

  constructor(options: ProcessorOptions) {
    const extensions = options.extensions ?? [];
    this.profile = withExtensions(options.profile ?? defaultProfile, extensions);
    checkProfile(this.profile);
    const { decoder, interpreter } = compile(this.profile, "tlb", extensions);
    this.memory = options.memory;
    this.#ports = options.ports;
    this.#devices = new DeviceRanges(options.memory.physical, options.mmio ?? []);
    this.#interrupts = options.interrupts;
    this.#onMark = options.onMark;
    this.#onDelivery = options.onDelivery;
    const { buffer } = options.memory.wasm;
    this.#u8 = new Uint8Array(buffer);
    this.#u16 = new Uint16Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#base = options.memory.layout.processorBlock;
    this.#counters = interpreter.counters;
    options.memory.claim({
      written: (physical, lengthBytes) => this.#cache.written(physical, lengthBytes),
    });
    this.#cache = new CodeCache(options.memory, decoder, interpreter);

    const context = helperContext(buffer, this.#base, () => this.state);
    this.#tlb = new Tlb(buffer, {
      ...options.memory.layout,
      physicalBytes: options.memory.physical.sizeBytes,
      hugePages: this.profile.features.has("pdpe1gb"),
    });
    this.#debugging = new Debugging({
      state: () => this.state,
      cache: this.#cache,
      breakSlice: () => this.#breakSlice(),
      requestStop: () => this.requestStop(),
      flushTlbs: () => this.#tlb.flushTag(undefined, true),
    });
    const helpers = this.#helpers(context);
    this.#helperTable = helpers;
    this.#engine = new Engine(
      interpreter,
      options.memory.wasm,
      (name) => helpers[name] ?? ((...parameters) => this.#extensions.helper(name)(...parameters)),
    );
    this.#function = (name) => this.#engine.function(name);
    this.#execute = this.#function("execute");
    this.#lookup = this.#function("lookup");
    this.#settleRing = this.#function("settleRing");

    this.state = new ProcessorState(
      buffer,
      this.#base,
      PROCESSOR_BLOCK_BYTES,
      stateEngine(
        this.#function,
        this.#base,
        () => this.state,
        () => this.flushTlb(true),
      ),
    );
    this.#extensions = new AttachedExtensions(extensions, this.#extensionContext(), (name) => {
      this.#spendUnit();
      this.#eventCounts.addName(name);
    });
    this.reset();
    this.delivery = options.delivery ?? "architectural";
  }

  /** Who gets exceptions and interrupts. */
  get delivery(): "architectural" | "monitor" {
    return this.state.getNumber(slots.monitorDelivery) === 1 ? "monitor" : "architectural";
  }
  set delivery(delivery: "architectural" | "monitor") {
    this.state.setNumber(slots.monitorDelivery, delivery === "monitor" ? 1 : 0);
  }

  /** Puts the processor into the state after RESET, with an empty TLB. Counts and time go on. */
  reset(): void {
    const { base } = this.state;
    const monitor = this.state.getNumber(slots.monitorDelivery);
    this.#settle();
    this.#u8.fill(0, base, base + COUNTERS_OFFSET);
    this.state.setNumber(slots.monitorDelivery, monitor);
    this.state.setNumber(ENGINE.frameTable, this.memory.layout.frameTable);
    this.state.setNumber(ENGINE.physicalBase, this.memory.layout.physicalBase);
    this.state.setNumber(ENGINE.physicalBytes, this.memory.physical.sizeBytes);
    resetRegisters(this.state, this.profile);
    this.#debugging.setWatching();
    this.#u8.fill(0, base + MTRR_OFFSET, base + MTRR_OFFSET + MTRR_BYTES);
    this.#u8.fill(0, base + EXTENSION_OFFSET, base + EXTENSION_OFFSET + EXTENSION_BYTES);
    this.#tlb.clear();
    this.#injected = undefined;
    this.#watched = false;
    this.#deadline = undefined;
    this.state.set(slots.flagsResult, 0x100n);
    this.state.set(slots.flagsAuxiliary, 0x100n);
    this.#function("updateMode")(base);
    this.#debugging.readRegisters();
    this.flushTlb(true);
    this.#nmiPending = false;
  }

  /** Adds a device's range; frames in it are no longer RAM. */
  addMmio(region: MmioRegion): void {
    this.#devices.add(region);
    this.flushTlb(true);
  }

  // Time and counts.

  /** Units so far: retired instructions, REP iterations, and delivered events. Exact in callbacks too. */
  get units(): number {
    return this.#sliceEnd - (this.#i32[(this.#base + slots.remaining.offset) >> 2] ?? 0);
  }

  /** Machine time: units and idle time. One unit is a nanosecond of guest time. */
  get now(): number {
    return this.units + this.idleUnits;
  }

  /** Retired instructions so far, each REP iteration as one. */
  get instructions(): number {
    return this.units - this.#delivered;
  }

  #settle(): void {
    this.#settleRing(this.#base);
  }

  /** Facts of the run so far, by dotted name. */
  counts(): Readonly<Record<string, number>> {
    this.#settle();
    const counts: Record<string, number> = {};
    const rings = (this.#base + slots.instructionsByRing.offset) >> 3;
    for (let ring = 0; ring < 4; ring += 1) {
      const retired = Number(this.#u64[rings + ring] ?? 0n);
      if (retired > 0) counts[`instructions.ring${ring}`] = retired;
    }
    const counters = (this.#base + COUNTERS_OFFSET) >> 3;
    for (const [index, name] of this.#counters.entries()) {
      const value = Number(this.#u64[counters + index] ?? 0n);
      if (value > 0) counts[name] = value;
    }
    this.#eventCounts.write(counts);
    return counts;
  }

  // Requests from outside.

  /** Makes the current run, or the next, stop no later than when {@link units} reaches `unit`. */
  stopAt(unit: number): void {
    this.#runEnd = Math.min(this.#runEnd, unit);
    if (unit >= this.#sliceEnd) return;
    const at = (this.#base + slots.remaining.offset) >> 2;
    const now = this.units;
    const excess = this.#sliceEnd - Math.max(unit, now);
    this.#i32[at] = (this.#i32[at] ?? 0) - excess;
    const ring = (this.#base + slots.remainingAtRing.offset) >> 2;
    this.#i32[ring] = (this.#i32[ring] ?? 0) - excess;
    this.#sliceEnd -= excess;
  }

  /** Makes the current run return `stopped` after this instruction. */
  requestStop(): void {
    this.#stopRequested = true;
    this.stopAt(this.units);
  }

  // What a debugger wants.

  /**
   * Linear addresses of instructions before which {@link run} stops. Setting them forgets all decoded code.
   *
   * @throws {RangeError} When they are set from a callback of a run.
   */
  get breakpoints(): ReadonlySet<bigint> {
    return this.#debugging.breakpoints;
  }
  set breakpoints(linears: ReadonlySet<bigint>) {
    this.#mustNotRun("Breakpoints");
    this.#debugging.breakpoints = linears;
  }

  /**
   * Data whose accesses by instructions make {@link run} stop behind them.
   *
   * @throws {RangeError} When they are set from a callback of a run.
   */
  get watchpoints(): readonly Watchpoint[] {
    return this.#debugging.watchpoints;
  }
  set watchpoints(points: readonly Watchpoint[]) {
    this.#mustNotRun("Watchpoints");
    this.#debugging.watchpoints = points;
    this.flushTlb(true);
  }

  #mustNotRun(what: string): void {
    if (!this.#running) return;
    throw new RangeError(`${what} cannot be set while the processor runs. Stop it first.`);
  }

  /** Level of the INTR input. */
  setInterruptRequest(asserted: boolean): void {
    this.#interruptRequest = asserted;
    this.#noticePending();
  }

  /** An edge on the NMI input. */
  requestNmi(): void {
    this.#nmiPending = true;
    this.#noticePending();
  }

  #noticePending(): void {
    const pending = this.#interruptRequest || this.#nmiPending || this.#watched;
    this.state.setNumber(slots.interruptPending, pending ? 1 : 0);
    // From a device's callback: the current instruction finishes, then the driver looks.
    if (pending && this.#running) this.#breakSlice();
  }

  #running = false;

  /** Ends the slice, not the run, after the current instruction. */
  #breakSlice(): void {
    const end = this.#runEnd;
    this.stopAt(this.units);
    this.#runEnd = end;
  }

  // The TLB.

  /** Empties the TLB; without `includingGlobal`, global pages stay. */
  flushTlb(includingGlobal = true): void {
    this.#tlb.flush(includingGlobal);
  }

  /** INVLPG: drops the translations of a linear address, and of all parts of large pages. */
  invalidatePage(linear: bigint): void {
    this.#tlb.invalidate(BigInt.asUintN(64, linear));
  }

  // Monitors.

  /**
   * Goes on at another privilege level, as a monitor's IRET does: recomputes what follows from CS, SS, control registers
   * and CPL after they were written raw, and moves the instruction counts to the new ring. Leaves the TLB alone.
   */
  enterLevel(level: 0 | 1 | 2 | 3): void {
    this.#function("setPrivilegeLevel")(this.#base, BigInt(level));
    this.#function("updateMode")(this.#base);
  }

  /** Arms what the debug registers and CR4.DE enable, after a monitor wrote them raw. */
  readDebugRegisters(): void {
    this.#debugging.readRegisters();
  }

  // Extensions.

  /** What extensions see. */
  #extensionContext(): ExtensionContext {
    return {
      state: this.state,
      memory: this.memory,
      now: () => this.now,
      updateMode: () => {
        this.#function("updateMode")(this.#base);
        this.#debugging.readRegisters();
      },
      setPrivilegeLevel: (level) =>
        void this.#function("setPrivilegeLevel")(this.#base, BigInt(level)),
      selectTlb: (tag) => this.#tlb.select(tag),
      flushTlb: (tag, includingGlobal = true) => this.#tlb.flushTag(tag, includingGlobal),
      inject: (event) => {
        this.#injected = event;
      },
      recheck: () => {
        if (this.#running) this.#breakSlice();
      },
      selectedTlb: () => this.#tlb.tag,
      flushTlbs: (predicate) => this.#tlb.flushTags(predicate),
      invalidatePage: (linear) => this.invalidatePage(linear),
      acknowledgeInterrupt: () => this.#interrupts.acknowledge(),
      watchBoundaries: (watched) => {
        this.#watched = watched;
        this.#noticePending();
      },
      wakeAt: (time) => {
        this.#deadline = time;
        if (this.#running) this.#breakSlice();
      },
      readMsr: (index) => {
        const failed = this.#helperTable.readMsr?.(index) ?? 1;
        return failed === 0 ? this.state.get(slots.scratch0) : undefined;
      },
      writeMsr: (index, value) => {
        this.state.set(slots.scratch0, value);
        return (this.#helperTable.writeMsr?.(index) ?? 1) === 0;
      },
      currentOperand: () => operandOf(this.state, this.state.getNumber(ENGINE.currentRecord)),
      currentLengthBytes: () => {
        const record = this.state.getNumber(ENGINE.currentRecord);
        return record < FIXED_RECORDS_END ? 0 : (this.#u8[record + RECORD.length.offset] ?? 0);
      },
    };
  }

  /** Asks extensions that watch boundaries, or whose deadline has come. */
  #askAtBoundary(shadowed: boolean): Taken | undefined {
    const isDue = this.#deadline !== undefined && this.now >= this.#deadline;
    if (!this.#watched && !isDue) return undefined;
    return this.#extensions.askAtBoundary({
      nmi: this.#nmiPending,
      interrupt: this.#interruptRequest,
      shadowed,
    });
  }

  /** Delivers what an extension injected. */
  #deliverInjected(event: InjectedEvent): ProcessorExit | undefined {
    const kinds = {
      external: EVENT.EXTERNAL,
      nmi: EVENT.EXTERNAL,
      software: EVENT.SOFTWARE,
      "privileged-software": EVENT.PRIVILEGED_SOFTWARE,
      exception: EVENT.EXCEPTION,
    } as const;
    if (event.kind === "nmi") this.state.setNumber(slots.nmiBlocked, 1);
    this.state.setNumber(slots.halted, 0);
    return this.#deliver(event.vector, kinds[event.kind], event.errorCode, event.returnRip);
  }

  // Running.

  /**
   * Runs until `limitUnits` units have passed or something happens.
   *
   * @param limitUnits At least 1.
   * @throws {RangeError} A limit that is not a positive integer.
   */
  run(limitUnits: number): ProcessorExit {
    if (!Number.isSafeInteger(limitUnits) || limitUnits < 1) {
      throw new RangeError(
        `A run of ${limitUnits} units is not possible. Give a whole number of at least 1.`,
      );
    }
    this.#runEnd = this.units + limitUnits;
    this.#running = true;
    try {
      for (;;) {
        const exit = this.#step();
        if (exit !== undefined) return exit;
      }
    } finally {
      this.#running = false;
      this.#stopRequested = false;
    }
  }

  /** One turn of the driver: pending events, then a slice of handlers, then what they left for. */
  #step(): ProcessorExit | undefined {
    if (this.#stopRequested) {
      const hit = this.#debugging.takeHit();
      return hit === undefined ? { reason: "stopped" } : { reason: "stopped", hit };
    }
    const now = this.units;
    if (now >= this.#runEnd) return { reason: "limit" };
    const rowEvent = this.#takeRowEvent();
    if (rowEvent !== undefined) return rowEvent;
    const injected = this.#injected;
    if (injected !== undefined) {
      this.#injected = undefined;
      return this.#deliverInjected(injected);
    }
    const fault = takePendingFault(this.state);
    if (fault !== undefined) return this.#raise(fault.vector, fault.errorCode);
    const shadowed = this.state.getNumber(slots.interruptShadow) !== SHADOW.none;
    const isHeldBack = this.state.getNumber(slots.interruptShadow) === SHADOW.stackLoad;
    if (this.state.getNumber(slots.pendingDebug) !== 0 && !isHeldBack) return this.#debugTrap(0n);
    const asked = this.#askAtBoundary(shadowed);
    if (asked !== undefined) return asked.exit;
    if (!shadowed) {
      const interrupted = this.#takeInterrupt();
      if (interrupted !== undefined) return interrupted === "delivered" ? undefined : interrupted;
    }
    if (this.state.getNumber(slots.halted) !== 0) return { reason: "halted" };

    const trapped = (this.#u32[(this.#base + slots.flagsSystem.offset) >> 2] ?? 0) & FLAG_TF;
    // RF holds instruction breakpoints back for one instruction; nobody else looks at it.
    const resumes =
      this.state.getNumber(slots.debugArmed) !== 0 &&
      (this.state.get(slots.flagsSystem) & RFLAGS.RF) !== 0n;
    const stepsToLimit = this.state.getNumber(slots.limitInPage) !== 0;
    const single = shadowed || trapped !== 0 || stepsToLimit || resumes;
    const untilDeadline =
      this.#deadline === undefined ? SLICE_MAXIMUM : Math.max(this.#deadline - this.now, 1);
    this.#startSlice(single ? 1 : Math.min(this.#runEnd - now, untilDeadline, SLICE_MAXIMUM));
    if (trapped !== 0) this.state.setNumber(slots.stepDecided, 0);
    const before = resumes ? this.state.rip : undefined;
    if (resumes) this.#setResumeFlag(false);
    let record = stepsToLimit ? this.#lookupToLimit() : this.#lookup(this.#base);
    if (this.#u16[(record + RECORD.handler.offset) >> 1] === CONTROL.breakpoint) {
      const hit = this.#debugging.meetsBreakpoint(now);
      if (hit !== undefined) return { reason: "stopped", hit };
      const bits = resumes ? 0 : this.#debugging.meetsOwnBreakpoint();
      if (bits !== 0) return this.#debugTrap(BigInt(bits));
      record += RECORD_BYTES;
    }
    const left = this.#execute(
      this.#base,
      record,
      this.#i32[(this.#base + slots.remaining.offset) >> 2] ?? 0,
    );
    const retired = this.units > now;
    // Intel SDM Vol. 3A §6.8.3, "Masking Exceptions and Interrupts When Switching Stacks": no trap after a load of SS.
    const loadedStack = this.state.getNumber(slots.interruptShadow) === SHADOW.stackLoad;
    const decided = trapped !== 0 && this.state.getNumber(slots.stepDecided) !== 0;
    const steps = trapped !== 0 && retired && !decided && (shadowed || !loadedStack);
    // Until the instruction is through; a repeated one is at its last iteration.
    if (resumes && (!retired || this.state.rip === before)) this.#setResumeFlag(true);
    if (shadowed && retired) this.state.setNumber(slots.interruptShadow, SHADOW.none);
    if (left === LEFT.fault) return this.#handleFault();
    if (left === LEFT.breakpoint) return undefined;
    // The fetch behind the last unit may have found a fault. It has not happened yet: it is tried again, from
    // wherever RIP is by then.
    this.state.setNumber(slots.faultVector, 0);
    if (left === LEFT.decode) return this.#decode();
    if (left === LEFT.handler) {
      const record = this.state.getNumber(ENGINE.currentRecord);
      this.#engine.loadHandler(this.#u16[(record + RECORD.handler.offset) >> 1] ?? 0);
      return undefined;
    }
    if (this.state.getNumber(slots.monitorEvent) !== 0) return undefined;
    if (steps) return this.#debugTrap(DR6_SINGLE_STEP);
    return undefined;
  }

  /** An instruction has left for the monitor: that takes a unit of its own, so it may be the next run's. */
  #takeRowEvent(): ProcessorExit | undefined {
    const code = this.state.getNumber(slots.monitorEvent);
    if (code === 0) return undefined;
    this.state.setNumber(slots.monitorEvent, 0);
    const event = decodeMonitorEvent(code, this.state.getNumber(slots.monitorVector));
    return event === undefined ? undefined : this.#leaveForMonitor(event);
  }

  /** Looks up one instruction of a segment that ends here, after which the driver asks again whether it does. */
  #lookupToLimit(): number {
    this.state.setNumber(slots.limitInPage, 0);
    this.state.setNumber(slots.stepsToLimit, 1);
    const record = this.#lookup(this.#base);
    this.state.setNumber(slots.stepsToLimit, 0);
    return record;
  }

  #setResumeFlag(isSet: boolean): void {
    const flags = this.state.get(slots.flagsSystem);
    this.state.set(slots.flagsSystem, isSet ? flags | RFLAGS.RF : flags & ~RFLAGS.RF);
  }

  #startSlice(units: number): void {
    const now = this.units;
    this.#settle();
    this.#i32[(this.#base + slots.remaining.offset) >> 2] = units;
    this.#i32[(this.#base + slots.remainingAtRing.offset) >> 2] = units;
    this.#sliceEnd = now + units;
  }

  /** An event takes a unit without retiring an instruction. */
  #spendUnit(): void {
    this.#sliceEnd += 1;
    this.#delivered += 1;
  }

  #leaveForMonitor(event: MonitorEvent): ProcessorExit {
    this.#spendUnit();
    this.#eventCounts.addMonitorEvent(event);
    return { reason: "event", event };
  }

  #takeInterrupt(): ProcessorExit | "delivered" | undefined {
    if (
      this.#nmiPending &&
      (this.state.getNumber(slots.nmiBlocked) === 0 || this.#extensions.takesBlockedNmi())
    ) {
      this.#nmiPending = false;
      this.#noticePending();
      const taken = this.#extensions.offer({ kind: "nmi" }, undefined);
      if (taken !== undefined) return taken.exit ?? "delivered";
      this.state.setNumber(slots.halted, 0);
      if (this.delivery === "monitor") return this.#leaveForMonitor({ kind: "nmi" });
      this.state.setNumber(slots.nmiBlocked, 1);
      this.#eventCounts.addName("nmis");
      this.#tellDelivery("nmi", VECTOR.NMI);
      return this.#deliver(VECTOR.NMI, EVENT.EXTERNAL, undefined) ?? "delivered";
    }
    const flags = this.#u32[(this.#base + slots.flagsSystem.offset) >> 2] ?? 0;
    if (!this.#interruptRequest) return undefined;
    const taken = this.#extensions.offer({ kind: "interrupt" }, undefined);
    if (taken !== undefined) return taken.exit ?? "delivered";
    if (this.delivery === "monitor") {
      this.state.setNumber(slots.halted, 0);
      return this.#leaveForMonitor({ kind: "interrupt" });
    }
    if ((flags & FLAG_IF) === 0) return undefined;
    this.state.setNumber(slots.halted, 0);
    const vector = this.#interrupts.acknowledge();
    this.#eventCounts.addVector("interrupts", vector);
    this.#tellDelivery("interrupt", vector);
    return this.#deliver(vector, EVENT.EXTERNAL, undefined) ?? "delivered";
  }

  /** #DB for what is pending, and for `cause`. */
  #debugTrap(cause: bigint): ProcessorExit | undefined {
    const pending = this.state.get(slots.pendingDebug);
    this.state.setNumber(slots.pendingDebug, 0);
    this.state.set(slots.dr6, this.state.get(slots.dr6) | pending | cause);
    this.state.set(slots.dr7, this.state.get(slots.dr7) & ~DR7_GENERAL_DETECT);
    return this.#raise(VECTOR.DB, undefined);
  }

  #handleFault(): ProcessorExit | undefined {
    // A breakpoint that was not met yet: it is the fetch that failed, and that comes later. Intel SDM Vol. 3A §6.9,
    // "Prioritization of Concurrent Events".
    if (this.state.getNumber(slots.debugArmed) !== 0) {
      const resumes = (this.state.get(slots.flagsSystem) & RFLAGS.RF) !== 0n;
      const bits = resumes ? 0 : this.#debugging.meetsOwnBreakpoint();
      if (bits !== 0) {
        this.state.setNumber(slots.faultVector, 0);
        return this.#debugTrap(BigInt(bits));
      }
    }
    // What the instruction met before it faulted did not happen.
    this.state.setNumber(slots.pendingDebug, 0);
    const { vector, errorCode } = takeFault(this.state);
    if (vector === EXIT_VECTOR) return this.#extensions.exit(errorCode ?? 0, undefined).exit;
    return this.#raise(vector, errorCode);
  }

  /** An exception as extensions see it. */
  #exceptionEvent(vector: number, errorCode: number | undefined): ExtensionEvent {
    const linear = vector === VECTOR.PF ? this.state.get(slots.faultLinear) : 0n;
    return { kind: "exception", vector, errorCode, linear };
  }

  #raise(vector: number, errorCode: number | undefined): ProcessorExit | undefined {
    const taken = this.#extensions.offer(this.#exceptionEvent(vector, errorCode), undefined);
    if (taken !== undefined) return taken.exit;
    if (this.delivery === "monitor") {
      const linear = vector === VECTOR.PF ? this.state.get(slots.faultLinear) : 0n;
      return this.#leaveForMonitor({ kind: "exception", vector, errorCode, linear });
    }
    this.#eventCounts.addVector("exceptions", vector);
    this.#tellDelivery("exception", vector, errorCode);
    return this.#deliver(vector, EVENT.EXCEPTION, errorCode);
  }

  #tellDelivery(kind: Delivery["kind"], vector: number, errorCode?: number): void {
    if (this.#onDelivery === undefined) return;
    const isPageFault = kind === "exception" && vector === VECTOR.PF;
    const linear = isPageFault ? this.state.get(slots.faultLinear) : undefined;
    this.#onDelivery({ kind, vector, errorCode, linear });
  }

  /** Delivers through the IDT; an exception on the way escalates. */
  #deliver(
    vector: number,
    kind: number,
    errorCode: number | undefined,
    returnRip?: bigint,
  ): ProcessorExit | undefined {
    let first: number | undefined = kind === EVENT.EXCEPTION ? vector : undefined;
    let next = { vector, kind, errorCode };
    this.#spendUnit();
    for (;;) {
      const hasErrorCode = next.errorCode !== undefined;
      if (returnRip !== undefined && next.kind !== EVENT.EXCEPTION) {
        this.#function("deliverSoftwareInterrupt")(
          this.#base,
          BigInt(next.vector),
          BigInt(next.kind),
          returnRip,
        );
      } else
        this.#function("deliver")(
          this.#base,
          BigInt(next.vector),
          BigInt(next.kind),
          hasErrorCode ? 1n : 0n,
          BigInt(next.errorCode ?? 0),
        );
      if (this.state.getNumber(slots.faultVector) === 0) return undefined;
      const second = takeFault(this.state);
      const delivering = this.#deliveringEvent(next.vector, next.kind, next.errorCode);
      if (second.vector === EXIT_VECTOR)
        return this.#extensions.exit(second.errorCode ?? 0, delivering).exit;
      // An extension sees the fault itself, before it becomes a double fault.
      const offered = this.#extensions.offer(
        this.#exceptionEvent(second.vector, second.errorCode),
        delivering,
      );
      if (offered !== undefined) return offered.exit;
      const escalation = escalate(first, second.vector);
      if (escalation === "shutdown") {
        const taken = this.#extensions.offer({ kind: "shutdown" }, delivering);
        if (taken !== undefined) return taken.exit;
        return {
          reason: "shutdown",
          why: `Triple fault: exception ${second.vector} while a double fault was delivered.`,
        };
      }
      if (escalation === "double fault") {
        // A page fault that ends as #DF has still written CR2.
        if (second.vector === VECTOR.PF)
          this.state.set(slots.cr2, this.state.get(slots.faultLinear));
        first = VECTOR.DF;
        next = { vector: VECTOR.DF, kind: EVENT.EXCEPTION, errorCode: 0 };
        const taken = this.#extensions.offer(this.#exceptionEvent(VECTOR.DF, 0), delivering);
        if (taken !== undefined) return taken.exit;
      } else {
        first = second.vector;
        next = { vector: second.vector, kind: EVENT.EXCEPTION, errorCode: second.errorCode };
      }
      this.#eventCounts.addVector("exceptions", next.vector);
      this.#tellDelivery("exception", next.vector, next.errorCode);
    }
  }

  #deliveringEvent(vector: number, kind: number, errorCode: number | undefined): ExtensionEvent {
    if (kind === EVENT.EXCEPTION) return this.#exceptionEvent(vector, errorCode);
    if (kind !== EVENT.EXTERNAL)
      return { kind: "software", vector, privileged: kind === EVENT.PRIVILEGED_SOFTWARE };
    return vector === VECTOR.NMI ? { kind: "nmi" } : { kind: "interrupt", vector };
  }

  #decode(): ProcessorExit | undefined {
    const stale = this.state.getNumber(ENGINE.currentRecord);
    const mode = this.state.mode;
    if (!isMode(mode))
      throw new RangeError(`Bug in ringside: code of ${mode} bits, please report.`);
    const { flushes } = this.#cache;
    if (stale >= FIXED_RECORDS_END) {
      // An overwritten or unfinished record: find the physical address again. One whose other page moved is still the
      // one that the fast look-up finds, so the slow one has to say the address.
      const moved = this.#cache.owns(stale) && this.#cache.straddles(stale);
      const record = moved ? this.#function("lookupSlowly")(this.#base) : this.#lookup(this.#base);
      if (this.state.getNumber(slots.faultVector) !== 0) return this.#handleFault();
      if (record === FIXED_RECORDS.recheck) return undefined;
      if (moved) {
        this.#cache.forget(Number(this.state.get(ENGINE.decodePhysical)), mode);
      } else if (record >= FIXED_RECORDS_END && record !== stale) {
        if (this.#cache.owns(stale)) this.#cache.forward(stale, record);
        return undefined;
      }
    }
    const physical = Number(this.state.get(ENGINE.decodePhysical));
    const result = this.#cache.decode(physical, mode, () => {
      const next = this.#function("nextCodePage")(this.#base) as unknown as bigint;
      return this.state.getNumber(slots.faultVector) !== 0
        ? undefined
        : Number(BigInt.asUintN(64, next));
    });
    if (result === "fault") return this.#handleFault();
    if (result === "no-memory") return this.#raise(VECTOR.UD, undefined);
    if (stale >= FIXED_RECORDS_END && flushes === this.#cache.flushes) {
      const record = this.#cache.recordAt(physical, mode);
      if (record !== 0) this.#cache.forward(stale, record);
    }
    return undefined;
  }

  // Helpers.

  #helpers(context: HelperContext): Readonly<Record<string, BoundHelper>> {
    // The state does not exist yet when helpers are made.
    let made: SystemHelpers | undefined;
    const system = (): SystemHelpers => (made ??= systemHelpers(this.#systemContext()));
    return {
      ...boundFloatingPoint(context),
      ...this.#devices.helpers,
      codeWritten: (physical = 0, bytes = 0) => this.#cache.written(physical >>> 0, bytes),
      ...this.#debugging.helpers,
      mark: (id = 0) => this.#onMark?.(id & 0xffff),
      portRead: (port = 0, bytes = 0) => {
        this.#debugging.noticePort(port & 0xffff, bytes);
        return this.#ports.read(port & 0xffff, accessSize(bytes));
      },
      portWrite: (port = 0, bytes = 0, value = 0) => {
        this.#debugging.noticePort(port & 0xffff, bytes);
        this.#ports.write(port & 0xffff, accessSize(bytes), value >>> 0);
      },
      readTaskPriority: () => this.#interrupts.readTaskPriority(),
      writeTaskPriority: (priority = 0) => this.#interrupts.writeTaskPriority(priority),
      flushTlb: (includingGlobal = 0) => this.flushTlb(includingGlobal !== 0),
      switchTask: taskHelper({
        functionOf: (name) => this.#function(name),
        base: this.#base,
        state: () => this.state,
        flushTlb: (includingGlobal) => this.flushTlb(includingGlobal),
        readDebugRegisters: () => this.#debugging.readRegisters(),
        raise: (exception, errorCode) => context.raise(exception, errorCode),
        intercept: (selector, kind) => this.#extensions.taskSwitch(selector, kind),
      }),
      invalidatePage: () => this.invalidatePage(this.state.get(slots.scratch0)),
      cpuid: () => system().cpuid(),
      readMsr: (index = 0) => system().readMsr(index),
      writeMsr: (index = 0) => system().writeMsr(index),
      readTimestamp: () => system().readTimestamp(),
    };
  }

  #systemContext(): SystemContext {
    const interrupts = this.#interrupts;
    return {
      state: this.state,
      profile: this.profile,
      apicId: 0,
      now: () => BigInt(this.now),
      flushTlb: () => this.flushTlb(true),
      foreignMsrs: [
        ...this.#extensions.msrs,
        {
          read: (index) => interrupts.readMsr?.(index),
          write: (index, value) => interrupts.writeMsr?.(index, value),
        },
      ],
    };
  }
}

function isMode(mode: number): mode is Mode {
  return EXECUTABLE_MODES.has(mode);
}
