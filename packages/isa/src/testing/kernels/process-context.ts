/** Process-context identifiers: CR4.PCIDE, CR3, INVPCID. */
import { defaultProfile } from "../../profile/profile.ts";
import { longModeText, PAGE_FLAGS, PLACE_64, user64, withOwnLabels64 } from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const PCIDS = 'Intel SDM Vol. 3A §4.10.1, "Process-Context Identifiers (PCIDs)"';
const INVALIDATION =
  'Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches"';
const MOV = "Intel SDM Vol. 2B, MOV—Move to/from Control Registers";
const INVPCID = "Intel SDM Vol. 2A, INVPCID—Invalidate Process-Context Identifier";

const { data, pages, pml4, table } = PLACE_64;
const [GLOBAL, CR4_PGE, CR4_PCIDE] = [0x100, 0x80, 0x2_0000] as const;
const FAULTS = "0d 00000000 +00";
const GONE = "0e 00000000 +00";

function on(flags: number): string {
  return `mov rax, cr4\nor eax, ${flags}\nat: mov cr4, rax`;
}

/** The same where `at` is elsewhere. */
function set(flags: number): string {
  return on(flags).replace("at: ", "");
}

function load(pcid: number, keep = false): string {
  return `mov rax, ${pml4 | pcid}\n${keep ? "bts rax, 63\n" : ""}at: mov cr3, rax`;
}

/** Maps a page, has it remembered, and takes it away. */
function remembered(flags = 0): string {
  return `
    mov dword ptr [${table}], ${data | PAGE_FLAGS | flags}
    mov eax, [${pages}]
    mov dword ptr [${table}], 0
  `;
}

const READ = `at: mov eax, [${pages}]`;

function invpcid(type: number, pcid = 0, linear = "0", label = "at: "): string {
  return `
    mov qword ptr [${data + 0x40}], ${pcid}
    mov rbx, ${linear}
    mov [${data + 0x48}], rbx
    mov ebx, ${type}
    ${label}invpcid rbx, [${data + 0x40}]
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "CR3 has no bits beyond the processor's addresses",
    reference: MOV,
    text: `mov rax, 0x8000000000000\nor rax, ${pml4}\nat: mov cr3, rax`,
    expected: FAULTS,
  },
  {
    name: "without PCIDs bit 63 of CR3 is reserved",
    reference: MOV,
    text: load(0, true),
    expected: FAULTS,
  },
  {
    name: "without PCIDs CR3 has the flags PWT and PCD, and ignores what is beside them",
    reference:
      'Intel SDM Vol. 3A §4.5.2, "Use of CR3 with Ordinary 4-Level Paging and 5-Level Paging"',
    text: `${load(0x18)}\nmov rax, cr3\nand eax, 0x18`,
    expected: "00000018",
  },
  {
    name: "CR4.PCIDE is not set while CR3 has a PCID",
    reference: MOV,
    text: `${load(0x18).replace("at: ", "")}\n${on(CR4_PCIDE)}`,
    expected: FAULTS,
  },
  {
    name: "with PCIDs CR3 keeps all of bits 11:0",
    reference: PCIDS,
    text: `${set(CR4_PCIDE)}\n${load(0xabc)}\nmov rax, cr3\nand eax, 0xfff`,
    expected: "00000abc",
  },
  {
    name: "bit 63 is not kept",
    reference: MOV,
    text: `${set(CR4_PCIDE)}\n${load(1, true)}\nmov rax, cr3\nshr rax, 32`,
    expected: "00000000",
  },
  {
    name: "CR0.PG is not cleared under CR4.PCIDE",
    reference: MOV,
    text: `${set(CR4_PCIDE)}\nmov rax, cr0\nbtr eax, 31\nat: mov cr0, rax`,
    expected: FAULTS,
  },
  {
    name: "a load of CR3 with bit 63 clear forgets the PCID that it names",
    reference: INVALIDATION,
    text: `${set(CR4_PCIDE)}\n${load(1).replace("at: ", "")}\n${remembered()}\n${load(1).replace("at: ", "")}\n${READ}`,
    expected: GONE,
  },
  {
    name: "INVLPG forgets a page of the current PCID",
    reference: INVALIDATION,
    text: `${set(CR4_PCIDE)}\n${load(1).replace("at: ", "")}\n${remembered()}\ninvlpg [${pages}]\n${READ}`,
    expected: GONE,
  },
  {
    name: "a change of CR4.PCIDE to 0 forgets all",
    reference: INVALIDATION,
    text: `${set(CR4_PCIDE)}\n${remembered()}\nmov rax, cr4\nbtr eax, 17\nmov cr4, rax\n${READ}`,
    expected: GONE,
  },
  {
    name: "INVPCID of an address",
    reference: INVPCID,
    text: `${set(CR4_PCIDE)}\n${load(5).replace("at: ", "")}\n${remembered()}\n${invpcid(0, 5, String(pages), "")}\n${READ}`,
    expected: GONE,
  },
  {
    name: "INVPCID of a PCID",
    reference: INVPCID,
    text: `${set(CR4_PCIDE)}\n${load(5).replace("at: ", "")}\n${remembered()}\n${invpcid(1, 5, "0", "")}\n${READ}`,
    expected: GONE,
  },
  {
    name: "INVPCID of all, global pages too",
    reference: INVPCID,
    text: `${set(CR4_PGE)}\n${remembered(GLOBAL)}\n${invpcid(2, 0, "0", "")}\n${READ}`,
    expected: GONE,
  },
  {
    name: "INVPCID of all that is not global",
    reference: INVPCID,
    text: `${remembered()}\n${invpcid(3, 0, "0", "")}\n${READ}`,
    expected: GONE,
  },
  { name: "INVPCID has four types", reference: INVPCID, text: invpcid(4), expected: FAULTS },
  {
    name: "INVPCID of an address that is not canonical",
    reference: INVPCID,
    text: invpcid(0, 0, "0x800000000000"),
    expected: FAULTS,
  },
  {
    name: "without PCIDs only PCID 0 is named",
    reference: INVPCID,
    text: invpcid(1, 1),
    expected: FAULTS,
  },
  {
    name: "a PCID has 12 bits",
    reference: INVPCID,
    text: `${set(CR4_PCIDE)}\n${invpcid(1, 0x1000)}`,
    expected: FAULTS,
  },
  {
    name: "also where the type does not look at it",
    reference: INVPCID,
    text: invpcid(3, 0x1000),
    expected: FAULTS,
  },
  {
    name: "types 2 and 3 look neither at the PCID nor at the address",
    reference: INVPCID,
    text: `${invpcid(3, 7, "0x800000000000", "")}\nmov eax, 1`,
    expected: "00000001",
  },
  {
    name: "INVPCID is the supervisor's",
    reference: INVPCID,
    text: user64(invpcid(4)),
    expected: FAULTS,
  },
  {
    name: "its operand is read",
    reference: INVPCID,
    text: `mov ebx, 3\nat: invpcid rbx, [${pages + 0x1000}]`,
    expected: GONE,
  },
];

const own = withOwnLabels64(cases, []);

export const processContext: Kernel = {
  topic: "Process-context identifiers",
  cases: own,
  profile: {
    ...defaultProfile,
    id: "with-pcids",
    features: new Set([...defaultProfile.features, "pcid", "invpcid"]),
  },
  lacking: { qemu: "its translator has no PCIDs before version 8.1" },
  text: longModeText(own, { each: `mov eax, ${pml4}\nmov cr3, rax\nxor eax, eax` }),
};
