/**
 * Threads: what the scheduler runs.
 *
 * A system call that must wait leaves no stack behind. The thread stands on wait queues, and when it is woken the call
 * starts again with the same registers; {@link Progress} carries what must not be done twice. So all of a thread's
 * state is data.
 */
import { recordPrice } from "../namespaces/control-group.ts";
import type { Process } from "./process.ts";
import { PendingSignals } from "./signals.ts";
import { SignalSet } from "./signal-set.ts";
import type { Timer, Timers } from "./timers.ts";
import type { WaitQueue } from "./wait-queue.ts";

/** What a signal does to a waiting system call. */
export type Interruption =
  /** Restarted when no handler runs or the handler has SA_RESTART, else EINTR (ERESTARTSYS). */
  | "restartable"
  /** Restarted only when no handler runs (ERESTARTNOHAND). */
  | "unless-handled"
  /** Nothing but SIGKILL: a parent whose memory a child uses. */
  | "never";

/** What a system call that waits remembers between its starts. */
export interface Progress {
  /** Bytes moved so far. */
  moved: number;
  /** Machine time at which waiting ends; undefined: never. */
  deadline?: number;
  /** A wake-up meant for this thread came (futex). */
  woken?: boolean;
  /** Where the time that is left goes when a handler interrupts a sleep. */
  remainder?: number;
  /** Opens that the other end of a FIFO had seen. */
  opens?: number;
  /** What the call has opened so far; released when it ends without it. */
  held?: { release(): void };
}

/** Where a thread tells the scheduler that it can run. */
export interface RunQueue {
  enqueue(thread: Thread): void;
  readonly timers: Timers;
}

export interface AlternateStack {
  readonly linear: number;
  readonly sizeBytes: number;
  /** SS_DISABLE and SS_AUTODISARM. */
  readonly flags: number;
}

export class Thread {
  /** Changes once at most: the thread that calls execve becomes its process's first. */
  id: number;
  readonly process: Process;
  readonly blocked: SignalSet = new SignalSet();
  /** The mask that sigsuspend and its relatives replaced, until a signal is delivered or the call ends. */
  savedMask: SignalSet | undefined;
  /** Blocked signals that sigtimedwait waits for. */
  awaited: SignalSet | undefined;
  readonly pending: PendingSignals = new PendingSignals();
  alternateStack: AlternateStack | undefined;
  /** Registers while another thread is on the processor. */
  context: Uint8Array | undefined;
  /** The block of the last switch, to be filled again at the next. */
  spareContext: Uint8Array | undefined;
  state: "runnable" | "waiting" | "dead" = "runnable";
  /** Whether it stands in the run queue. */
  queued = false;
  /** A system call waits and is to be started again. */
  inCall = false;
  progress: Progress | undefined;
  interruption: Interruption = "restartable";
  /** CLONE_CHILD_CLEARTID: word that is cleared, and whose waiters are woken, when the thread ends. */
  clearAtExit = 0;
  robustList = 0;
  readonly #queues: WaitQueue[] = [];
  #timer: Timer | undefined;
  readonly #runQueue: RunQueue;

  constructor(id: number, process: Process, runQueue: RunQueue) {
    this.id = id;
    this.process = process;
    this.#runQueue = runQueue;
  }

  /** Waits on `queues`, and until `progress.deadline` when there is one. */
  waitOn(queues: readonly (WaitQueue | undefined)[], interruption: Interruption): void {
    this.state = "waiting";
    this.interruption = interruption;
    for (const queue of queues) {
      if (queue === undefined) continue;
      queue.add(this);
      this.#queues.push(queue);
    }
    const deadline = this.progress?.deadline;
    if (deadline !== undefined) {
      this.#timer = this.#runQueue.timers.set(deadline, { kind: "wake", thread: this });
    }
  }

  /** Whether it stands on `queue`. */
  waitsOn(queue: WaitQueue): boolean {
    return this.#queues.includes(queue);
  }

  /** Leaves all wait queues. */
  unwait(): void {
    for (const queue of this.#queues) queue.remove(this);
    this.#queues.length = 0;
    if (this.#timer !== undefined) this.#runQueue.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  /** Makes a waiting thread runnable. */
  wake(): void {
    if (this.state !== "waiting") return;
    this.unwait();
    this.awaited = undefined;
    this.state = "runnable";
    this.#runQueue.enqueue(this);
  }

  /** Puts a runnable thread back into the run queue after its process was stopped. */
  requeue(): void {
    if (this.state === "runnable") this.#runQueue.enqueue(this);
  }

  /** Forgets what a call that ends remembered. */
  clearProgress(): void {
    this.progress?.held?.release();
    this.progress = undefined;
  }

  /** Ends the thread's use of the scheduler; the caller takes it out of its process. */
  die(): void {
    this.unwait();
    this.clearProgress();
    this.state = "dead";
    this.context = undefined;
    this.process.group.unchargeRecord(recordPrice.thread);
    this.process.group.unchargePid();
  }

  /** Whether the arrival of `signal` concerns a thread that waits: it can be delivered, or is awaited. */
  heeds(signal: number): boolean {
    if (this.state === "waiting" && this.interruption === "never") return false;
    return !this.blocked.has(signal) || this.awaited?.has(signal) === true;
  }

  /** Whether a signal can be delivered now. */
  get hasDeliverable(): boolean {
    return (
      this.pending.set.firstNotIn(this.blocked) !== 0 ||
      this.process.pending.set.firstNotIn(this.blocked) !== 0
    );
  }
}
