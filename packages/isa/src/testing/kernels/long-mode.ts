/**
 * What kernels in 64-bit mode begin with: page tables, tables in memory, and an IDT whose handlers report.
 *
 * Paging puts the ROM at linear address 0, so that a label is an address. Before each case the tables, the control
 * registers and the flags are as they were at first. A case prints what {@link protectedModeText} says, and vector 30H
 * (DPL 3) brings RAX from user code back to the case.
 */
import { segment } from "./protected-mode.ts";
import { FINISH, PRINTING, type KernelCase } from "./rom.ts";

/** Linear addresses, and physical ones too. */
export const PLACE_64 = {
  gdt: 0x1_1000,
  idt: 0x1_2000,
  tss: 0x1_3000,
  /** Where handlers leave what arrived, and find where the case goes on. */
  record: 0x1_4000,
  stack: 0x1_9000,
  innerStack: 0x1_a000,
  ist1: 0x1_b000,
  userStack: 0x1_c000,
  data: 0x2_0000,
  pml4: 0x3_0000,
  pointers: 0x3_1000,
  directory: 0x3_2000,
  /** Of the lowest 2 MiB. */
  lowTable: 0x3_3000,
  /** Of the 2 MiB at {@link PLACE_64.pages}. */
  table: 0x3_4000,
  deviceDirectory: 0x3_5000,
  /** Not mapped, but for what a case maps. */
  pages: 0x20_0000,
} as const;

/** Selectors. */
export const SEGMENT_64 = {
  code: 0x08,
  data: 0x10,
  code32: 0x18,
  userData: 0x20,
  user: 0x28,
  user32: 0x30,
  /** 16 bytes. */
  tss: 0x38,
  /** Not present. */
  absent: 0x48,
  /** 16 bytes, for a case's own descriptor. */
  own: 0x50,
  /** 32-bit code at the ROM, on the way to long mode. */
  way: 0x60,
} as const;

const DESCRIPTORS: ReadonlyMap<number, bigint> = new Map([
  [SEGMENT_64.code, segment(0, 0xf_ffff, 0x9b, 0xa)],
  [SEGMENT_64.data, segment(0, 0xf_ffff, 0x93, 0xc)],
  [SEGMENT_64.code32, segment(0, 0xf_ffff, 0x9b, 0xc)],
  [SEGMENT_64.userData, segment(0, 0xf_ffff, 0xf3, 0xc)],
  [SEGMENT_64.user, segment(0, 0xf_ffff, 0xfb, 0xa)],
  [SEGMENT_64.user32, segment(0, 0xf_ffff, 0xfb, 0xc)],
  [SEGMENT_64.tss, segment(PLACE_64.tss, 0x67, 0x89, 0)],
  [SEGMENT_64.absent, segment(0, 0xf_ffff, 0x13, 0xc)],
  [SEGMENT_64.way, segment(0xf_0000, 0xffff, 0x9b, 4)],
]);
const GDT_ENTRIES = SEGMENT_64.way / 8 + 1;

const VECTORS = 0x40;
const FROM_USER = 0x30;
const STUB_BYTES = 16;
const GATE_BYTES = 16;
/** Exceptions that push an error code. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

const [PRESENT, WRITABLE, USER, LARGE] = [1, 2, 4, 0x80] as const;
/** Flags of the page-table entries of a usual page. */
export const PAGE_FLAGS: number = PRESENT | WRITABLE | USER;
const EFER = 0xc000_0080;
const LME_AND_NXE = 0x900;
const CR0 = 0x8001_0033;
/** PAE, OSFXSR and OSXMMEXCPT. */
const CR4 = 0x620;

/** Writes a gate of 16 bytes at run time; `flags` are bits 47:40. Uses RAX. */
export function writeGate64(
  linear: number,
  offset: string,
  flags: number,
  options: { readonly selector?: number; readonly ist?: number } = {},
): string {
  const { selector = SEGMENT_64.code, ist = 0 } = options;
  return `
    mov rax, ${offset}
    mov [${linear}], ax
    mov word ptr [${linear + 2}], ${selector}
    mov word ptr [${linear + 4}], ${(flags << 8) | ist}
    shr rax, 16
    mov [${linear + 6}], ax
    shr rax, 16
    mov [${linear + 8}], eax
    mov dword ptr [${linear + 12}], 0
  `;
}

/** A gate of the IDT: an interrupt gate of DPL 0 if nothing else is said. */
export function vector64(
  vector: number,
  offset: string,
  flags = 0x8e,
  options: { readonly selector?: number; readonly ist?: number } = {},
): string {
  return writeGate64(PLACE_64.idt + vector * GATE_BYTES, offset, flags, options);
}

/** Changes bits 47:40 of a gate of the IDT. */
export function gateFlags(vector: number, flags: number): string {
  return `mov byte ptr [${PLACE_64.idt + vector * GATE_BYTES + 5}], ${flags}`;
}

/** Maps a page of {@link PLACE_64.pages} at run time. */
export function mapPage(linear: number, physical: number, flags: number = PAGE_FLAGS): string {
  const entry = PLACE_64.table + ((linear - PLACE_64.pages) >> 12) * 8;
  return `mov qword ptr [${entry}], ${physical | flags}\ninvlpg [${linear}]`;
}

/** Goes on at level 3 in 64-bit mode. The case ends with `int 0x30`, or by an exception. */
export function user64(text: string, flags = 2): string {
  return `
    push ${SEGMENT_64.userData | 3}
    push ${PLACE_64.userStack}
    push ${flags}
    push ${SEGMENT_64.user | 3}
    push userCode
    iretq
    userCode:
    ${text}
    int ${FROM_USER}
  `;
}

/** An address that is not canonical, as assembly text. */
export const NOT_CANONICAL = "0x800000000000";

/** Where the manual describes a vector. */
export function reference(interrupt: number): string {
  return `Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt ${interrupt})`;
}

/** Runs code whose exception gives EAX to the case. */
export function handled(vector: number, handler: string, text: string): string {
  return `
    ${vector64(vector, "handler")}
    ${text}
    jmp end
    handler:
    ${handler}
    end:`;
}

/** Where the #GP of some code says that it happened: bits 63:32 of the saved RIP. */
export function faultsAt(text: string): string {
  return `
    ${vector64(13, "end")}
    ${text}
    back:
    procedure:
    ud2
    end: mov rax, [rsp+8]
    shr rax, 32`;
}

/** Why QEMU differs from {@link faultsAt}. */
export const FETCHED = "QEMU goes there, and the fetch faults.";

/** Gives the labels of a case its own number. */
export function withOwnLabels64(
  cases: readonly KernelCase[],
  labels: readonly string[],
): readonly KernelCase[] {
  const pattern = new RegExp(String.raw`\b(${["userCode", ...labels].join("|")})\b`, "gu");
  return cases.map((each, number) => ({
    ...each,
    text: each.text
      .replaceAll(pattern, `$1${number}`)
      .replaceAll(/\bat\b(?=:| *$)/gmu, `at${number}`),
  }));
}

/** What a kernel adds to the text of {@link longModeText}. */
export interface LongModeParts {
  /** Runs before each case, behind the reset of what all kernels share. */
  readonly each?: string;
  /** Routines that cases call. */
  readonly routines?: string;
}

function caseText({ text }: KernelCase, number: number, each: string): string {
  const label = new RegExp(String.raw`^\s*at${number}:`, "mu").test(text) ? "at" : "case";
  return `
    case${number}:
      mov rsp, ${PLACE_64.stack}
      call reset
      mov qword ptr [${PLACE_64.record}], after${number}
      mov qword ptr [${PLACE_64.record + 8}], ${label}${number}
      mov qword ptr [${PLACE_64.record + 16}], -1
      ${each}
      ${text}
    after${number}:
      mov rsp, ${PLACE_64.stack}
      call report
  `;
}

function stub(vector: number): string {
  if (vector === FROM_USER) return `align ${STUB_BYTES}\njmp qword ptr [${PLACE_64.record}]`;
  const code = WITH_ERROR_CODE.has(vector) ? "" : "push 0\n";
  return `align ${STUB_BYTES}\n${code}push ${vector}\njmp arrive`;
}

/** Tables, control registers, flags and the blocking of NMIs as every case finds them. */
const RESET = `
  reset:
    cld
    xor eax, eax
    mov dr7, rax
    mov dr6, rax
    mov eax, ${CR0}
    mov cr0, rax
    mov eax, ${CR4}
    mov cr4, rax
    mov rdi, ${PLACE_64.gdt}
    mov rsi, gdt
    mov ecx, ${GDT_ENTRIES}
    rep movsq
    mov rdi, ${PLACE_64.idt}
    mov ebx, stubs
    mov ecx, ${VECTORS}
  .gate:
    mov eax, ebx
    or eax, ${SEGMENT_64.code << 16}
    stosd
    mov eax, 0x8e00
    stosd
    xor eax, eax
    stosq
    add ebx, ${STUB_BYTES}
    loop .gate
    ${gateFlags(FROM_USER, 0xee)}
    mov edi, ${PLACE_64.tss}
    mov ecx, ${0x68 / 8}
    rep stosq
    mov edi, ${PLACE_64.table}
    mov ecx, 512
    rep stosq
    mov edi, ${PLACE_64.data}
    mov ecx, 512
    rep stosq
    mov qword ptr [${PLACE_64.tss + 4}], ${PLACE_64.innerStack}
    mov qword ptr [${PLACE_64.tss + 36}], ${PLACE_64.ist1}
    mov word ptr [${PLACE_64.tss + 0x66}], 0x68
    lidt [idtr]
    mov ax, ${SEGMENT_64.data}
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov ax, ${SEGMENT_64.tss}
    ltr ax
    mov rax, cr3
    mov cr3, rax
    fninit
    mov dword ptr [${PLACE_64.data}], 0x1f80
    ldmxcsr [${PLACE_64.data}]
    mov dword ptr [${PLACE_64.data}], 0
    pop rdx
    mov rcx, rsp
    push ${SEGMENT_64.data}
    push rcx
    push 2
    push ${SEGMENT_64.code}
    push rdx
    iretq
`;

const REPORT = `
  ; Which exception arrived is kept, and the case goes on after its end at CPL 0.
  arrive:
    pop qword ptr [${PLACE_64.record + 16}]
    pop qword ptr [${PLACE_64.record + 24}]
    pop qword ptr [${PLACE_64.record + 32}]
    jmp qword ptr [${PLACE_64.record}]
  report:
    cld
    cmp qword ptr [${PLACE_64.record + 16}], -1
    je value
    mov eax, [${PLACE_64.record + 16}]
    call hex2
    mov al, 32
    call putc
    mov eax, [${PLACE_64.record + 24}]
    call hex8
    mov al, 32
    call putc
    mov al, 43
    call putc
    mov eax, [${PLACE_64.record + 32}]
    sub eax, [${PLACE_64.record + 8}]
    call hex2
    jmp newline
  value:
    call hex8
    jmp newline
`;

/** From real mode to 64-bit code. The memory that tables are in is cleared first. */
const ENTRY = `
  bits 16
  start:
    cli
    cld
    o32 lgdt cs:[firstGdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp ${SEGMENT_64.way}:protectedEntry
  bits 32
  protectedEntry:
    mov ax, ${SEGMENT_64.data}
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, ${PLACE_64.stack}
    xor eax, eax
    mov edi, ${PLACE_64.gdt}
    mov ecx, ${(0x4_0000 - PLACE_64.gdt) / 4}
    rep stosd
    mov dword ptr [${PLACE_64.pml4}], ${PLACE_64.pointers | PAGE_FLAGS}
    mov dword ptr [${PLACE_64.pointers}], ${PLACE_64.directory | PAGE_FLAGS}
    mov dword ptr [${PLACE_64.pointers + 24}], ${PLACE_64.deviceDirectory | PAGE_FLAGS}
    mov dword ptr [${PLACE_64.directory}], ${PLACE_64.lowTable | PAGE_FLAGS}
    mov dword ptr [${PLACE_64.directory + 8}], ${PLACE_64.table | PAGE_FLAGS}
    ; The registers of the I/O APIC and of the local APIC.
    mov dword ptr [${PLACE_64.deviceDirectory + (0x3ec0_0000 >> 21) * 8}], ${0xfec0_0000 + (PAGE_FLAGS | LARGE)}
    mov dword ptr [${PLACE_64.deviceDirectory + (0x3ee0_0000 >> 21) * 8}], ${0xfee0_0000 + (PAGE_FLAGS | LARGE)}
    mov edi, ${PLACE_64.lowTable}
    mov eax, ${0xf_0000 | PAGE_FLAGS}
  rom:
    stosd
    add edi, 4
    add eax, 0x1000
    cmp eax, ${0x10_0000 | PAGE_FLAGS}
    jb rom
    mov eax, ${0x1_0000 | PAGE_FLAGS}
  low:
    stosd
    add edi, 4
    add eax, 0x1000
    cmp eax, ${0x20_0000 | PAGE_FLAGS}
    jb low
    mov eax, ${CR4}
    mov cr4, eax
    mov eax, ${PLACE_64.pml4}
    mov cr3, eax
    mov ecx, ${EFER}
    mov eax, ${LME_AND_NXE}
    xor edx, edx
    wrmsr
    mov eax, ${CR0}
    mov cr0, eax
    jmp ${SEGMENT_64.code}:longEntry
`;

/** The text of a kernel. */
export function longModeText(cases: readonly KernelCase[], parts: LongModeParts = {}): string {
  const { each = "", routines = "" } = parts;
  const stubs = Array.from({ length: VECTORS }, (_, vector) => stub(vector));
  const gdt = Array.from(
    { length: GDT_ENTRIES },
    (_, index) => `dq ${DESCRIPTORS.get(index * 8) ?? 0n}`,
  );
  return `
    ${ENTRY}
    bits 64
    longEntry:
      mov rsp, ${PLACE_64.stack}
      lgdt [gdtr]
      ${cases.map((one, number) => caseText(one, number, each)).join("\n")}
      ${FINISH}
    ${routines}
    ${RESET}
    ${REPORT}
    ${PRINTING}
    align ${STUB_BYTES}
    stubs:
    ${stubs.join("\n")}
    firstGdtr: dw ${GDT_ENTRIES * 8 - 1}
      dd gdt + 0xf0000
    gdtr: dw ${GDT_ENTRIES * 8 - 1}
      dq ${PLACE_64.gdt}
    idtr: dw ${VECTORS * GATE_BYTES - 1}
      dq ${PLACE_64.idt}
    align 8
    gdt:
    ${gdt.join("\n")}
  `;
}
