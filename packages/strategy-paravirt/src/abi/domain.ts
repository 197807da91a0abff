/**
 * Numbers that a domain and Xen share: identities, selectors, the address space, the start-of-day structures.
 *
 * Xen, xen/include/public/xen.h, arch-x86/xen.h, arch-x86/xen-x86_64.h and elfnote.h.
 */

/** The calling domain, where a domain is named. */
export const DOMID_SELF = 0x7ff0;

/** Flat selectors for CPL 3 in the reserved part of every GDT: 64-bit code, data. */
export const FLAT_CODE_SELECTOR = 0xe033;
export const FLAT_DATA_SELECTOR = 0xe02b;
/** Pages of a GDT that are Xen's: 14 and 15. A guest's own entries lie below. */
export const GUEST_GDT_PAGES = 14;
export const GUEST_GDT_ENTRIES: number = GUEST_GDT_PAGES * 512;

/** Entries of a level-4 table that belong to Xen. */
export const FIRST_XEN_SLOT = 256;
export const LAST_XEN_SLOT = 271;
/** Upper halves of the linear addresses in them: 0xffff_8000_0000_0000 to 0xffff_87ff_ffff_ffff. */
export const XEN_HIGH_FIRST = 0xffff_8000;
export const XEN_HIGH_LAST = 0xffff_87ff;
/** The read-only table from machine frames to the guest's own, 8 bytes each. */
export const MACHINE_TO_PHYSICAL = 0xffff_8000_0000_0000n;

/** Types of ELF notes with the name "Xen". */
export const NOTE = {
  ENTRY: 1,
  HYPERCALL_PAGE: 2,
  VIRT_BASE: 3,
  PADDR_OFFSET: 4,
  INIT_P2M: 15,
  MOD_START_PFN: 16,
} as const;

/** Offsets in start_info. */
export const START_INFO = {
  magic: 0,
  pageCount: 32,
  sharedInfo: 40,
  flags: 48,
  storeFrame: 56,
  storePort: 64,
  consoleFrame: 72,
  consolePort: 80,
  tables: 88,
  tableFrames: 96,
  frameList: 104,
  moduleStart: 112,
  moduleBytes: 120,
  commandLine: 128,
  firstListFrame: 1152,
  listFrames: 1160,
  bytes: 1168,
} as const;
export const START_INFO_MAGIC = "xen-3.0-x86_64";
export const COMMAND_LINE_BYTES = 1024;
/** The module is named by its first frame, not by an address. */
export const SIF_MOD_START_PFN = 8;

/** Offsets in shared_info. */
export const SHARED_INFO = {
  vcpuInfo: 0,
  pending: 0x800,
  mask: 0xa00,
  wallClockVersion: 0xc00,
  wallClockSeconds: 0xc04,
  wallClockNanoseconds: 0xc08,
  wallClockSecondsHigh: 0xc0c,
} as const;
/** Entries of vcpu_info in shared_info. */
export const VCPU_INFO_COUNT = 32;

/** Offsets in vcpu_info, which has 64 bytes. */
export const VCPU_INFO = {
  upcallPending: 0,
  upcallMask: 1,
  pendingSelector: 8,
  cr2: 16,
  time: 32,
  bytes: 64,
} as const;

/** Offsets in vcpu_time_info. */
export const TIME_INFO = {
  version: 0,
  tscTimestamp: 8,
  systemTime: 16,
  multiplier: 24,
  shift: 28,
} as const;
