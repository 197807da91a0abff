/**
 * The board of a PC, without its processor: interrupt controllers, timers, serial port, clock, and their buses.
 *
 * Whoever owns the board tells it when events are due, and answers its interrupt request: a {@link Machine} for the
 * processor on it, a hypervisor for a virtual one.
 */
import { Cmos } from "./devices/cmos.ts";
import { DebugConsole } from "./devices/debug-console.ts";
import { ExitPort } from "./devices/exit-port.ts";
import { Pit } from "./devices/pit.ts";
import { PostPort } from "./devices/post-port.ts";
import { Uart } from "./devices/uart.ts";
import { InterruptController } from "./interrupts/interrupt-controller.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { PortBus } from "./ports.ts";
import { Timeline, type Clock, type ScheduledEvent } from "./timeline.ts";

const timerLine = 0;
const serialLine = 4;

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
  /** The guest wrote to the exit port; {@link Board.exitValue} says what. */
  readonly onExit: () => void;
}

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
  #exitValue: number | undefined;
  #inputEnded = false;

  constructor(options: BoardOptions) {
    this.timeline = new Timeline(options.clock);
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
        options.onExit();
      }),
    ]) {
      this.ports.attach(device);
    }
  }

  /** The first value that the guest wrote to the exit port. */
  get exitValue(): number | undefined {
    return this.#exitValue;
  }

  /** True when something is scheduled whose interrupt could reach the processor. */
  get canWake(): boolean {
    return this.timeline.events.some((event) => this.#canWake(event));
  }

  /** True when bytes from the host's side of the serial port would interrupt the processor, and may still come. */
  get awaitsInput(): boolean {
    return !this.#inputEnded && this.serial.listens && this.#isLineOpen(serialLine);
  }

  /** No more bytes will be sent to the serial port: a guest that halts for them has halted for good. */
  endInput(): void {
    this.#inputEnded = true;
  }

  /** Hands every event that is due to its device. */
  dispatchDue(): void {
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

  /** Hands buffered output to its listeners. */
  flush(): void {
    this.#serialOutput.flush();
    this.#debugOutput.flush();
  }

  /** Devices as after power-on, nothing scheduled. The clock must read 0 by now. */
  reset(): void {
    this.#exitValue = undefined;
    this.#inputEnded = false;
    this.timeline.clear();
    this.interrupts.reset();
    this.serial.reset();
    this.#pit.reset();
    this.#cmos.reset();
    this.#post.reset();
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
}
