/** 4-level paging: each size of page with each right, accessed and dirty flags, reserved bits. */
import { PAGE_FLAGS, PLACE_64, SEGMENT_64, user64, vector64 } from "./long-mode.ts";
import {
  CODE,
  fault,
  map,
  NO_NXE,
  NO_WRITE_PROTECT,
  pageSizes,
  pagingKernel,
  protect,
  READ_ONLY,
  RELOAD,
  run,
  smallPage,
  SUPERVISOR,
  WRITE_PROTECT,
  type PageSize,
} from "./long-mode-pages.ts";
import { segment } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const TRANSLATION =
  'Intel SDM Vol. 3A §4.5.4, "Linear-Address Translation with 4-Level Paging and 5-Level Paging"';
const RIGHTS = 'Intel SDM Vol. 3A §4.6, "Access Rights"';
const FAULT = 'Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions"';
const FLAGS = 'Intel SDM Vol. 3A §4.8, "Accessed and Dirty Flags"';
const MEMORY_TYPES = 'Intel SDM Vol. 3A §4.9, "Paging and Memory Typing"';

const { data, pages, directory, pointers, pml4, lowTable, record, gdt } = PLACE_64;
const [PRESENT, ACCESSED, DIRTY, LARGE] = [1, 0x20, 0x40, 0x80] as const;
/** In bits 63:32 of an entry: XD, and an address that no processor has. */
const [XD, TOO_FAR] = [0x8000_0000, 0x8_0000] as const;
const [CR4_SMEP, CR4_SMAP] = [0x10_0000, 0x20_0000] as const;

const RESERVED_IN_QEMU = "QEMU leaves P clear in the error code; the manual has it set with RSVD.";
const IMPLICIT =
  "It takes the access for one that the instruction asked for, which EFLAGS.AC allows.";

const READ = "at: mov eax,";

function rightsOf(size: PageSize): readonly KernelCase[] {
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

/** An entry of an upper level changes, and the TLB forgets it. */
function change(entry: number, code: string): string {
  return `${code.replace("ENTRY", `[${entry}]`)}\n${RELOAD}`;
}

const levels: readonly KernelCase[] = [
  {
    name: "an upper level takes the right to write",
    reference: RIGHTS,
    text: `${map(smallPage, PAGE_FLAGS)}\n${change(directory + 8, "and dword ptr ENTRY, -3")}\n${WRITE_PROTECT}\nat: mov [${pages}], eax`,
    expected: fault(3),
  },
  {
    name: "an upper level takes the right of programs",
    reference: RIGHTS,
    text: `${map(smallPage, PAGE_FLAGS)}\n${change(directory + 8, "and dword ptr ENTRY, -5")}\n${user64(`at: mov eax, [${pages}]`)}`,
    expected: fault(5),
  },
  {
    name: "an upper level takes the right to fetch",
    reference: RIGHTS,
    text: `${map(smallPage, PAGE_FLAGS)}\n${change(directory + 12, `or dword ptr ENTRY, ${XD}`)}\n${run(pages + CODE)}`,
    expected: fault(0x11),
  },
  {
    name: "a page of a program and a supervisor's directory are the supervisor's: SMAP lets it read",
    reference: RIGHTS,
    text: `${map(smallPage, PAGE_FLAGS)}\n${change(directory + 8, "and dword ptr ENTRY, -5")}\n${protect(CR4_SMAP)}\nmov eax, [${pages}]`,
    expected: "12345678",
  },
  {
    name: "a read sets A in all levels",
    reference: FLAGS,
    text: `
      ${map(smallPage, PAGE_FLAGS)}
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
    text: `${map(smallPage, PAGE_FLAGS & ~PRESENT, TOO_FAR)}\nat: mov eax, [${pages}]`,
    expected: fault(0),
  },
  {
    name: "without NXE and SMEP a fetch is not told apart",
    reference: FAULT,
    text: `${NO_NXE}\n${map(smallPage, 0)}\n${run(pages)}`,
    expected: fault(0),
  },
  {
    name: "with SMEP it is, also without NXE",
    reference: FAULT,
    text: `${NO_NXE}\n${map(smallPage, 0)}\n${protect(CR4_SMEP)}\n${run(pages)}`,
    expected: fault(0x10),
  },
  {
    name: "a descriptor table in a program's page is not read under SMAP, whatever EFLAGS.AC is",
    reference: RIGHTS,
    text: `
      ${map(smallPage, PAGE_FLAGS)}
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

export const longModePaging: Kernel = pagingKernel("4-level paging", [
  ...pageSizes.flatMap(rightsOf),
  ...levels,
]);
