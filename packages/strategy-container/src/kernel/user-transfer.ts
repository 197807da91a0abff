/** A {@link Transfer} whose other side is memory of a program: one buffer, or several as in readv. */
import { PAGE_BYTES, PAGE_MASK } from "../abi/memory.ts";
import type { Transfer } from "../files/transfer.ts";
import type { AddressSpace } from "./address-space.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

export interface UserRange {
  readonly linear: number;
  readonly lengthBytes: number;
}

export class UserTransfer implements Transfer {
  remaining: number;
  faulted = false;
  readonly #memory: PhysicalMemory;
  readonly #space: AddressSpace;
  /** Ranges after the current one. */
  readonly #ranges: readonly UserRange[];
  #next = 0;
  #linear: number;
  #left: number;

  constructor(
    memory: PhysicalMemory,
    space: AddressSpace,
    linear: number,
    lengthBytes: number,
    further: readonly UserRange[] = [],
  ) {
    this.#memory = memory;
    this.#space = space;
    this.#linear = linear;
    this.#left = lengthBytes;
    this.#ranges = further;
    this.remaining = lengthBytes;
    for (const range of further) this.remaining += range.lengthBytes;
  }

  /** Skips bytes that an earlier try of the same system call has moved. */
  skip(lengthBytes: number): void {
    let left = lengthBytes;
    while (left > 0) {
      this.#enterRange();
      const count = Math.min(left, this.#left);
      if (count === 0) return;
      this.#advance(count);
      left -= count;
    }
  }

  #enterRange(): void {
    while (this.#left === 0) {
      const range = this.#ranges[this.#next];
      if (range === undefined) return;
      this.#next++;
      this.#linear = range.linear;
      this.#left = range.lengthBytes;
    }
  }

  #advance(count: number): void {
    this.#linear += count;
    this.#left -= count;
    this.remaining -= count;
  }

  /** Physical address of the next bytes, or -1 at the end or at a fault. */
  #here(write: boolean): number {
    if (this.remaining === 0 || this.faulted) return -1;
    this.#enterRange();
    const physical = this.#space.translate(this.#linear, write);
    if (physical < 0) this.faulted = true;
    return physical;
  }

  #span(physical: number, wanted: number): number {
    return Math.min(wanted, this.#left, PAGE_BYTES - (physical & PAGE_MASK));
  }

  putPhysical(from: number, lengthBytes: number): number {
    let done = 0;
    while (done < lengthBytes) {
      const physical = this.#here(true);
      if (physical < 0) break;
      const count = this.#span(physical, lengthBytes - done);
      this.#memory.copy(from + done, physical, count);
      this.#advance(count);
      done += count;
    }
    return done;
  }

  putBytes(bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const physical = this.#here(true);
      if (physical < 0) break;
      const count = this.#span(physical, bytes.length - done);
      this.#memory.write(physical, bytes.subarray(done, done + count));
      this.#advance(count);
      done += count;
    }
    return done;
  }

  putZeros(lengthBytes: number): number {
    let done = 0;
    while (done < lengthBytes) {
      const physical = this.#here(true);
      if (physical < 0) break;
      const count = this.#span(physical, lengthBytes - done);
      this.#memory.fill(physical, 0, count);
      this.#advance(count);
      done += count;
    }
    return done;
  }

  takePhysical(to: number, lengthBytes: number): number {
    let done = 0;
    while (done < lengthBytes) {
      const physical = this.#here(false);
      if (physical < 0) break;
      const count = this.#span(physical, lengthBytes - done);
      this.#memory.copy(physical, to + done, count);
      this.#advance(count);
      done += count;
    }
    return done;
  }

  takeBytes(lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(lengthBytes, this.remaining));
    let done = 0;
    while (done < bytes.length) {
      const physical = this.#here(false);
      if (physical < 0) break;
      const count = this.#span(physical, bytes.length - done);
      bytes.set(this.#memory.read(physical, count), done);
      this.#advance(count);
      done += count;
    }
    return done === bytes.length ? bytes : bytes.subarray(0, done);
  }
}
