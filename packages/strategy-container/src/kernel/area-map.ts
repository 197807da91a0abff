/**
 * The areas of one address space: a sorted list, with the search for free ranges.
 *
 * Knows nothing of pages. Each area is charged to the control group, and its file is referred to while it is listed.
 */
import { MAXIMUM_AREAS, MMAP_MINIMUM } from "../abi/memory.ts";
import { recordPrice, type ControlGroup } from "../namespaces/control-group.ts";
import { continues, slice, type Area } from "./area.ts";

/** Where mmap starts to look, downwards: what Linux chooses without address randomization. */
const MMAP_BASE = 0x7fff_f7ff_f000;

export class AreaMap {
  /** Sorted by address, disjoint. */
  readonly areas: Area[] = [];
  readonly #group: ControlGroup;
  #lastArea: Area | undefined;
  /** No gap above this that begins at or below MMAP_BASE is larger than {@link #skippedGap}. */
  #searchTop = MMAP_BASE;
  #skippedGap = 0;

  constructor(group: ControlGroup) {
    this.#group = group;
  }

  /** Index of the first area that ends above `linear`. */
  indexAbove(linear: number): number {
    let low = 0;
    let high = this.areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const area = this.areas[middle];
      if (area !== undefined && area.end <= linear) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The area that `linear` lies in. */
  find(linear: number): Area | undefined {
    const last = this.#lastArea;
    if (last !== undefined && linear >= last.start && linear < last.end) return last;
    const area = this.areas[this.indexAbove(linear)];
    if (area === undefined || linear < area.start) return undefined;
    this.#lastArea = area;
    return area;
  }

  /** Whether every page of [start, end) lies in some area. */
  covers(start: number, end: number): boolean {
    let at = start;
    for (let index = this.indexAbove(start); at < end; index++) {
      const area = this.areas[index];
      if (area === undefined || area.start > at) return false;
      at = area.end;
    }
    return true;
  }

  /** Whether no area reaches into [start, end). */
  isFree(start: number, end: number): boolean {
    const area = this.areas[this.indexAbove(start)];
    return area === undefined || area.start >= end;
  }

  /** Returns what an area, which was taken out of the list, had charged and referred to. */
  forget(area: Area): void {
    area.source?.inode.release();
    this.#group.unchargeRecord(recordPrice.area);
    if (this.#lastArea === area) this.#lastArea = undefined;
  }

  /** Puts `area` into the list, whose range is free, joined with neighbours that it continues. */
  insert(area: Area): boolean {
    const index = this.indexAbove(area.start);
    const before = this.areas[index - 1];
    const after = this.areas[index];
    if (before !== undefined && continues(before, area)) {
      before.end = area.end;
      if (after !== undefined && continues(before, after)) {
        before.end = after.end;
        this.areas.splice(index, 1);
        this.forget(after);
      }
      return true;
    }
    if (after !== undefined && continues(area, after)) {
      after.start = area.start;
      after.source = area.source;
      return true;
    }
    if (this.areas.length >= MAXIMUM_AREAS || !this.#group.chargeRecord(recordPrice.area)) {
      return false;
    }
    area.source?.inode.acquire();
    this.areas.splice(index, 0, area);
    return true;
  }

  /** Cuts areas so that none crosses `linear`; false when the area table is full. */
  splitAt(linear: number): boolean {
    const index = this.indexAbove(linear);
    const area = this.areas[index];
    if (area === undefined || area.start >= linear) return true;
    if (this.areas.length >= MAXIMUM_AREAS || !this.#group.chargeRecord(recordPrice.area)) {
      return false;
    }
    const upper = slice(area, linear, area.end);
    upper.source?.inode.acquire();
    area.end = linear;
    this.areas.splice(index + 1, 0, upper);
    return true;
  }

  /** A free range for mmap without a fixed address, or 0. Top-down, as Linux places them. */
  findGap(lengthBytes: number, highestEnd: number = MMAP_BASE): number {
    const cached = highestEnd === MMAP_BASE;
    if (cached && lengthBytes <= this.#skippedGap) this.#restartSearch();
    let end = cached ? this.#searchTop : highestEnd;
    let index = this.indexAbove(end - 1);
    for (;;) {
      const above = this.areas[index];
      if (above !== undefined && above.start < end) end = above.start;
      index--;
      const below = this.areas[index];
      const bottom = Math.max(below?.end ?? 0, MMAP_MINIMUM);
      if (end - bottom >= lengthBytes) {
        if (cached) this.#searchTop = end;
        return end - lengthBytes;
      }
      if (cached) this.#skippedGap = Math.max(this.#skippedGap, end - bottom);
      if (below === undefined) return 0;
      end = Math.min(end, below.start);
    }
  }

  /** Areas that end at `end` went: {@link findGap} looks there again. */
  freed(end: number): void {
    if (end > this.#searchTop) this.#restartSearch();
  }

  #restartSearch(): void {
    this.#searchTop = MMAP_BASE;
    this.#skippedGap = 0;
  }

  /** Joins neighbours around [start, end) that continue each other. */
  join(start: number, end: number): void {
    let index = Math.max(0, this.indexAbove(start) - 1);
    for (;;) {
      const area = this.areas[index];
      const next = this.areas[index + 1];
      if (area === undefined || next === undefined || area.start > end) return;
      if (continues(area, next)) {
        area.end = next.end;
        this.areas.splice(index + 1, 1);
        this.forget(next);
      } else {
        index++;
      }
    }
  }
}
