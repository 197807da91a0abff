/** What is pending for a thread or process, and what a process does about each signal. */
import { SIG_DFL, SIG_IGN, defaultAction } from "../abi/signals.ts";
import { SignalSet } from "./signal-set.ts";

/** A pending signal with what siginfo_t tells about it. Fields that do not apply are absent. */
export interface SignalInfo {
  readonly signal: number;
  readonly code: number;
  /** Sender, or the child that changed. */
  readonly process?: number;
  readonly user?: number;
  /** Exit code or signal of a child. */
  readonly status?: number;
  /** Faulting address. */
  readonly linear?: number;
  /** Value of rt_sigqueueinfo and timers: low and high half. */
  readonly value?: readonly [number, number];
  readonly timer?: number;
  /** Exception vector, error code and CR2 that led to the signal, for the frame. */
  readonly trap?: { readonly vector: number; readonly errorCode: number; readonly linear: number };
}

/** Signals below this are not queued: a second one is lost while the first is pending. */
const FIRST_QUEUED = 32;
/** Most queued real-time signals (RLIMIT_SIGPENDING). */
const MAXIMUM_QUEUED = 256;

export class PendingSignals {
  readonly set: SignalSet = new SignalSet();
  readonly #queue: SignalInfo[] = [];

  /** Adds a signal; false when the queue is full. */
  add(info: SignalInfo): boolean {
    if (info.signal < FIRST_QUEUED && this.set.has(info.signal)) return true;
    if (this.#queue.length >= MAXIMUM_QUEUED) return false;
    this.#queue.push(info);
    this.set.add(info.signal);
    return true;
  }

  /** Takes the lowest signal outside `blocked`. */
  take(blocked: SignalSet): SignalInfo | undefined {
    const signal = this.set.firstNotIn(blocked);
    return signal === 0 ? undefined : this.takeSignal(signal);
  }

  takeSignal(signal: number): SignalInfo | undefined {
    const index = this.#queue.findIndex((info) => info.signal === signal);
    if (index < 0) return undefined;
    const [info] = this.#queue.splice(index, 1);
    if (!this.#queue.some((other) => other.signal === signal)) this.set.delete(signal);
    return info;
  }

  discard(signal: number): void {
    if (!this.set.has(signal)) return;
    while (this.takeSignal(signal) !== undefined);
  }
}

export interface SignalAction {
  /** SIG_DFL, SIG_IGN or a linear address. */
  readonly handler: number;
  /** SA_ flags, unsigned. */
  readonly flags: number;
  readonly restorer: number;
  readonly mask: SignalSet;
}

const DEFAULT_ACTION: SignalAction = {
  handler: SIG_DFL,
  flags: 0,
  restorer: 0,
  mask: new SignalSet(),
};

/** The table of actions, which threads of a process share. */
export class SignalActions {
  references = 1;
  readonly #actions = new Map<number, SignalAction>();

  get(signal: number): SignalAction {
    return this.#actions.get(signal) ?? DEFAULT_ACTION;
  }

  set(signal: number, action: SignalAction): void {
    this.#actions.set(signal, action);
  }

  /** Whether a signal has no effect at all, so that it need not become pending. */
  ignores(signal: number): boolean {
    const { handler } = this.get(signal);
    return handler === SIG_IGN || (handler === SIG_DFL && defaultAction(signal) === "ignore");
  }

  /** Signals that are ignored or caught, for /proc. */
  handled(how: "ignored" | "caught"): SignalSet {
    const set = new SignalSet();
    for (const [signal, { handler }] of this.#actions) {
      if (handler !== SIG_DFL && (handler === SIG_IGN) === (how === "ignored")) set.add(signal);
    }
    return set;
  }

  copy(): SignalActions {
    const copy = new SignalActions();
    for (const [signal, action] of this.#actions) copy.#actions.set(signal, action);
    return copy;
  }

  /** What execve leaves: handlers become defaults, ignored signals stay ignored. */
  resetForExec(): void {
    for (const [signal, action] of this.#actions) {
      if (action.handler === SIG_IGN) {
        this.#actions.set(signal, { ...DEFAULT_ACTION, handler: SIG_IGN });
      } else {
        this.#actions.delete(signal);
      }
    }
  }
}
