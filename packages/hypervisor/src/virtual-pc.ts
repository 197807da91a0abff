/**
 * A virtual PC under a hypervisor that has the host's one processor: memory, board, interrupts and time of the guest, and
 * the loop that lets it run and sleep.
 *
 * How the guest runs on the processor, and how the hypervisor gets control back, is the {@link VirtualPcCore}'s: of the
 * whole machine, the one part that only a strategy knows.
 */
import { Processor, type DebugHit, type ProcessorOptions } from "@ringside/isa";
import { Board } from "@ringside/machine";
import {
  GuestInspector,
  processorCounts,
  type Counts,
  type Inspector,
  type KernelMachine,
  type KernelMachineExit,
  type KernelMachineOptions,
  type Registers,
  type TranslationControls,
} from "@ringside/strategy";
import { GuestDevices } from "./guest-devices.ts";
import { GuestMemory } from "./guest-memory.ts";
import { GuestTime } from "./guest-time.ts";
import { MonitorWork } from "./monitor-work.ts";
import { PhysicalInterrupts } from "./physical-interrupts.ts";
import { VirtualInterrupts } from "./virtual-interrupts.ts";

/** What a step came to. */
export type GuestStep =
  | { readonly kind: "resume" }
  /** The guest executed HLT. */
  | { readonly kind: "halted" }
  /** A stop of the processor's debugger was met. */
  | { readonly kind: "stopped"; readonly hit: DebugHit }
  /** The guest cannot go on. */
  | { readonly kind: "crashed"; readonly why: string };

export interface VirtualPcCore {
  /** The processor executes the guest: only an interrupt of the host's gives the hypervisor control. */
  readonly isRunning: boolean;
  /** A guest that has executed HLT is woken by interrupts, not by NMIs alone: its RFLAGS.IF. */
  readonly listens: boolean;
  /**
   * Loads the kernel and puts the guest's processor where it begins. Board, time and the host's processor are as
   * after power-on, and the guest's memory is zeros.
   *
   * @throws {ImageError} when a file of the guest is malformed or does not fit.
   */
  boot(): void;
  /** Enters the guest and serves what it came back for. The processor runs for what `VirtualPc.time` allows of `leftUnits`. */
  step(leftUnits: number): GuestStep;
  /** The guest's registers, for people. */
  registers(): Registers;
  controls(): TranslationControls;
  /** What it counts itself since it was made, by dotted name. */
  counts(): Readonly<Record<string, number>>;
}

export interface VirtualPcOptions<Core extends VirtualPcCore> extends KernelMachineOptions {
  /** What the host's processor is, beside its memory and interrupts. */
  readonly processor: (board: Board) => Omit<ProcessorOptions, "memory" | "interrupts" | "onMark">;
  /** Made once, and booted behind that and at each reset. */
  readonly core: (pc: VirtualPc<Core>) => Core;
}

/** A machine for guests that expect a PC; what a core may use of it is public. */
export class VirtualPc<Core extends VirtualPcCore = VirtualPcCore> implements KernelMachine {
  readonly inspect: Inspector;
  /** The host's. */
  readonly processor: Processor;
  readonly core: Core;
  readonly work: MonitorWork = new MonitorWork();
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly devices: GuestDevices;
  readonly interrupts: VirtualInterrupts;
  readonly physicalInterrupts: PhysicalInterrupts = new PhysicalInterrupts();
  readonly time: GuestTime;
  #halted = false;

  /**
   * @throws {ImageError} As {@link VirtualPcCore.boot}.
   * @throws {RangeError} when the claim has no room for the guest's memory.
   */
  constructor(options: VirtualPcOptions<Core>) {
    const { claim, memoryBytes, onMark } = options;
    this.memory = new GuestMemory({
      memory: claim.memory,
      frames: claim.frames,
      sizeBytes: memoryBytes,
      work: this.work,
    });
    this.board = new Board({
      clock: this,
      memoryBytes,
      epochSeconds: options.epochSeconds,
      onSerial: options.onSerial,
      onDebug: options.onDebug,
      hardware: options.kernel.hardware,
      dma: this.memory,
      // Of what the guest executes where its ports are the board's; nothing where they bring the hypervisor control.
      onExit: () => this.processor.stopAt(this.processor.units),
    });
    this.devices = new GuestDevices(this.board, this.memory);
    this.processor = new Processor({
      ...options.processor(this.board),
      memory: claim.memory,
      interrupts: this.physicalInterrupts,
      ...(onMark === undefined ? {} : { onMark }),
    });
    this.time = new GuestTime(this.processor, this.physicalInterrupts, this.board.timeline);
    this.interrupts = new VirtualInterrupts(this.board.interrupts, () => {
      if (this.core.isRunning) this.physicalInterrupts.kick();
    });
    this.core = options.core(this);
    this.inspect = new GuestInspector({
      memory: this.memory,
      registers: () => this.core.registers(),
      controls: () => this.core.controls(),
    });
    this.#boot();
  }

  get now(): number {
    return this.time.now;
  }

  get units(): number {
    return this.time.units;
  }

  get unreadBytes(): number {
    return this.board.serial.unreadBytes;
  }

  counts(): Counts {
    const own = { ...this.work.flat(), ...this.core.counts() };
    return processorCounts(this.processor.counts(), this.units, own);
  }

  requestStop(): void {
    this.time.requestStop();
  }

  send(bytes: Uint8Array): void {
    this.board.serial.receive(bytes);
  }

  endInput(): void {
    this.board.endInput();
  }

  run(limitUnits: number): KernelMachineExit {
    try {
      return this.#run(this.units + limitUnits);
    } finally {
      this.board.flush();
    }
  }

  powerDown(): void {
    this.board.powerDown();
  }

  reset(): void {
    this.memory.clear();
    this.#boot();
  }

  #boot(): void {
    this.#halted = false;
    this.time.reset();
    this.board.reset();
    this.interrupts.reset();
    this.core.boot();
  }

  #run(end: number): KernelMachineExit {
    for (;;) {
      const { end: ended } = this.board;
      if (ended !== undefined) return ended;
      if (this.time.takeStop()) return { reason: "stopped" };
      const left = end - this.units;
      if (left <= 0) return { reason: "limit" };
      const over = this.#halted ? this.#idle() : this.#step(left);
      if (over !== undefined) return over;
    }
  }

  #step(left: number): KernelMachineExit | undefined {
    const step = this.core.step(left);
    switch (step.kind) {
      case "resume":
        return undefined;
      case "halted":
        this.#halted = true;
        return undefined;
      case "stopped":
        return { reason: "stopped", hit: step.hit };
      case "crashed":
        return { reason: "crashed", why: step.why };
    }
  }

  /** The host sleeps until its timer, if what the timer brings can wake the guest; else says why there is nothing to wait for. */
  #idle(): KernelMachineExit | undefined {
    this.board.dispatchDue();
    const { isPending, isNmiPending } = this.interrupts;
    const { listens } = this.core;
    if (isNmiPending || (isPending && listens)) {
      this.#halted = false;
      return undefined;
    }
    if (!listens) return { reason: "halted" };
    const step = this.board.idleStep;
    if (step !== undefined) {
      this.time.sleep(step.nanoseconds);
      return step.leavesRun ? { reason: "stopped" } : undefined;
    }
    return { reason: this.board.awaitsInput ? "waiting" : "halted" };
  }
}
