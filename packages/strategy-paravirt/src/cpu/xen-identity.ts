/**
 * What CPUID tells a paravirtual guest: the processor's answers without what such a guest cannot have, and Xen's own.
 *
 * Xen, xen/include/public/arch-x86/cpuid.h, and the letters beside each feature of cpufeatureset.h: those without an A
 * or S are for other kinds of guests.
 */
import type { CpuidAnswer, ProcessorIdentity } from "@ringside/hypervisor";

const FIRST_XEN_LEAF = 0x4000_0000;
const LAST_XEN_LEAF = 0x4000_0002;
/** "XenVMMXenVMM" in EBX, ECX, EDX. */
const SIGNATURE = { ebx: 0x566e_6558, ecx: 0x6558_4d4d, edx: 0x4d4d_566e } as const;
const VERSION = (4 << 16) | 17;

/** Leaf 1, EDX: VME 1, PSE 3, MTRR 12, PGE 13, PSE-36 17. */
const HIDDEN_EDX: number = (1 << 1) | (1 << 3) | (1 << 12) | (1 << 13) | (1 << 17);
/** Leaf 1, ECX: MONITOR 3, VMX 5, PCID 17, x2APIC 21, TSC deadline 24. */
const HIDDEN_ECX: number = (1 << 3) | (1 << 5) | (1 << 17) | (1 << 21) | (1 << 24);
/** Leaf 1, ECX: a hypervisor is here. */
const HYPERVISOR = 0x8000_0000;
/** Leaf 7, EBX: SMEP 7, INVPCID 10, SMAP 20. */
const HIDDEN_LEAF7_EBX: number = (1 << 7) | (1 << 10) | (1 << 20);
/** Leaf 0x8000_0001, EDX: 1-GByte pages 26, RDTSCP 27. */
const HIDDEN_EXTENDED_EDX: number = (1 << 26) | (1 << 27);

export function xenIdentity(
  identity: ProcessorIdentity,
  leaf: number,
  subleaf: number,
): CpuidAnswer {
  if (leaf >= FIRST_XEN_LEAF && leaf <= FIRST_XEN_LEAF + 0xff) return xenLeaf(leaf);
  const answer = identity.cpuid(leaf, subleaf);
  switch (leaf) {
    case 1:
      return {
        ...answer,
        ecx: ((answer.ecx & ~HIDDEN_ECX) | HYPERVISOR) >>> 0,
        edx: (answer.edx & ~HIDDEN_EDX) >>> 0,
      };
    case 7:
      return { ...answer, ebx: (answer.ebx & ~HIDDEN_LEAF7_EBX) >>> 0 };
    case 0x8000_0001:
      return { ...answer, edx: (answer.edx & ~HIDDEN_EXTENDED_EDX) >>> 0 };
    default:
      return answer;
  }
}

function xenLeaf(leaf: number): CpuidAnswer {
  switch (leaf) {
    case FIRST_XEN_LEAF:
      return { eax: LAST_XEN_LEAF, ...SIGNATURE };
    case FIRST_XEN_LEAF + 1:
      return { eax: VERSION, ebx: 0, ecx: 0, edx: 0 };
    default:
      // The third leaf says where the hypercall page is set up, which is for other kinds of guests.
      return { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  }
}
