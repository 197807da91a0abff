/**
 * Futexes: threads that wait for a word in memory.
 *
 * Keyed by the address space and the address, or for words in shared mappings by the physical address, which a waiter
 * and a waker of different processes have in common. A queue exists while somebody waits on it. futex(2).
 */
import type { AddressSpace } from "./address-space.ts";
import type { Thread } from "./thread.ts";
import { WaitQueue } from "./wait-queue.ts";

interface Waiter {
  readonly thread: Thread;
  readonly bits: number;
}

/** What a word is known by: its address space, or undefined for shared memory, and its address. */
interface Key {
  readonly space: AddressSpace | undefined;
  readonly place: number;
}

export class Futexes {
  readonly #queues = new Map<AddressSpace | undefined, Map<number, FutexQueue>>();

  #keyOf(space: AddressSpace, linear: number): Key | undefined {
    if (space.find(linear)?.shared !== true) return { space, place: linear };
    const place = space.translate(linear, false);
    return place < 0 ? undefined : { space: undefined, place };
  }

  /** Puts a thread on the queue of a word. Gives the queue, or undefined when the word is inaccessible. */
  join(space: AddressSpace, linear: number, thread: Thread, bits: number): FutexQueue | undefined {
    const key = this.#keyOf(space, linear);
    if (key === undefined) return undefined;
    let words = this.#queues.get(key.space);
    if (words === undefined) {
      words = new Map();
      this.#queues.set(key.space, words);
    }
    let queue = words.get(key.place);
    if (queue === undefined) {
      queue = new FutexQueue(() => this.#drop(key));
      words.set(key.place, queue);
    }
    queue.join(thread, bits);
    return queue;
  }

  /** Wakes up to `count` threads that wait for the word; gives how many. */
  wake(space: AddressSpace, linear: number, count: number, bits: number = 0xffff_ffff): number {
    const key = this.#keyOf(space, linear);
    const queue = key && this.#queues.get(key.space)?.get(key.place);
    return queue?.wakeWaiters(count, bits) ?? 0;
  }

  #drop({ space, place }: Key): void {
    const words = this.#queues.get(space);
    words?.delete(place);
    if (words?.size === 0) this.#queues.delete(space);
  }
}

/** Threads that wait on one word, longest waiting first. */
export class FutexQueue extends WaitQueue {
  readonly #waiters: Waiter[] = [];
  readonly #emptied: () => void;

  /** @param emptied Called when the last thread leaves. */
  constructor(emptied: () => void) {
    super();
    this.#emptied = emptied;
  }

  join(thread: Thread, bits: number): void {
    this.#waiters.push({ thread, bits });
  }

  override remove(thread: Thread): void {
    super.remove(thread);
    const index = this.#waiters.findIndex((waiter) => waiter.thread === thread);
    if (index >= 0) this.#waiters.splice(index, 1);
    if (this.#waiters.length === 0) this.#emptied();
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
