/**
 * The board of a PC, without its processor: interrupt controllers, timers, serial port, clock, and their buses.
 *
 * Whoever owns the board tells it when events are due, and answers its interrupt request: a {@link Machine} for the
 * processor on it, a hypervisor for a virtual one.
 */
import type { MmioRegion } from "@ringside/isa";
import { ChipSet } from "./chip-set.ts";
import { Cmos } from "./devices/cmos.ts";
import { DebugConsole } from "./devices/debug-console.ts";
import { ExitPort } from "./devices/exit-port.ts";
import { Pit } from "./devices/pit.ts";
import { PostPort } from "./devices/post-port.ts";
import { Uart } from "./devices/uart.ts";
import type { DmaMemory } from "./dma.ts";
import type { Hardware } from "./hardware.ts";
import { InterruptController } from "./interrupts/interrupt-controller.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { clockLine } from "./platform.ts";
import { PortBus } from "./ports.ts";
import { Timeline, type Clock, type ScheduledEvent } from "./timeline.ts";

const timerLine = 0;
const serialLine = 4;
/**
 * Machine time that passes in one go while a network waits for the host: about what an event loop takes for a round, so
 * that the guest's patience and the host's answers go by similar clocks.
 */
const pacedNanoseconds = 1_000_000;

export interface BoardOptions {
  /** The time in which its devices live. */
  readonly clock: Clock;
  /** Size that the CMOS reports, in bytes. */
  readonly memoryBytes: number;
  /** What the calendar says at time 0, in seconds since 1970-01-01T00:00:00Z. */
  readonly epochSeconds: number;
  /** Bytes that the guest sends to its first serial port. */
  readonly onSerial?: (bytes: Uint8Array) => void;
  /** Bytes that the guest writes to the debug console, port 0xe9. */
  readonly onDebug?: (bytes: Uint8Array) => void;
  /** What it has beside the small board; nothing without it. */
  readonly hardware?: Hardware | undefined;
  /** The guest's memory, for devices that reach it on their own: only {@link hardware} has any. */
  readonly dma?: DmaMemory;
  /** The guest has switched the machine off or restarts it; {@link Board.end} says which. */
  readonly onExit: () => void;
}

/** What a halted processor does: it lets time pass. */
export interface IdleStep {
  /** Machine time to skip, at least 0. */
  readonly nanoseconds: number;
  /** True when the run must end then, and go on soon: a network waits for the host, who needs time of its own. */
  readonly leavesRun: boolean;
}

/** How a guest ended its machine. */
export type BoardEnd =
  /** `value` is what it wrote to the exit port; undefined when it switched off by ACPI. */
  | { readonly reason: "powered-off"; readonly value: number | undefined }
  /** It pulled the reset line: the reset register, or the 8042. */
  | { readonly reason: "restarting" };

export class Board {
  readonly timeline: Timeline;
  readonly ports: PortBus = new PortBus();
  readonly interrupts: InterruptController;
  readonly serial: Uart;
  readonly #pit: Pit;
  readonly #cmos: Cmos;
  readonly #post: PostPort = new PostPort();
  readonly #serialOutput: OutputBuffer;
  readonly #debugOutput: OutputBuffer;
  readonly #onExit: () => void;
  readonly #chipSet: ChipSet | undefined;
  /** The HPET has taken the lines of 8254 and clock. */
  #isTimerReplaced = false;
  #end: BoardEnd | undefined;
  #inputEnded = false;

  constructor(options: BoardOptions) {
    this.timeline = new Timeline(options.clock);
    this.interrupts = new InterruptController(this.timeline, options.hardware !== undefined);
    this.#onExit = options.onExit;
    const { interrupts } = this;
    this.#serialOutput = new OutputBuffer(options.onSerial);
    this.#debugOutput = new OutputBuffer(options.onDebug);
    this.serial = new Uart(this.timeline, {
      name: "com1",
      base: 0x3f8,
      setLine: (level) => interrupts.setLine(serialLine, level),
      onTransmit: (byte) => this.#serialOutput.push(byte),
    });
    this.#pit = new Pit(this.timeline, (level) => {
      if (!this.#isTimerReplaced) interrupts.setLine(timerLine, level);
    });
    this.#cmos = new Cmos(this.timeline, options, (level) => {
      if (!this.#isTimerReplaced) interrupts.setLine(clockLine, level);
    });
    const { hardware, dma } = options;
    if (hardware !== undefined) {
      if (dma === undefined)
        throw new RangeError("A board with hardware needs memory for it: pass dma.");
      this.#chipSet = new ChipSet({
        timeline: this.timeline,
        interrupts,
        dma,
        hardware,
        onPowerOff: () => this.#endBy({ reason: "powered-off", value: undefined }),
        onReset: () => this.#endBy({ reason: "restarting" }),
        onLegacyReplacement: (isReplaced) => (this.#isTimerReplaced = isReplaced),
      });
    }
    for (const device of [
      interrupts.pic,
      this.#pit,
      this.#cmos,
      this.serial,
      this.#post,
      new DebugConsole((byte) => this.#debugOutput.push(byte)),
      new ExitPort((value) => this.#endBy({ reason: "powered-off", value })),
      ...(this.#chipSet?.portDevices ?? []),
    ]) {
      this.ports.attach(device);
    }
  }

  /** How the guest first ended the machine, if it has. */
  get end(): BoardEnd | undefined {
    return this.#end;
  }

  /** Where its devices answer in physical memory; fixed for the life of the board. */
  get mmio(): readonly MmioRegion[] {
    const { apic, ioApic } = this.interrupts;
    return [apic, ...(ioApic === undefined ? [] : [ioApic]), ...(this.#chipSet?.mmio ?? [])];
  }

  /**
   * What a halted processor that listens does next; undefined when only input can wake it, if anything: see
   * {@link awaitsInput}.
   */
  get idleStep(): IdleStep | undefined {
    const canWake = this.timeline.events.some((event) => this.#canWake(event));
    const left = canWake ? Math.max(this.timeline.nextDeadline - this.timeline.now, 0) : Infinity;
    // Else the guest's patience would run out before the host has had a chance to answer.
    if (this.#chipSet?.awaitsHost === true) {
      return { nanoseconds: Math.min(left, pacedNanoseconds), leavesRun: true };
    }
    return canWake ? { nanoseconds: left, leavesRun: false } : undefined;
  }

  /** True when bytes from the host's side of the serial port would interrupt the processor, and may still come. */
  get awaitsInput(): boolean {
    return !this.#inputEnded && this.serial.listens && this.interrupts.isOpen(serialLine);
  }

  /** Asks an operating system that listens to its ACPI power button to shut down; nothing on the small board. */
  pressPowerButton(): void {
    this.#chipSet?.power.pressPowerButton();
  }

  /** No more bytes will be sent to the serial port: a guest that halts for them has halted for good. */
  endInput(): void {
    this.#inputEnded = true;
  }

  /**
   * Lets go of what the host has given to devices: connections end, files are closed, and nothing reaches the guest's
   * memory any more. To be called before that memory is given back; {@link reset} does it, too.
   */
  powerDown(): void {
    this.#chipSet?.reset();
  }

  /** Hands every event that is due to its device. */
  dispatchDue(): void {
    for (let due = this.timeline.takeDue(); due !== undefined; due = this.timeline.takeDue()) {
      if (this.#chipSet?.dispatch(due) === true) continue;
      switch (due.device) {
        case this.#pit.name:
          this.#pit.onEvent();
          break;
        case this.serial.name:
          this.serial.onEvent(due.event);
          break;
        case this.#cmos.name:
          this.#cmos.onEvent(due.event);
          break;
        default:
          this.interrupts.apic.onEvent();
      }
    }
  }

  /** Hands buffered output to its listeners. */
  flush(): void {
    this.#serialOutput.flush();
    this.#debugOutput.flush();
  }

  /** Devices as after power-on, nothing scheduled. The clock must read 0 by now. */
  reset(): void {
    this.#end = undefined;
    this.#isTimerReplaced = false;
    this.#inputEnded = false;
    this.timeline.clear();
    this.interrupts.reset();
    this.serial.reset();
    this.#pit.reset();
    this.#cmos.reset();
    this.#post.reset();
    this.#chipSet?.reset();
  }

  #endBy(end: BoardEnd): void {
    this.#end ??= end;
    this.#onExit();
  }

  #canWake(event: ScheduledEvent): boolean {
    const chipSetCan = this.#chipSet?.canWake(event);
    if (chipSetCan !== undefined) return chipSetCan;
    switch (event.device) {
      case this.#pit.name:
        return this.interrupts.isOpen(timerLine);
      case this.serial.name:
        return this.serial.listens && this.interrupts.isOpen(serialLine);
      case this.#cmos.name:
        return this.interrupts.isOpen(clockLine);
      default:
        return this.interrupts.apic.timerIsOpen;
    }
  }
}
