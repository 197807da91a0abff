/**
 * The page tables of one address space: real 4-level x86-64 tables in the machine's memory.
 *
 * Intel SDM Vol. 3A §4.5, "4-Level Paging and 5-Level Paging". Only the lower half is used and only 4 KiB pages.
 * Of the kernel only kernel-half.ts is mapped: it is not on the processor. Linear addresses are numbers below 2^47; an entry is
 * read and written as two 32-bit halves, because 64-bit integers are slow in JavaScript.
 *
 *    47      39 38      30 29      21 20      12 11       0
 *   +----------+----------+----------+----------+----------+
 *   |   PML4   |   PDPT   |    PD    |    PT    |  offset  |
 *   +----------+----------+----------+----------+----------+
 */
import { PAGE_BYTES } from "../abi/memory.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import { NO_FRAME, type Frames } from "./frames.ts";
import { KERNEL_ENTRY_INDEX } from "./kernel-half.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

/** Bit 0. The entry maps something. */
export const ENTRY_PRESENT = 0x001;
/** Bit 1. */
export const ENTRY_WRITABLE = 0x002;
/** Bit 2. */
export const ENTRY_USER = 0x004;
/** Bit 9, ignored by the processor: the entry holds a frame. Without ENTRY_PRESENT: one with PROT_NONE. */
export const ENTRY_HELD = 0x200;
/** Bit 63, as a bit of the upper half. */
export const ENTRY_HIGH_NO_EXECUTE = 0x8000_0000;

const TABLE_FLAGS = ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER | ENTRY_HELD;
/** Entries of a table. The upper half of the PML4 is the kernel's. */
const ENTRIES = 512;
const GIBIBYTE = 0x4000_0000;
const TABLE_REACH_BYTES = 0x20_0000;

/** Physical address that the halves of a present entry point to. */
export function frameOf(low: number, high: number): number {
  return (high & 0xf_ffff) * 0x1_0000_0000 + ((low & ~0xfff) >>> 0);
}

export class PageTables {
  /** Physical address of the PML4: what CR3 gets. */
  readonly root: number;
  /** Frames that the tables themselves take. */
  tableFrames = 1;
  readonly #memory: PhysicalMemory;
  readonly #words: Uint32Array;
  readonly #frames: Frames;
  readonly #group: ControlGroup;

  /** @param root A cleared frame, whose reference passes to the tables. */
  constructor(frames: Frames, group: ControlGroup, root: number) {
    this.#memory = frames.memory;
    this.#words = frames.words;
    this.#frames = frames;
    this.#group = group;
    this.root = root;
    this.#memory.writeU32(root + KERNEL_ENTRY_INDEX * 8, frames.kernelEntry);
  }

  #descend(entry: number, create: boolean): number {
    const low = this.#words[entry / 4] ?? 0;
    if ((low & ENTRY_PRESENT) !== 0) return frameOf(low, this.#words[entry / 4 + 1] ?? 0);
    if (!create) return NO_FRAME;
    const table = this.#frames.allot(this.#group);
    if (table === NO_FRAME) return NO_FRAME;
    this.tableFrames++;
    this.#memory.writeU32(entry + 4, Math.floor(table / 0x1_0000_0000));
    this.#memory.writeU32(entry, ((table % 0x1_0000_0000) | TABLE_FLAGS) >>> 0);
    return table;
  }

  /**
   * Physical address of the last-level entry for `linear`, or 0 when a table on the way is missing (`create`: when it
   * could not be made, for want of memory).
   */
  entry(linear: number, create: boolean): number {
    const gibibyte = Math.floor(linear / GIBIBYTE);
    const within = linear - gibibyte * GIBIBYTE;
    const directoryPointers = this.#descend(this.root + (gibibyte >>> 9) * 8, create);
    if (directoryPointers === NO_FRAME) return 0;
    const directory = this.#descend(directoryPointers + (gibibyte & 511) * 8, create);
    if (directory === NO_FRAME) return 0;
    const table = this.#descend(directory + (within >>> 21) * 8, create);
    if (table === NO_FRAME) return 0;
    return table + ((within >>> 12) & 511) * 8;
  }

  /** Writes a leaf. `flags`: 0, ENTRY_USER, or that and ENTRY_WRITABLE. */
  write(entry: number, frame: number, flags: number, executable: boolean): void {
    const high = Math.floor(frame / 0x1_0000_0000);
    this.#memory.writeU32(entry + 4, executable ? high : (high | ENTRY_HIGH_NO_EXECUTE) >>> 0);
    const present = flags === 0 ? ENTRY_HELD : ENTRY_HELD | ENTRY_PRESENT;
    this.#memory.writeU32(entry, ((frame % 0x1_0000_0000) | flags | present) >>> 0);
  }

  /** Makes a leaf map nothing. */
  clear(entry: number): void {
    this.#memory.writeU32(entry, 0);
    this.#memory.writeU32(entry + 4, 0);
  }

  /** Calls `visit` for each leaf that holds a frame in [start, end), both page-aligned, in ascending order. */
  forEach(
    start: number,
    end: number,
    visit: (linear: number, entry: number, low: number, high: number) => void,
  ): void {
    const words = this.#words;
    let linear = start;
    while (linear < end) {
      const next = Math.min(end, (Math.floor(linear / TABLE_REACH_BYTES) + 1) * TABLE_REACH_BYTES);
      let entry = this.entry(linear, false);
      if (entry === 0) {
        linear = this.#skipMissing(linear, next);
        continue;
      }
      for (; linear < next; linear += PAGE_BYTES, entry += 8) {
        const low = words[entry / 4] ?? 0;
        if ((low & ENTRY_HELD) !== 0) visit(linear, entry, low, words[entry / 4 + 1] ?? 0);
      }
    }
  }

  /** Where the walk goes on when no table covers `linear`: past the largest missing table. */
  #skipMissing(linear: number, next: number): number {
    const gibibyte = Math.floor(linear / GIBIBYTE);
    const pointers = this.#descend(this.root + (gibibyte >>> 9) * 8, false);
    if (pointers === NO_FRAME) return ((gibibyte >>> 9) + 1) * 512 * GIBIBYTE;
    if (this.#descend(pointers + (gibibyte & 511) * 8, false) === NO_FRAME) {
      return (gibibyte + 1) * GIBIBYTE;
    }
    return next;
  }

  /** Frees tables without entries in [start, end), page-aligned, after leaves there were cleared. */
  prune(start: number, end: number): void {
    let linear = Math.floor(start / TABLE_REACH_BYTES) * TABLE_REACH_BYTES;
    while (linear < end) {
      const next = linear + TABLE_REACH_BYTES;
      const gibibyte = Math.floor(linear / GIBIBYTE);
      const top = this.root + (gibibyte >>> 9) * 8;
      const pointers = this.#descend(top, false);
      if (pointers === NO_FRAME) {
        linear = ((gibibyte >>> 9) + 1) * 512 * GIBIBYTE;
        continue;
      }
      const middle = pointers + (gibibyte & 511) * 8;
      const directory = this.#descend(middle, false);
      if (directory === NO_FRAME) {
        linear = (gibibyte + 1) * GIBIBYTE;
        continue;
      }
      const bottom = directory + ((linear - gibibyte * GIBIBYTE) >>> 21) * 8;
      const table = this.#descend(bottom, false);
      if (table !== NO_FRAME && this.#freeIfEmpty(bottom, table)) {
        if (this.#freeIfEmpty(middle, directory)) this.#freeIfEmpty(top, pointers);
      }
      linear = next;
    }
  }

  #freeIfEmpty(parentEntry: number, table: number): boolean {
    const first = table / 4;
    for (let index = first; index < first + PAGE_BYTES / 4; index += 2) {
      if (((this.#words[index] ?? 0) & ENTRY_HELD) !== 0) return false;
    }
    this.#memory.writeU32(parentEntry, 0);
    this.#memory.writeU32(parentEntry + 4, 0);
    this.#frames.release(table);
    this.tableFrames--;
    return true;
  }

  /** Frees the tables, the root included. Leaves must be gone. */
  dispose(): void {
    this.#freeBelow(this.root, 3, ENTRIES / 2);
    this.#frames.release(this.root);
  }

  /** Frees the tables that `table` points to, `level` levels deep; tables without entries among them. */
  #freeBelow(table: number, level: number, count: number): void {
    for (let entry = table; entry < table + count * 8; entry += 8) {
      const below = this.#descend(entry, false);
      if (below === NO_FRAME) continue;
      if (level > 1) this.#freeBelow(below, level - 1, ENTRIES);
      this.#frames.release(below);
    }
  }
}
