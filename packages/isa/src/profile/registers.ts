/**
 * Bits of RFLAGS, the control registers and IA32_EFER, by the manual's names.
 *
 * Intel SDM Vol. 3A §2.3, "System Flags and Fields in the EFLAGS Register"; §2.5, "Control Registers";
 * §2.2.1, "Extended Feature Enable Register".
 */
export const RFLAGS = {
  CF: 0x1n,
  /** Bit 1: always one. */
  FIXED: 0x2n,
  PF: 0x4n,
  AF: 0x10n,
  ZF: 0x40n,
  SF: 0x80n,
  TF: 0x100n,
  IF: 0x200n,
  DF: 0x400n,
  OF: 0x800n,
  /** Bits 13:12. */
  IOPL: 0x3000n,
  NT: 0x4000n,
  RF: 0x1_0000n,
  VM: 0x2_0000n,
  AC: 0x4_0000n,
  VIF: 0x8_0000n,
  VIP: 0x10_0000n,
  ID: 0x20_0000n,
} as const;

/** CF, PF, AF, ZF, SF and OF. */
export const STATUS_FLAGS: bigint =
  RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.ZF | RFLAGS.SF | RFLAGS.OF;

export const CR0 = {
  PE: 0x1n,
  MP: 0x2n,
  EM: 0x4n,
  TS: 0x8n,
  /** Always one. */
  ET: 0x10n,
  NE: 0x20n,
  WP: 0x1_0000n,
  AM: 0x4_0000n,
  NW: 0x2000_0000n,
  CD: 0x4000_0000n,
  PG: 0x8000_0000n,
} as const;

/** Every bit that CR0 defines; the other low bits ignore writes, bits 63:32 are reserved. */
export const CR0_DEFINED: bigint = Object.values(CR0).reduce((all, bit) => all | bit, 0n);

export const CR4 = {
  VME: 0x1n,
  PVI: 0x2n,
  TSD: 0x4n,
  DE: 0x8n,
  PSE: 0x10n,
  PAE: 0x20n,
  MCE: 0x40n,
  PGE: 0x80n,
  PCE: 0x100n,
  OSFXSR: 0x200n,
  OSXMMEXCPT: 0x400n,
  UMIP: 0x800n,
  VMXE: 0x2000n,
  FSGSBASE: 0x1_0000n,
  PCIDE: 0x2_0000n,
  OSXSAVE: 0x4_0000n,
  SMEP: 0x10_0000n,
  SMAP: 0x20_0000n,
} as const;

export const EFER = {
  /** SYSCALL enable. */
  SCE: 0x1n,
  /** IA-32e mode enable. */
  LME: 0x100n,
  /** IA-32e mode active: set by the processor. */
  LMA: 0x400n,
  /** Execute-disable bit enable. */
  NXE: 0x800n,
} as const;
