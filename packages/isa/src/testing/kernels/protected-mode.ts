/**
 * What kernels in protected mode begin with: tables, an IDT whose handlers report, and 32-bit code whose segment is the
 * ROM, so that EIP is an offset in it.
 *
 * A case either leaves a value in EAX, which is printed as `xxxxxxxx`, or meets an exception, which is printed as
 * `vv eeeeeeee +oo`: vector, error code, and the distance of the saved EIP from the label `at` of the case.
 */
import { FINISH, PRINTING, type KernelCase } from "./rom.ts";

/** Physical addresses. */
export const PLACE = {
  gdt: 0x1000,
  idt: 0x2000,
  tss: 0x3000,
  otherTss: 0x3100,
  thirdTss: 0x3200,
  ldt: 0x3800,
  /** Where handlers leave what arrived, and find where the case goes on. */
  record: 0x4000,
  stack: 0x9000,
  innerStack: 0xa000,
  otherStack: 0xb000,
  userStack: 0xc000,
  data: 0x1_0000,
  directory: 0x2_0000,
} as const;

/** Selectors. */
export const SEGMENT = {
  code: 0x08,
  data: 0x10,
  code16: 0x18,
  user: 0x20,
  userData: 0x28,
  tss: 0x30,
  otherTss: 0x38,
  /** For a case's own descriptor. */
  own: 0x40,
  second: 0x48,
  third: 0x50,
  /** 16-bit code at the ROM. */
  rom16: 0x58,
} as const;

const DESCRIPTORS: readonly (readonly [number, bigint])[] = [
  [SEGMENT.code, 0x004f_9b0f_0000_ffffn],
  [SEGMENT.data, 0x00cf_9300_0000_ffffn],
  [SEGMENT.code16, 0x000f_9b00_0000_ffffn],
  [SEGMENT.user, 0x004f_fb0f_0000_ffffn],
  [SEGMENT.userData, 0x00cf_f300_0000_ffffn],
  [SEGMENT.tss, tssDescriptor(PLACE.tss, 0x67, 0x89)],
  [SEGMENT.otherTss, tssDescriptor(PLACE.otherTss, 0x67, 0x89)],
  [SEGMENT.rom16, 0x000f_9b0f_0000_ffffn],
];

const VECTORS = 0x40;
const STUB_BYTES = 8;
/** Exceptions that push an error code. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

function tssDescriptor(base: number, limit: number, flags: number): bigint {
  return segment(base, limit, flags, 0);
}

/** A descriptor; `flags` are bits 47:40, `upper` bits 55:52. */
export function segment(base: number, limit: number, flags: number, upper: number): bigint {
  const wide = BigInt(base);
  return (
    BigInt(limit & 0xffff) |
    ((wide & 0xff_ffffn) << 16n) |
    (BigInt(flags) << 40n) |
    (BigInt((limit >> 16) | (upper << 4)) << 48n) |
    ((wide >> 24n) << 56n)
  );
}

/** A gate; `flags` are bits 47:40. The offset is a label in the ROM. Writes it to a table at run time. */
export function writeGate(
  linear: number,
  selector: number,
  offset: string,
  flags: number,
  count = 0,
): string {
  return `
    mov eax, ${offset}
    and eax, 0xffff
    or eax, ${selector << 16}
    mov [${linear}], eax
    mov eax, ${offset}
    and eax, 0xffff0000
    or eax, ${(flags << 8) | count}
    mov [${linear + 4}], eax
  `;
}

/** Writes 8 bytes at run time. */
export function writeDescriptor(
  selector: number,
  descriptor: bigint,
  table: number = PLACE.gdt,
): string {
  return `
    mov dword ptr [${table + (selector & ~7)}], ${descriptor & 0xffff_ffffn}
    mov dword ptr [${table + (selector & ~7) + 4}], ${descriptor >> 32n}
  `;
}

function caseText({ text }: KernelCase, number: number): string {
  const label = /^\s*at:/mu.test(text) ? "at" : undefined;
  return `
    case${number}:
      mov ax, ${SEGMENT.data}
      mov ds, ax
      mov es, ax
      mov ss, ax
      mov esp, ${PLACE.stack}
      mov dword ptr [${PLACE.record}], after${number}
      mov dword ptr [${PLACE.record + 4}], ${label === undefined ? `case${number}` : `at${number}`}
      mov dword ptr [${PLACE.record + 8}], -1
      ${text.replaceAll(/\bat\b(?=:| *$)/gmu, `at${number}`)}
    after${number}:
      mov dx, ${SEGMENT.data}
      mov ds, dx
      mov ss, dx
      mov esp, ${PLACE.stack}
      call report
  `;
}

function stub(vector: number): string {
  const body = `push ${vector}\njmp ${WITH_ERROR_CODE.has(vector) ? "arriveWithCode" : "arrive"}`;
  return `align ${STUB_BYTES}\n${body}`;
}

/** The text of a kernel: `setup` runs once, in 32-bit code. `extra` follows the code. */
export function protectedModeText(cases: readonly KernelCase[], setup = "", extra = ""): string {
  const stubs = Array.from({ length: VECTORS }, (_, vector) => stub(vector));
  return `
    bits 16
    start:
      cli
      cld
      xor ax, ax
      mov es, ax
      mov ss, ax
      mov sp, ${PLACE.stack}
      mov di, ${PLACE.gdt}
      mov si, gdt
      mov cx, gdtEnd - gdt
      cs rep movsb
      mov di, ${PLACE.idt}
      mov bx, stubs
      mov cx, ${VECTORS}
    fill:
      mov ax, bx
      stosw
      mov ax, ${SEGMENT.code}
      stosw
      mov ax, 0x8e00
      stosw
      xor ax, ax
      stosw
      add bx, ${STUB_BYTES}
      loop fill
      o32 lgdt cs:[gdtr]
      o32 lidt cs:[idtr]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      jmp ${SEGMENT.code}:entry
    bits 32
    entry:
      mov ax, ${SEGMENT.data}
      mov ds, ax
      mov es, ax
      mov fs, ax
      mov gs, ax
      mov ss, ax
      mov esp, ${PLACE.stack}
      mov dword ptr [${PLACE.tss + 4}], ${PLACE.innerStack}
      mov dword ptr [${PLACE.tss + 8}], ${SEGMENT.data}
      mov word ptr [${PLACE.tss + 0x66}], 0x68
      mov ax, ${SEGMENT.tss}
      ltr ax
      ${setup}
      ${cases.map(caseText).join("\n")}
      ${FINISH}
    ; Which exception arrived is kept, and the case goes on after its end at CPL 0.
    arrive:
      push dword ptr [esp]
      mov dword ptr [esp+4], 0
    arriveWithCode:
      cld
      mov ax, ${SEGMENT.data}
      mov ds, ax
      pop eax
      mov [${PLACE.record + 8}], eax
      pop eax
      mov [${PLACE.record + 12}], eax
      pop eax
      mov [${PLACE.record + 16}], eax
      jmp dword ptr [${PLACE.record}]
    report:
      cmp dword ptr [${PLACE.record + 8}], -1
      je value
      mov eax, [${PLACE.record + 8}]
      call hex2
      mov al, 32
      call putc
      mov eax, [${PLACE.record + 12}]
      call hex8
      mov al, 32
      call putc
      mov al, 43
      call putc
      mov eax, [${PLACE.record + 16}]
      sub eax, [${PLACE.record + 4}]
      call hex2
      jmp newline
    value:
      call hex8
      jmp newline
    ${PRINTING}
    ${extra}
    align ${STUB_BYTES}
    stubs:
    ${stubs.join("\n")}
    gdtr: dw 0x7ff
      dd ${PLACE.gdt}
    idtr: dw ${VECTORS * 8 - 1}
      dd ${PLACE.idt}
    gdt:
    ${gdtText()}
    gdtEnd:
  `;
}

function gdtText(): string {
  const entries = new Map(DESCRIPTORS);
  const last = Math.max(...entries.keys());
  return Array.from(
    { length: last / 8 + 1 },
    (_, index) => `dq ${entries.get(index * 8) ?? 0n}`,
  ).join("\n");
}
