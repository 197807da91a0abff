/** 32-bit and PAE paging: sizes, rights, accessed and dirty flags, reserved bits, SMEP and SMAP. */
import { defaultProfile } from "../../profile/profile.ts";
import { PLACE, protectedModeText, SEGMENT, writeGate } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const SMALL = 'Intel SDM Vol. 3A §4.3, "32-Bit Paging"';
const PAE = 'Intel SDM Vol. 3A §4.4, "PAE Paging"';
const RIGHTS = 'Intel SDM Vol. 3A §4.6, "Access Rights"';
const FAULT = 'Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions"';
const FLAGS = 'Intel SDM Vol. 3A §4.8, "Accessed and Dirty Flags"';

const { directory } = PLACE;
const table = directory + 0x1000;
const pointers = directory + 0x2000;
const wideDirectory = directory + 0x3000;
const wideTable = directory + 0x4000;
/** The page that cases are about, and the frame behind it. */
const PAGE = 0x80_0000;
const FRAME = 0x1_0000;
const [PRESENT, WRITABLE, USER, ACCESSED, DIRTY, LARGE] = [1, 2, 4, 0x20, 0x40, 0x80] as const;
const ALL = PRESENT | WRITABLE | USER;

const CR0_WP = 0x1_0000;
const [CR4_PSE, CR4_PAE, CR4_SMEP, CR4_SMAP] = [0x10, 0x20, 0x10_0000, 0x20_0000] as const;
const EFER = 0xc000_0080;
const NXE = 0x800;

const OFF = `
  mov eax, cr0
  and eax, 0x7ffeffff
  mov cr0, eax
  mov dword ptr [${FRAME}], 0x12345678
  mov dword ptr [${FRAME + 4}], 0xc3
`;

function turnOn(cr0: number): string {
  return `
    mov eax, cr0
    or eax, ${(0x8000_0000 | cr0) >>> 0}
    mov cr0, eax
  `;
}

/** How a case pages, beside its entry. */
interface Mapping {
  readonly cr0?: number;
  readonly cr4?: number;
  readonly efer?: number;
  /** Bits 63:32 of the entry. */
  readonly upper?: number;
  /** Rights of the pages that are mapped to themselves. */
  readonly rights?: number;
}

/** 32-bit paging: the first 8 MiB are mapped to themselves by large pages, and one page by an entry. */
function small(entry: number, mapping: Mapping = {}): string {
  const { cr0 = 0, cr4 = CR4_PSE, rights = ALL } = mapping;
  return `
    ${OFF}
    mov eax, ${cr4}
    mov cr4, eax
    mov dword ptr [${directory}], ${rights | LARGE}
    mov dword ptr [${directory + 4}], ${0x40_0000 | rights | LARGE}
    mov dword ptr [${directory + (PAGE >> 22) * 4}], ${table | ALL}
    mov dword ptr [${table}], ${entry}
    mov eax, ${directory}
    mov cr3, eax
    ${turnOn(cr0)}
  `;
}

/** PAE paging, the same way. */
function wide(entry: number, mapping: Mapping = {}): string {
  const { upper = 0, cr4 = 0, efer = 0, rights = ALL } = mapping;
  return `
    ${OFF}
    mov ecx, ${EFER}
    xor edx, edx
    mov eax, ${efer}
    wrmsr
    mov eax, ${cr4 | CR4_PAE}
    mov cr4, eax
    mov edi, ${pointers}
    mov ecx, ${0x3000 / 4}
    xor eax, eax
    rep stosd
    mov dword ptr [${pointers}], ${wideDirectory | PRESENT}
    mov dword ptr [${wideDirectory}], ${rights | LARGE}
    mov dword ptr [${wideDirectory + 8}], ${0x20_0000 | rights | LARGE}
    mov dword ptr [${wideDirectory + (PAGE >> 21) * 8}], ${wideTable | ALL}
    mov dword ptr [${wideTable}], ${entry}
    mov dword ptr [${wideTable + 4}], ${upper}
    mov eax, ${pointers}
    mov cr3, eax
    ${turnOn(0)}
  `;
}

/** Runs code at level 3; `int 0x30` gives EAX to the case. */
function user(text: string): string {
  return `
    ${writeGate(PLACE.idt + 0x30 * 8, SEGMENT.code, "handler", 0xee)}
    push ${SEGMENT.userData | 3}
    push ${PLACE.userStack}
    push 2
    push ${SEGMENT.user | 3}
    push code
    iretd
    code:
    mov cx, ${SEGMENT.userData | 3}
    mov ds, cx
    ${text}
    int 0x30
    handler:
  `;
}

/** Jumps to a RET in the page, through a segment with base 0. */
const INTO_PAGE = `
  mov dword ptr [${PLACE.record + 4}], ${PAGE + 4}
  jmp ${SEGMENT.own}:${PAGE + 4}
`;
const RESERVED_IN_QEMU = "QEMU leaves P clear in the error code; the manual has it set with RSVD.";

const cases: readonly KernelCase[] = [
  {
    name: "a page of 4 KiB is another frame",
    reference: SMALL,
    text: `${small(FRAME | ALL)}\nmov eax, [${PAGE}]`,
    expected: "12345678",
  },
  {
    name: "a page of 4 MiB",
    reference: SMALL,
    text: `${small(0)}\nmov dword ptr [${directory + (PAGE >> 22) * 4}], ${ALL | LARGE}\nmov eax, cr3\nmov cr3, eax\nmov eax, [${PAGE + FRAME}]`,
    expected: "12345678",
  },
  {
    name: "a page of 4 MiB has a reserved bit",
    reference: `${SMALL} (table 4-4)`,
    text: `${small(0)}
      mov dword ptr [${directory + (PAGE >> 22) * 4}], ${0x20_0000 | ALL | LARGE}
      mov eax, cr3
      mov cr3, eax
      at: mov eax, [${PAGE}]`,
    expected: "0e 00000009 +00",
    qemu: { prints: "0e 00000008 +00", why: RESERVED_IN_QEMU },
  },
  {
    name: "a read of a page that is not present",
    reference: FAULT,
    text: `${small(FRAME)}\nat: mov eax, [${PAGE}]`,
    expected: "0e 00000000 +00",
  },
  {
    name: "a write to a page that is not present",
    reference: FAULT,
    text: `${small(FRAME)}\nat: mov [${PAGE}], eax`,
    expected: "0e 00000002 +00",
  },
  {
    name: "CR2 has the address of the first byte that faults",
    reference: FAULT,
    text: `
      ${writeGate(PLACE.idt + 14 * 8, SEGMENT.code, "handler", 0x8e)}
      ${small(FRAME | ALL)}
      mov eax, [${PAGE + 0xffe}]
      handler:
      ${writeGate(PLACE.idt + 14 * 8, SEGMENT.code, "stubs + 14*8", 0x8e)}
      mov eax, cr2`,
    expected: "00801000",
  },
  {
    name: "the supervisor writes read-only pages without CR0.WP",
    reference: RIGHTS,
    text: `${small(FRAME | PRESENT | USER)}\nmov dword ptr [${PAGE}], 0x77\nmov eax, [${FRAME}]`,
    expected: "00000077",
  },
  {
    name: "CR0.WP protects them",
    reference: RIGHTS,
    text: `${small(FRAME | PRESENT | USER, { cr0: CR0_WP })}\nat: mov dword ptr [${PAGE}], 0x77`,
    expected: "0e 00000003 +00",
  },
  {
    name: "a program does not read a supervisor's page",
    reference: RIGHTS,
    text: `${small(FRAME | PRESENT | WRITABLE)}\n${user(`at: mov eax, [${PAGE}]`)}`,
    expected: "0e 00000005 +00",
  },
  {
    name: "a program does not write a read-only page",
    reference: RIGHTS,
    text: `${small(FRAME | PRESENT | USER)}\n${user(`at: mov [${PAGE}], eax`)}`,
    expected: "0e 00000007 +00",
  },
  {
    name: "a read sets the accessed flag of all levels",
    reference: FLAGS,
    text: `${small(FRAME | ALL)}
      mov eax, [${PAGE}]
      mov eax, [${table}]
      and eax, 0xff
      shl eax, 8
      mov al, [${directory + (PAGE >> 22) * 4}]`,
    expected: `0000${(ALL | ACCESSED).toString(16)}${(ALL | ACCESSED).toString(16)}`,
  },
  {
    name: "the first write sets the dirty flag, after a read as well",
    reference: FLAGS,
    text: `${small(FRAME | ALL)}
      mov eax, [${PAGE}]
      mov [${PAGE}], eax
      movzx eax, byte ptr [${table}]`,
    expected: `000000${(ALL | ACCESSED | DIRTY).toString(16)}`,
  },
  {
    name: "INVLPG lets a changed entry be seen",
    reference:
      'Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches"',
    text: `${small(FRAME | ALL)}
      mov eax, [${PAGE}]
      mov dword ptr [${table}], 0
      invlpg [${PAGE}]
      at: mov eax, [${PAGE}]`,
    expected: "0e 00000000 +00",
  },
  {
    name: "PAE: a page of 4 KiB",
    reference: PAE,
    text: `${wide(FRAME | ALL)}\nmov eax, [${PAGE}]`,
    expected: "12345678",
  },
  {
    name: "PAE: a page of 2 MiB",
    reference: PAE,
    text: `${wide(0)}\nmov dword ptr [${wideDirectory + (PAGE >> 21) * 8}], ${ALL | LARGE}\nmov eax, cr3\nmov cr3, eax\nmov eax, [${PAGE + FRAME}]`,
    expected: "12345678",
  },
  {
    name: "PAE: an address beyond the processor's is reserved",
    reference: `${PAE} (table 4-11)`,
    text: `${wide(FRAME | ALL, { upper: 0x8_0000 })}\nat: mov eax, [${PAGE}]`,
    expected: "0e 00000009 +00",
    qemu: { prints: "0e 00000008 +00", why: RESERVED_IN_QEMU },
  },
  {
    name: "PAE: without EFER.NXE bit 63 is reserved",
    reference: PAE,
    text: `${wide(FRAME | ALL, { upper: 0x8000_0000 })}\nat: mov eax, [${PAGE}]`,
    expected: "0e 00000009 +00",
    qemu: { prints: "0e 00000008 +00", why: RESERVED_IN_QEMU },
  },
  {
    name: "PAE: code is not fetched from a page with XD",
    reference: RIGHTS,
    text: `${wide(FRAME | ALL, { upper: 0x8000_0000, efer: NXE })}
      mov eax, [${PAGE}]
      ${INTO_PAGE}`,
    expected: "0e 00000011 +00",
  },
  {
    name: "SMEP: the supervisor does not fetch from a program's page",
    reference: RIGHTS,
    text: `${wide(FRAME | ALL, { cr4: CR4_SMEP, rights: PRESENT | WRITABLE })}
      ${INTO_PAGE}`,
    expected: "0e 00000011 +00",
  },
  {
    name: "SMAP: the supervisor does not read a program's page",
    reference: RIGHTS,
    text: `${small(FRAME | ALL, { cr4: CR4_PSE | CR4_SMAP, rights: PRESENT | WRITABLE })}
      at: mov eax, [${PAGE}]`,
    expected: "0e 00000001 +00",
  },
  {
    name: "SMAP: EFLAGS.AC lets it",
    reference: RIGHTS,
    text: `${small(FRAME | ALL, { cr4: CR4_PSE | CR4_SMAP, rights: PRESENT | WRITABLE })}
      stac
      mov eax, [${PAGE}]
      clac`,
    expected: "12345678",
  },
];

const own = cases.map((each, number) => ({
  ...each,
  text: each.text.replaceAll(/\b(handler|code)\b/gu, `$1${number}`),
}));

export const paging: Kernel = {
  topic: "32-bit and PAE paging",
  cases: own,
  profile: {
    ...defaultProfile,
    id: "with-smep-and-smap",
    features: new Set([...defaultProfile.features, "smep", "smap"]),
  },
  text: protectedModeText(
    own,
    `mov dword ptr [${PLACE.gdt + SEGMENT.own}], 0x0000ffff
     mov dword ptr [${PLACE.gdt + SEGMENT.own + 4}], 0x00cf9b00`,
  ),
};
