/**
 * The core of every strategy whose guests are kernels: console and input, exits and counts in the contract's terms.
 *
 * The life of a program: its files and arguments became an initrd for a guest kernel, whose init runs it and carries
 * its streams and its exit status over the kernel's console. What differs between strategies is the machine below.
 */
import type { BoardEnd } from "@ringside/machine";
import type { DebugHit, Delivery } from "@ringside/isa";
import { countsBetween, type Counts, type CountTree } from "./counts.ts";
import type { Debugger } from "./debugger.ts";
import { programStatus, type Exit, type ProgramStatus } from "./exit.ts";
import type { Guest } from "./guest.ts";
import type { Claim } from "./host.ts";
import type { MachineCore } from "./life-cycle.ts";
import { defaultEpochSeconds, type CreateOptions } from "./strategy.ts";
import type { Inspector } from "./virtual-machine.ts";

/** Why a {@link KernelMachine} came back. */
export type KernelMachineExit =
  /** The guest wrote to the machine's exit device, switched it off, or restarts it. */
  | BoardEnd
  | { readonly reason: "limit" }
  /** Halted; only input can wake it. */
  | { readonly reason: "waiting" }
  /** Halted, and nothing can wake it. */
  | { readonly reason: "halted" }
  /** {@link KernelMachine.requestStop} was called, or a stop of the machine's debugger was met. */
  | { readonly reason: "stopped"; readonly hit?: DebugHit }
  /** The guest broke its machine. */
  | { readonly reason: "crashed"; readonly why: string };

/** A machine with one kernel in it: what a strategy supplies. */
export interface KernelMachine {
  /** Progress since the last reset. */
  readonly units: number;
  /** Machine time in nanoseconds since the last reset, where there is one apart from {@link units}. */
  readonly now?: number;
  /** Bytes that were sent and that the guest has not read yet. */
  readonly unreadBytes: number;
  readonly inspect: Inspector;
  readonly debug?: Debugger;
  /** Runs at most `limitUnits`, an integer of at least 1. Output has reached its listeners when it returns. */
  run(limitUnits: number): KernelMachineExit;
  /** Ends the present {@link run} after the present instruction, or the next one at once. */
  requestStop(): void;
  /** Sends bytes to the guest's console; they are copied. */
  send(bytes: Uint8Array): void;
  /** No more bytes will be sent: a guest that halts for them has halted for good. */
  endInput(): void;
  /** The guest anew, units at 0. */
  reset(): void;
  /** Called once, last: what the host gave to devices is let go of, before the memory is given back. */
  powerDown?(): void;
  /** Counted since the machine was made: all but {@link Counts.units} go on across resets. */
  counts(): Counts;
}

/** Where a {@link KernelMachine} reports what happens in it. Optional listeners cost nothing while absent. */
export interface KernelMachineListeners {
  /** Bytes on the guest's console. */
  readonly onSerial: (bytes: Uint8Array) => void;
  /** Bytes on the guest's debug console. */
  readonly onDebug: (bytes: Uint8Array) => void;
  readonly onMark?: (id: number) => void;
  /** The processor is about to deliver something through the guest's own tables. */
  readonly onDelivery?: (delivery: Delivery) => void;
  /** The hypervisor got control. */
  readonly onMonitorEntry?: (why: string) => void;
}

/** A program's streams as frames over a console; `ProgramConsole` of `@ringside/guest` is one. */
export interface FramedConsole {
  /** 32 bits as wait4(2) gives them, once the program has ended. The guest may have said anything. */
  readonly waitStatus: number | undefined;
  /** True when the program has closed its standard input. */
  readonly inputClosed: boolean;
  push(bytes: Uint8Array): void;
  encodeInput(bytes: Uint8Array): readonly Uint8Array[];
  encodeEnd(): readonly Uint8Array[];
}

/** Where a {@link FramedConsole} delivers what it finds between the frames' headers. */
export interface FramedConsoleListeners {
  readonly stdout?: ((bytes: Uint8Array) => void) | undefined;
  readonly stderr?: ((bytes: Uint8Array) => void) | undefined;
  readonly log?: ((bytes: Uint8Array) => void) | undefined;
  readonly inputClosed?: (() => void) | undefined;
}

export interface KernelCoreOptions {
  /** Given back when the core is disposed. */
  readonly claim: Claim;
  readonly guest: Guest;
  readonly options: CreateOptions;
  readonly console: (listeners: FramedConsoleListeners) => FramedConsole;
  readonly machine: (
    listeners: KernelMachineListeners,
    /** What the guest's calendar clock says at first; see {@link CreateOptions.epochSeconds}. */
    epochSeconds: number,
  ) => KernelMachine;
}

export class KernelCore implements MachineCore {
  readonly inspect: Inspector;
  readonly #claim: Claim;
  readonly #guest: Guest;
  readonly #options: CreateOptions;
  readonly #machine: KernelMachine;
  readonly #makeConsole: KernelCoreOptions["console"];
  #console: FramedConsole;
  #countsAtReset: CountTree;
  /** The end of what the kernel logged, to say why it gave up. */
  #lastLog = "";

  constructor({ claim, guest, options, console, machine }: KernelCoreOptions) {
    this.#claim = claim;
    this.#guest = guest;
    this.#options = options;
    this.#makeConsole = console;
    this.#console = this.#newConsole();
    this.#machine = machine(this.#listeners(), options.epochSeconds ?? defaultEpochSeconds);
    this.inspect = this.#machine.inspect;
    this.#countsAtReset = { ...this.#machine.counts(), units: 0 };
  }

  get units(): number {
    return this.#machine.units;
  }

  get timeNs(): number | undefined {
    return this.#machine.now;
  }

  get debug(): Debugger | undefined {
    return this.#machine.debug;
  }

  get bufferedBytes(): number {
    return this.#machine.unreadBytes;
  }

  get inputClosed(): boolean {
    return this.#console.inputClosed;
  }

  run(limitUnits: number): Exit {
    const exit = this.#machine.run(limitUnits);
    switch (exit.reason) {
      case "limit":
      case "waiting":
        return { reason: exit.reason };
      case "stopped":
        return exit.hit === undefined ? { reason: "limit" } : { reason: "paused", hit: exit.hit };
      case "halted":
      case "restarting": // Whether to start it again is the embedder's to decide.
        return { reason: "halted", value: undefined };
      case "crashed":
        return this.#crash(exit.why);
      case "powered-off":
        return this.#poweredOff(exit.value);
    }
  }

  interrupt(): void {
    this.#machine.requestStop();
  }

  reset(): void {
    this.#lastLog = "";
    this.#console = this.#newConsole();
    this.#machine.reset();
    this.#countsAtReset = { ...this.#machine.counts(), units: 0 };
  }

  write(bytes: Uint8Array): void {
    const pieces = this.#guest.kind === "kernel" ? [bytes] : this.#console.encodeInput(bytes);
    for (const piece of pieces) this.#machine.send(piece);
  }

  endInput(): void {
    if (this.#guest.kind === "program") {
      for (const piece of this.#console.encodeEnd()) this.#machine.send(piece);
    }
    this.#machine.endInput();
  }

  counts(): Counts {
    return countsBetween(this.#countsAtReset, this.#machine.counts());
  }

  dispose(): void {
    this.#machine.powerDown?.();
    this.#claim[Symbol.dispose]();
  }

  #poweredOff(value: number | undefined): Exit {
    if (this.#guest.kind === "kernel") return { reason: "halted", value };
    const status = statusOf(this.#console.waitStatus);
    if (status !== undefined) return { reason: "exited", status };
    const log = this.#lastLog.trim();
    return this.#crash(
      `The guest kernel powered off with ${value ?? "no value"} and without an exit status${log === "" ? "" : `: ${log}`}`,
    );
  }

  #crash(why: string): Exit {
    return { reason: "crashed", why, registers: this.inspect.registers() };
  }

  #listeners(): KernelMachineListeners {
    const { delivery, mark, "monitor-entry": entry } = this.#options.trace ?? {};
    return {
      onSerial: (bytes) => this.#onSerial(bytes),
      onDebug: (bytes) => this.#onLog(bytes),
      ...(mark === undefined
        ? {}
        : { onMark: (id: number) => mark({ type: "mark", units: this.units, id }) }),
      ...(delivery === undefined
        ? {}
        : {
            onDelivery: (what: Delivery) =>
              delivery({ type: "delivery", units: this.units, ...what }),
          }),
      ...(entry === undefined
        ? {}
        : {
            onMonitorEntry: (why: string) =>
              entry({ type: "monitor-entry", units: this.units, why }),
          }),
    };
  }

  #onSerial(bytes: Uint8Array): void {
    if (this.#guest.kind === "kernel") this.#options.output?.stdout?.(bytes);
    else this.#console.push(bytes);
  }

  #newConsole(): FramedConsole {
    const { stdout, stderr } = this.#options.output ?? {};
    return this.#makeConsole({
      stdout,
      stderr,
      log: (bytes) => this.#onLog(bytes),
      inputClosed: () => this.#machine.endInput(),
    });
  }

  #onLog(bytes: Uint8Array): void {
    this.#lastLog = (this.#lastLog + new TextDecoder().decode(bytes)).slice(-1000);
    this.#options.output?.log?.(bytes);
  }
}

/** A guest that lies about the status has none, and its end is then reported as a crash. */
function statusOf(waitStatus: number | undefined): ProgramStatus | undefined {
  if (waitStatus === undefined) return undefined;
  try {
    return programStatus(waitStatus);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
