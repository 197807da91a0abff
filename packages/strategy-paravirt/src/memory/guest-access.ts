/**
 * The guest's memory through its own page tables: what hypercalls read and write at addresses that the guest names.
 *
 * The page tables are the real ones, which the processor walks too. Xen's own part of the address space is out of
 * reach: a guest cannot have the hypervisor read or write there for it.
 */
import type { PhysicalMemory } from "@ringside/isa";
import type { MonitorWork } from "@ringside/hypervisor";
import { XEN_HIGH_FIRST, XEN_HIGH_LAST } from "../abi/domain.ts";
import {
  ACCESSED,
  DIRTY,
  FRAME_HIGH,
  FRAME_LOW,
  indexAt,
  isCanonical,
  PRESENT,
  USER,
  WRITABLE,
  type Level,
} from "../paging/entry.ts";

const levels: readonly Level[] = [4, 3, 2, 1];
const pageBytes = 4096;

/** A linear address as two halves. */
export interface Linear {
  readonly low: number;
  readonly high: number;
}

export class GuestAccess {
  /** Physical address of the level-4 table in use. */
  root = 0;
  readonly #memory: PhysicalMemory;
  readonly #words: Uint32Array;
  readonly #work: MonitorWork;

  constructor(memory: PhysicalMemory, work: MonitorWork) {
    this.#memory = memory;
    this.#work = work;
    this.#words = new Uint32Array(memory.buffer, memory.baseOffset, memory.sizeBytes / 4);
  }

  /**
   * Physical address behind a linear one, or -1. Sets the accessed bits, and the dirty one for a write.
   *
   * The walk is not counted: on hardware the processor makes it, and mostly finds the translation in its TLB.
   */
  translate(low: number, high: number, write: boolean): number {
    if (!isCanonical(high) || (high >= XEN_HIGH_FIRST && high <= XEN_HIGH_LAST)) return -1;
    const needed = PRESENT | USER | (write ? WRITABLE : 0);
    let table = this.root;
    let at = 0;
    for (const level of levels) {
      at = table + indexAt(level, low, high) * 8;
      const entry = this.#words[at >> 2] ?? 0;
      if ((entry & needed) !== needed) return -1;
      const touched = entry | ACCESSED | (write && level === 1 ? DIRTY : 0);
      if (touched !== entry) this.#memory.writeU32(at, touched >>> 0);
      const upper = this.#words[(at >> 2) + 1] ?? 0;
      table = (upper & FRAME_HIGH) * 0x1_0000_0000 + ((entry & FRAME_LOW) >>> 0);
    }
    return table + (low & 0xfff);
  }

  /** Physical address of the entry of level 1 for a linear address, or -1 when there is no table. Counts nothing as accessed. */
  leafEntry(low: number, high: number): number {
    if (!isCanonical(high) || (high >= XEN_HIGH_FIRST && high <= XEN_HIGH_LAST)) return -1;
    let table = this.root;
    this.#work.add("tableReads");
    for (const level of levels) {
      const at = table + indexAt(level, low, high) * 8;
      if (level === 1) return at;
      const entry = this.#words[at >> 2] ?? 0;
      if ((entry & PRESENT) === 0) return -1;
      const upper = this.#words[(at >> 2) + 1] ?? 0;
      table = (upper & FRAME_HIGH) * 0x1_0000_0000 + ((entry & FRAME_LOW) >>> 0);
    }
    return -1;
  }

  /** A copy; undefined when any byte cannot be read. */
  read(address: Linear, lengthBytes: number): Uint8Array | undefined {
    const bytes = new Uint8Array(lengthBytes);
    let { low, high } = address;
    for (let done = 0; done < lengthBytes;) {
      const physical = this.translate(low, high, false);
      if (physical < 0) return undefined;
      const part = Math.min(lengthBytes - done, pageBytes - (low & 0xfff));
      const from = this.#memory.baseOffset + physical;
      bytes.set(new Uint8Array(this.#memory.buffer, from, part), done);
      done += part;
      ({ low, high } = plus(low, high, part));
    }
    this.#work.add("mappedWords", Math.ceil(lengthBytes / 8));
    return bytes;
  }

  /** False when any byte cannot be written; those before it may have been. */
  write(address: Linear, bytes: Uint8Array): boolean {
    let { low, high } = address;
    for (let done = 0; done < bytes.length;) {
      const physical = this.translate(low, high, true);
      if (physical < 0) return false;
      const part = Math.min(bytes.length - done, pageBytes - (low & 0xfff));
      this.#memory.write(physical, bytes.subarray(done, done + part));
      done += part;
      ({ low, high } = plus(low, high, part));
    }
    this.#work.add("mappedWords", Math.ceil(bytes.length / 8));
    return true;
  }
}

/** A linear address and some bytes; wraps around as the processor's do. */
export function plus(low: number, high: number, lengthBytes: number): Linear {
  const sum = low + lengthBytes;
  const carry = Math.floor(sum / 0x1_0000_0000);
  return { low: sum >>> 0, high: (high + carry) >>> 0 };
}
