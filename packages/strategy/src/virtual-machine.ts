/**
 * A virtual machine: what a strategy creates and an embedder drives.
 *
 * In a nutshell: `create` gives a machine in state `created`; `run` executes it synchronously for some units,
 * `start` keeps running it in slices; both say why they came back. `reset` starts it anew, disposing gives its
 * memory back to the host.
 */
import type { Counts } from "./counts.ts";
import type { Debugger } from "./debugger.ts";
import type { Exit, Registers } from "./exit.ts";

/** `created` → `running` ⇄ `paused` → `stopped`, or `crashed` when the guest broke its machine. */
export type MachineState = "created" | "running" | "paused" | "stopped" | "crashed";

/** What the guest's program (or its console) writes, as it comes. A listener owns the bytes that it gets. */
export interface OutputListeners {
  readonly stdout?: (bytes: Uint8Array) => void;
  readonly stderr?: (bytes: Uint8Array) => void;
  /** What a kernel logs, and everything on the raw consoles of a kernel guest. */
  readonly log?: (bytes: Uint8Array) => void;
}

/** The guest's standard input: the program's, or the serial line of a kernel guest. */
export interface Input {
  /**
   * Appends bytes; they are copied, and reach the guest as it reads. Allowed in every state before the end.
   *
   * @throws {StrategyError} `wrong-state` after {@link end}, `disposed` after disposal.
   */
  write(bytes: Uint8Array): void;
  /** No more bytes will come: the guest reads end of file after those already written. Calling it again does nothing. */
  end(): void;
  /** Bytes written that the guest's machine has not taken yet; an embedder may hold back while it is large. */
  readonly bufferedBytes: number;
  /** True when the guest will not read any more; what is written further is dropped. */
  readonly closed: boolean;
}

/** A look at the machine between two of its instructions. */
export interface Inspector {
  /** Registers of the processor, or of the process that runs or ran last. */
  registers(): Registers;
  /** The physical address behind a linear one under the present page tables; undefined where nothing is mapped. */
  translate(linear: bigint): number | undefined;
  /** A copy of mapped memory; undefined when any byte of the range is not mapped. */
  readMemory(linear: bigint, lengthBytes: number): Uint8Array | undefined;
}

export interface StartOptions {
  /** Ends the run with `limit` after so many units. Without it the machine runs until it stops by itself. */
  readonly limitUnits?: number;
  /** Units between two visits to the host's event loop. Default 4,000,000. */
  readonly sliceUnits?: number;
  /** Aborting it stops the machine: the exit is `stopped`. */
  readonly signal?: AbortSignal;
}

export interface VirtualMachine extends Disposable {
  /** Id of the strategy that made it. */
  readonly strategy: string;
  readonly state: MachineState;
  /** Guest progress since creation or the last reset. Exact also inside callbacks. */
  readonly units: number;
  /**
   * Time of the guest's clocks since creation or the last reset, in nanoseconds: {@link units} and what was skipped
   * while the guest slept. Undefined where a strategy keeps no such time. Exact also inside callbacks.
   */
  readonly timeNs: number | undefined;
  readonly input: Input;
  readonly inspect: Inspector;
  /** What a debugger needs further. Undefined where a strategy does not have it. */
  readonly debug: Debugger | undefined;

  /**
   * Runs the guest until it stops, waits or has spent the limit, which is honoured at exactly that unit.
   *
   * @param limitUnits Guest progress, not host time, so that runs repeat. An integer of at least 1.
   * @throws {StrategyError} `invalid-option` for another limit; `wrong-state` while running, stopped or
   *   crashed; `disposed`.
   */
  run(limitUnits: number): Exit;

  /**
   * Runs the guest in slices, leaving the host's event loop time in between, and sleeps while the guest
   * waits for input. Resolves with the first exit other than `waiting`, or the limit of the options.
   *
   * Rejects as {@link run} throws.
   */
  start(options?: StartOptions): Promise<Exit>;

  /** Makes `run` or `start` come back with `paused` at the next instruction. Does nothing when already paused.
   *
   * @throws {StrategyError} `wrong-state` unless running or paused; `disposed`.
   */
  pause(): void;

  /** Ends the machine; `run` or `start` come back with `stopped`. Does nothing when it has ended already. */
  stop(): void;

  /**
   * Puts the machine into the state after creation, with the same guest. Input that was written is
   * forgotten, and input can be written again.
   *
   * @throws {StrategyError} `wrong-state` while running; `disposed`.
   */
  reset(): void;

  /** Counted facts since creation or the last reset; also inside callbacks. */
  counts(): Counts;

  /** Gives everything back to the host. Allowed in every state but inside its own callbacks; again does nothing. */
  [Symbol.dispose](): void;
}
