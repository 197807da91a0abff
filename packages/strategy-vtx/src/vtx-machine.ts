/**
 * One virtual PC: a guest in non-root operation, its devices, and the hypervisor between.
 *
 * The life of an exit: the processor saves the guest and says why it stopped; a handler does what the guest could not;
 * what waits for the guest is injected; VMRESUME. Time goes on by the processor's units. The host's timer is set to
 * the first deadline of the guest's devices, and only its interrupt gives them their time.
 */
import { defaultProfile, Processor, VirtualProcessor, type ProcessorExit } from "@ringside/isa";
import {
  GuestDevices,
  GuestMemory,
  InstructionEmulator,
  MonitorWork,
  PhysicalInterrupts,
  ProcessorIdentity,
  shadowFrames,
  ShadowMmu,
  VirtualInterrupts,
} from "@ringside/hypervisor";
import {
  exitName,
  hostStateDefaults,
  sandyBridge,
  vmxExtension,
  type EntryResult,
  type VmExit,
  type VmxControl,
} from "@ringside/isa-vmx";
import {
  Board,
  enterKernel,
  frameBytes,
  loadKernel,
  type BoardOptions,
  type KernelImage,
} from "@ringside/machine";
import {
  GuestInspector,
  processorCounts,
  type Claim,
  type Counts,
  type Inspector,
  type KernelMachine,
  type KernelMachineExit,
  type KernelMachineListeners,
} from "@ringside/strategy";
import { noAccessors, noPorts } from "./absent-host.ts";
import { EptPaging } from "./ept-paging.ts";
import { EptTables } from "./ept-tables.ts";
import { Events } from "./events.ts";
import { handleExit, type ExitContext, type Handled } from "./exit-handlers.ts";
import { GuestView } from "./guest-view.ts";
import { ownFramesOf, type OwnFrames } from "./own-frames.ts";
import type { Paging, PagingKind } from "./paging.ts";
import { ShadowPaging } from "./shadow-paging.ts";
import { primaryControls, writeControls, writeMsrBitmap } from "./vmcs-setup.ts";
import { Vmcs } from "./vmcs.ts";
import { VtxCpu } from "./vtx-cpu.ts";

const capabilities = sandyBridge;
/** One for all machines, which then share the compiled interpreter. */
const vmx = vmxExtension({ rootMode: "monitor", capabilities });
const interruptFlag = 0x200n;
/** Offset of the task priority in a virtual-APIC page. */
const vtprOffset = 0x80;

export interface VtxMachineOptions
  extends Omit<BoardOptions, "clock" | "onExit" | "onSerial" | "onDebug">, KernelMachineListeners {
  readonly claim: Claim;
  readonly kernel: KernelImage;
  readonly paging: PagingKind;
}

export class VtxMachine implements KernelMachine {
  readonly processor: Processor;
  readonly inspect: Inspector;
  readonly #options: VtxMachineOptions;
  readonly #control: VmxControl;
  readonly #work: MonitorWork = new MonitorWork();
  readonly #board: Board;
  readonly #memory: GuestMemory;
  readonly #physicalInterrupts: PhysicalInterrupts = new PhysicalInterrupts();
  readonly #virtualInterrupts: VirtualInterrupts;
  readonly #vmcs: Vmcs;
  readonly #devices: GuestDevices;
  readonly #emulator: InstructionEmulator;
  readonly #identity: ProcessorIdentity;
  /** Host-physical addresses of the frames that the hypervisor keeps. */
  readonly #frames: OwnFrames;
  /** Made anew by each {@link reset}. */
  #context: ExitContext;
  /** VMLAUNCH has succeeded since VMCLEAR. */
  #launched = false;
  #halted = false;
  /** RFLAGS.IF of a halted guest. */
  #haltedOpen = false;
  #stopRequested = false;
  /** Times that a halted guest was visited by an event: progress that the processor does not count. */
  #visits = 0;
  #unitsAtReset = 0;

  /**
   * @throws {ImageError} when a file of the guest is malformed or does not fit.
   * @throws {RangeError} when the claim is smaller than {@link hostBytesFor} says.
   */
  constructor(options: VtxMachineOptions) {
    const { claim, memoryBytes, onMark } = options;
    this.#options = options;
    this.#frames = ownFramesOf(claim, memoryBytes, options.paging);
    this.#memory = new GuestMemory({
      memory: claim.memory,
      frames: claim.frames,
      sizeBytes: memoryBytes,
      work: this.#work,
    });
    // Port accesses exit, so that the board hears of them in root operation: nothing has to be cut short.
    this.#board = new Board({
      ...options,
      hardware: options.kernel.hardware,
      dma: this.#memory,
      clock: this,
      onExit: () => {},
    });
    this.processor = new Processor({
      memory: claim.memory,
      ports: noPorts,
      interrupts: this.#physicalInterrupts,
      extensions: [vmx],
      ...(onMark === undefined ? {} : { onMark }),
    });
    this.#control = vmx.of(this.processor);
    this.#physicalInterrupts.onRequest = (asserted) => this.processor.setInterruptRequest(asserted);
    this.#board.timeline.onEarlier = (deadline) => {
      this.processor.stopAt(Math.max(deadline - this.processor.idleUnits, this.processor.units));
    };
    this.#virtualInterrupts = new VirtualInterrupts(this.#board.interrupts, () => {
      if (this.#isInGuest) this.#physicalInterrupts.kick();
    });
    this.#devices = new GuestDevices(this.#board, this.#memory);
    this.#vmcs = new Vmcs(this.#control, this.#work);
    this.#emulator = new InstructionEmulator({
      profile: defaultProfile,
      devices: this.#devices,
      work: this.#work,
      now: () => this.now,
      invalidatePage: (linear) => this.processor.invalidatePage(linear),
      flushTlb: (includingGlobal) => this.processor.flushTlb(includingGlobal),
    });
    this.#identity = new ProcessorIdentity(defaultProfile, (index) =>
      this.#board.interrupts.readMsr(index),
    );
    this.inspect = new GuestInspector({
      memory: this.#memory,
      registers: () => this.#view.registers(),
      controls: () => this.#view.controls(),
    });
    this.#context = this.#boot();
  }

  /** Guest time in nanoseconds; exact also inside callbacks. */
  get now(): number {
    return this.processor.units + this.processor.idleUnits;
  }

  /** Progress, which limits count: the processor's units and the visits while the guest was halted. */
  get units(): number {
    return this.processor.units - this.#unitsAtReset + this.#visits;
  }

  /** Bytes of the host that the guest has not read yet. */
  get unreadBytes(): number {
    return this.#board.serial.unreadBytes;
  }

  /** What the processor and the hypervisor count, since they were made. */
  counts(): Counts {
    const { entries, failedEntries, exits } = this.#control.counts();
    const flat: Record<string, number> = { ...this.#work.flat(), entries };
    if (failedEntries > 0) flat["failedEntries"] = failedEntries;
    for (const [name, count] of Object.entries(exits)) flat[`exits.${name}`] = count;
    return processorCounts(this.processor.counts(), this.units, flat);
  }

  /** Ends the present {@link run} after the present instruction, or the next one at once. */
  requestStop(): void {
    this.#stopRequested = true;
    this.processor.requestStop();
  }

  /** Sends bytes to the guest's serial port; they are copied. */
  send(bytes: Uint8Array): void {
    this.#board.serial.receive(bytes);
  }

  /** No more bytes will be sent: a guest that halts for them has halted for good. */
  endInput(): void {
    this.#board.endInput();
  }

  /** Runs at most `limitUnits`, an integer of at least 1. Output has reached its listeners when it returns. */
  run(limitUnits: number): KernelMachineExit {
    try {
      return this.#run(this.units + limitUnits);
    } finally {
      this.#board.flush();
    }
  }

  powerDown(): void {
    this.#board.powerDown();
  }

  /** The guest anew, time and units at 0. The processor's counts go on. */
  reset(): void {
    this.#memory.clear();
    this.#context = this.#boot();
  }

  get #view(): GuestView {
    const { cpu, paging } = this.#context;
    return new GuestView(this.#control, this.processor.state, cpu, paging);
  }

  get #isInGuest(): boolean {
    return this.#control.operation === "non-root";
  }

  #boot(): ExitContext {
    const { memory } = this.#options.claim;
    const { memoryBytes, kernel } = this.#options;
    this.#launched = false;
    this.#halted = false;
    this.#stopRequested = false;
    this.#visits = 0;
    this.#board.timeline.clear();
    this.processor.reset();
    this.#unitsAtReset = this.processor.units;
    this.processor.idleUnits = -this.processor.units;
    this.#board.reset();
    this.#physicalInterrupts.reset();
    this.#virtualInterrupts.reset();

    const { vmxon, vmcs, msrBitmap, virtualApic } = this.#frames;
    for (const frame of [vmxon, vmcs, virtualApic]) memory.physical.fill(frame, 0, frameBytes);
    for (const region of [vmxon, vmcs]) memory.physical.writeU32(region, this.#control.revision);
    this.#control.vmxon(vmxon);
    this.#control.vmclear(vmcs);
    this.#control.vmptrld(vmcs);
    writeMsrBitmap(memory.physical, msrBitmap);

    const paging = this.#makePaging();
    const cpu = new VtxCpu(this.#vmcs, this.processor.state, paging, capabilities);
    hostStateDefaults(this.#control);
    writeControls(this.#vmcs, capabilities, { msrBitmap, virtualApic }, paging.controls);
    paging.start();

    const guest = new VirtualProcessor({ profile: defaultProfile, accessors: noAccessors });
    enterKernel(guest.state, loadKernel(this.#memory.bootTarget, memoryBytes, kernel));
    cpu.storeAll(guest.state);
    return {
      vmcs: this.#vmcs,
      cpu,
      physical: this.processor.state,
      events: new Events(
        this.#vmcs,
        this.processor.state,
        this.#virtualInterrupts,
        this.#board.interrupts,
        primaryControls(capabilities, paging.controls),
      ),
      paging,
      devices: this.#devices,
      emulator: this.#emulator,
      identity: this.#identity,
      onPhysicalInterrupt: () => this.#board.dispatchDue(),
    };
  }

  #makePaging(): Paging {
    const { memory } = this.#options.claim;
    const { paging } = this.#options;
    if (paging === "ept") {
      let next = 0;
      const tables = new EptTables({
        memory: memory.physical,
        work: this.#work,
        allotTable: () => this.#frames.tables + frameBytes * next++,
      });
      return new EptPaging(this.#vmcs, this.#memory, tables);
    }
    const tableFrames = Array.from(
      { length: shadowFrames },
      (_, index) => this.#frames.tables + index * frameBytes,
    );
    const mmu = new ShadowMmu({
      memory,
      guest: this.#memory,
      work: this.#work,
      tableFrames,
      flushTlb: () => this.processor.flushTlb(true),
    });
    this.#memory.onWritten = (gpa, lengthBytes) => mmu.written(gpa, lengthBytes);
    return new ShadowPaging(this.#vmcs, mmu);
  }

  #run(end: number): KernelMachineExit {
    for (;;) {
      const { end: ended } = this.#board;
      if (ended !== undefined) return ended;
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return { reason: "stopped" };
      }
      const left = end - this.units;
      if (left <= 0) return { reason: "limit" };
      if (this.#halted) {
        const over = this.#idle();
        if (over !== undefined) return over;
        continue;
      }
      const failed = this.#isInGuest ? undefined : this.#enter();
      if (failed !== undefined) return failed;
      this.#armTimer();
      const budget = Math.min(left, this.#physicalInterrupts.deadline - this.now);
      const over = this.#afterRun(this.processor.run(budget));
      if (over !== undefined) return over;
    }
  }

  /** Sets the host's timer to the guest's first deadline; what is due interrupts at once. */
  #armTimer(): void {
    this.#physicalInterrupts.arm(this.#board.timeline.nextDeadline);
    this.#physicalInterrupts.advance(this.now);
  }

  #enter(): KernelMachineExit | undefined {
    const { physical } = this.#options.claim.memory;
    const { apic } = this.#board.interrupts;
    const priority = apic.readTaskPriority() << 4;
    const at = this.#frames.virtualApic + vtprOffset;
    if (physical.readU32(at) !== priority) physical.writeU32(at, priority);
    this.#context.events.prepareEntry();
    const result: EntryResult = this.#launched ? this.#control.resume() : this.#control.launch();
    if (result.kind === "entered") {
      this.#launched = true;
      return undefined;
    }
    const failure = result.kind === "failed" ? result.failure : result.exit.entryFailure;
    return {
      reason: "crashed",
      why: `VM entry failed. ${failure?.message ?? "No check says why."}`,
    };
  }

  #afterRun(exit: ProcessorExit): KernelMachineExit | undefined {
    switch (exit.reason) {
      case "limit":
      case "stopped":
        return undefined;
      case "extension":
        return this.#afterExit(exit.value as VmExit); // What isa-vmx documents that it leaves with.
      case "shutdown":
      case "halted":
      case "event":
        throw new Error(
          `Bug in ringside: a guest left non-root operation for its ${exit.reason}, please report.`,
        );
    }
  }

  #afterExit(exit: VmExit): KernelMachineExit | undefined {
    this.#options.onMonitorEntry?.(exitName(exit.reason));
    this.#work.add("entries");
    // The processor keeps the task priority in the virtual-APIC page while the guest runs.
    const { apic } = this.#board.interrupts;
    const priority =
      this.#options.claim.memory.physical.readU32(this.#frames.virtualApic + vtprOffset) >> 4;
    if (priority !== apic.readTaskPriority()) apic.writeTaskPriority(priority);

    const handled: Handled = handleExit(this.#context, exit);
    switch (handled.kind) {
      case "resume":
        return undefined;
      case "halted":
        this.#halted = true;
        this.#haltedOpen = (this.#vmcs.read("GUEST_RFLAGS") & interruptFlag) !== 0n;
        return undefined;
      case "crashed":
        return { reason: "crashed", why: handled.why };
    }
  }

  /** The host sleeps until its timer, if what the timer brings can wake the guest; else says why there is nothing to wait for. */
  #idle(): KernelMachineExit | undefined {
    this.#board.dispatchDue();
    const { isPending, isNmiPending } = this.#virtualInterrupts;
    if (isNmiPending || (isPending && this.#haltedOpen)) {
      this.#halted = false;
      return undefined;
    }
    if (!this.#haltedOpen) return { reason: "halted" };
    const step = this.#board.idleStep;
    if (step !== undefined) {
      this.processor.idleUnits += step.nanoseconds;
      this.#visits += 1;
      return step.leavesRun ? { reason: "stopped" } : undefined;
    }
    return { reason: this.#board.awaitsInput ? "waiting" : "halted" };
  }
}
