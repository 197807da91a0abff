/** 32-bit and PAE paging: sizes, rights, accessed and dirty flags, reserved bits, SMEP and SMAP. */
import { defaultProfile } from "../../profile/profile.ts";
import { PLACE, protectedModeText, SEGMENT, writeGate } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const SMALL = 'Intel SDM Vol. 3A §4.3, "32-Bit Paging"';
const PAE = 'Intel SDM Vol. 3A §4.4, "PAE Paging"';
const POINTERS = 'Intel SDM Vol. 3A §4.4.1, "PDPTE Registers"';
const RIGHTS = 'Intel SDM Vol. 3A §4.6, "Access Rights"';
const FAULT = 'Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions"';
const FLAGS = 'Intel SDM Vol. 3A §4.8, "Accessed and Dirty Flags"';

const { directory } = PLACE;
const table = directory + 0x1000;
const pointers = directory + 0x2000;
const wideDirectory = directory + 0x3000;
const wideTable = directory + 0x4000;
const farDirectory = directory + 0x5000;
const farTable = directory + 0x6000;
/** The page behind the second pointer of PAE paging. */
const FAR = 0x4000_0000;
/** The page that cases are about, and the frame behind it. */
const PAGE = 0x80_0000;
const FRAME = 0x1_0000;
const [PRESENT, WRITABLE, USER, ACCESSED, DIRTY, LARGE] = [1, 2, 4, 0x20, 0x40, 0x80] as const;
const ALL = PRESENT | WRITABLE | USER;

const CR0_WP = 0x1_0000;
const [CR4_PSE, CR4_PAE, CR4_PGE, CR4_SMEP, CR4_SMAP] = [
  0x10, 0x20, 0x80, 0x10_0000, 0x20_0000,
] as const;
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

/** PAE paging, with a page behind the second pointer. */
function far(frame: number): string {
  return `
    ${wide(FRAME | ALL)}
    mov dword ptr [${pointers + 8}], ${farDirectory | PRESENT}
    mov dword ptr [${farDirectory}], ${farTable | ALL}
    mov dword ptr [${farDirectory + 4}], 0
    mov dword ptr [${farTable}], ${frame | ALL}
    mov dword ptr [${farTable + 4}], 0
    mov eax, cr3
    mov cr3, eax
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
const NO_POINTERS = "QEMU reads the pointers in every walk.";
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
    name: "PAE: a load of CR3 checks the four pointers",
    reference: POINTERS,
    text: `${wide(FRAME | ALL)}\nmov dword ptr [${pointers + 24}], 3\nmov eax, cr3\nat: mov cr3, eax`,
    expected: "0d 00000000 +00",
    qemu: { prints: pointers.toString(16).padStart(8, "0"), why: NO_POINTERS },
  },
  {
    name: "PAE: an absent pointer has no reserved bits",
    reference: POINTERS,
    text: `${wide(FRAME | ALL)}\nmov dword ptr [${pointers + 24}], 0x1e6\nmov eax, cr3\nmov cr3, eax\nmov eax, [${PAGE}]`,
    expected: "12345678",
  },
  {
    name: "PAE: a bad pointer leaves those that were there",
    reference: POINTERS,
    text: `
      ${writeGate(PLACE.idt + 13 * 8, SEGMENT.code, "handler", 0x8e)}
      ${far(FRAME)}
      mov dword ptr [${pointers + 8}], 0
      mov dword ptr [${pointers + 24}], 3
      mov eax, cr3
      mov cr3, eax
      handler:
      ${writeGate(PLACE.idt + 13 * 8, SEGMENT.code, "stubs + 13*8", 0x8e)}
      at: mov eax, [${FAR}]`,
    expected: "12345678",
    qemu: { prints: "0e 00000000 +00", why: NO_POINTERS },
  },
  {
    name: "PAE: a pointer that changes in memory is not seen",
    reference: POINTERS,
    text: `${far(FRAME)}\nmov dword ptr [${pointers + 8}], 0\ninvlpg [${FAR}]\nat: mov eax, [${FAR}]`,
    expected: "12345678",
    qemu: { prints: "0e 00000000 +00", why: NO_POINTERS },
  },
  {
    name: "PAE: until CR3 is loaded",
    reference: POINTERS,
    text: `${far(FRAME)}\nmov dword ptr [${pointers + 8}], 0\nmov eax, cr3\nmov cr3, eax\nat: mov eax, [${FAR}]`,
    expected: "0e 00000000 +00",
  },
  {
    name: "PAE: or CR4.PGE changes",
    reference: POINTERS,
    text: `${far(FRAME)}\nmov dword ptr [${pointers + 8}], 0\nmov eax, cr4\nxor eax, ${CR4_PGE}\nmov cr4, eax\nat: mov eax, [${FAR}]`,
    expected: "0e 00000000 +00",
  },
  {
    name: "PAE: a change of CR4.PGE checks them",
    reference: POINTERS,
    text: `${far(FRAME)}\nmov dword ptr [${pointers + 8}], 0x21\nmov eax, cr4\nxor eax, ${CR4_PGE}\nat: mov cr4, eax`,
    expected: "0d 00000000 +00",
    qemu: { prints: "000000a0", why: NO_POINTERS },
  },
  {
    name: "PAE: paging is not switched on with a bad pointer",
    reference: POINTERS,
    text: `${wide(FRAME | ALL)}
      ${OFF}
      mov dword ptr [${pointers + 16}], 0x101
      mov eax, cr0
      or eax, 0x80000000
      at: mov cr0, eax`,
    expected: "0d 00000000 +00",
    qemu: { prints: "e0000011", why: NO_POINTERS },
  },
  {
    name: "without CR4.PSE bit 7 of a directory's entry is ignored",
    reference: SMALL,
    text: `${small(FRAME | ALL)}
      ${OFF}
      mov edi, ${table}
      mov ecx, 1024
      mov eax, ${ALL}
    fill:
      stosd
      add eax, 0x1000
      loop fill
      mov dword ptr [${table + (FRAME >> 12) * 4}], ${(FRAME + 0x1000) | ALL}
      mov dword ptr [${FRAME + 0x1000}], 0x600d
      mov dword ptr [${directory}], ${table | ALL | LARGE}
      xor eax, eax
      mov cr4, eax
      ${turnOn(0)}
      mov eax, [${FRAME}]`,
    expected: "0000600d",
  },
  {
    name: "PSE-36: bits 20:13 are bits 39:32 of a page of 4 MiB",
    reference: `${SMALL} (table 4-4)`,
    text: `${small(0)}
      mov dword ptr [${directory + (PAGE >> 22) * 4}], ${0x2000 | ALL | LARGE}
      mov eax, cr3
      mov cr3, eax
      mov dword ptr [${PAGE + FRAME}], 0
      mov eax, [${FRAME}]`,
    expected: "12345678",
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
  text: each.text.replaceAll(/\b(handler|code|fill)\b/gu, `$1${number}`),
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
