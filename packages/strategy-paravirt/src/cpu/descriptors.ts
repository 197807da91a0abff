/**
 * Segment descriptors of a guest: which it may have, and its GDT and LDT.
 *
 * Xen, xen/arch/x86/pv/descriptor-tables.c and check_descriptor in xen/arch/x86/x86_64/mm.c. A frame of descriptors is
 * never writable to the guest, so what was checked stays so.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import type { PhysicalMemory } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import { GUEST_GDT_ENTRIES, GUEST_GDT_PAGES } from "../abi/domain.ts";
import { EINVAL } from "../abi/errno.ts";
import { TYPE, type FrameTable } from "../memory/frame-table.ts";
import { DESCRIPTOR_PAGES, type XenArea } from "../memory/xen-area.ts";
import type { PageTypes } from "../paging/page-types.ts";

const entriesPerPage = 512;
/** Upper half of a descriptor. */
const PRESENT = 0x8000;
const DPL = 0x6000;
const SEGMENT = 0x1000;
const TYPE_MASK = 0x0f00;
const CALL_GATE = 0x0c00;

/** A descriptor's upper half as the guest may have it, or undefined when it may not have this one at all. */
export function allowedDescriptor(low: number, high: number): number | undefined {
  if ((high & PRESENT) === 0) return high;
  // A guest kernel runs at CPL 3, so that its segments are for CPL 3.
  if ((high & SEGMENT) !== 0) return (high | DPL) >>> 0;
  if ((high & TYPE_MASK) === 0) return (high | DPL) >>> 0;
  // Call gates are let in, and never open: at DPL 0 each use is a fault.
  if ((high & TYPE_MASK) !== CALL_GATE || (high & 0xff) !== 0) return undefined;
  const selector = low >>> 16;
  const isOwn = (selector & 4) !== 0 || selector >>> 3 < GUEST_GDT_ENTRIES;
  return isOwn ? (high & ~DPL) >>> 0 : undefined;
}

export interface DescriptorTablesOptions {
  readonly memory: PhysicalMemory;
  readonly frames: FrameTable;
  readonly area: XenArea;
  readonly work: MonitorWork;
  /** Drops cached translations of the descriptors' pages. */
  readonly flushTlb: () => void;
  /** The LDT has another number of entries. */
  readonly onLdt: (entries: number) => void;
}

export class DescriptorTables {
  /** Set once, before anything else; the two check each other's frames. */
  types: PageTypes | undefined;
  readonly #options: DescriptorTablesOptions;
  /** Linear address of the LDT in the guest, and its entries; Xen maps its pages as they are used. */
  #ldt: { readonly linear: bigint; readonly entries: number } = { linear: 0n, entries: 0 };
  #gdtPages = 0;

  constructor(options: DescriptorTablesOptions) {
    this.#options = options;
  }

  get ldt(): { readonly linear: bigint; readonly entries: number } {
    return this.#ldt;
  }

  /** Whether all descriptors in a frame are allowed; puts right what only needs that. */
  checkFrame(frame: number): boolean {
    const { memory, work } = this.#options;
    work.add("validations", entriesPerPage);
    for (let at = frame * frameBytes; at < (frame + 1) * frameBytes; at += 8) {
      const high = memory.readU32(at + 4);
      const allowed = allowedDescriptor(memory.readU32(at), high);
      if (allowed === undefined) return false;
      if (allowed !== high) memory.writeU32(at + 4, allowed);
    }
    return true;
  }

  /** Replaces the guest's part of the GDT. */
  setGdt(frames: readonly number[]): number {
    const { area } = this.#options;
    const types = this.#types();
    for (const [index, frame] of frames.entries()) {
      if (types.get(frame, TYPE.DESCRIPTORS) === 0) continue;
      for (const taken of frames.slice(0, index)) types.put(taken);
      return EINVAL;
    }
    this.#dropGdt();
    for (const [page, frame] of frames.entries()) area.setDescriptorPage(page, frame);
    this.#gdtPages = frames.length;
    this.#options.flushTlb();
    return 0;
  }

  #dropGdt(): void {
    const { area } = this.#options;
    for (let page = 0; page < this.#gdtPages; page += 1) {
      const frame = area.descriptorPage(page);
      area.setDescriptorPage(page, undefined);
      if (frame !== undefined) this.#types().put(frame);
    }
    this.#gdtPages = 0;
  }

  /** Names another LDT; its pages are looked at when they are used. */
  setLdt(linear: bigint, entries: number): void {
    const { area } = this.#options;
    for (let page = DESCRIPTOR_PAGES; page < 2 * DESCRIPTOR_PAGES; page += 1) {
      const frame = area.descriptorPage(page);
      if (frame === undefined) continue;
      area.setDescriptorPage(page, undefined);
      this.#types().put(frame);
    }
    this.#ldt = { linear, entries };
    this.#options.onLdt(entries);
    this.#options.flushTlb();
  }

  /** No tables: what they refer to is gone already. */
  reset(): void {
    const { area } = this.#options;
    for (let page = 0; page < GUEST_GDT_PAGES; page += 1) area.setDescriptorPage(page, undefined);
    for (let page = DESCRIPTOR_PAGES; page < 2 * DESCRIPTOR_PAGES; page += 1) {
      area.setDescriptorPage(page, undefined);
    }
    this.#gdtPages = 0;
    this.#ldt = { linear: 0n, entries: 0 };
  }

  /** Maps a page of the LDT from the guest's frame behind it. False when that is no frame for descriptors. */
  mapLdtPage(page: number, frame: number): boolean {
    if (this.#types().get(frame, TYPE.DESCRIPTORS) !== 0) return false;
    this.#options.area.setDescriptorPage(DESCRIPTOR_PAGES + page, frame);
    return true;
  }

  /** Changes one descriptor at a physical address. */
  update(at: number, low: number, high: number): number {
    const { memory, frames } = this.#options;
    const frame = Math.floor(at / frameBytes);
    if (at % 8 !== 0 || !frames.isOwned(frame)) return EINVAL;
    const allowed = allowedDescriptor(low, high);
    if (allowed === undefined) return EINVAL;
    const type = frames.type(frame);
    const held = type === TYPE.DESCRIPTORS ? TYPE.DESCRIPTORS : TYPE.WRITABLE;
    const result = this.#types().get(frame, held);
    if (result !== 0) return EINVAL;
    this.#options.work.add("validations");
    memory.writeU32(at, low);
    memory.writeU32(at + 4, allowed);
    this.#types().put(frame);
    return 0;
  }

  /** The descriptor of a selector, as two halves, or undefined when there is none. */
  descriptor(selector: number): readonly [low: number, high: number] | undefined {
    const { area, memory } = this.#options;
    const index = selector >>> 3;
    const inLdt = (selector & 4) !== 0;
    if (inLdt && index >= this.#ldt.entries) return undefined;
    const page = (inLdt ? DESCRIPTOR_PAGES : 0) + Math.floor(index / entriesPerPage);
    const frame = area.descriptorPage(page);
    if (frame === undefined) return undefined;
    const at = frame * frameBytes + (index % entriesPerPage) * 8;
    this.#options.work.add("mappedWords");
    return [memory.readU32(at), memory.readU32(at + 4)];
  }

  #types(): PageTypes {
    if (this.types === undefined)
      throw new Error("Bug in ringside: descriptors without page types, please report.");
    return this.types;
  }
}

/** How many pages so many entries of a GDT take; undefined when Xen's own part would be touched. */
export function gdtPagesFor(entries: number): number | undefined {
  const pages = Math.ceil(entries / entriesPerPage);
  return pages > GUEST_GDT_PAGES ? undefined : pages;
}
