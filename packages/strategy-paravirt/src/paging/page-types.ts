/**
 * Validation of page tables: a frame becomes a table of a level only when everything in it is allowed, and what it
 * maps is then held by references until it is no table any more.
 *
 * Xen, xen/arch/x86/mm.c: get_page_from_l1e and its neighbours, alloc_l1_table to alloc_l4_table. Tables that refer
 * to themselves are refused, as Xen does with `pv-linear-pt=false`.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import type { PhysicalMemory } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import { FIRST_XEN_SLOT, LAST_XEN_SLOT } from "../abi/domain.ts";
import { EBUSY, EINVAL, EPERM } from "../abi/errno.ts";
import { TYPE, type FrameTable, type FrameType } from "../memory/frame-table.ts";
import {
  fixedHigh,
  fixedLow,
  frameOf,
  isForbidden,
  PRESENT,
  WRITABLE,
  type Level,
} from "./entry.ts";

const entriesPerTable = 512;
/** Entries that one access to the cache brings: a scan of a table costs an access for each line. */
const entriesPerLine = 8;
const linesPerTable: number = entriesPerTable / entriesPerLine;

export interface PageTypesOptions {
  readonly memory: PhysicalMemory;
  readonly frames: FrameTable;
  readonly work: MonitorWork;
  /** Empties the whole TLB. */
  readonly flushTlb: () => void;
  /** Whether a frame is fit for descriptors; puts right what Xen puts right in them. */
  readonly checkDescriptors: (frame: number) => boolean;
  /** Entry of Xen's own part of every level-4 table, as its lower half; 0 for none. */
  readonly xenEntry: (slot: number) => number;
}

export class PageTypes {
  readonly #frames: FrameTable;
  readonly #memory: PhysicalMemory;
  readonly #words: Uint32Array;
  readonly #options: PageTypesOptions;
  readonly #work: MonitorWork;
  /**
   * By table, a bit for each line of eight entries that may have a present one: what is let go reads no others.
   * Meaningful while the frame is a table.
   */
  readonly #lines: Uint32Array;

  constructor(options: PageTypesOptions) {
    const { memory, frames, work } = options;
    this.#options = options;
    this.#frames = frames;
    this.#memory = memory;
    this.#work = work;
    this.#words = new Uint32Array(memory.buffer, memory.baseOffset, memory.sizeBytes / 4);
    this.#lines = new Uint32Array(2 * frames.count);
  }

  /**
   * Takes a reference to a frame of the domain as one of this type, after validation if nothing uses it as that yet.
   *
   * @returns 0, or why not.
   */
  get(frame: number, type: Exclude<FrameType, 0>): number {
    this.#work.add("frameChecks");
    if (!this.#frames.get(frame)) return EINVAL;
    const result = this.#getType(frame, type);
    if (result !== 0) this.#frames.put(frame);
    return result;
  }

  /** Drops what {@link get} took. */
  put(frame: number): void {
    this.#work.add("frameChecks");
    this.#putType(frame);
    this.#frames.put(frame);
  }

  #getType(frame: number, type: Exclude<FrameType, 0>): number {
    const frames = this.#frames;
    if (frames.typeCount(frame) > 0) {
      if (frames.type(frame) !== type) return type === TYPE.WRITABLE ? EBUSY : EINVAL;
      frames.addTypeReference(frame);
      return 0;
    }
    // A write through a stale translation would change the table after its validation.
    if (type !== TYPE.WRITABLE && frames.maybeCachedWritable(frame)) this.#options.flushTlb();
    frames.setType(frame, type);
    if (type === TYPE.WRITABLE) return 0;
    const result =
      type === TYPE.DESCRIPTORS ? this.#admitDescriptors(frame) : this.#admit(frame, type);
    if (result !== 0) frames.dropTypeReference(frame);
    return result;
  }

  #putType(frame: number): void {
    const type = this.#frames.type(frame);
    if (this.#frames.typeCount(frame) === 1 && isTable(type)) this.#release(frame, type);
    this.#frames.dropTypeReference(frame);
  }

  #admitDescriptors(frame: number): number {
    return this.#options.checkDescriptors(frame) ? 0 : EINVAL;
  }

  /** Validates a whole table. On failure nothing is held. */
  #admit(frame: number, level: Level): number {
    const base = frame * frameBytes;
    this.#work.add("tableReads", linesPerTable);
    this.#lines.fill(0, frame * 2, frame * 2 + 2);
    for (let index = 0; index < entriesPerTable; index += 1) {
      if (level === 4 && isXenSlot(index)) continue;
      const at = base + index * 8;
      const low = this.#words[at >> 2] ?? 0;
      if ((low & PRESENT) === 0) continue;
      const high = this.#words[(at >> 2) + 1] ?? 0;
      this.#work.add("validations");
      const result = this.getEntry(low, high, level);
      if (result < 0) {
        this.#release(frame, level, index);
        return result;
      }
      this.notePresent(frame, index);
      this.writeRaw(at, fixedLow(low, high, level), fixedHigh(low, high, level));
    }
    if (level === 4) this.#installXen(base);
    return 0;
  }

  #installXen(base: number): void {
    for (let slot = FIRST_XEN_SLOT; slot <= LAST_XEN_SLOT; slot += 1) {
      this.writeRaw(base + slot * 8, this.#options.xenEntry(slot), 0);
    }
  }

  /** Drops what the entries before `end` hold. */
  #release(frame: number, level: Level, end: number = entriesPerTable): void {
    for (let line = 0; line * entriesPerLine < end; line += 1) {
      const lines = this.#lines[frame * 2 + (line >>> 5)] ?? 0;
      if ((lines & (1 << (line & 31))) === 0) continue;
      this.#work.add("tableReads");
      const first = line * entriesPerLine;
      this.#releaseLine(frame, level, first, Math.min(first + entriesPerLine, end));
    }
  }

  #releaseLine(frame: number, level: Level, first: number, end: number): void {
    for (let index = first; index < end; index += 1) {
      if (level === 4 && isXenSlot(index)) continue;
      const at = (frame * frameBytes + index * 8) >> 2;
      const low = this.#words[at] ?? 0;
      if ((low & PRESENT) !== 0) this.putEntry(low, this.#words[at + 1] ?? 0, level);
    }
  }

  /** A table has, or may have, a present entry at `index`. */
  notePresent(frame: number, index: number): void {
    const line = Math.floor(index / entriesPerLine);
    const at = frame * 2 + (line >>> 5);
    this.#lines[at] = (this.#lines[at] ?? 0) | (1 << (line & 31));
  }

  /**
   * Takes the references of a present entry.
   *
   * @returns 0, or why the entry is not allowed.
   */
  getEntry(low: number, high: number, level: Level): number {
    if (isForbidden(low, level)) return EINVAL;
    const frame = frameOf(low, high);
    if (level > 1) return this.get(frame, (level - 1) as Exclude<Level, 4>);
    // Beyond memory lie devices, which take a permission that no domain here has.
    if (frame >= this.#frames.count) return EPERM;
    if ((low & WRITABLE) !== 0) return this.get(frame, TYPE.WRITABLE);
    this.#work.add("frameChecks");
    return this.#frames.get(frame) ? 0 : EINVAL;
  }

  /** Drops the references of an entry that was present in a validated table. */
  putEntry(low: number, high: number, level: Level): void {
    const frame = frameOf(low, high);
    if (level > 1 || (low & WRITABLE) !== 0) this.put(frame);
    else {
      this.#work.add("frameChecks");
      this.#frames.put(frame);
    }
  }

  readLow(at: number): number {
    return this.#words[at >> 2] ?? 0;
  }

  readHigh(at: number): number {
    return this.#words[(at >> 2) + 1] ?? 0;
  }

  /** Writes an entry as it stands. */
  writeRaw(at: number, low: number, high: number): void {
    if ((this.#words[at >> 2] ?? 0) !== low >>> 0) this.#memory.writeU32(at, low >>> 0);
    if ((this.#words[(at >> 2) + 1] ?? 0) !== high >>> 0) this.#memory.writeU32(at + 4, high >>> 0);
  }
}

export function isXenSlot(index: number): boolean {
  return index >= FIRST_XEN_SLOT && index <= LAST_XEN_SLOT;
}

export function isTable(type: FrameType): type is Level {
  return type >= TYPE.L1 && type <= TYPE.L4;
}
