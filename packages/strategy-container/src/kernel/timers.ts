/** The kernel's timers: what has to happen at which moment of machine time. Plain data, ordered by deadline. */
import type { Process } from "./process.ts";
import type { Thread } from "./thread.ts";

export type TimerEvent =
  /** A waiting thread goes on; its system call sees that time is up. */
  | { readonly kind: "wake"; readonly thread: Thread }
  /** ITIMER_REAL and alarm. */
  | { readonly kind: "alarm"; readonly process: Process }
  /** A timer of timer_create. */
  | { readonly kind: "posix"; readonly process: Process; readonly id: number };

export interface Timer {
  /** Machine time in nanoseconds. */
  readonly deadline: number;
  readonly event: TimerEvent;
}

export class Timers {
  /** Ascending by deadline; among equals, the one set first is first. */
  readonly #timers: Timer[] = [];

  get next(): Timer | undefined {
    return this.#timers[0];
  }

  set(deadline: number, event: TimerEvent): Timer {
    const timer = { deadline, event };
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle]?.deadline ?? 0) <= deadline) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return timer;
  }

  cancel(timer: Timer): void {
    const index = this.#timers.indexOf(timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  /** Takes the first timer that is due at `now`. */
  takeDue(now: number): Timer | undefined {
    const first = this.#timers[0];
    return first !== undefined && first.deadline <= now ? this.#timers.shift() : undefined;
  }
}
