/**
 * Futexes: threads that wait for a word in memory.
 *
 * Keyed by the address space and the address, or for words in shared mappings by the physical address, which a waiter
 * and a waker of different processes have in common. futex(2).
 */
import type { AddressSpace } from "./address-space.ts";
import type { Thread } from "./thread.ts";
import { WaitQueue } from "./wait-queue.ts";

interface Waiter {
  readonly thread: Thread;
  readonly bits: number;
}

export class Futexes {
  readonly #bySpace = new Map<AddressSpace, Map<number, FutexQueue>>();
  readonly #shared = new Map<number, FutexQueue>();

  /** The queue of a word, or undefined when the word is inaccessible. */
  queue(space: AddressSpace, linear: number): FutexQueue | undefined {
    const area = space.find(linear);
    if (area?.shared === true) {
      const physical = space.translate(linear, false);
      return physical < 0 ? undefined : obtain(this.#shared, physical);
    }
    let words = this.#bySpace.get(space);
    if (words === undefined) {
      words = new Map();
      this.#bySpace.set(space, words);
    }
    return obtain(words, linear);
  }

  /** Wakes up to `count` threads that wait for the word; gives how many. */
  wake(space: AddressSpace, linear: number, count: number, bits: number = 0xffff_ffff): number {
    const queue = this.queue(space, linear);
    if (queue === undefined) return 0;
    const woken = queue.wakeWaiters(count, bits);
    this.prune(space, linear);
    return woken;
  }

  /** Forgets the queue of a word when nobody waits on it. */
  prune(space: AddressSpace, linear: number): void {
    const words = this.#bySpace.get(space);
    if (words?.get(linear)?.hasWaiters === false) {
      words.delete(linear);
      if (words.size === 0) this.#bySpace.delete(space);
      return;
    }
    const physical = space.find(linear)?.shared === true ? space.translate(linear, false) : -1;
    if (this.#shared.get(physical)?.hasWaiters === false) this.#shared.delete(physical);
  }
}

function obtain(map: Map<number, FutexQueue>, key: number): FutexQueue {
  let queue = map.get(key);
  if (queue === undefined) {
    queue = new FutexQueue();
    map.set(key, queue);
  }
  return queue;
}

/** Threads that wait on one word, longest waiting first. */
export class FutexQueue extends WaitQueue {
  readonly #waiters: Waiter[] = [];

  get hasWaiters(): boolean {
    return this.#waiters.length > 0;
  }

  join(thread: Thread, bits: number): void {
    this.#waiters.push({ thread, bits });
  }

  override remove(thread: Thread): void {
    super.remove(thread);
    const index = this.#waiters.findIndex((waiter) => waiter.thread === thread);
    if (index >= 0) this.#waiters.splice(index, 1);
  }

  wakeWaiters(count: number, bits: number): number {
    let woken = 0;
    for (const waiter of [...this.#waiters]) {
      if (woken >= count) break;
      if ((waiter.bits & bits) === 0) continue;
      // The word may still hold the old value, so the wake-up itself has to be remembered.
      if (waiter.thread.progress !== undefined) waiter.thread.progress.woken = true;
      waiter.thread.wake();
      woken++;
    }
    return woken;
  }
}
