/** 4-level paging: accesses across pages, and what the processor forgets of translations. */
import { PAGE_FLAGS, PLACE_64, user64, vector64 } from "./long-mode.ts";
import {
  fault,
  map,
  pagingKernel,
  READ_ONLY,
  RELOAD,
  smallPage,
  SUPERVISOR,
  WRITE_PROTECT,
} from "./long-mode-pages.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const FAULT = 'Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions"';
const INVALIDATION =
  'Intel SDM Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches"';

const { data, pages, directory, table } = PLACE_64;
const [WRITABLE, LARGE, GLOBAL] = [2, 0x80, 0x100] as const;
const CR4_PGE = 0x80;
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
      ${map(smallPage, PAGE_FLAGS | GLOBAL)}
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
      ${map(smallPage, PAGE_FLAGS | GLOBAL)}
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
    text: `${map(smallPage, PAGE_FLAGS)}\nmov eax, [${pages}]\nmov dword ptr [${table}], 0\n${RELOAD}\nat: mov eax, [${pages}]`,
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
      ${map(smallPage, READ_ONLY)}
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

export const longModeTranslations: Kernel = pagingKernel(
  "Accesses across pages and forgotten translations in 4-level paging",
  [...crossings, ...forgetting],
);
