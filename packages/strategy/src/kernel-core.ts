/**
 * The core of every strategy whose guests are kernels: console and input, exits and counts in the contract's terms.
 *
 * The life of a program: its files and arguments became an initrd for a guest kernel, whose init runs it and carries
 * its streams and its exit status over the kernel's console. What differs between strategies is the machine below.
 */
import type { Delivery } from "@ringside/isa";
import { countsBetween, type Counts, type CountTree } from "./counts.ts";
import type { Debugger } from "./debugger.ts";
import { programStatus, type Exit, type ProgramStatus } from "./exit.ts";
import type { KernelMachine, KernelMachineListeners } from "./kernel-machine.ts";
import type { MachineCore } from "./life-cycle.ts";
import type { FramedConsole, FramedConsoleListeners } from "./program-carrier.ts";
import type { CreateOptions } from "./strategy.ts";
import type { Inspector } from "./virtual-machine.ts";

export interface KernelCoreOptions {
  /** Where output goes, and who is told what happens. */
  readonly options: CreateOptions;
  /** For a program: how its streams go over the kernel's console. A kernel's own console is passed on as it is. */
  readonly console: ((listeners: FramedConsoleListeners) => FramedConsole) | undefined;
  readonly machine: (listeners: KernelMachineListeners) => KernelMachine;
  /** Called last, when the machine is gone. */
  readonly release: () => void;
}

export class KernelCore implements MachineCore {
  readonly inspect: Inspector;
  readonly #options: CreateOptions;
  readonly #machine: KernelMachine;
  readonly #makeConsole: KernelCoreOptions["console"];
  readonly #release: () => void;
  /** A program's. */
  #console: FramedConsole | undefined;
  #countsAtReset: CountTree;
  /** The end of what the kernel logged, to say why it gave up. */
  #lastLog = "";

  constructor({ options, console, machine, release }: KernelCoreOptions) {
    this.#options = options;
    this.#makeConsole = console;
    this.#release = release;
    this.#console = this.#newConsole();
    this.#machine = machine(this.#listeners());
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
    return this.#console?.inputClosed ?? false;
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
    const pieces = this.#console?.encodeInput(bytes) ?? [bytes];
    for (const piece of pieces) this.#machine.send(piece);
  }

  endInput(): void {
    for (const piece of this.#console?.encodeEnd() ?? []) this.#machine.send(piece);
    this.#machine.endInput();
  }

  counts(): Counts {
    return countsBetween(this.#countsAtReset, this.#machine.counts());
  }

  dispose(): void {
    this.#machine.powerDown?.();
    this.#release();
  }

  #poweredOff(value: number | undefined): Exit {
    if (this.#console === undefined) return { reason: "halted", value };
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
    if (this.#console === undefined) this.#options.output?.stdout?.(bytes);
    else this.#console.push(bytes);
  }

  #newConsole(): FramedConsole | undefined {
    const { stdout, stderr } = this.#options.output ?? {};
    return this.#makeConsole?.({
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
