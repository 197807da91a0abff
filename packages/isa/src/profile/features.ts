/**
 * CPUID's feature flags: where each is reported. Names are those that rows use in `feature`, and Linux's.
 *
 * Intel SDM Vol. 2A, "CPUID—CPU Identification" (tables "Feature Information Returned in the ECX Register" and "More on
 * Feature Information Returned in the EDX Register").
 */

/** A word of CPUID's output. */
export interface FeaturePlace {
  readonly leaf: number;
  readonly register: "ebx" | "ecx" | "edx";
  readonly bit: number;
}

function place(leaf: number, register: FeaturePlace["register"], bit: number): FeaturePlace {
  return { leaf, register, bit };
}

const BASIC = 1;
const STRUCTURED = 7;
const EXTENDED = 0x8000_0001;

/** Every feature that a profile can name: those that work, and those that an extension or a machine brings. */
export const FEATURES: Readonly<Record<string, FeaturePlace>> = {
  fpu: place(BASIC, "edx", 0),
  de: place(BASIC, "edx", 2),
  pse: place(BASIC, "edx", 3),
  tsc: place(BASIC, "edx", 4),
  msr: place(BASIC, "edx", 5),
  pae: place(BASIC, "edx", 6),
  cx8: place(BASIC, "edx", 8),
  apic: place(BASIC, "edx", 9),
  sep: place(BASIC, "edx", 11),
  mtrr: place(BASIC, "edx", 12),
  pge: place(BASIC, "edx", 13),
  cmov: place(BASIC, "edx", 15),
  pat: place(BASIC, "edx", 16),
  pse36: place(BASIC, "edx", 17),
  clflush: place(BASIC, "edx", 19),
  mmx: place(BASIC, "edx", 23),
  fxsr: place(BASIC, "edx", 24),
  sse: place(BASIC, "edx", 25),
  sse2: place(BASIC, "edx", 26),
  sse3: place(BASIC, "ecx", 0),
  ssse3: place(BASIC, "ecx", 9),
  sse4_1: place(BASIC, "ecx", 19),
  sse4_2: place(BASIC, "ecx", 20),
  vmx: place(BASIC, "ecx", 5),
  cx16: place(BASIC, "ecx", 13),
  pcid: place(BASIC, "ecx", 17),
  x2apic: place(BASIC, "ecx", 21),
  popcnt: place(BASIC, "ecx", 23),
  tsc_deadline_timer: place(BASIC, "ecx", 24),
  hypervisor: place(BASIC, "ecx", 31),
  fsgsbase: place(STRUCTURED, "ebx", 0),
  smep: place(STRUCTURED, "ebx", 7),
  invpcid: place(STRUCTURED, "ebx", 10),
  smap: place(STRUCTURED, "ebx", 20),
  umip: place(STRUCTURED, "ecx", 2),
  arch_capabilities: place(STRUCTURED, "edx", 29),
  lahf_lm: place(EXTENDED, "ecx", 0),
  syscall: place(EXTENDED, "edx", 11),
  nx: place(EXTENDED, "edx", 20),
  pdpe1gb: place(EXTENDED, "edx", 26),
  rdtscp: place(EXTENDED, "edx", 27),
  lm: place(EXTENDED, "edx", 29),
};
