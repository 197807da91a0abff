/**
 * Wait queues: threads that wait for something to change.
 *
 * A woken thread starts its system call again, so a wake-up may be spurious and carries no data. Sets keep insertion
 * order, which makes wake-ups deterministic.
 */
import type { Thread } from "./thread.ts";

export class WaitQueue {
  readonly #threads = new Set<Thread>();

  get isEmpty(): boolean {
    return this.#threads.size === 0;
  }

  add(thread: Thread): void {
    this.#threads.add(thread);
  }

  remove(thread: Thread): void {
    this.#threads.delete(thread);
  }

  /** Makes every waiting thread runnable. */
  wakeAll(): void {
    if (this.#threads.size === 0) return;
    for (const thread of [...this.#threads]) thread.wake();
  }

  /** Makes up to `count` threads runnable, longest waiting first; gives how many. */
  wake(count: number): number {
    let woken = 0;
    for (const thread of [...this.#threads]) {
      if (woken >= count) break;
      thread.wake();
      woken++;
    }
    return woken;
  }
}
