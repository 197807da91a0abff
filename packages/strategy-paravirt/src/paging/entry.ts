/**
 * Bits of a page-table entry, as two halves of 32 bits.
 *
 * Halves because entries are checked by the hundred, and 64-bit arithmetic on bigints would cost more than the checks.
 * Intel SDM Vol. 3A §4.5.4, "Linear-Address Translation with 4-Level Paging and 5-Level Paging"; what of it a guest may
 * use is Xen's rule (xen/arch/x86/include/asm/x86_64/page.h, L1_DISALLOW_MASK and its neighbours).
 */
import type { PhysicalMemory } from "@ringside/isa";

export const PRESENT = 0x001;
export const WRITABLE = 0x002;
export const USER = 0x004;
const WRITE_THROUGH = 0x008;
const CACHE_DISABLE = 0x010;
export const ACCESSED = 0x020;
export const DIRTY = 0x040;
/** PAT in an entry of level 1, page size above. */
const PAGE_SIZE = 0x080;
export const GLOBAL = 0x100;

/** Upper half: the guest's kernel owns this page, so Xen has set USER itself. Bit 52. */
export const GUEST_KERNEL_HIGH = 0x0010_0000;
/** Upper half: bits 51:32 of the physical address. */
export const FRAME_HIGH = 0x000f_ffff;
/** Lower half: bits 31:12 of it. */
export const FRAME_LOW = 0xffff_f000;

/** What a guest may not set above level 1. */
const FORBIDDEN_TABLE: number = GLOBAL | PAGE_SIZE | CACHE_DISABLE | WRITE_THROUGH;

/** Bits that may change without another look at the frame: they give no access. */
const FREE_LOW: number = ACCESSED | DIRTY | 0xe00 | WRITE_THROUGH | CACHE_DISABLE | PAGE_SIZE;
const FREE_HIGH = 0xfff0_0000;

export type Level = 1 | 2 | 3 | 4;

/** The frame that an entry names; a number beyond all memory for addresses that cannot be. */
export function frameOf(low: number, high: number): number {
  return (high & FRAME_HIGH) * 0x10_0000 + (low >>> 12);
}

export function isForbidden(low: number, level: Level): boolean {
  return level > 1 && (low & FORBIDDEN_TABLE) !== 0;
}

/** True when both name the same frame with the same rights. */
export function isSimilar(low: number, high: number, low2: number, high2: number): boolean {
  return ((low ^ low2) & ~FREE_LOW) === 0 && ((high ^ high2) & ~FREE_HIGH) === 0;
}

/**
 * The lower half as Xen writes it: everything is the user's to the hardware, since kernel and user run at CPL 3, and
 * user pages are global because they are mapped alike in both page tables of a process.
 */
export function fixedLow(low: number, high: number, level: Level): number {
  if ((low & PRESENT) === 0) return low >>> 0;
  if (level > 1) return (low | USER | (level === 4 ? ACCESSED : 0)) >>> 0;
  const isKernels = (fixedHigh(low, high, level) & GUEST_KERNEL_HIGH) !== 0;
  return (low | USER | (isKernels ? 0 : GLOBAL)) >>> 0;
}

/** The upper half as Xen writes it, with the mark for the kernel's pages; a guest that reads and writes it back keeps it. */
export function fixedHigh(low: number, high: number, level: Level): number {
  if (level > 1 || (low & PRESENT) === 0 || (low & USER) !== 0) return high >>> 0;
  return (high | GUEST_KERNEL_HIGH) >>> 0;
}

/** Position in a table of this level of the entry for a linear address. */
export function indexAt(level: Level, low: number, high: number): number {
  switch (level) {
    case 1:
      return (low >>> 12) & 0x1ff;
    case 2:
      return (low >>> 21) & 0x1ff;
    case 3:
      return ((high << 2) | (low >>> 30)) & 0x1ff;
    case 4:
      return (high >>> 7) & 0x1ff;
  }
}

/** Bits 63:47 are alike. */
export function isCanonical(high: number): boolean {
  const top = high >>> 15;
  return top === 0 || top === 0x1_ffff;
}

/**
 * Whether a store of these bytes at a physical address changes nothing but the accessed and dirty bits of an entry, as
 * the walk for an instruction does that the hypervisor executes for a guest.
 */
export function isTouch(memory: PhysicalMemory, physical: number, bytes: Uint8Array): boolean {
  if (bytes.length !== 8 || physical + 8 > memory.sizeBytes) return false;
  const next = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  return ((next ^ memory.readU64(physical)) & ~BigInt(ACCESSED | DIRTY)) === 0n;
}
