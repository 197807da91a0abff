/**
 * The state after RESET, and what a profile allows.
 *
 * Intel SDM Vol. 3A §10.1.1, "Processor State After Reset" (table "IA-32 and Intel 64 Processor States Following Power-up,
 * Reset, or INIT").
 */
import { ATTRIBUTES } from "../segmentation/attributes.ts";
import { SEGMENTS, segmentSlots, slots } from "../state/layout.ts";
import { signature } from "./cpuid.ts";
import type { StateAccess } from "./msr.ts";
import type { ProcessorProfile } from "./profile.ts";
import { CR0, CR4, EFER, RFLAGS } from "./registers.ts";

const RDX = 2;
const ALL_BITS_52 = (1n << 52n) - 1n;

/** CR4's flags, each with the feature that brings it. TSD and PCE are always there. */
const CR4_FEATURES: readonly (readonly [bigint, string])[] = [
  [CR4.TSD, "tsc"],
  [CR4.DE, "de"],
  [CR4.PSE, "pse"],
  [CR4.PAE, "pae"],
  [CR4.PGE, "pge"],
  [CR4.PCE, "msr"],
  [CR4.OSFXSR, "fxsr"],
  [CR4.OSXMMEXCPT, "sse"],
  [CR4.UMIP, "umip"],
  [CR4.VMXE, "vmx"],
  [CR4.FSGSBASE, "fsgsbase"],
  [CR4.PCIDE, "pcid"],
  [CR4.SMEP, "smep"],
  [CR4.SMAP, "smap"],
];

const EFER_FEATURES: readonly (readonly [bigint, string])[] = [
  [EFER.SCE, "syscall"],
  [EFER.LME, "lm"],
  [EFER.NXE, "nx"],
];

/** Writes the fields that say what the profile allows; they never change afterwards. */
export function applyProfile(state: StateAccess, profile: ProcessorProfile): void {
  const allowed = (table: readonly (readonly [bigint, string])[]): bigint =>
    table.reduce((bits, [bit, feature]) => (profile.features.has(feature) ? bits | bit : bits), 0n);
  const physicalMask = (1n << BigInt(profile.physicalAddressBits)) - 1n;
  state.set(slots.physicalReserved, ALL_BITS_52 & ~physicalMask);
  state.set(slots.cr4Allowed, allowed(CR4_FEATURES));
  state.set(slots.eferAllowed, allowed(EFER_FEATURES));
  state.set(slots.hugePageReserved, profile.features.has("pdpe1gb") ? 0n : 0x80n);
}

/**
 * Writes the registers as RESET leaves them, into a state block that is zero elsewhere: real-address mode, at the last 16
 * bytes below 4 GBytes. Derived fields follow with updateMode.
 */
export function resetRegisters(state: StateAccess, profile: ProcessorProfile): void {
  applyProfile(state, profile);
  state.set(slots.rip, 0xfff0n);
  state.set(slots.flagsSystem, RFLAGS.FIXED);
  state.set({ offset: RDX * 8, bytes: 8 }, BigInt(signature(profile)));
  state.set(slots.cr0, CR0.CD | CR0.NW | CR0.ET);
  state.set(slots.dr6, 0xffff_0ff0n);
  state.set(slots.dr7, 0x400n);
  state.set(slots.pat, 0x0007_0406_0007_0406n);
  state.set(slots.mxcsr, 0x1f80n);
  state.set(slots.fcw, 0x40n);
  state.set(slots.ftw, 0x5555n);
  state.set(slots.gdtrLimit, 0xffffn);
  state.set(slots.idtrLimit, 0xffffn);
  for (const [index, name] of SEGMENTS.entries()) {
    const segment = segmentSlots(index);
    const isSystem = name === "ldtr" || name === "tr";
    const type = name === "cs" ? 0xbn : name === "ldtr" ? 2n : name === "tr" ? 0xbn : 3n;
    const kind = isSystem ? 0n : ATTRIBUTES.CODE_OR_DATA;
    state.set(segment.attributes, type | kind | ATTRIBUTES.PRESENT);
    state.set(segment.limit, 0xffffn);
    state.set(segment.selector, name === "cs" ? 0xf000n : 0n);
    state.set(segment.base, name === "cs" ? 0xffff_0000n : 0n);
  }
}
