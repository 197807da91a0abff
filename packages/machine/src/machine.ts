/**
 * A PC: one processor with its interrupt controllers, timers, serial port and clock, run in machine time.
 *
 * Machine time is the processor's units plus what was skipped while it was halted; one is a nanosecond. Between
 * two deadlines of devices the processor runs alone, and it is cut off at exactly the unit of the next one.
 */
import {
  Processor,
  type HostMemory,
  type ProcessorExit,
  type ProcessorOptions,
  type ProcessorProfile,
} from "@ringside/isa";
import { Cmos } from "./devices/cmos.ts";
import { DebugConsole } from "./devices/debug-console.ts";
import { ExitPort } from "./devices/exit-port.ts";
import { Pit } from "./devices/pit.ts";
import { PostPort } from "./devices/post-port.ts";
import { Uart } from "./devices/uart.ts";
import { InterruptController } from "./interrupts/interrupt-controller.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { PortBus } from "./ports.ts";
import { Timeline, type ScheduledEvent } from "./timeline.ts";

const timerLine = 0;
const serialLine = 4;
const interruptFlag = 0x200n;

export interface MachineOptions {
  readonly memory: HostMemory;
  /** Size that the CMOS reports, in bytes. */
  readonly memoryBytes: number;
  /** What the calendar says at machine time 0, in seconds since 1970-01-01T00:00:00Z. */
  readonly epochSeconds: number;
  /** What the processor says it is; the processor's default without it. */
  readonly profile?: ProcessorProfile;
  readonly extensions?: NonNullable<ProcessorOptions["extensions"]>;
  readonly delivery?: "architectural" | "monitor";
  /** Bytes that the guest sends to its first serial port. */
  readonly onSerial?: (bytes: Uint8Array) => void;
  /** Bytes that the guest writes to the debug console, port 0xe9. */
  readonly onDebug?: (bytes: Uint8Array) => void;
  readonly onMark?: (id: number) => void;
}

export type MachineExit =
  /** The guest wrote `value` to the exit port. */
  | { readonly reason: "powered-off"; readonly value: number }
  | { readonly reason: "limit" }
  /** Halted; only bytes from the host's side of the serial port can wake it. */
  | { readonly reason: "waiting" }
  /** Halted, and nothing can wake it. */
  | { readonly reason: "halted" }
  /** {@link Machine.requestStop} was called. */
  | { readonly reason: "stopped" }
  /** What only the processor knows: a triple fault, an event of monitor delivery, an extension's own exit. */
  | Extract<ProcessorExit, { readonly reason: "shutdown" | "event" | "extension" }>;

export class Machine {
  readonly processor: Processor;
  readonly timeline: Timeline;
  readonly ports: PortBus = new PortBus();
  readonly interrupts: InterruptController;
  readonly serial: Uart;
  readonly #pit: Pit;
  readonly #cmos: Cmos;
  readonly #post: PostPort = new PostPort();
  readonly #serialOutput: OutputBuffer;
  readonly #debugOutput: OutputBuffer;
  #exitValue: number | undefined;
  #stopRequested = false;
  #inputEnded = false;
  /** Times that a halted processor was visited by an event: progress that the processor does not count. */
  #visits = 0;
  /** Units of the processor at the last reset; it goes on counting. */
  #unitsAtReset = 0;

  constructor(options: MachineOptions) {
    this.timeline = new Timeline(this);
    this.interrupts = new InterruptController(this.timeline);
    const { pic } = this.interrupts;
    this.#serialOutput = new OutputBuffer(options.onSerial);
    this.#debugOutput = new OutputBuffer(options.onDebug);
    this.serial = new Uart(this.timeline, {
      name: "com1",
      base: 0x3f8,
      setLine: (level) => pic.setLine(serialLine, level),
      onTransmit: (byte) => this.#serialOutput.push(byte),
    });
    this.#pit = new Pit(this.timeline, (level) => pic.setLine(timerLine, level));
    this.#cmos = new Cmos(this.timeline, options);
    for (const device of [
      pic,
      this.#pit,
      this.#cmos,
      this.serial,
      this.#post,
      new DebugConsole((byte) => this.#debugOutput.push(byte)),
      new ExitPort((value) => {
        this.#exitValue ??= value;
        this.processor.requestStop();
      }),
    ]) {
      this.ports.attach(device);
    }

    const { memory, profile, extensions, delivery, onMark } = options;
    this.processor = new Processor({
      memory,
      ports: this.ports,
      mmio: [this.interrupts.apic],
      interrupts: this.interrupts,
      ...(profile === undefined ? {} : { profile }),
      ...(extensions === undefined ? {} : { extensions }),
      ...(delivery === undefined ? {} : { delivery }),
      ...(onMark === undefined ? {} : { onMark }),
    });
    this.interrupts.pins = this.processor;
    this.timeline.onEarlier = (deadline) => {
      this.processor.stopAt(Math.max(deadline - this.processor.idleUnits, this.processor.units));
    };
  }

  /** Machine time in nanoseconds; exact also inside callbacks. */
  get now(): number {
    return this.processor.units + this.processor.idleUnits;
  }

  /** Progress, which limits count: the processor's units and the visits while it was halted. */
  get units(): number {
    return this.processor.units - this.#unitsAtReset + this.#visits;
  }

  /** Ends the present {@link run} after the present instruction, or the next one at once. */
  requestStop(): void {
    this.#stopRequested = true;
    this.processor.requestStop();
  }

  /** Sends bytes to the guest's serial port; they are copied. */
  send(bytes: Uint8Array): void {
    this.serial.receive(bytes);
  }

  /** No more bytes will be sent: a guest that halts for them has halted for good. */
  endInput(): void {
    this.#inputEnded = true;
  }

  /** Runs at most `limitUnits`, an integer of at least 1. Output has reached its listeners when it returns. */
  run(limitUnits: number): MachineExit {
    try {
      return this.#run(this.units + limitUnits);
    } finally {
      this.#serialOutput.flush();
      this.#debugOutput.flush();
    }
  }

  /** Devices and processor as after power-on, time and units at 0. Memory and the processor's counts are left as they are. */
  reset(): void {
    this.#exitValue = undefined;
    this.#stopRequested = false;
    this.#inputEnded = false;
    this.#visits = 0;
    this.timeline.clear();
    this.processor.reset();
    this.#unitsAtReset = this.processor.units;
    this.processor.idleUnits = -this.processor.units;
    this.interrupts.reset();
    this.serial.reset();
    this.#pit.reset();
    this.#cmos.reset();
    this.#post.reset();
  }

  #run(end: number): MachineExit {
    for (;;) {
      if (this.#exitValue !== undefined) return { reason: "powered-off", value: this.#exitValue };
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return { reason: "stopped" };
      }
      this.#dispatchDue();
      const left = end - this.units;
      if (left <= 0) return { reason: "limit" };

      const exit = this.processor.run(Math.min(left, this.timeline.nextDeadline - this.now));
      switch (exit.reason) {
        case "limit":
        case "stopped":
          break;
        case "halted": {
          const over = this.#idle();
          if (over !== undefined) return over;
          break;
        }
        case "shutdown":
        case "event":
        case "extension":
          return exit;
      }
    }
  }

  /** Skips to the next event if one can wake the processor, else says why there is nothing to wait for. */
  #idle(): MachineExit | undefined {
    const listens = (this.processor.state.rflags & interruptFlag) !== 0n;
    if (!listens) return { reason: "halted" };
    if (this.timeline.events.some((event) => this.#canWake(event))) {
      const skipped = this.timeline.nextDeadline - this.now;
      if (skipped > 0) this.processor.idleUnits += skipped;
      this.#visits += 1;
      return undefined;
    }
    const input = !this.#inputEnded && this.serial.listens && this.#isLineOpen(serialLine);
    return { reason: input ? "waiting" : "halted" };
  }

  #canWake({ device }: ScheduledEvent): boolean {
    switch (device) {
      case this.#pit.name:
        return this.#isLineOpen(timerLine);
      case this.serial.name:
        return this.serial.listens && this.#isLineOpen(serialLine);
      default:
        return this.interrupts.apic.timerIsOpen;
    }
  }

  #isLineOpen(line: number): boolean {
    return this.interrupts.apic.passesExternal && this.interrupts.pic.isOpen(line);
  }

  #dispatchDue(): void {
    for (let due = this.timeline.takeDue(); due !== undefined; due = this.timeline.takeDue()) {
      switch (due.device) {
        case this.#pit.name:
          this.#pit.onEvent();
          break;
        case this.serial.name:
          this.serial.onEvent(due.event);
          break;
        default:
          this.interrupts.apic.onEvent();
      }
    }
  }
}
