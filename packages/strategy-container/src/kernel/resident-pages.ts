/**
 * The pages that an address space has: leaf entries of its page tables, and the frames behind them.
 *
 * A page becomes present when it is touched: with a frame of its own, one of the file's, or the frame of zeros. Each entry
 * holds a reference to its frame. Who caches translations is told by the caller.
 */
import { PAGE_BYTES, PROT_EXEC, PROT_WRITE } from "../abi/memory.ts";
import type { RegularInode } from "../files/inode.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import type { Area } from "./area.ts";
import { NO_FRAME, type Frames } from "./frames.ts";
import {
  ENTRY_PRESENT,
  ENTRY_USER,
  ENTRY_WRITABLE,
  frameOf,
  type PageTables,
} from "./page-tables.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

/** Pages around a read fault on a file that are mapped with it (fault_around_bytes: 64 KiB). */
const FAULT_AROUND_BYTES = 16 * PAGE_BYTES;
const TABLE_REACH_BYTES = 0x20_0000;

/** Counts of one kernel's memory management. */
export interface MemoryCounts {
  /** Faults that made a page present or writable. */
  faultsResolved: number;
  /** Pages that were filled with zeros for a fault. */
  pagesZeroed: number;
  /** Pages copied because somebody else refers to them too. */
  pagesCopied: number;
  /** Pages of files mapped as they are. */
  filePagesMapped: number;
  /** Leaf entries copied by fork. */
  entriesForked: number;
}

/** What came of making a page accessible. */
export type PageResult =
  | "resolved"
  /** Beyond the end of the mapped file (SIGBUS, BUS_ADRERR). */
  | "beyond-file"
  | "out-of-memory";

export class ResidentPages {
  /** Leaf entries that map a frame. */
  count = 0;
  readonly #frames: Frames;
  readonly #counts: MemoryCounts;
  readonly #group: ControlGroup;
  readonly #tables: PageTables;
  readonly #memory: PhysicalMemory;
  readonly #words: Uint32Array;

  /** @param group Pays for frames. */
  constructor(frames: Frames, counts: MemoryCounts, group: ControlGroup, tables: PageTables) {
    this.#frames = frames;
    this.#counts = counts;
    this.#group = group;
    this.#tables = tables;
    this.#memory = frames.memory;
    this.#words = frames.words;
  }

  /** Maps a page that has no entry yet, for an access that its area allows. */
  makePresent(
    area: Area,
    page: number,
    entry: number,
    access: "read" | "write" | "execute",
  ): PageResult {
    const frames = this.#frames;
    const counts = this.#counts;
    const writable = (area.protection & PROT_WRITE) !== 0;
    const { source } = area;
    if (source === undefined) {
      if (access !== "write") {
        frames.share(frames.zeroFrame);
        this.#put(area, entry, frames.zeroFrame, false);
        return "resolved";
      }
      const frame = frames.allot(this.#group);
      if (frame === NO_FRAME) return "out-of-memory";
      counts.pagesZeroed++;
      this.#put(area, entry, frame, true);
      return "resolved";
    }
    const offset = source.offset + (page - area.start);
    if (offset >= source.inode.sizeBytes) return "beyond-file";
    const index = offset / PAGE_BYTES;
    if (area.shared) {
      const frame = source.inode.page(index, true);
      if (frame === NO_FRAME) return "out-of-memory";
      frames.share(frame);
      counts.filePagesMapped++;
      this.#put(area, entry, frame, writable);
      return "resolved";
    }
    const cached = source.inode.page(index, false);
    if (access === "write") {
      const frame = this.#copyOf(cached);
      if (frame === NO_FRAME) return "out-of-memory";
      this.#put(area, entry, frame, true);
      return "resolved";
    }
    this.#mapFilePage(area, entry, cached);
    this.#mapAround(area, source.inode, page);
    return "resolved";
  }

  /** Lets a page be stored to, as its area allows: it is copied first when somebody else has it, too. */
  makeWritable(area: Area, entry: number, low: number): PageResult {
    const frames = this.#frames;
    const executable = (area.protection & PROT_EXEC) !== 0;
    const frame = frameOf(low, this.#words[entry / 4 + 1] ?? 0);
    if (area.shared || frames.references(frame) === 1) {
      this.#tables.write(entry, frame, this.#leafFlags(area, true), executable);
      return "resolved";
    }
    const copy = this.#copyOf(frame);
    if (copy === NO_FRAME) return "out-of-memory";
    this.#tables.write(entry, copy, this.#leafFlags(area, true), executable);
    frames.release(frame);
    return "resolved";
  }

  /** Drops the pages of [start, end); gives how many there were. */
  clear(start: number, end: number): number {
    let cleared = 0;
    this.#tables.forEach(start, end, (_linear, entry, low, high) => {
      this.#tables.clear(entry);
      this.#frames.release(frameOf(low, high));
      cleared++;
    });
    this.count -= cleared;
    return cleared;
  }

  /** Gives the pages of an area its rights; whether there were any. */
  protect(area: Area): boolean {
    const writable = (area.protection & PROT_WRITE) !== 0;
    const user = area.protection === 0 ? 0 : ENTRY_USER;
    const executable = (area.protection & PROT_EXEC) !== 0;
    let changed = false;
    this.#tables.forEach(area.start, area.end, (_linear, entry, low, high) => {
      // A private page turns writable by the fault, which looks whether it has to be copied.
      const keep = writable && (area.shared || (low & ENTRY_WRITABLE) !== 0);
      this.#tables.write(entry, frameOf(low, high), user | (keep ? ENTRY_WRITABLE : 0), executable);
      changed = true;
    });
    return changed;
  }

  /**
   * Moves the pages of [from, from + lengthBytes) to `to`; both ranges lie in areas, and nothing is present at `to`.
   * Gives false when there is no memory for page tables: then some pages stay, and are lost with their area.
   */
  move(from: number, to: number, lengthBytes: number): boolean {
    let complete = true;
    this.#tables.forEach(from, from + lengthBytes, (linear, entry, low, high) => {
      const target = this.#tables.entry(to + (linear - from), true);
      if (target === 0) {
        complete = false;
        return;
      }
      this.#memory.writeU32(target + 4, high);
      this.#memory.writeU32(target, low);
      this.#tables.clear(entry);
    });
    return complete;
  }

  /** Shares the pages of an area with `child`, private ones until either stores. False when memory is used up. */
  fork(area: Area, child: ResidentPages): boolean {
    const frames = this.#frames;
    const counts = this.#counts;
    const memory = this.#memory;
    let table = 0;
    let tableReach = -1;
    let complete = true;
    this.#tables.forEach(area.start, area.end, (linear, entry, low, high) => {
      if (!complete) return;
      const reach = Math.floor(linear / TABLE_REACH_BYTES);
      if (reach !== tableReach) {
        table = child.#tables.entry(reach * TABLE_REACH_BYTES, true);
        tableReach = reach;
        if (table === 0) {
          complete = false;
          return;
        }
      }
      const shared = area.shared ? low : (low & ~ENTRY_WRITABLE) >>> 0;
      if (shared !== low) memory.writeU32(entry, shared);
      const target = table + ((linear - reach * TABLE_REACH_BYTES) / PAGE_BYTES) * 8;
      memory.writeU32(target + 4, high);
      memory.writeU32(target, shared);
      frames.share(frameOf(low, high));
      child.count++;
      counts.entriesForked++;
    });
    return complete;
  }

  #leafFlags(area: Area, writable: boolean): number {
    return area.protection === 0 ? 0 : ENTRY_USER | (writable ? ENTRY_WRITABLE : 0);
  }

  #put(area: Area, entry: number, frame: number, writable: boolean): void {
    const executable = (area.protection & PROT_EXEC) !== 0;
    this.#tables.write(entry, frame, this.#leafFlags(area, writable), executable);
    this.count++;
  }

  #mapFilePage(area: Area, entry: number, cached: number): void {
    const frames = this.#frames;
    const counts = this.#counts;
    const frame = cached === NO_FRAME ? frames.zeroFrame : cached;
    frames.share(frame);
    counts.filePagesMapped++;
    this.#put(area, entry, frame, false);
  }

  /** Maps the neighbours of a file page that was read, so that a program's text takes few faults. */
  #mapAround(area: Area, inode: RegularInode, page: number): void {
    const { source } = area;
    if (source === undefined) return;
    const block = page - (page % FAULT_AROUND_BYTES);
    const fileEnd = area.start + Math.max(0, inode.sizeBytes - source.offset);
    const end = Math.min(block + FAULT_AROUND_BYTES, area.end, fileEnd);
    const start = Math.max(block, area.start);
    // The block is aligned and smaller than a table's reach, so its entries are neighbours.
    const first = this.#tables.entry(start, false);
    for (let linear = start; linear < end; linear += PAGE_BYTES) {
      const entry = first + ((linear - start) / PAGE_BYTES) * 8;
      if (((this.#words[entry / 4] ?? 0) & ENTRY_PRESENT) !== 0) continue;
      const offset = source.offset + (linear - area.start);
      this.#mapFilePage(area, entry, inode.page(offset / PAGE_BYTES, false));
    }
  }

  #copyOf(frame: number): number {
    const frames = this.#frames;
    const counts = this.#counts;
    if (frame === NO_FRAME || frame === frames.zeroFrame) {
      counts.pagesZeroed++;
      return frames.allot(this.#group);
    }
    const copy = frames.allotUncleared(this.#group);
    if (copy === NO_FRAME) return NO_FRAME;
    this.#memory.copy(frame, copy, PAGE_BYTES);
    counts.pagesCopied++;
    return copy;
  }
}
