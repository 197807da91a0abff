/**
 * What CPUID answers, from a profile.
 *
 * Leaves that say nothing of this processor (caches, monitor, power, topology, performance counters, extended state) are
 * there and zero, which means "none". Intel SDM Vol. 2A, "CPUID—CPU Identification".
 */
import { FEATURES } from "./features.ts";
import { TIMESTAMP_HERTZ, type ProcessorProfile } from "./profile.ts";

/** The four registers, 32 bits each, unsigned. */
export interface CpuidResult {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** What the answer depends on beside the profile. */
export interface CpuidContext {
  /** IA32_APIC_BASE bit 11. */
  readonly apicEnabled: boolean;
  /** SYSCALL is reported to 64-bit code only. */
  readonly in64BitMode: boolean;
  readonly apicId: number;
}

/** Highest basic leaf: the one with the TSC's frequency. */
const LAST_BASIC_LEAF = 0x15;
const LAST_EXTENDED_LEAF = 0x8000_0008;
const LINEAR_ADDRESS_BITS = 48;
/** Bytes that CLFLUSH flushes, in units of 8. */
const CLFLUSH_UNITS = 8;

const NOTHING: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** One leaf. `subleaf` is ECX; a leaf that does not exist answers like the highest basic one. */
export function readCpuid(
  profile: ProcessorProfile,
  leaf: number,
  subleaf: number,
  context: CpuidContext,
): CpuidResult {
  const isBasic = leaf <= LAST_BASIC_LEAF;
  const isExtended = leaf >= 0x8000_0000 && leaf <= LAST_EXTENDED_LEAF;
  const answered = isBasic || isExtended ? leaf : LAST_BASIC_LEAF;
  switch (answered) {
    case 0: {
      const [ebx, edx, ecx] = [0, 4, 8].map((at) => characters(profile.vendor, at));
      return { eax: LAST_BASIC_LEAF, ebx: ebx ?? 0, ecx: ecx ?? 0, edx: edx ?? 0 };
    }
    case 1: {
      const ebx = ((context.apicId << 24) | (1 << 16) | (CLFLUSH_UNITS << 8)) >>> 0;
      return { eax: signature(profile), ebx, ...flags(profile, 1, context) };
    }
    case 2:
      // One descriptor, of no cache.
      return { ...NOTHING, eax: 1 };
    case 7:
      return subleaf === 0 ? { eax: 0, ebx: 0, ...flags(profile, 7, context) } : NOTHING;
    case 0x15:
      return { eax: 1, ebx: 1, ecx: TIMESTAMP_HERTZ, edx: 0 };
    case 0x8000_0000:
      return { ...NOTHING, eax: LAST_EXTENDED_LEAF };
    case 0x8000_0001:
      return { ...NOTHING, ...flags(profile, 0x8000_0001, context) };
    case 0x8000_0002:
    case 0x8000_0003:
    case 0x8000_0004: {
      const at = (answered - 0x8000_0002) * 16;
      const [eax, ebx, ecx, edx] = [0, 4, 8, 12].map((offset) =>
        characters(profile.brand, at + offset),
      );
      return { eax: eax ?? 0, ebx: ebx ?? 0, ecx: ecx ?? 0, edx: edx ?? 0 };
    }
    case 0x8000_0007:
      // Invariant TSC. Intel SDM Vol. 3B §18.17.1, "Invariant TSC".
      return { ...NOTHING, edx: 1 << 8 };
    case 0x8000_0008:
      return { ...NOTHING, eax: (LINEAR_ADDRESS_BITS << 8) | profile.physicalAddressBits };
    default:
      return NOTHING;
  }
}

/** Leaf 1 EAX. Intel SDM Vol. 2A, figure "Version Information Returned by CPUID in EAX". */
export function signature(profile: ProcessorProfile): number {
  const { family, model, stepping } = profile;
  const extendedModel = (model >> 4) << 16;
  return (extendedModel | (family << 8) | ((model & 0xf) << 4) | stepping) >>> 0;
}

function flags(
  profile: ProcessorProfile,
  leaf: number,
  context: CpuidContext,
): Partial<CpuidResult> & Pick<CpuidResult, "ecx" | "edx"> {
  const words = { ebx: 0, ecx: 0, edx: 0 };
  for (const feature of profile.features) {
    const place = FEATURES[feature];
    if (place === undefined || place.leaf !== leaf) continue;
    if (feature === "apic" && !context.apicEnabled) continue;
    if (feature === "syscall" && !context.in64BitMode) continue;
    words[place.register] = (words[place.register] | (1 << place.bit)) >>> 0;
  }
  const { ebx, ecx, edx } = words;
  return leaf === 7 ? { ebx, ecx, edx } : { ecx, edx };
}

/** Four characters as a little-endian word; zero past the end. */
function characters(text: string, at: number): number {
  let word = 0;
  for (let index = 3; index >= 0; index -= 1) {
    const code = at + index < text.length ? text.charCodeAt(at + index) : 0;
    word = (word * 256 + (code & 0xff)) >>> 0;
  }
  return word;
}
