/**
 * The registers of a local APIC as model-specific registers, in x2APIC mode.
 *
 * Intel SDM Vol. 3A §11.12.1.2, "x2APIC Register Address Space" (the table of addresses); §11.12.1.3, "Reserved Bit
 * Checking".
 */

export const x2ApicFirstMsr = 0x800;
export const x2ApicLastMsr = 0x8ff;
/** Interrupt command, 64 bits; and the one that interrupts its own processor. */
export const x2ApicCommand = 0x830;
/** Bits 31:20, 17:16 and 13. §11.12.9, "ICR Operation in x2APIC Mode"; there is no delivery status. */
export const x2ApicCommandReserved = 0xfff3_2000n;
export const x2ApicSelf = 0x83f;

export interface X2ApicRegister {
  /** Of the same register in memory. */
  readonly offset: number;
  readonly isReadable: boolean;
  /** Bits that a write may set; undefined when it may not be written at all. */
  readonly writable: number | undefined;
}

const readOnly = (offset: number): X2ApicRegister => ({
  offset,
  isReadable: true,
  writable: undefined,
});
const stored = (offset: number, writable: number): X2ApicRegister => ({
  offset,
  isReadable: true,
  writable,
});

/** One by one; the vector sets are ranges. */
const single: ReadonlyMap<number, X2ApicRegister> = new Map([
  [0x802, readOnly(0x20)],
  [0x803, readOnly(0x30)],
  [0x808, stored(0x80, 0xff)],
  [0x80a, readOnly(0xa0)],
  [0x80b, { offset: 0xb0, isReadable: false, writable: 0 }],
  [0x80d, readOnly(0xd0)],
  [0x80f, stored(0xf0, 0x3ff)],
  [0x828, stored(0x280, 0)],
  [0x832, stored(0x320, 0x7_10ff)],
  [0x833, stored(0x330, 0x1_17ff)],
  [0x834, stored(0x340, 0x1_17ff)],
  [0x835, stored(0x350, 0x1_f7ff)],
  [0x836, stored(0x360, 0x1_f7ff)],
  [0x837, stored(0x370, 0x1_10ff)],
  [0x838, stored(0x380, 0xffff_ffff)],
  [0x839, readOnly(0x390)],
  [0x83e, stored(0x3e0, 0b1011)],
]);

/** Undefined where there is none: #GP(0). */
export function x2ApicRegister(msr: number): X2ApicRegister | undefined {
  if (msr >= 0x810 && msr <= 0x827) return readOnly((msr - x2ApicFirstMsr) * 16);
  return single.get(msr);
}

/** The logical id follows from the id: a cluster of sixteen. §11.12.10.2, "Deriving Logical x2APIC ID from the Local x2APIC ID". */
export function logicalX2ApicId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;
}
