/** 4-level paging: each size of page with each right, accessed and dirty flags, reserved bits, accesses across pages. */
import { defaultProfile } from "../../profile/profile.ts";
import {
  longModeText,
  PAGE_FLAGS,
  PLACE_64,
  SEGMENT_64,
  user64,
  vector64,
  withOwnLabels64,
} from "./long-mode.ts";
import { segment } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const TRANSLATION =
  'Intel SDM Vol. 3A §4.5.4, "Linear-Address Translation with 4-Level Paging and 5-Level Paging"';
const RIGHTS = 'Intel SDM Vol. 3A §4.6, "Access Rights"';
const FAULT = 'Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions"';
const FLAGS = 'Intel SDM Vol. 3A §4.8, "Accessed and Dirty Flags"';
const MEMORY_TYPES = 'Intel SDM Vol. 3A §4.9, "Paging and Memory Typing"';
const INVALIDATION =
  'Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches"';

const { data, pages, directory, pointers, pml4, table, lowTable, record, gdt } = PLACE_64;
const [PRESENT, WRITABLE, USER, ACCESSED, DIRTY, LARGE, GLOBAL] = [
  1, 2, 4, 0x20, 0x40, 0x80, 0x100,
] as const;
const READ_ONLY = PAGE_FLAGS & ~WRITABLE;
const SUPERVISOR = PAGE_FLAGS & ~USER;
/** In bits 63:32 of an entry: XD, and an address that no processor has. */
const [XD, TOO_FAR] = [0x8000_0000, 0x8_0000] as const;
const EFER = 0xc000_0080;
const WITHOUT_NXE = 0x100;

const [CR4_PGE, CR4_SMEP, CR4_SMAP] = [0x80, 0x10_0000, 0x20_0000] as const;
const CR0_WP = 0x1_0000;
const VALUE = 0x1234_5678;
/** Where the data has a RET. */
const CODE = 0x10;

const RESERVED_IN_QEMU = "QEMU leaves P clear in the error code; the manual has it set with RSVD.";

const IMPLICIT =
  "It takes the access for one that the instruction asked for, which EFLAGS.AC allows.";

/** A way to map the data: its leaf, what the leaf has beside the case's flags, and the data's linear address. */
interface Size {
  readonly name: string;
  readonly leaf: number;
  readonly base: number;
  readonly at: number;
  /** A bit of the leaf that must be clear. */
  readonly reserved: number;
  /** The leaf's PAT flag. */
  readonly pat: number;
}

const sizes: readonly Size[] = [
  { name: "4 KiB", leaf: table, base: data, at: pages, reserved: 0, pat: 0x80 },
  {
    name: "2 MiB",
    leaf: directory + 16,
    base: LARGE,
    at: 0x40_0000 + data,
    reserved: 0x2000,
    pat: 0x1000,
  },
  {
    name: "1 GiB",
    leaf: pointers + 8,
    base: LARGE,
    at: 0x4000_0000 + data,
    reserved: 0x20_0000,
    pat: 0x1000,
  },
];

const RELOAD = "mov rax, cr3\nmov cr3, rax";

function map(size: Size, flags: number, upper = 0): string {
  return `
    mov dword ptr [${size.leaf}], ${size.base | flags}
    mov dword ptr [${size.leaf + 4}], ${upper}
    ${RELOAD}
  `;
}

const WRITE_PROTECT = `mov rax, cr0\nor eax, ${CR0_WP}\nmov cr0, rax`;
const NO_WRITE_PROTECT = `mov rax, cr0\nand eax, ${~CR0_WP >>> 0}\nmov cr0, rax`;
const NO_NXE = `mov ecx, ${EFER}\nmov eax, ${WITHOUT_NXE}\nxor edx, edx\nwrmsr`;

/** Pages of the kernel are no program's, and CR4 protects it. */
function protect(flags: number): string {
  return `
    and dword ptr [${directory}], ${~USER >>> 0}
    ${RELOAD}
    mov rax, cr4
    or eax, ${flags}
    mov cr4, rax
  `;
}

/** Code at a linear address that returns; the saved RIP is counted from there. */
function run(linear: number): string {
  return `mov qword ptr [${record + 8}], ${linear}\nmov ebx, ${linear}\nxor eax, eax\ncall rbx`;
}

function fault(code: number): string {
  return `0e ${code.toString(16).padStart(8, "0")} +00`;
}

const READ = "at: mov eax,";

function rightsOf(size: Size): readonly KernelCase[] {
  const { name, at } = size;
  const read = `${READ} [${at}]`;
  const store = `at: mov dword ptr [${at}], 0x77`;
  const one = (what: string, text: string, expected: string, reference = RIGHTS): KernelCase => ({
    name: `${name}: ${what}`,
    reference,
    text,
    expected,
  });
  return [
    one("the page is another frame", `${map(size, PAGE_FLAGS)}\n${read}`, "12345678", TRANSLATION),
    one("absent, read", `${map(size, 0)}\n${read}`, fault(0), FAULT),
    one("absent, written", `${map(size, 0)}\n${store}`, fault(2), FAULT),
    one("absent, fetched", `${map(size, 0)}\n${run(at + CODE)}`, fault(0x10), FAULT),
    one("absent, read by a program", `${map(size, 0)}\n${user64(read)}`, fault(4), FAULT),
    one("absent, written by a program", `${map(size, 0)}\n${user64(store)}`, fault(6), FAULT),
    one(
      "absent, fetched by a program",
      `${map(size, 0)}\nmov qword ptr [${record + 8}], ${at}\n${user64(`mov ebx, ${at}\njmp rbx`)}`,
      fault(0x14),
      FAULT,
    ),
    one(
      "read-only, written by the supervisor without CR0.WP",
      `${map(size, READ_ONLY)}\n${NO_WRITE_PROTECT}\n${store}\nmov eax, [${data}]`,
      "00000077",
    ),
    one(
      "read-only, written by the supervisor with CR0.WP",
      `${map(size, READ_ONLY)}\n${WRITE_PROTECT}\n${store}`,
      fault(3),
    ),
    one(
      "read-only, written by a program without CR0.WP",
      `${map(size, READ_ONLY)}\n${NO_WRITE_PROTECT}\n${user64(store)}`,
      fault(7),
    ),
    one("read-only, read by a program", `${map(size, READ_ONLY)}\n${user64(read)}`, "12345678"),
    one(
      "the supervisor's, read by a program",
      `${map(size, SUPERVISOR)}\n${user64(read)}`,
      fault(5),
    ),
    one(
      "the supervisor's, written by a program",
      `${map(size, SUPERVISOR)}\n${user64(store)}`,
      fault(7),
    ),
    one("with XD, read", `${map(size, PAGE_FLAGS, XD)}\n${read}`, "12345678"),
    one("with XD, fetched", `${map(size, PAGE_FLAGS, XD)}\n${run(at + CODE)}`, fault(0x11)),
    one("without XD, fetched", `${map(size, PAGE_FLAGS)}\n${run(at + CODE)}`, "00000000"),
    one(
      "with SMEP the supervisor does not fetch a program's page",
      `${map(size, PAGE_FLAGS)}\n${protect(CR4_SMEP)}\n${run(at + CODE)}`,
      fault(0x11),
    ),
    one(
      "with SMEP it fetches its own",
      `${map(size, SUPERVISOR)}\n${protect(CR4_SMEP)}\n${run(at + CODE)}`,
      "00000000",
    ),
    one(
      "with SMAP it does not read a program's page",
      `${map(size, PAGE_FLAGS)}\n${protect(CR4_SMAP)}\n${read}`,
      fault(1),
    ),
    one(
      "with SMAP it does not write it",
      `${map(size, PAGE_FLAGS)}\n${protect(CR4_SMAP)}\n${store}`,
      fault(3),
    ),
    one(
      "with SMAP and EFLAGS.AC it does both",
      `${map(size, PAGE_FLAGS)}\n${protect(CR4_SMAP)}\nstac\n${store}\n${read.replace("at: ", "")}\nclac`,
      "00000077",
    ),
    {
      ...one(
        "an address beyond the processor's is reserved",
        `${map(size, PAGE_FLAGS, TOO_FAR)}\n${read}`,
        fault(9),
        FAULT,
      ),
      qemu: { prints: fault(8), why: RESERVED_IN_QEMU },
    },
    {
      ...one(
        "without EFER.NXE bit 63 is reserved",
        `${NO_NXE}\n${map(size, PAGE_FLAGS, XD)}\n${read}`,
        fault(9),
        FAULT,
      ),
      qemu: { prints: fault(8), why: RESERVED_IN_QEMU },
    },
    one(
      "the PAT flag and the ignored bits are ignored",
      `${map(size, PAGE_FLAGS | size.pat | 0xe00 | 0x18, 0x7ff0_0000 & ~0x7800_0000)}\n${read}`,
      "12345678",
      MEMORY_TYPES,
    ),
    one(
      "a read sets A in the leaf",
      `${map(size, PAGE_FLAGS)}\n${read.replace("at: ", "")}\nmov eax, [${size.leaf}]\nand eax, ${ACCESSED | DIRTY}`,
      "00000020",
      FLAGS,
    ),
    one(
      "a write sets A and D in it",
      `${map(size, PAGE_FLAGS)}\n${store.replace("at: ", "")}\nmov eax, [${size.leaf}]\nand eax, ${ACCESSED | DIRTY}`,
      "00000060",
      FLAGS,
    ),
    one(
      "a write behind a read sets D",
      `${map(size, PAGE_FLAGS)}\n${read.replace("at: ", "")}\n${store.replace("at: ", "")}\nmov eax, [${size.leaf}]\nand eax, ${ACCESSED | DIRTY}`,
      "00000060",
      FLAGS,
    ),
    one(
      "a write that faults does not set D",
      `
        ${vector64(14, "handler")}
        ${map(size, READ_ONLY)}
        ${WRITE_PROTECT}
        mov dword ptr [${at}], 1
        handler: mov eax, [${size.leaf}]
        and eax, ${DIRTY}`,
      "00000000",
      FLAGS,
    ),
    ...(size.reserved === 0
      ? []
      : [
          {
            ...one(
              "address bits below its size are reserved",
              `${map(size, PAGE_FLAGS | size.reserved)}\n${read}`,
              fault(9),
              FAULT,
            ),
            qemu: { prints: fault(8), why: RESERVED_IN_QEMU },
          },
        ]),
  ];
}

const [small] = sizes;
if (small === undefined) throw new RangeError("There is no smallest page.");

/** An entry of an upper level changes, and the TLB forgets it. */
function change(entry: number, code: string): string {
  return `${code.replace("ENTRY", `[${entry}]`)}\n${RELOAD}`;
}

const levels: readonly KernelCase[] = [
  {
    name: "an upper level takes the right to write",
    reference: RIGHTS,
    text: `${map(small, PAGE_FLAGS)}\n${change(directory + 8, "and dword ptr ENTRY, -3")}\n${WRITE_PROTECT}\nat: mov [${pages}], eax`,
    expected: fault(3),
  },
  {
    name: "an upper level takes the right of programs",
    reference: RIGHTS,
    text: `${map(small, PAGE_FLAGS)}\n${change(directory + 8, "and dword ptr ENTRY, -5")}\n${user64(`at: mov eax, [${pages}]`)}`,
    expected: fault(5),
  },
  {
    name: "an upper level takes the right to fetch",
    reference: RIGHTS,
    text: `${map(small, PAGE_FLAGS)}\n${change(directory + 12, `or dword ptr ENTRY, ${XD}`)}\n${run(pages + CODE)}`,
    expected: fault(0x11),
  },
  {
    name: "a page of a program and a supervisor's directory are the supervisor's: SMAP lets it read",
    reference: RIGHTS,
    text: `${map(small, PAGE_FLAGS)}\n${change(directory + 8, "and dword ptr ENTRY, -5")}\n${protect(CR4_SMAP)}\nmov eax, [${pages}]`,
    expected: "12345678",
  },
  {
    name: "a read sets A in all levels",
    reference: FLAGS,
    text: `
      ${map(small, PAGE_FLAGS)}
      ${change(directory + 8, "and dword ptr ENTRY, -33")}
      mov eax, [${pages}]
      mov eax, [${directory + 8}]
      and eax, [${pointers}]
      and eax, [${pml4}]
      and eax, ${ACCESSED | DIRTY}`,
    expected: "00000020",
  },
  {
    name: "a bit 7 in the PML4 is reserved",
    reference: FAULT,
    text: `mov dword ptr [${pml4 + 8}], ${pointers | PAGE_FLAGS | LARGE}\nmov rbx, 0x8000000000\nat: mov eax, [rbx]`,
    expected: fault(9),
    qemu: { prints: fault(8), why: RESERVED_IN_QEMU },
  },
  {
    name: "an absent entry has no reserved bits",
    reference: FAULT,
    text: `${map(small, PAGE_FLAGS & ~PRESENT, TOO_FAR)}\nat: mov eax, [${pages}]`,
    expected: fault(0),
  },
  {
    name: "without NXE and SMEP a fetch is not told apart",
    reference: FAULT,
    text: `${NO_NXE}\n${map(small, 0)}\n${run(pages)}`,
    expected: fault(0),
  },
  {
    name: "with SMEP it is, also without NXE",
    reference: FAULT,
    text: `${NO_NXE}\n${map(small, 0)}\n${protect(CR4_SMEP)}\n${run(pages)}`,
    expected: fault(0x10),
  },
  {
    name: "a descriptor table in a program's page is not read under SMAP, whatever EFLAGS.AC is",
    reference: RIGHTS,
    text: `
      ${map(small, PAGE_FLAGS)}
      mov rbx, ${segment(pages, 0xff, 0x82, 0)}
      mov [${gdt + SEGMENT_64.own}], rbx
      mov rbx, [${gdt + SEGMENT_64.data}]
      mov [${data + 8}], rbx
      mov eax, ${SEGMENT_64.own}
      lldt ax
      ${protect(CR4_SMAP)}
      stac
      mov eax, 0xc
      at: mov ds, ax`,
    expected: fault(1),
    qemu: { prints: "0000000c", why: IMPLICIT },
    bochs: { prints: "0000000c", why: IMPLICIT },
  },
  {
    name: "a program's segment is loaded from the supervisor's table",
    reference: RIGHTS,
    text: `
      and dword ptr [${lowTable + (gdt >> 12) * 8}], -5
      ${RELOAD}
      ${user64(`mov eax, ${SEGMENT_64.userData | 3}\nmov ds, ax\nmov eax, ds`)}`,
    expected: "00000023",
  },
];

/** In the large page as well. */
const FURTHER = 0x50_0000;

/** Two pages: the one in which an access begins, and the next. */
function pair(first: number, second: number): string {
  return `
    mov dword ptr [${data + 0xffc}], 0x11111111
    mov dword ptr [${table}], ${data | first}
    mov dword ptr [${table + 8}], ${second === 0 ? 0 : (data + 0x1000) | second}
    ${RELOAD}
    ${WRITE_PROTECT}
    xor eax, eax
  `;
}

/** The address that faults, and what then stands before the border. */
function crossing(first: number, second: number, code: string): string {
  return `
    ${vector64(14, "handler")}
    ${pair(first, second)}
    ${code}
    jmp end
    handler:
    mov rax, cr2
    shl eax, 16
    mov ax, [${data + 0xffe}]
    end: nop`;
}

const crossings: readonly KernelCase[] = [
  {
    name: "a read across two pages, the second absent",
    reference: FAULT,
    text: `${pair(PAGE_FLAGS, 0)}\nat: mov rax, [${pages + 0xffc}]`,
    expected: fault(0),
  },
  {
    name: "CR2 is the first byte of the second page",
    reference: FAULT,
    text: crossing(PAGE_FLAGS, 0, `mov rax, [${pages + 0xffc}]`),
    expected: "10001111",
  },
  {
    name: "a read across two pages, the first absent",
    reference: FAULT,
    text: crossing(0, PAGE_FLAGS, `mov rax, [${pages + 0xffc}]`),
    expected: "0ffc1111",
  },
  {
    name: "a write whose second page is read-only writes nothing",
    reference: FAULT,
    text: crossing(PAGE_FLAGS, READ_ONLY, `mov [${pages + 0xffc}], rax`),
    expected: "10001111",
  },
  {
    name: "its error code",
    reference: FAULT,
    text: `${pair(PAGE_FLAGS, READ_ONLY)}\nat: mov [${pages + 0xffc}], rax`,
    expected: fault(3),
  },
  {
    name: "an access that reads and writes asks for both pages first",
    reference: FAULT,
    text: crossing(PAGE_FLAGS, READ_ONLY, `add [${pages + 0xffc}], rsp`),
    expected: "10001111",
  },
  {
    name: "its fault is that of a write",
    reference: FAULT,
    text: `${pair(PAGE_FLAGS, 0)}\nat: add qword ptr [${pages + 0xffc}], 1`,
    expected: fault(2),
    qemu: { prints: fault(0), why: "QEMU reads first." },
  },
  {
    name: "16 bytes whose second page is the supervisor's",
    reference: FAULT,
    text: `${pair(PAGE_FLAGS, SUPERVISOR)}\n${user64(`at: movups xmm0, [${pages + 0xff8}]`)}`,
    expected: fault(5),
  },
  {
    name: "a push across two pages moves RSP only when both are there",
    reference: FAULT,
    text: `
      ${vector64(14, "handler", 0x8e, { ist: 1 })}
      mov dword ptr [${table}], 0
      mov dword ptr [${table + 8}], ${(data + 0x1000) | PAGE_FLAGS}
      ${RELOAD}
      mov esp, ${pages + 0x1004}
      push rax
      handler:
      mov eax, [rsp+32]`,
    expected: "00201004",
  },
];

const forgetting: readonly KernelCase[] = [
  {
    name: "INVLPG forgets a global page",
    reference: INVALIDATION,
    text: `
      mov rax, cr4
      or eax, ${CR4_PGE}
      mov cr4, rax
      ${map(small, PAGE_FLAGS | GLOBAL)}
      mov eax, [${pages}]
      mov dword ptr [${table}], 0
      invlpg [${pages}]
      at: mov eax, [${pages}]`,
    expected: fault(0),
  },
  {
    name: "a change of CR4.PGE forgets global pages",
    reference: INVALIDATION,
    text: `
      mov rax, cr4
      or eax, ${CR4_PGE}
      mov cr4, rax
      ${map(small, PAGE_FLAGS | GLOBAL)}
      mov eax, [${pages}]
      mov dword ptr [${table}], 0
      mov rax, cr4
      and eax, ${~CR4_PGE >>> 0}
      mov cr4, rax
      at: mov eax, [${pages}]`,
    expected: fault(0),
  },
  {
    name: "a write of CR3 forgets pages that are not",
    reference: INVALIDATION,
    text: `${map(small, PAGE_FLAGS)}\nmov eax, [${pages}]\nmov dword ptr [${table}], 0\n${RELOAD}\nat: mov eax, [${pages}]`,
    expected: fault(0),
  },
  {
    name: "INVLPG of any address in a large page forgets all of it",
    reference: INVALIDATION,
    text: `
      mov dword ptr [${directory + 16}], ${LARGE | PAGE_FLAGS}
      ${RELOAD}
      mov eax, [${0x40_0000 + data}]
      mov dword ptr [${directory + 16}], 0
      invlpg [${FURTHER}]
      at: mov eax, [${0x40_0000 + data}]`,
    expected: fault(0),
  },
  {
    name: "a page fault forgets its page: a right that was given is found",
    reference:
      'Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches" (page faults)',
    text: `
      ${vector64(14, "handler")}
      ${map(small, READ_ONLY)}
      ${WRITE_PROTECT}
      mov eax, [${pages}]
      mov dword ptr [${pages}], 0x55
      mov eax, [${pages}]
      jmp end
      handler:
      or dword ptr [${table}], ${WRITABLE}
      add rsp, 8
      iretq
      end: nop`,
    expected: "00000055",
  },
  {
    name: "INVLPG of an address that is not canonical does nothing",
    reference: "Intel SDM Vol. 2A, INVLPG—Invalidate TLB Entries",
    text: "mov rbx, 0x800000000000\ninvlpg [rbx]\nmov eax, 1",
    expected: "00000001",
  },
];

/** The tables as all cases find them, and the data behind the pages. */
const RESTORE = `
  restoreTables:
  mov edi, ${lowTable}
  mov ecx, 512
  .rights:
  or dword ptr [rdi], ${USER}
  add edi, 8
  loop .rights
  or dword ptr [${directory}], ${USER}
  mov dword ptr [${directory + 8}], ${table | PAGE_FLAGS}
  mov dword ptr [${directory + 12}], 0
  mov qword ptr [${directory + 16}], 0
  mov qword ptr [${pointers + 8}], 0
  mov qword ptr [${pml4 + 8}], 0
  mov ecx, ${EFER}
  mov eax, 0x900
  xor edx, edx
  wrmsr
  ${RELOAD}
  mov dword ptr [${data}], ${VALUE}
  mov byte ptr [${data + CODE}], 0xc3
  xor eax, eax
  ret
`;

const own = withOwnLabels64(
  [...sizes.flatMap(rightsOf), ...levels, ...crossings, ...forgetting],
  ["handler", "end"],
);

export const longModePaging: Kernel = {
  topic: "4-level paging",
  cases: own,
  profile: {
    ...defaultProfile,
    id: "with-protection-of-the-kernel",
    features: new Set([...defaultProfile.features, "smep", "smap", "pdpe1gb"]),
  },
  text: longModeText(own, { each: "call restoreTables", routines: RESTORE }),
};
