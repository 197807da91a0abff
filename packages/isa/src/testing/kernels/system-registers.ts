/** Control registers, EFER and model-specific registers in 64-bit mode: what they refuse, and what they keep. */
import { defaultProfile } from "../../profile/profile.ts";
import { longModeText, PLACE_64, user64, withOwnLabels64 } from "./long-mode.ts";
import type { Difference } from "./emulators.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const MOV = "Intel SDM Vol. 2B, MOV—Move to/from Control Registers";
const CONTROL = 'Intel SDM Vol. 3A §2.5, "Control Registers"';
const EFER_FLAGS = 'Intel SDM Vol. 3A §2.2.1, "Extended Feature Enable Register"';
const LONG_MODE = 'Intel SDM Vol. 3A §10.8.5, "Initializing IA-32e Mode"';
const WRMSR = "Intel SDM Vol. 2D, WRMSR—Write to Model Specific Register";
const RDMSR = "Intel SDM Vol. 2B, RDMSR—Read From Model Specific Register";
const PAT = 'Intel SDM Vol. 3A §12.12.2, "IA32_PAT MSR"';
const RANGES = 'Intel SDM Vol. 3A §12.11.2.3, "Variable Range MTRRs"';
const FIXED_RANGES = 'Intel SDM Vol. 3A §12.11.2.2, "Fixed Range MTRRs"';
const DEFAULT_TYPE = 'Intel SDM Vol. 3A §12.11.2.1, "IA32_MTRR_DEF_TYPE MSR"';
const PRIVILEGED = 'Intel SDM Vol. 3A §5.9, "Privileged Instructions"';
const TABLE = 'Intel SDM Vol. 4, Table 2-2, "IA-32 Architectural MSRs"';

const FAULTS = "0d 00000000 +00";
const UNDEFINED = "06 00000000 +00";
const { data } = PLACE_64;

const MSR = {
  tsc: 0x10,
  sysenterCs: 0x174,
  sysenterEip: 0x176,
  mtrrCapabilities: 0xfe,
  mtrrBase: 0x200,
  mtrrMask: 0x201,
  mtrrFixed: 0x250,
  pat: 0x277,
  mtrrDefault: 0x2ff,
  efer: 0xc000_0080,
  star: 0xc000_0081,
  lstar: 0xc000_0082,
  fmask: 0xc000_0084,
  fsBase: 0xc000_0100,
  gsBase: 0xc000_0101,
  kernelGsBase: 0xc000_0102,
  tscAux: 0xc000_0103,
  none: 0x4000_1234,
} as const;

function write(msr: number, low: number, high = 0): string {
  return `mov ecx, ${msr}\nmov eax, ${low}\nmov edx, ${high}\nat: wrmsr`;
}

function set(msr: number, low: number, high = 0): string {
  return write(msr, low, high).replace("at: ", "");
}

function get(msr: number): string {
  return `mov ecx, ${msr}\nrdmsr`;
}

function faults(
  name: string,
  reference: string,
  text: string,
  qemu?: Difference,
  bochs?: Difference,
): KernelCase {
  return {
    ...{ name, reference, text, expected: FAULTS },
    ...(qemu === undefined ? {} : { qemu }),
    ...(bochs === undefined ? {} : { bochs }),
  };
}

const ALL_64: Difference = { prints: "00000005", why: "Bochs takes all 64 bits." };

/** What QEMU prints where it takes a value: the low half of it. */
function taken(low: number): Difference {
  const prints = low.toString(16).padStart(8, "0");
  return { prints, why: "QEMU checks no values of this register." };
}

function changeCr0(how: string): string {
  return `mov rax, cr0\n${how}\nat: mov cr0, rax`;
}

function changeCr4(how: string): string {
  return `mov rax, cr4\n${how}\nat: mov cr4, rax`;
}

const control: readonly KernelCase[] = [
  faults("CR0: NW needs CD", MOV, changeCr0("bts eax, 29"), {
    prints: "a0010033",
    why: "QEMU does not look at NW.",
  }),
  {
    name: "CR0: NW and CD together are taken",
    reference: MOV,
    text: `${changeCr0("or eax, 0x60000000").replace("at: ", "")}\nmov rax, cr0`,
    expected: "e0010033",
  },
  faults("CR0: bits 63:32 are reserved", MOV, changeCr0("bts rax, 32"), {
    prints: "80010033",
    why: "QEMU ignores them.",
  }),
  {
    name: "CR0: the reserved bits below are ignored",
    reference: CONTROL,
    text: `${changeCr0("or eax, 0x40").replace("at: ", "")}\nmov rax, cr0\nand eax, 0x40`,
    expected: "00000000",
    qemu: { prints: "00000040", why: "QEMU keeps them." },
  },
  {
    name: "CR0: ET stays set",
    reference: CONTROL,
    text: `${changeCr0("btr eax, 4").replace("at: ", "")}\nmov rax, cr0\nand eax, 0x10`,
    expected: "00000010",
  },
  {
    name: "CR1 is not there",
    reference: MOV,
    text: "at: db 0x0f, 0x20, 0xc8",
    expected: UNDEFINED,
  },
  {
    name: "CR5 neither",
    reference: MOV,
    text: "at: db 0x0f, 0x20, 0xe8",
    expected: UNDEFINED,
  },
  {
    name: "nor CR9",
    reference: MOV,
    text: "at: db 0x44, 0x0f, 0x20, 0xc8",
    expected: UNDEFINED,
  },
  {
    name: "CR2 keeps 64 bits",
    reference: CONTROL,
    text: "mov rbx, 0x123456789abcdef0\nmov cr2, rbx\nmov rax, cr2\nshr rax, 32",
    expected: "12345678",
  },
  {
    name: "MOV to a control register always has registers, whatever mod says",
    reference: MOV,
    text: "mov rbx, 0x1234\ndb 0x0f, 0x22, 0x13\nmov rax, cr2",
    expected: "00001234",
  },
  faults(
    "DR7 has 32 bits",
    "Intel SDM Vol. 2B, MOV—Move to/from Debug Registers",
    "mov rax, 0x100000400\nat: mov dr7, rax",
  ),
  faults(
    "DR6 too",
    "Intel SDM Vol. 2B, MOV—Move to/from Debug Registers",
    "mov rax, 0x100000000\nat: mov dr6, rax",
  ),
];

const enabling: readonly KernelCase[] = [
  {
    name: "EFER shows IA-32e mode enabled and active",
    reference: EFER_FLAGS,
    text: get(MSR.efer),
    expected: "00000d00",
  },
  faults("LME does not change under paging", LONG_MODE, write(MSR.efer, 0x800), {
    prints: "00000800",
    why: "QEMU does not look.",
  }),
  {
    name: "LMA is the processor's",
    reference: EFER_FLAGS,
    text: `${set(MSR.efer, 0x900)}\n${get(MSR.efer)}`,
    expected: "00000d00",
  },
  faults("EFER has reserved bits", EFER_FLAGS, write(MSR.efer, 0x904), {
    prints: "00000904",
    why: "QEMU ignores them.",
  }),
  faults("EFER: the upper half is reserved", EFER_FLAGS, write(MSR.efer, 0x900, 1), {
    prints: "00000900",
    why: "QEMU ignores them.",
  }),
  {
    name: "NXE and SCE change",
    reference: EFER_FLAGS,
    text: `${set(MSR.efer, 0x101)}\n${get(MSR.efer)}\nmov ebp, eax\n${set(MSR.efer, 0x900)}\nmov eax, ebp`,
    expected: "00000501",
  },
];

const bases: readonly KernelCase[] = [
  {
    name: "an MSR that is not there is not read",
    reference: RDMSR,
    text: `mov ecx, ${MSR.none}\nat: rdmsr`,
    expected: FAULTS,
    qemu: { prints: "00000000", why: "QEMU reads 0 from all of them." },
  },
  {
    name: "nor written",
    reference: WRMSR,
    text: write(MSR.none, 7),
    expected: FAULTS,
    qemu: { prints: "00000007", why: "QEMU ignores writes of them." },
  },
  faults("IA32_LSTAR is canonical", WRMSR, write(MSR.lstar, 5, 0x8000), taken(5)),
  faults("IA32_SYSENTER_EIP too", WRMSR, write(MSR.sysenterEip, 5, 0x8000), taken(5)),
  faults("IA32_FS_BASE too", WRMSR, write(MSR.fsBase, 5, 0x8000), taken(5)),
  faults("IA32_KERNEL_GS_BASE too", WRMSR, write(MSR.kernelGsBase, 5, 0x8000), taken(5)),
  {
    name: "an address with the upper half set is canonical",
    reference: WRMSR,
    text: `${set(MSR.kernelGsBase, 5, 0xffff_8000)}\n${get(MSR.kernelGsBase)}\nmov eax, edx`,
    expected: "ffff8000",
  },
  {
    name: "IA32_STAR keeps 64 bits",
    reference: TABLE,
    text: `${set(MSR.star, 0x1234_5678, 0x9abc_def0)}\n${get(MSR.star)}\nxor eax, edx`,
    expected: "88888888",
  },
  faults("IA32_FMASK has 32 bits", WRMSR, write(MSR.fmask, 5, 1), taken(5), ALL_64),
  faults("IA32_TSC_AUX has 32 bits", WRMSR, write(MSR.tscAux, 5, 1), taken(5), ALL_64),
  {
    name: "IA32_SYSENTER_CS does not use its upper half, and takes it",
    reference: TABLE,
    text: `${set(MSR.sysenterCs, 8, 1)}\n${get(MSR.sysenterCs)}`,
    expected: "00000008",
  },
  {
    name: "a load of FS leaves the base of a null selector, and IA32_FS_BASE sets 64 bits of it",
    reference: 'Intel SDM Vol. 3A §3.4.4.1, "Segment Loading Instructions in IA-32e Mode"',
    text: `${set(MSR.fsBase, data, 0)}\nmov dword ptr [${data + 8}], 0x77\nmov eax, fs:[8]`,
    expected: "00000077",
  },
  {
    name: "SWAPGS exchanges the two bases",
    reference: "Intel SDM Vol. 2B, SWAPGS—Swap GS Base Register",
    text: `${set(MSR.gsBase, 0x1111)}\n${set(MSR.kernelGsBase, 0x2222)}\nswapgs\n${get(MSR.gsBase)}\nshl eax, 16\nmov ebp, eax\n${get(MSR.kernelGsBase)}\nor eax, ebp`,
    expected: "22221111",
  },
  {
    name: "the time-stamp counter is written, and goes on from there",
    reference: 'Intel SDM Vol. 3B §18.17, "Time-Stamp Counter"',
    text: `${set(MSR.tsc, 0, 0x1234)}\nrdtsc\nmov eax, edx`,
    expected: "00001234",
    qemu: { prints: "00000000", why: "QEMU's translator ignores the write." },
  },
];

const types: readonly KernelCase[] = [
  {
    name: "IA32_PAT after reset",
    reference: PAT,
    text: `${get(MSR.pat)}\nxor edx, eax\nor eax, edx`,
    expected: "00070406",
  },
  {
    name: "IA32_PAT keeps types",
    reference: PAT,
    text: `${set(MSR.pat, 0x0107_0406, 0x0007_0506)}\n${get(MSR.pat)}\nmov ebp, eax\n${set(MSR.pat, 0x0007_0406, 0x0007_0406)}\nmov eax, ebp`,
    expected: "01070406",
  },
  ...[2, 3, 8, 0x80].map((type) =>
    faults(
      `IA32_PAT has no type ${type}`,
      PAT,
      write(MSR.pat, 0x0007_0400 | type, 0x0007_0406),
      taken(0x0007_0400 | type),
    ),
  ),
  faults("IA32_MTRRCAP is not written", TABLE, write(MSR.mtrrCapabilities, 0), {
    prints: "00000000",
    why: "QEMU ignores the write.",
  }),
  faults("a variable range has no type 2", RANGES, write(MSR.mtrrBase, 2), taken(2)),
  faults("its base has reserved bits 11:8", RANGES, write(MSR.mtrrBase, 0x106), taken(0x106)),
  faults(
    "its base is an address of the processor's",
    RANGES,
    write(MSR.mtrrBase, 6, 0x8_0000),
    taken(6),
  ),
  faults("its mask has reserved bits 10:0", RANGES, write(MSR.mtrrMask, 1), taken(1)),
  faults(
    "a fixed range has no type 3",
    FIXED_RANGES,
    write(MSR.mtrrFixed, 0x0600_0306, 0),
    taken(0x0600_0306),
  ),
  {
    name: "a fixed range keeps eight types",
    reference: FIXED_RANGES,
    text: `${set(MSR.mtrrFixed, 0x0605_0401, 0x0600_0606)}\n${get(MSR.mtrrFixed)}\nxor eax, edx`,
    expected: "00050207",
  },
  faults("the default type is a type", DEFAULT_TYPE, write(MSR.mtrrDefault, 2), taken(2)),
  faults(
    "its register has reserved bits",
    DEFAULT_TYPE,
    write(MSR.mtrrDefault, 0x1006),
    taken(0x1006),
  ),
  {
    name: "it keeps the flags that enable ranges",
    reference: DEFAULT_TYPE,
    text: `${set(MSR.mtrrDefault, 0xc06)}\n${get(MSR.mtrrDefault)}\nmov ebp, eax\n${set(MSR.mtrrDefault, 0)}\nmov eax, ebp`,
    expected: "00000c06",
  },
];

/** Instructions that only level 0 has. */
const supervisors: readonly (readonly [string, string])[] = [
  ["HLT", "hlt"],
  ["CLI with IOPL 0", "cli"],
  ["STI with IOPL 0", "sti"],
  ["IN with IOPL 0", "in al, 0x80"],
  ["CLTS", "clts"],
  ["INVD", "invd"],
  ["WBINVD", "wbinvd"],
  ["INVLPG", `invlpg [${data}]`],
  ["LGDT", `lgdt [${data}]`],
  ["LIDT", `lidt [${data}]`],
  ["LLDT", "lldt ax"],
  ["LTR", "ltr ax"],
  ["LMSW", "lmsw ax"],
  ["MOV from CR0", "mov rax, cr0"],
  ["MOV to CR3", "mov cr3, rax"],
  ["MOV from CR8", "mov rax, cr8"],
  ["MOV from DR7", "mov rax, dr7"],
  ["RDMSR", "rdmsr"],
  ["WRMSR", "wrmsr"],
  ["SWAPGS", "swapgs"],
];

const levels: readonly KernelCase[] = [
  ...supervisors.map(([name, text]) =>
    faults(`${name} is the supervisor's`, PRIVILEGED, user64(`at: ${text}`)),
  ),
  {
    name: "RDTSC is everybody's",
    reference: "Intel SDM Vol. 2B, RDTSC—Read Time-Stamp Counter",
    text: user64("rdtsc\nxor eax, eax"),
    expected: "00000000",
  },
  faults(
    "but not under CR4.TSD",
    "Intel SDM Vol. 2B, RDTSC—Read Time-Stamp Counter",
    `${changeCr4("bts eax, 2").replace("at: ", "")}\n${user64("at: rdtsc")}`,
  ),
  faults(
    "nor is RDTSCP",
    "Intel SDM Vol. 2B, RDTSCP—Read Time-Stamp Counter and Processor ID",
    `${changeCr4("bts eax, 2").replace("at: ", "")}\n${user64("at: rdtscp")}`,
  ),
  faults(
    "RDPMC needs CR4.PCE there",
    "Intel SDM Vol. 2B, RDPMC—Read Performance-Monitoring Counters",
    user64("xor ecx, ecx\nat: rdpmc"),
  ),
  {
    name: "SGDT and SMSW are everybody's without CR4.UMIP",
    reference: "Intel SDM Vol. 2B, SGDT—Store Global Descriptor Table Register",
    text: user64(`sgdt [${data}]\nsmsw eax\nmovzx eax, word ptr [${data}]`),
    expected: "00000067",
  },
  ...["sgdt", "sidt"].map((name) =>
    faults(
      `${name.toUpperCase()} is not under CR4.UMIP`,
      'Intel SDM Vol. 3A §2.5, "Control Registers" (UMIP)',
      `${changeCr4("bts eax, 11").replace("at: ", "")}\n${user64(`at: ${name} [${data}]`)}`,
    ),
  ),
  ...["sldt", "str", "smsw"].map((name) =>
    faults(
      `${name.toUpperCase()} is not under CR4.UMIP`,
      'Intel SDM Vol. 3A §2.5, "Control Registers" (UMIP)',
      `${changeCr4("bts eax, 11").replace("at: ", "")}\n${user64(`at: ${name} ax`)}`,
    ),
  ),
  {
    name: "level 0 has them under UMIP",
    reference: 'Intel SDM Vol. 3A §2.5, "Control Registers" (UMIP)',
    text: `${changeCr4("bts eax, 11").replace("at: ", "")}\nstr eax`,
    expected: "00000038",
  },
];

const own = withOwnLabels64([...control, ...enabling, ...bases, ...types, ...levels], []);

export const systemRegisters: Kernel = {
  topic: "System registers in 64-bit mode",
  cases: own,
  profile: {
    ...defaultProfile,
    id: "with-mtrrs-and-umip",
    features: new Set([...defaultProfile.features, "mtrr", "umip"]),
  },
  // Bochs's usual one has no UMIP.
  processors: { bochs: "corei3_cnl" },
  text: longModeText(own, { each: "xor eax, eax" }),
};

const refused = withOwnLabels64(
  [
    faults("CR0: paging is not switched off in 64-bit code", MOV, changeCr0("btr eax, 31")),
    faults("CR0: paging needs protection", MOV, changeCr0("btr eax, 0")),
    faults("CR4: PAE is not switched off in IA-32e mode", MOV, changeCr4("btr eax, 5")),
    faults("CR4: reserved bits", MOV, changeCr4("bts eax, 31")),
    faults("CR4: bits 63:32 are reserved", MOV, changeCr4("bts rax, 40")),
    faults("CR4: 5-level paging is not switched on in it", MOV, changeCr4("bts eax, 12")),
  ],
  [],
);

export const refusedModes: Kernel = {
  topic: "Changes of mode that 64-bit code cannot make",
  cases: refused,
  text: longModeText(refused, { each: "xor eax, eax" }),
  lacking: { qemu: "its translator makes them, and is lost" },
};
