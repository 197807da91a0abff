/**
 * The life cycle of a virtual machine around what only a strategy knows: one synchronous slice of guest time.
 *
 * States, wrong use, slicing, waiting for input and cancellation are the same for every strategy, so they are
 * written once here. Using it is a convenience: the contract is {@link VirtualMachine}.
 */
import type { Counts } from "./counts.ts";
import type { Debugger } from "./debugger.ts";
import { StrategyError } from "./error.ts";
import { isFinal, type Exit } from "./exit.ts";
import type { TraceListener } from "./trace.ts";
import type {
  Input,
  Inspector,
  MachineState,
  StartOptions,
  VirtualMachine,
} from "./virtual-machine.ts";

/** What a strategy supplies. None of it is called after {@link dispose} or while {@link run} runs, but where said. */
export interface MachineCore {
  /** Runs at most `limitUnits`. Returns `limit` as well when {@link interrupt} cut it short. */
  run(limitUnits: number): Exit;
  /** Makes the present {@link run} return at the next instruction boundary. Called from callbacks of that run. */
  interrupt(): void;
  /** Back to the state after creation, with no input. */
  reset(): void;
  /** Takes bytes of input, which belong to the core from then on. Also called from callbacks. */
  write(bytes: Uint8Array): void;
  /** Also called from callbacks. */
  endInput(): void;
  readonly bufferedBytes: number;
  /** True when the guest reads no more. */
  readonly inputClosed: boolean;
  readonly units: number;
  /** Machine time in nanoseconds, where there is one apart from {@link units}. */
  readonly timeNs?: number | undefined;
  counts(): Counts;
  readonly inspect: Inspector;
  readonly debug?: Debugger | undefined;
  /** Gives memory back to the host. Called once. */
  dispose(): void;
}

const defaultSliceUnits = 4_000_000;

/** A machine in state `created` around `core`. `trace.state` is served here; all else in it is the core's. */
export function virtualMachine(
  strategy: string,
  core: MachineCore,
  trace?: TraceListener,
): VirtualMachine {
  return new LifeCycle(strategy, core, trace);
}

class LifeCycle implements VirtualMachine {
  readonly strategy: string;
  readonly input: Input;
  readonly inspect: Inspector;
  readonly debug: Debugger | undefined;
  #state: MachineState = "created";
  #disposed = false;
  /** True inside `core.run`, which must not be entered again. */
  #inside = false;
  /** True while `start` drives the machine. */
  #driven = false;
  #stopRequested = false;
  #pauseRequested = false;
  #inputEnded = false;
  /** Resolves the sleep of `start`. */
  #wake: (() => void) | undefined;
  readonly #core: MachineCore;
  readonly #trace: TraceListener;

  constructor(strategy: string, core: MachineCore, trace: TraceListener = {}) {
    this.strategy = strategy;
    this.#core = core;
    this.#trace = trace;
    this.input = this.#makeInput();
    this.inspect = this.#guarded(core.inspect);
    this.debug = core.debug === undefined ? undefined : this.#guardedDebugger(core.debug);
  }

  get state(): MachineState {
    return this.#state;
  }

  get units(): number {
    return this.#core.units;
  }

  get timeNs(): number | undefined {
    return this.#core.timeNs;
  }

  run(limitUnits: number): Exit {
    this.#mustBeRunnable("run");
    requireCount(this.strategy, "limitUnits", limitUnits);
    this.#enter("running");
    const exit = this.#slice(limitUnits);
    this.#leave(exit);
    return exit;
  }

  async start(options: StartOptions = {}): Promise<Exit> {
    this.#mustBeRunnable("start");
    const { limitUnits, sliceUnits = defaultSliceUnits, signal } = options;
    requireCount(this.strategy, "sliceUnits", sliceUnits);
    if (limitUnits !== undefined) requireCount(this.strategy, "limitUnits", limitUnits);

    this.#driven = true;
    const abort = (): void => this.stop();
    signal?.addEventListener("abort", abort, { once: true });
    this.#enter("running");
    try {
      if (signal?.aborted === true) this.#stopRequested = true;
      const exit = await this.#drive(limitUnits ?? Number.MAX_SAFE_INTEGER, sliceUnits);
      this.#leave(exit);
      return exit;
    } finally {
      this.#driven = false;
      signal?.removeEventListener("abort", abort);
    }
  }

  pause(): void {
    this.#mustLive();
    if (this.#state === "paused") return;
    if (this.#state !== "running") {
      throw this.#wrongState("pause", "a running machine");
    }
    this.#pauseRequested = true;
    this.#interrupt();
  }

  stop(): void {
    this.#mustLive();
    if (this.#state === "stopped" || this.#state === "crashed") return;
    if (this.#state === "running") {
      this.#stopRequested = true;
      this.#interrupt();
    } else {
      this.#enter("stopped");
    }
  }

  reset(): void {
    this.#mustLive();
    if (this.#state === "running") throw this.#wrongState("reset", "a machine that is not running");
    this.#core.reset();
    this.#inputEnded = false;
    this.#enter("created");
  }

  counts(): Counts {
    this.#mustLive();
    return this.#core.counts();
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    if (this.#inside) throw this.#wrongState("dispose", "a machine outside its own callbacks");
    this.#disposed = true;
    if (this.#state !== "crashed") this.#enter("stopped");
    this.#wake?.();
    this.#core.dispose();
  }

  /** Slices until an exit that `start` must hand on. */
  async #drive(limitUnits: number, sliceUnits: number): Promise<Exit> {
    let left = limitUnits;
    for (;;) {
      const before = this.#core.units;
      const exit = this.#slice(Math.min(left, sliceUnits));
      left -= this.#core.units - before;
      if (exit.reason === "waiting") await this.#sleep();
      else if (exit.reason !== "limit" || left <= 0) return exit;
      else await new Promise<void>((resolve) => void setTimeout(resolve, 0));
      if (this.#disposed) return { reason: "stopped" };
    }
  }

  /** One run of the core, with requests made before or during it taking precedence over how it ended. */
  #slice(limitUnits: number): Exit {
    const before = this.#requested();
    if (before !== undefined) return before;
    this.#inside = true;
    let exit: Exit;
    try {
      exit = this.#core.run(limitUnits);
    } catch (error) {
      // A bug or a listener that threw: the machine is in no known state, so it must not run on.
      this.#enter("stopped");
      throw error;
    } finally {
      this.#inside = false;
    }
    // A debugger's stop is told once, so it must not be lost to a pause that was asked for meanwhile.
    const isTold = exit.reason === "paused" && !this.#stopRequested;
    return isFinal(exit) || isTold ? exit : (this.#requested() ?? exit);
  }

  #requested(): Exit | undefined {
    if (this.#stopRequested) return { reason: "stopped" };
    if (this.#pauseRequested) return { reason: "paused" };
    return undefined;
  }

  #interrupt(): void {
    if (this.#inside) this.#core.interrupt();
    this.#wake?.();
  }

  /** Until input is written or ended, or a request is made. */
  async #sleep(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  #leave(exit: Exit): void {
    this.#stopRequested = false;
    this.#pauseRequested = false;
    if (this.#disposed) return;
    if (exit.reason === "crashed") this.#enter("crashed");
    else this.#enter(isFinal(exit) ? "stopped" : "paused");
  }

  #enter(to: MachineState): void {
    const from = this.#state;
    this.#state = to;
    if (from !== to) this.#trace.state?.({ type: "state", units: this.#core.units, from, to });
  }

  #makeInput(): Input {
    const core = this.#core;
    const write = (bytes: Uint8Array): void => {
      this.#mustLive();
      if (this.#inputEnded)
        throw this.#wrongState("write input of", "a machine whose input is open");
      if (bytes.length > 0 && !core.inputClosed) core.write(bytes.slice());
      this.#wake?.();
    };
    const end = (): void => {
      this.#mustLive();
      if (this.#inputEnded) return;
      this.#inputEnded = true;
      core.endInput();
      this.#wake?.();
    };
    return {
      write,
      end,
      get bufferedBytes() {
        return core.bufferedBytes;
      },
      get closed() {
        return core.inputClosed;
      },
    };
  }

  #guarded(inspect: Inspector): Inspector {
    return {
      registers: () => {
        this.#mustLive();
        return inspect.registers();
      },
      translate: (linear) => {
        this.#mustLive();
        return inspect.translate(linear);
      },
      readMemory: (linear, lengthBytes) => {
        this.#mustLive();
        return inspect.readMemory(linear, lengthBytes);
      },
    };
  }

  #guardedDebugger(debug: Debugger): Debugger {
    return {
      registers: () => {
        this.#mustLive();
        return debug.registers();
      },
      writeRegister: (name, value) => {
        this.#mustRest("write a register of");
        return debug.writeRegister(name, value);
      },
      writeMemory: (linear, bytes) => {
        this.#mustRest("write memory of");
        return debug.writeMemory(linear, bytes);
      },
      setStops: (stops) => {
        this.#mustRest("set stops of");
        debug.setStops(stops);
      },
    };
  }

  /** Nothing of a machine may change in the middle of an instruction. */
  #mustRest(verb: string): void {
    this.#mustLive();
    if (this.#inside) throw this.#wrongState(verb, "a machine outside its own callbacks");
  }

  #mustBeRunnable(verb: string): void {
    this.#mustLive();
    if (this.#inside || this.#driven || (this.#state !== "created" && this.#state !== "paused")) {
      throw this.#wrongState(verb, "a machine that is created or paused");
    }
  }

  #mustLive(): void {
    if (!this.#disposed) return;
    throw new StrategyError(
      this.strategy,
      "disposed",
      "The machine was disposed. Its memory is back with the host; create another one.",
    );
  }

  #wrongState(verb: string, expected: string): StrategyError {
    const hint = this.#state === "stopped" || this.#state === "crashed" ? " Reset it first." : "";
    return new StrategyError(
      this.strategy,
      "wrong-state",
      `Cannot ${verb} a machine that is ${this.#state}; expected ${expected}.${hint}`,
    );
  }
}

function requireCount(strategy: string, name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new StrategyError(
    strategy,
    "invalid-option",
    `${name} is ${value}. It counts units of guest progress: pass an integer of at least 1.`,
  );
}
