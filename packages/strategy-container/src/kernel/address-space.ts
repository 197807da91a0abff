/**
 * The address space of a process: areas, and the page tables that are filled from them on demand.
 *
 * Pages appear when they are touched. A private page that somebody else also refers to (another process after fork,
 * the file, the zero frame) is mapped read-only and copied at the first store; the reference count of its frame says
 * whether that is needed, so no bit of the entry has to.
 */
import { EEXIST, EINVAL, ENOMEM } from "../abi/errno.ts";
import {
  MMAP_MINIMUM,
  PAGE_BYTES,
  PAGE_MASK,
  PROT_EXEC,
  PROT_WRITE,
  USER_END,
} from "../abi/memory.ts";
import { recordPrice, type ControlGroup } from "../namespaces/control-group.ts";
import { AreaMap } from "./area-map.ts";
import type { Area } from "./area.ts";
import { NO_FRAME, type Frames } from "./frames.ts";
import {
  ENTRY_HELD,
  ENTRY_PRESENT,
  ENTRY_USER,
  ENTRY_WRITABLE,
  frameOf,
  PageTables,
} from "./page-tables.ts";
import { ResidentPages, type MemoryCounts, type PageResult } from "./resident-pages.ts";
import { UserMemory } from "./user-memory.ts";

/** The part of the processor that caches translations. */
export interface TranslationCache {
  /** CR3's table now. */
  readonly activeRoot: number;
  invalidatePage(linear: number): void;
  flush(): void;
}

/** What came of a page fault; `resolved`: the access can be made again. */
export type FaultResult =
  | PageResult
  /** No area there (SEGV_MAPERR). */
  | "unmapped"
  /** The area forbids it (SEGV_ACCERR). */
  | "forbidden";

export type AccessKind = "read" | "write" | "execute";

/** Distance that is kept free below a stack (stack_guard_gap: 256 pages). */
const STACK_GUARD_BYTES = 256 * PAGE_BYTES;

export interface AddressSpaceHost {
  readonly frames: Frames;
  readonly translations: TranslationCache;
  readonly counts: MemoryCounts;
}

export class AddressSpace extends UserMemory {
  readonly tables: PageTables;
  readonly group: ControlGroup;
  /** Processes that use this address space. */
  references = 1;
  /** Set when an access of the kernel on the program's behalf found no memory; the kernel then kills the program. */
  outOfMemory = false;
  /** RLIMIT_STACK as the growth of a stack sees it. */
  stackLimitBytes: number = 8 * 1024 * 1024;
  brkStart = 0;
  brkEnd = 0;
  /** Bounds of the strings that execve left on the stack, for /proc. */
  argumentsStart = 0;
  argumentsEnd = 0;
  environmentEnd = 0;
  readonly #host: AddressSpaceHost;
  readonly #map: AreaMap;
  readonly #pages: ResidentPages;
  /** Translations that {@link translate} made last: four for reads, four for writes. */
  readonly #memoPages: Float64Array = new Float64Array(8).fill(-1);
  readonly #memoFrames: Float64Array = new Float64Array(8);

  private constructor(host: AddressSpaceHost, group: ControlGroup, root: number) {
    super(host.frames);
    this.#host = host;
    this.group = group;
    this.#map = new AreaMap(group);
    this.tables = new PageTables(host.frames, group, root);
    this.#pages = new ResidentPages(host.frames, host.counts, group, this.tables);
  }

  /** An empty address space, or undefined when there is no memory for its tables. */
  static create(host: AddressSpaceHost, group: ControlGroup): AddressSpace | undefined {
    const root = host.frames.allot(group);
    return root === NO_FRAME ? undefined : new AddressSpace(host, group, root);
  }

  /** Drops one user; the last one frees everything. */
  release(): void {
    if (--this.references > 0) return;
    for (const area of this.areas) {
      this.#clearLeaves(area.start, area.end);
      this.#map.forget(area);
    }
    this.#map.areas.length = 0;
    this.tables.dispose();
  }

  /** Pages that have a frame. */
  get residentPages(): number {
    return this.#pages.count;
  }

  get #isActive(): boolean {
    return this.#host.translations.activeRoot === this.tables.root;
  }

  // Areas.

  /** Sorted by address, disjoint. */
  get areas(): readonly Area[] {
    return this.#map.areas;
  }

  /** The area that `linear` lies in. */
  find(linear: number): Area | undefined {
    return this.#map.find(linear);
  }

  /** Whether every page of [start, end) lies in some area. */
  covers(start: number, end: number): boolean {
    return this.#map.covers(start, end);
  }

  /** Whether no area reaches into [start, end). */
  isFree(start: number, end: number): boolean {
    return this.#map.isFree(start, end);
  }

  /** A free range for mmap without a fixed address, below `highestEnd` when that is given, or 0. */
  findGap(lengthBytes: number, highestEnd?: number): number {
    return this.#map.findGap(lengthBytes, highestEnd);
  }

  /** Maps an area over a free range. Gives 0 or ENOMEM. */
  map(area: Area): number {
    return this.#map.insert(area) ? 0 : ENOMEM;
  }

  /** Unmaps [start, end), page-aligned. Gives 0 or ENOMEM (an area cannot be split). */
  unmap(start: number, end: number): number {
    let index = this.#map.indexAbove(start);
    const first = this.areas[index];
    if (first === undefined || first.start >= end) return 0;
    if (!this.#map.splitAt(start) || !this.#map.splitAt(end)) return ENOMEM;
    index = this.#map.indexAbove(start);
    let after = index;
    for (; after < this.areas.length; after++) {
      const area = this.areas[after];
      if (area === undefined || area.start >= end) break;
      this.#clearLeaves(area.start, area.end);
      this.#map.forget(area);
    }
    this.#map.areas.splice(index, after - index);
    this.tables.prune(start, end);
    this.#map.freed(end);
    return 0;
  }

  #clearLeaves(start: number, end: number): void {
    this.#changed(this.#pages.clear(start, end) > 0);
  }

  /** Drops the pages of [start, end) and leaves the areas (madvise MADV_DONTNEED). */
  discard(start: number, end: number): void {
    this.#clearLeaves(start, end);
  }

  /** mprotect. Gives 0 or ENOMEM: not all of the range is mapped, or an area cannot be split. */
  protect(start: number, end: number, protection: number): number {
    if (!this.covers(start, end)) return ENOMEM;
    if (!this.#map.splitAt(start) || !this.#map.splitAt(end)) return ENOMEM;
    const first = this.#map.indexAbove(start);
    for (let index = first; index < this.areas.length; index++) {
      const area = this.areas[index];
      if (area === undefined || area.start >= end) break;
      if (area.protection === protection) continue;
      area.protection = protection;
      this.#changed(this.#pages.protect(area));
    }
    this.#map.join(start, end);
    return 0;
  }

  /**
   * Moves the pages of [from, from + lengthBytes) to `to`; both ranges lie in areas, and nothing is present at `to`.
   * Gives false when there is no memory for page tables: then some pages stay, and are lost with their area.
   */
  moveLeaves(from: number, to: number, lengthBytes: number): boolean {
    const complete = this.#pages.move(from, to, lengthBytes);
    this.#changed(true);
    return complete;
  }

  /** Moves the program break; gives the break afterwards, which is the old one when it cannot move. */
  setBreak(linear: number): number {
    if (linear < this.brkStart || linear > USER_END) return this.brkEnd;
    const oldEnd = roundUp(this.brkEnd);
    const newEnd = roundUp(linear);
    if (newEnd > oldEnd) {
      if (!this.isFree(oldEnd, newEnd + PAGE_BYTES)) return this.brkEnd;
      const failure = this.map({
        start: oldEnd,
        end: newEnd,
        protection: 3,
        shared: false,
        growsDown: false,
        source: undefined,
        name: "[heap]",
      });
      if (failure !== 0) return this.brkEnd;
    } else if (newEnd < oldEnd && this.unmap(newEnd, oldEnd) !== 0) {
      return this.brkEnd;
    }
    this.brkEnd = linear;
    return linear;
  }

  // Faults.

  /** Makes `linear` accessible as its area allows. */
  fault(linear: number, access: AccessKind): FaultResult {
    let area = this.find(linear);
    if (area === undefined) {
      area = this.#growStack(linear);
      if (area === undefined) return "unmapped";
    }
    const { protection } = area;
    if (access === "write" && (protection & PROT_WRITE) === 0) return "forbidden";
    if (access === "execute" && (protection & PROT_EXEC) === 0) return "forbidden";
    if (protection === 0) return "forbidden";

    const entry = this.tables.entry(linear, true);
    if (entry === 0) return "out-of-memory";
    const low = this.words[entry / 4] ?? 0;
    const page = linear - (linear & PAGE_MASK);
    const result =
      (low & ENTRY_PRESENT) === 0
        ? this.#pages.makePresent(area, page, entry, access)
        : access === "write" && (low & ENTRY_WRITABLE) === 0
          ? this.#pages.makeWritable(area, entry, low)
          : "resolved";
    if (result === "resolved") {
      this.#forgetTranslations();
      this.#host.counts.faultsResolved++;
      if (this.#isActive && (low & ENTRY_PRESENT) !== 0) {
        this.#host.translations.invalidatePage(page);
      }
    }
    return result;
  }

  #growStack(linear: number): Area | undefined {
    const index = this.#map.indexAbove(linear);
    const area = this.areas[index];
    if (area === undefined || !area.growsDown || linear < MMAP_MINIMUM) return undefined;
    const start = linear - (linear & PAGE_MASK);
    const below = this.areas[index - 1];
    if (area.end - start > this.stackLimitBytes) return undefined;
    if (below !== undefined && !below.growsDown && start - below.end < STACK_GUARD_BYTES) {
      return undefined;
    }
    area.start = start;
    return area;
  }

  /** A copy for fork: private pages are shared until one side stores. Undefined when memory is used up. */
  fork(): AddressSpace | undefined {
    const child = AddressSpace.create(this.#host, this.group);
    if (child === undefined) return undefined;
    child.brkStart = this.brkStart;
    child.brkEnd = this.brkEnd;
    child.stackLimitBytes = this.stackLimitBytes;
    child.argumentsStart = this.argumentsStart;
    child.argumentsEnd = this.argumentsEnd;
    child.environmentEnd = this.environmentEnd;
    let failed = false;
    for (const area of this.areas) {
      if (!this.group.chargeRecord(recordPrice.area)) {
        failed = true;
        break;
      }
      const copy = { ...area };
      copy.source?.inode.acquire();
      child.#map.areas.push(copy);
      if (!this.#pages.fork(area, child.#pages)) {
        failed = true;
        break;
      }
    }
    this.#changed(true);
    if (!failed) return child;
    child.release();
    return undefined;
  }

  // Access by the kernel on the program's behalf.

  /** Physical address of the byte at `linear` for an access of the program's own rights, or -1. */
  translate(linear: number, write: boolean): number {
    const offset = linear & PAGE_MASK;
    const page = linear - offset;
    const slot = ((page / PAGE_BYTES) & 3) | (write ? 4 : 0);
    if (this.#memoPages[slot] === page) return (this.#memoFrames[slot] ?? 0) + offset;
    // Written so that NaN fails too.
    if (!(linear >= 0 && linear < USER_END)) return -1;
    const need = ENTRY_PRESENT | ENTRY_USER | (write ? ENTRY_WRITABLE : 0);
    let entry = this.tables.entry(linear, false);
    let low = entry === 0 ? 0 : (this.words[entry / 4] ?? 0);
    if ((low & need) !== need) {
      const result = this.fault(linear, write ? "write" : "read");
      if (result === "out-of-memory") this.outOfMemory = true;
      if (result !== "resolved") return -1;
      if (entry === 0) entry = this.tables.entry(linear, false);
      low = this.words[entry / 4] ?? 0;
    }
    const frame = frameOf(low, this.words[entry / 4 + 1] ?? 0);
    this.#memoPages[slot] = page;
    this.#memoFrames[slot] = frame;
    return frame + offset;
  }

  /** Entries have changed, and whether the processor may have cached any. */
  #changed(cached: boolean): void {
    this.#forgetTranslations();
    if (cached && this.#isActive) this.#host.translations.flush();
  }

  /** Forgets translations: an entry that was present has changed. */
  #forgetTranslations(): void {
    this.#memoPages.fill(-1);
  }

  /** Physical address behind `linear` as the tables are now, without a fault, or -1. */
  locate(linear: number): number {
    if (!(linear >= 0 && linear < USER_END)) return -1;
    const entry = this.tables.entry(linear, false);
    const low = entry === 0 ? 0 : (this.words[entry / 4] ?? 0);
    if ((low & ENTRY_HELD) === 0) return -1;
    return frameOf(low, this.words[entry / 4 + 1] ?? 0) + (linear & PAGE_MASK);
  }

  /** Whether a page has a frame now. */
  isPresent(linear: number): boolean {
    const entry = this.tables.entry(linear, false);
    return entry !== 0 && ((this.words[entry / 4] ?? 0) & ENTRY_HELD) !== 0;
  }

  /** Validates a range for mmap and its relatives: EINVAL when misaligned or outside the program's half. */
  static checkRange(start: number, lengthBytes: number): number {
    if ((start & PAGE_MASK) !== 0) return EINVAL;
    if (!(lengthBytes <= USER_END) || start > USER_END - lengthBytes) return ENOMEM;
    return 0;
  }

  /** Makes room at a fixed address. Gives 0, EEXIST (`keep`) or ENOMEM. */
  clearRange(start: number, end: number, keep: boolean): number {
    if (keep) return this.isFree(start, end) ? 0 : EEXIST;
    return this.unmap(start, end);
  }
}

/** `value` rounded up to a page. */
export function roundUp(value: number): number {
  return Math.ceil(value / PAGE_BYTES) * PAGE_BYTES;
}
