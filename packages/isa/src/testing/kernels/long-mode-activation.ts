/** The way into IA-32e mode, and what it refuses on the way. */
import { PLACE, protectedModeText, SEGMENT, segment, writeDescriptor } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const REFERENCE = 'Intel SDM Vol. 3A §10.8.5, "Initializing IA-32e Mode"';
const EFER_FLAGS = 'Intel SDM Vol. 3A §2.2.1, "Extended Feature Enable Register"';
const FAULTS = "0d 00000000 +00";

const EFER = 0xc000_0080;
const LME = 0x100;
const { directory } = PLACE;
const [AVAILABLE_16, AVAILABLE_32] = [0x81, 0x89] as const;
const PAE = "mov eax, 0x20\nmov cr4, eax";
const NO_PAE = "xor eax, eax\nmov cr4, eax";
const PAGING = "mov eax, cr0\nbts eax, 31\nat: mov cr0, eax";
const NO_CHECK = "QEMU does not look.";

function efer(value: number): string {
  return `mov ecx, ${EFER}\nmov eax, ${value}\nxor edx, edx\nat: wrmsr`;
}

function enable(value: number): string {
  return efer(value).replace("at: ", "");
}

/** 2 MiB by 4-level paging. */
const TABLES = `
  mov dword ptr [${directory}], ${directory + 0x1003}
  mov dword ptr [${directory + 4}], 0
  mov dword ptr [${directory + 0x1000}], ${directory + 0x2003}
  mov dword ptr [${directory + 0x1004}], 0
  mov dword ptr [${directory + 0x2000}], 0x83
  mov dword ptr [${directory + 0x2004}], 0
  mov eax, ${directory}
  mov cr3, eax
`;

/** A page of 4 MiB by 32-bit paging. */
const SMALL_TABLES = `
  mov dword ptr [${directory}], 0x83
  mov eax, ${directory}
  mov cr3, eax
  mov eax, 0x10
  mov cr4, eax
`;

function task(flags: number, limit: number): string {
  return `
    ${writeDescriptor(SEGMENT.tss, segment(PLACE.tss, limit, flags, 0))}
    mov ax, ${SEGMENT.tss}
    ltr ax
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "EFER.LME alone activates nothing",
    reference: EFER_FLAGS,
    text: `${enable(LME)}\nmov ecx, ${EFER}\nrdmsr`,
    expected: "00000100",
  },
  {
    name: "paging with EFER.LME activates IA-32e mode",
    reference: REFERENCE,
    text: `${PAE}\n${TABLES}\n${enable(LME)}\n${PAGING.replace("at: ", "")}\nmov ecx, ${EFER}\nrdmsr`,
    expected: "00000500",
  },
  {
    name: "in it, this code runs in compatibility mode",
    reference: REFERENCE,
    text: `${PAE}\n${TABLES}\n${enable(LME)}\n${PAGING.replace("at: ", "")}\nmov eax, 7\ndb 0x40\nnop`,
    expected: "00000008",
  },
  {
    name: "switching paging off leaves it",
    reference: REFERENCE,
    text: `
      ${PAE}
      ${TABLES}
      ${enable(LME)}
      ${PAGING.replace("at: ", "")}
      mov eax, cr0
      btr eax, 31
      mov cr0, eax
      mov ecx, ${EFER}
      rdmsr`,
    expected: "00000100",
  },
  {
    name: "without CR4.PAE paging is #GP(0)",
    reference: REFERENCE,
    text: `${TABLES}\n${enable(LME)}\n${PAGING}`,
    expected: FAULTS,
    qemu: { prints: "e0000011", why: "QEMU ignores the write." },
  },
  {
    name: "with a TSS of 16 bits paging is #GP(0)",
    reference: REFERENCE,
    text: `${task(AVAILABLE_16, 0x2b)}\n${PAE}\n${TABLES}\n${enable(LME)}\n${PAGING}`,
    expected: FAULTS,
    qemu: { prints: "e0000011", why: NO_CHECK },
  },
  {
    name: "LME does not change under paging",
    reference: REFERENCE,
    text: `${SMALL_TABLES}\n${PAGING.replace("at: ", "")}\n${efer(LME)}`,
    expected: FAULTS,
    qemu: { prints: "00000100", why: NO_CHECK },
  },
  {
    name: "the other flags do",
    reference: EFER_FLAGS,
    text: `${SMALL_TABLES}\n${PAGING.replace("at: ", "")}\n${enable(0x801)}\nrdmsr`,
    expected: "00000801",
  },
];

/** No paging, no IA-32e mode, the task of 32 bits. */
const AGAIN = `
  mov eax, cr0
  btr eax, 31
  mov cr0, eax
  ${NO_PAE}
  ${enable(0)}
  ${task(AVAILABLE_32, 0x67)}
`;

const own = cases.map((each) => ({ ...each, text: `${AGAIN}\n${each.text}` }));

export const longModeActivation: Kernel = {
  topic: "The way into IA-32e mode",
  cases: own,
  text: protectedModeText(own, "", ""),
};
