/**
 * A PC: one processor on a {@link Board}, run in machine time.
 *
 * Machine time is the processor's units plus what was skipped while it was halted; one is a nanosecond. Between
 * two deadlines of devices the processor runs alone, and it is cut off at exactly the unit of the next one.
 */
import {
  Processor,
  slots,
  type DebugHit,
  type Delivery,
  type HostMemory,
  type ProcessorExit,
  type ProcessorOptions,
  type ProcessorProfile,
} from "@ringside/isa";
import { Board, type BoardEnd, type BoardOptions } from "./board.ts";
import type { DmaMemory } from "./dma.ts";
import type { Uart } from "./devices/uart.ts";
import type { InterruptController } from "./interrupts/interrupt-controller.ts";
import type { PortBus } from "./ports.ts";
import type { Timeline } from "./timeline.ts";

const interruptFlag = 0x200n;

export interface MachineOptions extends Omit<BoardOptions, "clock" | "onExit" | "dma"> {
  readonly memory: HostMemory;
  /** What the processor says it is; the processor's default without it. */
  readonly profile?: ProcessorProfile;
  readonly extensions?: NonNullable<ProcessorOptions["extensions"]>;
  readonly delivery?: "architectural" | "monitor";
  readonly onMark?: (id: number) => void;
  readonly onDelivery?: (delivery: Delivery) => void;
}

export type MachineExit =
  /** The guest wrote to the exit port, switched off by ACPI, or asks for a restart. */
  | BoardEnd
  | { readonly reason: "limit" }
  /** Halted; only bytes from the host's side of the serial port can wake it. */
  | { readonly reason: "waiting" }
  /** Halted, and nothing can wake it. */
  | { readonly reason: "halted" }
  /** {@link Machine.requestStop} was called, or a stop that a debugger set in the processor was met. */
  | { readonly reason: "stopped"; readonly hit?: DebugHit }
  /** What only the processor knows: a triple fault, an event of monitor delivery, an extension's own exit. */
  | Extract<ProcessorExit, { readonly reason: "shutdown" | "event" | "extension" }>;

export class Machine {
  readonly processor: Processor;
  readonly #board: Board;
  #stopRequested = false;
  /** Times that a halted processor was visited by an event: progress that the processor does not count. */
  #visits = 0;
  /** Units of the processor at the last reset; it goes on counting. */
  #unitsAtReset = 0;

  constructor(options: MachineOptions) {
    this.#board = new Board({
      ...options,
      dma: dmaOf(options.memory, options.memoryBytes),
      clock: this,
      onExit: () => this.processor.requestStop(),
    });
    const { memory, profile, extensions, delivery, onMark, onDelivery } = options;
    this.processor = new Processor({
      memory,
      ports: this.ports,
      mmio: this.#board.mmio,
      interrupts: this.interrupts,
      ...(profile === undefined ? {} : { profile }),
      ...(extensions === undefined ? {} : { extensions }),
      ...(delivery === undefined ? {} : { delivery }),
      ...(onMark === undefined ? {} : { onMark }),
      ...(onDelivery === undefined ? {} : { onDelivery }),
    });
    const { processor } = this;
    const { features } = processor.profile;
    this.interrupts.apic.features = {
      x2Apic: features.has("x2apic"),
      tscDeadline: features.has("tsc_deadline_timer"),
    };
    this.interrupts.pins = {
      setInterruptRequest: (asserted) => processor.setInterruptRequest(asserted),
      requestNmi: () => processor.requestNmi(),
      timestampOffset: () => processor.state.get(slots.tscOffset),
    };
    this.timeline.onEarlier = (deadline) => {
      this.processor.stopAt(Math.max(deadline - this.processor.idleUnits, this.processor.units));
    };
  }

  get timeline(): Timeline {
    return this.#board.timeline;
  }

  get ports(): PortBus {
    return this.#board.ports;
  }

  get interrupts(): InterruptController {
    return this.#board.interrupts;
  }

  get serial(): Uart {
    return this.#board.serial;
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
    this.#board.endInput();
  }

  /** Asks an operating system that listens to its ACPI power button to shut down; nothing without hardware. */
  pressPowerButton(): void {
    this.#board.pressPowerButton();
  }

  /** Devices let go of what the host has given them; to be called before the memory is used for something else. */
  powerDown(): void {
    this.#board.powerDown();
  }

  /** Runs at most `limitUnits`, an integer of at least 1. Output has reached its listeners when it returns. */
  run(limitUnits: number): MachineExit {
    try {
      return this.#run(this.units + limitUnits);
    } finally {
      this.#board.flush();
    }
  }

  /** Devices and processor as after power-on, time and units at 0. Memory and the processor's counts are left as they are. */
  reset(): void {
    this.#stopRequested = false;
    this.#visits = 0;
    this.timeline.clear();
    this.processor.reset();
    this.#unitsAtReset = this.processor.units;
    this.processor.idleUnits = -this.processor.units;
    this.#board.reset();
  }

  #run(end: number): MachineExit {
    for (;;) {
      const { end: ended } = this.#board;
      if (ended !== undefined) return ended;
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return { reason: "stopped" };
      }
      this.#board.dispatchDue();
      const left = end - this.units;
      if (left <= 0) return { reason: "limit" };

      const exit = this.processor.run(Math.min(left, this.timeline.nextDeadline - this.now));
      switch (exit.reason) {
        case "limit":
          break;
        case "stopped":
          if (exit.hit !== undefined) return { reason: "stopped", hit: exit.hit };
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
    if (!listens && this.interrupts.ioApic?.sendsNmis !== true) return { reason: "halted" };
    const step = this.#board.idleStep;
    if (step !== undefined) {
      this.processor.idleUnits += step.nanoseconds;
      this.#visits += 1;
      return step.leavesRun ? { reason: "stopped" } : undefined;
    }
    return { reason: this.#board.awaitsInput ? "waiting" : "halted" };
  }
}

function dmaOf({ physical }: HostMemory, sizeBytes: number): DmaMemory {
  return {
    sizeBytes,
    read(at, bytes) {
      if (at < 0 || at + bytes.length > sizeBytes) {
        throw new RangeError(
          `There is no memory of ${bytes.length} bytes at 0x${at.toString(16)}.`,
        );
      }
      bytes.set(new Uint8Array(physical.buffer, physical.baseOffset + at, bytes.length));
    },
    write: (at, bytes) => physical.write(at, bytes),
  };
}
