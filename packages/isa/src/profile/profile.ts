/**
 * What a processor says it is: vendor, family and model, and features.
 *
 * CPUID, the reserved bits of control registers and the set of MSRs follow from a profile. Features that the instruction
 * table lacks do not belong in one.
 */
import { FEATURES } from "./features.ts";

/** Vendor strings that have a meaning here. */
export type Vendor = "GenuineIntel";

/** A processor as software sees it. Plain data. */
export interface ProcessorProfile {
  /** Kebab-case; unique among profiles that are used together. */
  readonly id: string;
  readonly vendor: Vendor;
  /** Display family, 6 to 15. */
  readonly family: number;
  /** Display model, 0 to 255. */
  readonly model: number;
  /** 0 to 15. */
  readonly stepping: number;
  /** At most 47 ASCII characters. */
  readonly brand: string;
  /** MAXPHYADDR, 36 to 52. */
  readonly physicalAddressBits: number;
  /** Names from FEATURES. `apic` is reported only while IA32_APIC_BASE says that the APIC is enabled. */
  readonly features: ReadonlySet<string>;
}

/** Hertz of the TSC, of the core crystal and of the local APIC's timer: one tick is one unit of guest time. */
export const TIMESTAMP_HERTZ = 1_000_000_000;

/** The lowest level: what every system for x86-64 counts on, and what operating systems use where it is there. */
const v1: ProcessorProfile = {
  id: "x86-64-v1",
  vendor: "GenuineIntel",
  family: 6,
  // An in-order processor that does not speculate, which is true of this one, too: operating systems then switch no
  // mitigation on.
  model: 0x36,
  stepping: 1,
  brand: "Ringside x86-64-v1 processor @ 1.00GHz",
  physicalAddressBits: 40,
  features: new Set([
    "fpu",
    "de",
    "pse",
    "tsc",
    "msr",
    "pae",
    "cx8",
    "apic",
    "sep",
    "pge",
    "cmov",
    "pat",
    "pse36",
    "clflush",
    "mmx",
    "fxsr",
    "sse",
    "sse2",
    "arch_capabilities",
    "syscall",
    "nx",
    "rdtscp",
    "lm",
  ]),
};

/** What x86-64-v2 adds to x86-64-v1. */
const V2_FEATURES = ["cx16", "lahf_lm", "popcnt", "sse3", "ssse3", "sse4_1", "sse4_2"];

/** The default: x86-64-v2, the least that programs of today are built for, as an Intel processor. */
export const defaultProfile: ProcessorProfile = {
  ...v1,
  id: "x86-64-v2",
  brand: "Ringside x86-64-v2 processor @ 1.00GHz",
  features: new Set([...v1.features, ...V2_FEATURES]),
};

/**
 * What operating systems alone use, beyond the default. x2apic, tsc_deadline_timer and mtrr need a machine that brings
 * them.
 */
const SYSTEM_FEATURES = [
  "pcid",
  "invpcid",
  "smep",
  "smap",
  "umip",
  "fsgsbase",
  "pdpe1gb",
  "x2apic",
  "tsc_deadline_timer",
  "mtrr",
];

/**
 * Profiles by their ids: `x86-64-v1` and `x86-64-v2`, the levels of the System V ABI for x86-64 ("Micro-Architecture
 * Levels"), of which the second is the default; `x86-64-v2-system` has all other features of the system, too: protection
 * of the kernel, PCIDs, large pages, timers, memory types.
 */
export const processorProfiles: ReadonlyMap<string, ProcessorProfile> = new Map(
  [
    v1,
    defaultProfile,
    {
      ...defaultProfile,
      id: "x86-64-v2-system",
      features: new Set([...defaultProfile.features, ...SYSTEM_FEATURES]),
    },
  ].map((profile) => [profile.id, profile]),
);

/**
 * Checks a profile that a caller made.
 *
 * @throws {RangeError} A field out of range, or a feature without a place in CPUID.
 */
export function checkProfile(profile: ProcessorProfile): void {
  const check = (isFine: boolean, field: string, value: unknown, expected: string): void => {
    if (isFine) return;
    throw new RangeError(
      `Profile "${profile.id}" has ${field} ${String(value)}. Expected ${expected}.`,
    );
  };
  const inRange = (value: number, low: number, high: number): boolean =>
    Number.isInteger(value) && value >= low && value <= high;
  check(inRange(profile.family, 6, 15), "family", profile.family, "a whole number from 6 to 15");
  check(inRange(profile.model, 0, 255), "model", profile.model, "a whole number from 0 to 255");
  check(
    inRange(profile.stepping, 0, 15),
    "stepping",
    profile.stepping,
    "a whole number from 0 to 15",
  );
  const bits = profile.physicalAddressBits;
  check(inRange(bits, 36, 52), "physicalAddressBits", bits, "a whole number from 36 to 52");
  const isAscii = /^[\x20-\x7e]{1,47}$/u.test(profile.brand);
  check(isAscii, "brand", JSON.stringify(profile.brand), "1 to 47 printable ASCII characters");
  for (const feature of profile.features) {
    check(feature in FEATURES, "feature", feature, "a name from FEATURES");
  }
}
