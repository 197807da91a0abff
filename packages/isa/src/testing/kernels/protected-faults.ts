/** Exceptions of exceptions in protected mode: which pairs are a double fault, and what error codes say. */
import {
  PLACE,
  protectedModeText,
  SEGMENT,
  segment,
  writeDescriptor,
  writeGate,
} from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const DOUBLE =
  'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8, table "Conditions for Generating a Double Fault")';
const ERROR_CODE = 'Intel SDM Vol. 3A §6.13, "Error Code"';
const INT = "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure";
const PRIORITY =
  'Intel SDM Vol. 3A §6.9, "Prioritization of Concurrent Events" (table "Priority Among Concurrent Events")';

const { idt, directory } = PLACE;
const GATE = 0x8e;
const [DE, DB, BP, UD, NP, GP, PF] = [0, 1, 3, 6, 11, 13, 14] as const;
const NOT_PRESENT = 0x0e;
const NO_EXT = "QEMU leaves EXT clear.";

/** The gate of a vector leads to its handler again. */
function gate(vector: number, flags = GATE, selector: number = SEGMENT.code): string {
  return writeGate(idt + vector * 8, selector, `stubs + ${vector * 8}`, flags);
}

/** Pages: the first 4 MiB are themselves, and 8 MiB on there is nothing. */
const PAGING = `
  mov dword ptr [${directory}], 0x87
  mov eax, 0x10
  mov cr4, eax
  mov eax, ${directory}
  mov cr3, eax
  mov eax, cr0
  bts eax, 31
  mov cr0, eax
`;
const NOWHERE = 0x80_0000;
const GENERAL_PROTECTION = "mov eax, 0x7f8";

const pairs: readonly KernelCase[] = [
  {
    name: "#DE whose gate is absent is #DF(0)",
    reference: DOUBLE,
    text: `${gate(DE, NOT_PRESENT)}\nxor ecx, ecx\nat: div ecx`,
    expected: "08 00000000 +00",
  },
  {
    name: "#GP whose gate is data is #DF(0)",
    reference: DOUBLE,
    text: `${gate(GP, GATE, SEGMENT.data)}\n${GENERAL_PROTECTION}\nat: mov fs, ax`,
    expected: "08 00000000 +00",
  },
  {
    name: "#NP whose gate is absent is #DF(0)",
    reference: DOUBLE,
    text: `${gate(NP, NOT_PRESENT)}\n${writeDescriptor(SEGMENT.own, segment(0, 0xfff, 0x13, 4))}\nmov eax, ${SEGMENT.own}\nat: mov fs, ax`,
    expected: "08 00000000 +00",
  },
  {
    name: "#UD whose gate is absent is #NP with IDT and EXT",
    reference: DOUBLE,
    text: `${gate(UD, NOT_PRESENT)}\nat: ud2`,
    expected: "0b 00000033 +00",
    qemu: { prints: "0b 00000032 +00", why: NO_EXT },
  },
  {
    name: "#UD whose gate is of a wrong type is #GP with IDT and EXT",
    reference: DOUBLE,
    text: `${gate(UD, 0x80)}\nat: ud2`,
    expected: "0d 00000033 +00",
    qemu: { prints: "0d 00000032 +00", why: NO_EXT },
  },
  {
    name: "#UD whose gate has a null selector is #GP with EXT",
    reference: DOUBLE,
    text: `${gate(UD, GATE, 0)}\nat: ud2`,
    expected: "0d 00000001 +00",
    qemu: { prints: "0d 00000000 +00", why: NO_EXT },
  },
  {
    name: "#UD whose gate's code is not present is #NP with its selector and EXT",
    reference: ERROR_CODE,
    text: `${writeDescriptor(SEGMENT.own, segment(0xf_0000, 0xffff, 0x1b, 4))}\n${gate(UD, GATE, SEGMENT.own)}\nat: ud2`,
    expected: "0b 00000041 +00",
    qemu: { prints: "0b 00000040 +00", why: NO_EXT },
  },
  {
    name: "a single step whose gate is absent saves the next EIP",
    reference: DOUBLE,
    text: `${gate(DB, NOT_PRESENT)}\npush 0x102\npopfd\nnop\nat: nop`,
    expected: "0b 0000000b +00",
    qemu: { prints: "0b 0000000a +00", why: NO_EXT },
  },
  {
    name: "INT3 whose gate is absent is #NP without EXT",
    reference: ERROR_CODE,
    text: `${gate(BP, NOT_PRESENT)}\nat: int3`,
    expected: "0b 0000001a +00",
  },
  {
    name: "INT n beyond the table is #GP with IDT",
    reference: INT,
    text: "at: int 0x80",
    expected: "0d 00000402 +00",
  },
  {
    name: "INT n through a gate to data is #GP with the selector",
    reference: INT,
    text: `${gate(0x21, GATE, SEGMENT.data)}\nat: int 0x21`,
    expected: "0d 00000010 +00",
  },
  {
    name: "INT n through a gate whose code is not present is #NP with the selector",
    reference: INT,
    text: `${writeDescriptor(SEGMENT.own, segment(0xf_0000, 0xffff, 0x1b, 4))}\n${gate(0x21, GATE, SEGMENT.own)}\nat: int 0x21`,
    expected: "0b 00000040 +00",
  },
  {
    name: "INT n to level 3 from level 0 is #GP with the selector",
    reference: INT,
    text: `${gate(0x21, GATE, SEGMENT.user)}\nat: int 0x21`,
    expected: "0d 00000020 +00",
  },
  {
    name: "a page fault whose gate is absent is #DF(0)",
    reference: DOUBLE,
    text: `${PAGING}\n${gate(PF, NOT_PRESENT)}\nat: mov eax, [${NOWHERE}]`,
    expected: "08 00000000 +00",
  },
  {
    name: "#NM comes before the page fault of its operand",
    reference: PRIORITY,
    text: `${PAGING}\nmov eax, cr0\nor eax, 8\nmov cr0, eax\nat: fld dword ptr [${NOWHERE}]`,
    expected: "07 00000000 +00",
  },
  {
    name: "the limit of a segment comes before the page fault",
    reference: PRIORITY,
    text: `
      ${PAGING}
      ${writeDescriptor(SEGMENT.own, segment(NOWHERE, 0xfff, 0x93, 4))}
      mov ax, ${SEGMENT.own}
      mov fs, ax
      at: mov eax, fs:[0xffd]`,
    expected: "0d 00000000 +00",
    qemu: { prints: "0e 00000000 +00", why: "QEMU's translator checks no limits of segments." },
  },
  {
    name: "the limit of the stack segment is #SS(0) before the page fault",
    reference: PRIORITY,
    text: `
      ${PAGING}
      ${writeDescriptor(SEGMENT.own, segment(0x3f_0000, 0xffff, 0x93, 4))}
      mov ax, ${SEGMENT.own}
      mov ss, ax
      mov ebp, 0x10000
      at: mov eax, [ebp]`,
    expected: "0c 00000000 +00",
    qemu: { prints: "0e 00000000 +00", why: "QEMU's translator checks no limits of segments." },
  },
];

/** What the cases change of the tables, as it was. */
const AGAIN = `
  mov eax, cr0
  and eax, 0x7ffffff7
  mov cr0, eax
  ${[DE, DB, BP, UD, NP, GP, PF].map((vector) => gate(vector)).join("\n")}
`;

const own = pairs.map((each) => ({
  ...each,
  text: `${AGAIN}\n${each.text}`,
}));

export const protectedFaults: Kernel = {
  topic: "Exceptions of exceptions in protected mode",
  cases: own,
  text: protectedModeText(own),
};
