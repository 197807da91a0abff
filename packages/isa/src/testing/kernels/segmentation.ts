/** Segmentation in protected mode: limits, types, presence and privilege of data and code segments. */
import { protectedModeText, SEGMENT, segment, writeDescriptor } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const LIMITS = 'Intel SDM Vol. 3A §5.3, "Limit Checking"';
const TYPES = 'Intel SDM Vol. 3A §5.4, "Type Checking"';
const LOADING = 'Intel SDM Vol. 3A §5.6, "Privilege Level Checking When Accessing Data Segments"';
const STACK = 'Intel SDM Vol. 3A §5.7, "Privilege Level Checking When Loading the SS Register"';
const NO_CHECKS = "QEMU's translator checks neither limits nor types of segments.";

const DATA = 0x93;
const READ_ONLY = 0x91;
const EXPAND_DOWN = 0x97;
const EXECUTE_ONLY = 0x99;
const READABLE_CODE = 0x9b;
const BASE = 0x1_0000;
const BIG = 4;
const PAGES = 8;

function own(limit: number, flags: number, upper: number): string {
  return `
    ${writeDescriptor(SEGMENT.own, segment(BASE, limit, flags, upper))}
    mov dword ptr [${BASE + 0xffc}], 0x11223344
    mov dword ptr [${BASE + 0x1000}], 0x55667788
    mov ax, ${SEGMENT.own}
    mov fs, ax
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "a doubleword up to the limit is read",
    reference: LIMITS,
    text: `${own(0xfff, DATA, BIG)}\nmov eax, fs:[0xffc]`,
    expected: "11223344",
  },
  {
    name: "a doubleword whose last byte is beyond the limit is #GP(0)",
    reference: LIMITS,
    text: `${own(0xfff, DATA, BIG)}\nat: mov eax, fs:[0xffd]`,
    expected: "0d 00000000 +00",
    qemu: { prints: "88112233", why: NO_CHECKS },
  },
  {
    name: "a limit in pages",
    reference: LIMITS,
    text: `${own(1, DATA, BIG | PAGES)}\nmov eax, fs:[0x1000]`,
    expected: "55667788",
  },
  {
    name: "an expand-down segment is what is above its limit",
    reference: LIMITS,
    text: `${own(0xfff, EXPAND_DOWN, BIG)}\nmov eax, fs:[0x1000]`,
    expected: "55667788",
  },
  {
    name: "an expand-down segment has nothing up to its limit",
    reference: LIMITS,
    text: `${own(0xfff, EXPAND_DOWN, BIG)}\nat: mov eax, fs:[0xffc]`,
    expected: "0d 00000000 +00",
    qemu: { prints: "11223344", why: NO_CHECKS },
  },
  {
    name: "an expand-down segment of 16 bits ends at FFFFH",
    reference: LIMITS,
    text: `${own(0xfff, EXPAND_DOWN, 0)}\nxor eax, eax\nat: mov al, fs:[0x10000]`,
    expected: "0d 00000000 +00",
    qemu: { prints: "00000000", why: NO_CHECKS },
  },
  {
    name: "read-only data is not written",
    reference: TYPES,
    text: `${own(0xfff, READ_ONLY, BIG)}\nxor eax, eax\nat: mov fs:[0], eax`,
    expected: "0d 00000000 +00",
    qemu: { prints: "00000000", why: NO_CHECKS },
  },
  {
    name: "readable code is read",
    reference: TYPES,
    text: `${own(0xfff, READABLE_CODE, BIG)}\nmov eax, fs:[0xffc]`,
    expected: "11223344",
  },
  {
    name: "code is not written",
    reference: TYPES,
    text: `${own(0xfff, READABLE_CODE, BIG)}\nxor eax, eax\nat: add dword ptr fs:[0], 1`,
    expected: "0d 00000000 +00",
    qemu: { prints: "00000000", why: NO_CHECKS },
  },
  {
    name: "code is not written through CS",
    reference: TYPES,
    text: "mov eax, 1\nat: mov cs:[0], eax",
    expected: "0d 00000000 +00",
    qemu: { prints: "00000001", why: "In QEMU as here the ROM stays, but without an exception." },
  },
  {
    name: "execute-only code is not loaded as data",
    reference: TYPES,
    text: `${writeDescriptor(SEGMENT.own, segment(BASE, 0xfff, EXECUTE_ONLY, BIG))}
      mov ax, ${SEGMENT.own}
      at: mov fs, ax`,
    expected: "0d 00000040 +00",
  },
  {
    name: "a null segment is loaded, and not used",
    reference: 'Intel SDM Vol. 3A §5.4.1, "Null Segment Selector Checking"',
    text: "xor eax, eax\nmov fs, ax\nat: mov eax, fs:[0]",
    expected: "0d 00000000 +00",
    qemu: { prints: "00000000", why: NO_CHECKS },
  },
  {
    name: "a segment that is not present is #NP with its selector",
    reference: LOADING,
    text: `${writeDescriptor(SEGMENT.own, segment(BASE, 0xfff, DATA & 0x7f, BIG))}
      mov ax, ${SEGMENT.own}
      at: mov fs, ax`,
    expected: "0b 00000040 +00",
  },
  {
    name: "a stack segment that is not present is #SS with its selector",
    reference: STACK,
    text: `${writeDescriptor(SEGMENT.own, segment(BASE, 0xfff, DATA & 0x7f, BIG))}
      mov ax, ${SEGMENT.own}
      at: mov ss, ax`,
    expected: "0c 00000040 +00",
  },
  {
    name: "a null stack segment is #GP(0)",
    reference: STACK,
    text: "xor eax, eax\nat: mov ss, ax",
    expected: "0d 00000000 +00",
  },
  {
    name: "a selector beyond the table is #GP with it",
    reference: LIMITS,
    text: "mov ax, 0x7fc\nat: mov gs, ax",
    expected: "0d 000007fc +00",
  },
  {
    name: "loading a segment marks its descriptor accessed",
    reference: 'Intel SDM Vol. 3A §3.4.5.1, "Code- and Data-Segment Descriptor Types"',
    text: `${own(0xfff, DATA & ~1, BIG)}\nmovzx eax, byte ptr [${0x1000 + SEGMENT.own + 5}]`,
    expected: "00000093",
  },
  {
    name: "an access below an expand-down stack segment is #SS(0)",
    reference: LIMITS,
    text: `
      ${writeDescriptor(SEGMENT.own, segment(0, 0xfff, EXPAND_DOWN, BIG))}
      mov ax, ${SEGMENT.own}
      mov ss, ax
      mov esp, 0x8000
      mov ebp, 0xffc
      xor eax, eax
      at: mov eax, [ebp]`,
    expected: "0c 00000000 +00",
    qemu: { prints: "00000000", why: NO_CHECKS },
  },
  {
    name: "a jump beyond the limit of CS is #GP(0) of the jump",
    reference: "Intel SDM Vol. 2A, JMP—Jump (operation)",
    text: `
      mov ebx, landing
      mov word ptr [0x1f0000], 0xe3ff
      mov eax, 0x100000
    at: jmp eax
    landing:
      mov eax, 0x77`,
    expected: "0d 00000000 +00",
    qemu: { prints: "00000077", why: NO_CHECKS },
  },
];

export const segmentation: Kernel = {
  topic: "Segmentation in protected mode",
  cases,
  text: protectedModeText(cases),
};
