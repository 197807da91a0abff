/**
 * Memory of a program as the kernel accesses it on the program's behalf, with the program's own rights.
 *
 * What is inaccessible is a result and never an exception: the system call turns it into EFAULT.
 */
import { PAGE_BYTES, PAGE_MASK } from "../abi/memory.ts";
import type { Frames } from "./frames.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

export abstract class UserMemory {
  protected readonly memory: PhysicalMemory;
  /** Physical memory as words and as bytes, for reading. */
  protected readonly words: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(frames: Frames) {
    this.memory = frames.memory;
    this.words = frames.words;
    this.#bytes = frames.bytes;
  }

  /** Physical address of the byte at `linear` for an access of the program's own rights, or -1. */
  abstract translate(linear: number, write: boolean): number;

  /** Copies `bytes` to the program; gives how many fit before an inaccessible page. */
  write(linear: number, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const physical = this.translate(linear + done, true);
      if (physical < 0) break;
      const count = Math.min(bytes.length - done, PAGE_BYTES - (physical & PAGE_MASK));
      this.memory.write(physical, bytes.subarray(done, done + count));
      done += count;
    }
    return done;
  }

  /** Writes all of `bytes`; false when part of the range is inaccessible. */
  put(linear: number, bytes: Uint8Array): boolean {
    return this.write(linear, bytes) === bytes.length;
  }

  /** Zeros a range; false when part of it is inaccessible. */
  clear(linear: number, lengthBytes: number): boolean {
    let done = 0;
    while (done < lengthBytes) {
      const physical = this.translate(linear + done, true);
      if (physical < 0) return false;
      const count = Math.min(lengthBytes - done, PAGE_BYTES - (physical & PAGE_MASK));
      this.memory.fill(physical, 0, count);
      done += count;
    }
    return true;
  }

  /** Reads exactly `lengthBytes`, or undefined when part of the range is inaccessible. */
  get(linear: number, lengthBytes: number): Uint8Array | undefined {
    const bytes = new Uint8Array(lengthBytes);
    return this.read(linear, bytes) ? bytes : undefined;
  }

  /** Fills `bytes`; false when part of the range is inaccessible. */
  read(linear: number, bytes: Uint8Array): boolean {
    let done = 0;
    while (done < bytes.length) {
      const physical = this.translate(linear + done, false);
      if (physical < 0) return false;
      const count = Math.min(bytes.length - done, PAGE_BYTES - (physical & PAGE_MASK));
      bytes.set(this.#bytes.subarray(physical, physical + count), done);
      done += count;
    }
    return true;
  }

  /** Writes a 32-bit word; false when it is inaccessible. */
  putU32(linear: number, value: number): boolean {
    if ((linear & PAGE_MASK) > PAGE_BYTES - 4) {
      return this.put(linear, new Uint8Array(new Uint32Array([value]).buffer));
    }
    const physical = this.translate(linear, true);
    if (physical < 0) return false;
    this.memory.writeU32(physical, value >>> 0);
    return true;
  }

  /** Reads a 32-bit word, or -1 when it is inaccessible. */
  getU32(linear: number): number {
    if ((linear & PAGE_MASK) > PAGE_BYTES - 4) {
      const bytes = this.get(linear, 4);
      return bytes === undefined
        ? -1
        : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    }
    const physical = this.translate(linear, false);
    if (physical < 0) return -1;
    if (physical % 4 === 0) return this.words[physical / 4] ?? 0;
    const bytes = this.#bytes;
    return (
      ((bytes[physical] ?? 0) |
        ((bytes[physical + 1] ?? 0) << 8) |
        ((bytes[physical + 2] ?? 0) << 16) |
        ((bytes[physical + 3] ?? 0) << 24)) >>>
      0
    );
  }

  /** Reads a pointer or size of 64 bits as a number (inexact above 2^53, where no address is valid), or -1. */
  getU64(linear: number): number {
    const low = this.getU32(linear);
    const high = this.getU32(linear + 4);
    return low < 0 || high < 0 ? -1 : high * 0x1_0000_0000 + low;
  }

  /** Writes a 64-bit integer given as a safe integer; negative ones in two's complement. */
  putU64(linear: number, value: number): boolean {
    const high = Math.floor(value / 0x1_0000_0000);
    return this.putU32(linear, value >>> 0) && this.putU32(linear + 4, high >>> 0);
  }

  /** Bytes up to a NUL, which is left out. `"fault"`: inaccessible; `"long"`: no NUL in `maximumBytes`. */
  getString(linear: number, maximumBytes: number): Uint8Array | "fault" | "long" {
    const parts: Uint8Array[] = [];
    let total = 0;
    while (total < maximumBytes) {
      const physical = this.translate(linear + total, false);
      if (physical < 0) return "fault";
      const count = Math.min(maximumBytes - total, PAGE_BYTES - (physical & PAGE_MASK), 256);
      const part = this.memory.read(physical, count);
      const end = part.indexOf(0);
      if (end >= 0) {
        if (total === 0) return part.subarray(0, end);
        parts.push(part.subarray(0, end));
        return concatenate(parts);
      }
      parts.push(part);
      total += count;
    }
    return "long";
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
