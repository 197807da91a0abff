/**
 * What a guest may ask of its page tables: entries changed one by one, tables pinned, bases loaded.
 *
 * Xen, xen/arch/x86/mm.c: mod_l1_entry to mod_l4_entry, do_mmu_update, do_mmuext_op, do_update_va_mapping.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import { frameBytes } from "@ringside/machine";
import { EINVAL } from "../abi/errno.ts";
import { TYPE, type FrameTable } from "../memory/frame-table.ts";
import {
  ACCESSED,
  DIRTY,
  fixedHigh,
  fixedLow,
  isForbidden,
  isSimilar,
  PRESENT,
  type Level,
} from "./entry.ts";
import { isTable, isXenSlot, type PageTypes } from "./page-types.ts";

/** A physical address of an entry, from the halves that a guest gives; beyond all memory where it cannot be one. */
function physicalOf(low: number, high: number): number {
  return high * 0x1_0000_0000 + (low >>> 0);
}

export class DirectPaging {
  readonly #frames: FrameTable;
  readonly #types: PageTypes;
  readonly #work: MonitorWork;

  constructor(frames: FrameTable, types: PageTypes, work: MonitorWork) {
    this.#frames = frames;
    this.#types = types;
    this.#work = work;
  }

  /**
   * Changes one entry of a page table of the domain, or a word of its memory that is no table.
   *
   * @param preserve Keep the accessed and dirty bits that are there.
   * @returns 0, or why not; then nothing has changed.
   */
  update(atLow: number, atHigh: number, low: number, high: number, preserve: boolean): number {
    const at = physicalOf((atLow & ~7) >>> 0, atHigh);
    const frame = Math.floor(at / frameBytes);
    this.#work.add("frameChecks");
    if (!this.#frames.isOwned(frame)) return EINVAL;
    const type = this.#frames.type(frame);
    if (isTable(type)) return this.#updateEntry(at, type, low, high, preserve);
    // Plain memory, which the guest may write anyway.
    const result = this.#types.get(frame, TYPE.WRITABLE);
    if (result !== 0) return result;
    this.#types.writeRaw(at, low, high);
    this.#types.put(frame);
    return 0;
  }

  /** As {@link update}, for an entry that must be in a table of level 1. */
  updateLeaf(at: number, low: number, high: number): number {
    const frame = Math.floor(at / frameBytes);
    if (!this.#frames.isOwned(frame) || this.#frames.type(frame) !== TYPE.L1) return EINVAL;
    return this.#updateEntry(at, 1, low, high, false);
  }

  #updateEntry(at: number, level: Level, newLow: number, high: number, preserve: boolean): number {
    const types = this.#types;
    if (level === 4 && isXenSlot((at % frameBytes) / 8)) return EINVAL;
    const oldLow = types.readLow(at);
    const oldHigh = types.readHigh(at);
    const low = (preserve ? newLow | (oldLow & (ACCESSED | DIRTY)) : newLow) >>> 0;
    this.#work.add("tableReads");
    this.#work.add("tableWrites");
    this.#work.add("validations");
    const fixed = fixedLow(low, high, level);
    const fixedUpper = fixedHigh(low, high, level);
    if ((low & PRESENT) === 0) {
      types.writeRaw(at, low, high);
      if ((oldLow & PRESENT) !== 0) types.putEntry(oldLow, oldHigh, level);
      return 0;
    }
    if (isForbidden(low, level)) return EINVAL;
    if ((oldLow & PRESENT) !== 0 && isSimilar(oldLow, oldHigh, fixed, fixedUpper)) {
      types.writeRaw(at, fixed, fixedUpper);
      return 0;
    }
    const result = types.getEntry(low, high, level);
    if (result !== 0) return result;
    types.notePresent(Math.floor(at / frameBytes), (at % frameBytes) / 8);
    types.writeRaw(at, fixed, fixedUpper);
    if ((oldLow & PRESENT) !== 0) types.putEntry(oldLow, oldHigh, level);
    return 0;
  }

  /** Keeps a frame as a table of a level until {@link unpin}. */
  pin(frame: number, level: Level): number {
    const result = this.#types.get(frame, level);
    if (result !== 0) return result;
    if (this.#frames.isPinned(frame)) {
      this.#types.put(frame);
      return EINVAL;
    }
    this.#frames.setPinned(frame, true);
    return 0;
  }

  unpin(frame: number): number {
    this.#work.add("frameChecks");
    if (!this.#frames.isOwned(frame) || !this.#frames.isPinned(frame)) return EINVAL;
    this.#frames.setPinned(frame, false);
    this.#types.put(frame);
    return 0;
  }

  /** Takes a frame as a base of the address space. */
  getRoot(frame: number): number {
    return this.#types.get(frame, TYPE.L4);
  }

  putRoot(frame: number): void {
    this.#types.put(frame);
  }
}
