/**
 * Constants of memory management in the Linux x86-64 ABI.
 *
 * Linux, include/uapi/asm-generic/mman-common.h, include/uapi/linux/mman.h.
 */
export const PAGE_BYTES = 4096;
/** Low bits of an address: its place in the page. A mask, because `%` of numbers beyond 32 bits is slow. */
export const PAGE_MASK: number = PAGE_BYTES - 1;
/** First linear address that a program cannot have: the lower half less its last page. */
export const USER_END = 0x7fff_ffff_f000;
/** Lowest address that a program may map (vm.mmap_min_addr). */
export const MMAP_MINIMUM = 0x1_0000;

export const PROT_READ = 1;
export const PROT_WRITE = 2;
export const PROT_EXEC = 4;
export const PROT_GROWSDOWN = 0x0100_0000;

export const MAP_SHARED = 1;
export const MAP_PRIVATE = 2;
export const MAP_SHARED_VALIDATE = 3;
export const MAP_TYPE = 0xf;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_32BIT = 0x40;
export const MAP_GROWSDOWN = 0x100;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
export const MAP_HUGETLB = 0x4_0000;
export const MAP_FIXED_NOREPLACE = 0x10_0000;

export const MREMAP_MAYMOVE = 1;
export const MREMAP_FIXED = 2;
export const MREMAP_DONTUNMAP = 4;

/** Most areas that one address space has (vm.max_map_count). */
export const MAXIMUM_AREAS = 65_530;
