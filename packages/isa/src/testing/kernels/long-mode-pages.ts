/**
 * What kernels about 4-level paging share: the data at {@link PLACE_64.data}, mapped by a leaf of each size, and tables
 * that are the same before each case.
 */
import { defaultProfile } from "../../profile/profile.ts";
import { longModeText, PAGE_FLAGS, PLACE_64, withOwnLabels64 } from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const { data, pages, directory, pointers, pml4, table, lowTable, record } = PLACE_64;
const [WRITABLE, USER, LARGE] = [2, 4, 0x80] as const;
export const READ_ONLY: number = PAGE_FLAGS & ~WRITABLE;
export const SUPERVISOR: number = PAGE_FLAGS & ~USER;
const EFER = 0xc000_0080;
const WITHOUT_NXE = 0x100;
const CR0_WP = 0x1_0000;
const VALUE = 0x1234_5678;
/** Where the data has a RET. */
export const CODE = 0x10;

/** A way to map the data: its leaf, what the leaf has beside the case's flags, and the data's linear address. */
export interface PageSize {
  readonly name: string;
  readonly leaf: number;
  readonly base: number;
  readonly at: number;
  /** A bit of the leaf that must be clear. */
  readonly reserved: number;
  /** The leaf's PAT flag. */
  readonly pat: number;
}

export const smallPage: PageSize = {
  name: "4 KiB",
  leaf: table,
  base: data,
  at: pages,
  reserved: 0,
  pat: 0x80,
};

export const pageSizes: readonly PageSize[] = [
  smallPage,
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

export const RELOAD = "mov rax, cr3\nmov cr3, rax";

export function map(size: PageSize, flags: number, upper = 0): string {
  return `
    mov dword ptr [${size.leaf}], ${size.base | flags}
    mov dword ptr [${size.leaf + 4}], ${upper}
    ${RELOAD}
  `;
}

export const WRITE_PROTECT: string = `mov rax, cr0\nor eax, ${CR0_WP}\nmov cr0, rax`;
export const NO_WRITE_PROTECT: string = `mov rax, cr0\nand eax, ${~CR0_WP >>> 0}\nmov cr0, rax`;
export const NO_NXE: string = `mov ecx, ${EFER}\nmov eax, ${WITHOUT_NXE}\nxor edx, edx\nwrmsr`;

/** Pages of the kernel are no program's, and CR4 protects it. */
export function protect(flags: number): string {
  return `
    and dword ptr [${directory}], ${~USER >>> 0}
    ${RELOAD}
    mov rax, cr4
    or eax, ${flags}
    mov cr4, rax
  `;
}

/** Code at a linear address that returns; the saved RIP is counted from there. */
export function run(linear: number): string {
  return `mov qword ptr [${record + 8}], ${linear}\nmov ebx, ${linear}\nxor eax, eax\ncall rbx`;
}

export function fault(code: number): string {
  return `0e ${code.toString(16).padStart(8, "0")} +00`;
}

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

export function pagingKernel(topic: string, cases: readonly KernelCase[]): Kernel {
  const own = withOwnLabels64(cases, ["handler", "end"]);
  return {
    topic,
    cases: own,
    profile: {
      ...defaultProfile,
      id: "with-protection-of-the-kernel",
      features: new Set([...defaultProfile.features, "smep", "smap", "pdpe1gb"]),
    },
    text: longModeText(own, { each: "call restoreTables", routines: RESTORE }),
  };
}
