/**
 * The hidden attributes of a segment register, and the flags of a descriptor.
 *
 * A descriptor's bits 55:40 are kept as they are, without the four limit bits among them; a VMCS stores them the same.
 * Intel SDM Vol. 3A §3.4.5, "Segment Descriptors"; §3.5, "System Descriptor Types".
 */
export const ATTRIBUTES = {
  /** Bits 3:0: for code and data, what {@link TYPE} names; for system segments a number of {@link SYSTEM_TYPE}. */
  TYPE: 0xfn,
  /** S: 1 for code and data. */
  CODE_OR_DATA: 0x10n,
  /** Bits 6:5. */
  DPL: 0x60n,
  PRESENT: 0x80n,
  AVAILABLE: 0x1000n,
  /** L: 64-bit code. */
  LONG: 0x2000n,
  /** D/B: 32-bit code or stack. */
  BIG: 0x4000n,
  GRANULARITY: 0x8000n,
  /** The register holds a null selector. Not in a descriptor. */
  UNUSABLE: 0x1_0000n,
} as const;

/** Type bits of code and data segments. Intel SDM Vol. 3A §3.4.5.1, "Code- and Data-Segment Descriptor Types". */
export const TYPE = {
  ACCESSED: 1n,
  /** Data: may be written. Code: may be read. */
  WRITABLE_OR_READABLE: 2n,
  /** Data: expands down. Code: conforming. */
  CONFORMING: 4n,
  CODE: 8n,
} as const;

/** System descriptor types in IA-32e mode; the 32-bit ones of legacy mode have the same numbers. */
export const SYSTEM_TYPE = {
  LDT: 2n,
  TSS_AVAILABLE: 9n,
  TSS_BUSY: 0xbn,
  CALL_GATE: 0xcn,
  INTERRUPT_GATE: 0xen,
  TRAP_GATE: 0xfn,
} as const;

/** Attributes that SYSCALL, SYSENTER and their returns load without reading a descriptor. */
export const FLAT_CODE_64 = 0xa09bn;
export const FLAT_CODE_32 = 0xc09bn;
export const FLAT_DATA = 0xc093n;
/** Moves a flat segment to privilege level 3. */
export const DPL_3 = 0x60n;
