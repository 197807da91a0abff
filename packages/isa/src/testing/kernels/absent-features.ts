/** What a processor without a feature does with its instructions, flags and entries: that of one that never had it. */
import { defaultProfile } from "../../profile/profile.ts";
import { longModeText, PAGE_FLAGS, PLACE_64, user64, withOwnLabels64 } from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const MOV = "Intel SDM Vol. 2B, MOV—Move to/from Control Registers";
const FAULT = 'Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions"';
const RDMSR = "Intel SDM Vol. 2B, RDMSR—Read From Model Specific Register";
const UNDEFINED = "06 00000000 +00";
const FAULTS = "0d 00000000 +00";
const { data, pointers } = PLACE_64;

/** An instruction of a feature, and its page of the manual. */
const instructions: readonly (readonly [string, string, string])[] = [
  ["MONITOR", "db 0x0f, 0x01, 0xc8", "Intel SDM Vol. 2B, MONITOR—Set Up Monitor Address"],
  ["MWAIT", "db 0x0f, 0x01, 0xc9", "Intel SDM Vol. 2B, MWAIT—Monitor Wait"],
  ["STAC", "db 0x0f, 0x01, 0xcb", "Intel SDM Vol. 2B, STAC—Set AC Flag in EFLAGS Register"],
  ["CLAC", "db 0x0f, 0x01, 0xca", "Intel SDM Vol. 2A, CLAC—Clear AC Flag in EFLAGS Register"],
  [
    "XGETBV",
    "db 0x0f, 0x01, 0xd0",
    "Intel SDM Vol. 2D, XGETBV—Get Value of Extended Control Register",
  ],
  ["XSETBV", "db 0x0f, 0x01, 0xd1", "Intel SDM Vol. 2D, XSETBV—Set Extended Control Register"],
  ["VMCALL", "db 0x0f, 0x01, 0xc1", "Intel SDM Vol. 3C, VMCALL—Call to VM Monitor"],
  ["VMXON", "db 0xf3, 0x0f, 0xc7, 0x33", "Intel SDM Vol. 3C, VMXON—Enter VMX Operation"],
  ["XSAVE", "db 0x0f, 0xae, 0x23", "Intel SDM Vol. 2D, XSAVE—Save Processor Extended States"],
  [
    "INVPCID",
    "db 0x66, 0x0f, 0x38, 0x82, 0x03",
    "Intel SDM Vol. 2A, INVPCID—Invalidate Process-Context Identifier",
  ],
  [
    "RDFSBASE",
    "db 0xf3, 0x48, 0x0f, 0xae, 0xc0",
    "Intel SDM Vol. 2B, RDFSBASE/RDGSBASE—Read FS/GS Segment Base",
  ],
  ["RDRAND", "db 0x0f, 0xc7, 0xf0", "Intel SDM Vol. 2B, RDRAND—Read Random Number"],
  ["RDSEED", "db 0x0f, 0xc7, 0xf8", "Intel SDM Vol. 2B, RDSEED—Read Random SEED"],
  ["MOVBE", "db 0x0f, 0x38, 0xf0, 0x03", "Intel SDM Vol. 2B, MOVBE—Move Data After Swapping Bytes"],
  [
    "a VEX prefix",
    "db 0xc5, 0xf8, 0x77",
    "Intel SDM Vol. 2D, VZEROUPPER—Zero Upper Bits of YMM and ZMM Registers",
  ],
  [
    "AESENC",
    "db 0x66, 0x0f, 0x38, 0xdc, 0xc1",
    "Intel SDM Vol. 2A, AESENC—Perform One Round of an AES Encryption Flow",
  ],
  [
    "PCLMULQDQ",
    "db 0x66, 0x0f, 0x3a, 0x44, 0xc1, 0",
    "Intel SDM Vol. 2B, PCLMULQDQ—Carry-Less Multiplication Quadword",
  ],
  [
    "ADCX",
    "db 0x66, 0x0f, 0x38, 0xf6, 0xc1",
    "Intel SDM Vol. 2A, ADCX—Unsigned Integer Addition of Two Operands With Carry Flag",
  ],
];

/** Flags of CR4, by bit. */
const flags: readonly (readonly [string, number])[] = [
  ["VMXE", 13],
  ["FSGSBASE", 16],
  ["PCIDE", 17],
  ["OSXSAVE", 18],
  ["SMEP", 20],
  ["SMAP", 21],
];

const cases: readonly KernelCase[] = [
  ...instructions.map(([name, text, reference]) => ({
    ...{ name: `${name} is #UD`, reference, expected: UNDEFINED },
    text: `mov ebx, ${data}\nat: ${text}`,
  })),
  {
    name: "MWAIT is #UD at level 3, too",
    reference: "Intel SDM Vol. 2B, MWAIT—Monitor Wait",
    text: user64("at: db 0x0f, 0x01, 0xc9"),
    expected: UNDEFINED,
  },
  ...flags.map(([name, bit]) => ({
    name: `CR4.${name} is reserved`,
    reference: MOV,
    text: `mov rax, cr4\nbts eax, ${bit}\nat: mov cr4, rax`,
    expected: FAULTS,
  })),
  {
    name: "CPUID reports none of SMEP, SMAP, INVPCID and FSGSBASE",
    reference: "Intel SDM Vol. 2A, CPUID—CPU Identification",
    text: "mov eax, 7\nxor ecx, ecx\ncpuid\nmov eax, ebx\nand eax, 0x100481",
    expected: "00000000",
  },
  {
    name: "CPUID reports none of MONITOR, VMX, PCID, x2APIC, XSAVE and AVX",
    reference: "Intel SDM Vol. 2A, CPUID—CPU Identification",
    text: "mov eax, 1\nxor ecx, ecx\ncpuid\nmov eax, ecx\nand eax, 0x1c220028",
    expected: "00000000",
  },
  {
    name: "a page of 1 GiB is a reserved bit",
    reference: FAULT,
    text: `mov dword ptr [${pointers + 8}], ${PAGE_FLAGS | 0x80}\nmov ebx, 0x40000000\nat: mov eax, [rbx]`,
    expected: "0e 00000009 +00",
  },
  {
    name: "the range registers are not there",
    reference: RDMSR,
    text: "mov ecx, 0xfe\nat: rdmsr",
    expected: FAULTS,
    bochs: { prints: "00000508", why: "The processor that Bochs takes for this has them." },
  },
  {
    name: "REP BSF is BSF where there is no TZCNT",
    reference: "Intel SDM Vol. 2A, BSF—Bit Scan Forward",
    text: "mov eax, 0x77\nxor ebx, ebx\ndb 0xf3, 0x0f, 0xbc, 0xc3",
    expected: "00000077",
  },
  {
    name: "REP BSR is BSR where there is no LZCNT",
    reference: "Intel SDM Vol. 2A, BSR—Bit Scan Reverse",
    text: "mov ebx, 0x100\ndb 0xf3, 0x0f, 0xbd, 0xc3",
    expected: "00000008",
  },
];

const own = withOwnLabels64(cases, []);

export const absentFeatures: Kernel = {
  topic: "Features that are absent",
  cases: own,
  profile: defaultProfile,
  // It has little more than long mode, as our default.
  processors: { bochs: "athlon64_clawhammer" },
  lacking: { qemu: "its translator takes flags of CR4 that no processor of it has, and is lost" },
  text: longModeText(own, { each: `mov qword ptr [${pointers + 8}], 0\nxor eax, eax` }),
};
