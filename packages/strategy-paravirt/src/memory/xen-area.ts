/**
 * Xen's own part of every address space: level-4 slots 256 to 271, the same tables in each of a domain's.
 *
 * Slot 256 shows the guest the table from machine frames to its own, read-only. Slot 260 has what the processor reads
 * for the virtual processor (the GDT and the LDT), for the supervisor only. Nothing else of the machine is mapped.
 */
import { frameBytes } from "@ringside/machine";
import { GUEST_GDT_PAGES } from "../abi/domain.ts";
import { ACCESSED, DIRTY, GLOBAL, PRESENT, USER, WRITABLE } from "../paging/entry.ts";
import type { MachineMemory } from "./machine-memory.ts";

const tableSlot = 256;
const perDomainSlot = 260;
/** Linear addresses of the GDT and, 16 pages on, the LDT of the virtual processor. */
export const GDT_LINEAR = 0xffff_8200_0000_0000n;
export const LDT_LINEAR = 0xffff_8200_0001_0000n;
/** Pages of a full GDT, and of a full LDT. */
export const DESCRIPTOR_PAGES = 16;
/** Upper half of the addresses of both. */
export const PER_DOMAIN_HIGH = 0xffff_8200;

const NO_EXECUTE_HIGH = 0x8000_0000;
const TABLE = PRESENT | WRITABLE | ACCESSED;

/**
 * Descriptors of the first reserved page, by index in the GDT: what Xen's selectors mean.
 * Xen, xen/arch/x86/desc.c. 0xe023 is 32-bit code, 0xe02b data, 0xe033 64-bit code, all for CPL 3.
 */
const reserved: readonly (readonly [selector: number, low: number, high: number])[] = [
  [0xe008, 0x0000_ffff, 0x00af_9b00],
  [0xe010, 0x0000_ffff, 0x00cf_9300],
  [0xe020, 0x0000_ffff, 0x00cf_fb00],
  [0xe028, 0x0000_ffff, 0x00cf_f300],
  [0xe030, 0x0000_ffff, 0x00af_fb00],
];

export class XenArea {
  readonly #memory: MachineMemory;
  readonly #tableEntry: number;
  readonly #perDomainEntry: number;
  /** Physical address of the level-1 table that maps descriptors. */
  readonly #descriptors: number;

  constructor(memory: MachineMemory) {
    this.#memory = memory;
    this.#tableEntry = this.#mapTable();
    const [pointers = 0, directory = 0, table = 0, gdt = 0, last = 0] = memory.takeOwn(5);
    this.#perDomainEntry = pointers * frameBytes + TABLE;
    this.#write(pointers * frameBytes, directory, TABLE);
    this.#write(directory * frameBytes, table, TABLE);
    this.#descriptors = table * frameBytes;
    for (const [selector, low, high] of reserved) {
      const at = gdt * frameBytes + (selector - GUEST_GDT_PAGES * frameBytes);
      memory.physical.writeU32(at, low);
      memory.physical.writeU32(at + 4, high);
    }
    this.setDescriptorPage(GUEST_GDT_PAGES, gdt);
    this.setDescriptorPage(GUEST_GDT_PAGES + 1, last);
  }

  /** Lower half of the level-4 entry of one of Xen's slots. */
  entry(slot: number): number {
    if (slot === tableSlot) return this.#tableEntry;
    return slot === perDomainSlot ? this.#perDomainEntry : 0;
  }

  /** Maps a frame as a page of the GDT (0 to 15) or the LDT (16 to 31); without a frame, nothing is there. */
  setDescriptorPage(page: number, frame: number | undefined): void {
    const at = this.#descriptors + page * 8;
    if (frame === undefined) {
      this.#memory.physical.writeU32(at, 0);
      this.#memory.physical.writeU32(at + 4, 0);
    } else this.#write(at, frame, TABLE | DIRTY, NO_EXECUTE_HIGH);
  }

  /** The frame behind a page of descriptors, or undefined. */
  descriptorPage(page: number): number | undefined {
    const low = this.#memory.physical.readU32(this.#descriptors + page * 8);
    return (low & PRESENT) === 0 ? undefined : low >>> 12;
  }

  #mapTable(): number {
    const { tableFrames } = this.#memory;
    const flags = PRESENT | USER | ACCESSED;
    const [pointers = 0, directory = 0] = this.#memory.takeOwn(2);
    this.#write(pointers * frameBytes, directory, flags);
    const leaves = this.#memory.takeOwn(Math.ceil(tableFrames.length / 512));
    for (const [index, leaf] of leaves.entries()) {
      this.#write(directory * frameBytes + index * 8, leaf, flags);
    }
    for (const [index, frame] of tableFrames.entries()) {
      const leaf = leaves[Math.floor(index / 512)] ?? 0;
      this.#write(leaf * frameBytes + (index % 512) * 8, frame, flags | GLOBAL, NO_EXECUTE_HIGH);
    }
    return pointers * frameBytes + flags;
  }

  #write(at: number, frame: number, flags: number, high = 0): void {
    this.#memory.physical.writeU32(at, frame * frameBytes + flags);
    this.#memory.physical.writeU32(at + 4, high);
  }
}
