/**
 * Flags of paging-structure entries and of the page-fault error code.
 *
 * Intel SDM Vol. 3A §4.5, "4-Level Paging and 5-Level Paging" (formats of entries); §4.7, "Page-Fault Exceptions".
 */
export const ENTRY = {
  PRESENT: 0x1n,
  WRITABLE: 0x2n,
  USER: 0x4n,
  WRITE_THROUGH: 0x8n,
  CACHE_DISABLE: 0x10n,
  ACCESSED: 0x20n,
  DIRTY: 0x40n,
  /** PS: the entry maps a page instead of a table. Bit 7; in a PTE this bit is PAT. */
  PAGE_SIZE: 0x80n,
  GLOBAL: 0x100n,
  /** XD: instruction fetches are not allowed, when EFER.NXE is 1. */
  EXECUTE_DISABLE: 0x8000_0000_0000_0000n,
} as const;

/** Bits 51:12: physical address of a table or a 4-KByte page. */
export const ENTRY_ADDRESS = 0x000f_ffff_ffff_f000n;

/** Error code of a page fault. */
export const PAGE_FAULT = {
  /** The page was present: the access was denied, or a reserved bit was set. */
  PROTECTION: 0x1n,
  WRITE: 0x2n,
  USER: 0x4n,
  RESERVED: 0x8n,
  INSTRUCTION: 0x10n,
} as const;
