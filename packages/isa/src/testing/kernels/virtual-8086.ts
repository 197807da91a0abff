/** Virtual-8086 mode: entering it, leaving it, and what IOPL decides there. */
import { PLACE, protectedModeText, SEGMENT, writeGate } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const ENTER = 'Intel SDM Vol. 3B §21.2.5, "Entering Virtual-8086 Mode"';
const LEAVE = 'Intel SDM Vol. 3B §21.2.6, "Leaving Virtual-8086 Mode"';
const SENSITIVE = 'Intel SDM Vol. 3B §21.2.7, "Sensitive Instructions"';
const ADDRESSES = 'Intel SDM Vol. 3B §21.1.1, "Address Translation in Real-Address Mode"';
const PORTS = 'Intel SDM Vol. 3B §21.2.8, "Virtual-8086 Mode I/O"';

const VM = 0x2_0002;
const IOPL_3 = 0x3000;
const SEGMENTS = { ss: 0x0c00, es: 0x1111, ds: 0x1000, fs: 0x2222, gs: 0x3333 } as const;

/** Runs 16-bit code in virtual-8086 mode. It ends with INT3, whose handler gives EAX to the case. */
function virtual8086(text: string, flags = VM): string {
  return `
    ${writeGate(PLACE.idt + 3 * 8, SEGMENT.code, "fromVirtual", 0xee)}
    mov eax, 0
    push ${SEGMENTS.gs}
    push ${SEGMENTS.fs}
    push ${SEGMENTS.ds}
    push ${SEGMENTS.es}
    push ${SEGMENTS.ss}
    push 0x800
    push ${flags}
    push 0xf000
    push virtual
    iretd
    bits 16
    virtual:
    ${text}
    int3
    bits 32
    fromVirtual:
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "segments are paragraphs",
    reference: ADDRESSES,
    text: `
      mov dword ptr [0x10004], 0x12345678
      ${virtual8086("mov eax, [4]")}`,
    expected: "12345678",
  },
  {
    name: "IRET loads all segment registers",
    reference: ENTER,
    text: virtual8086(`
      mov ax, gs
      shl eax, 16
      mov bx, fs
      mov ax, es
      add ax, bx
    `),
    expected: "33333333",
  },
  {
    name: "the monitor's frame has the segments above SS:ESP",
    reference: LEAVE,
    text: `
      ${virtual8086("nop")}
      mov eax, [esp+32]
      shl eax, 16
      mov ax, [esp+20]
      mov ebx, ${PLACE.innerStack}
      sub ebx, esp
      shl ebx, 4
      xor eax, ebx`,
    expected: "33331351",
  },
  {
    name: "the monitor's data segments are null",
    reference: LEAVE,
    text: `
      ${virtual8086("nop")}
      mov ax, ds
      mov bx, gs
      or ax, bx
      movzx eax, ax`,
    expected: "00000000",
  },
  {
    name: "the saved EFLAGS have VM",
    reference: LEAVE,
    text: `${virtual8086("nop")}\nmov eax, [esp+8]\nand eax, 0x20000`,
    expected: "00020000",
  },
  ...["cli", "sti", "pushf", "popf", "int 0x80", "iret"].map((instruction): KernelCase => {
    return {
      name: `${instruction} with IOPL 0 is #GP(0)`,
      reference: SENSITIVE,
      text: virtual8086(`at: ${instruction}`),
      expected: "0d 00000000 +00",
    };
  }),
  {
    name: "with IOPL 3 PUSHF shows IF and IOPL",
    reference: SENSITIVE,
    text: virtual8086("sti\npushf\ncli\npop ax\nand eax, 0x3200", VM | IOPL_3),
    expected: "00003200",
  },
  {
    name: "with IOPL 3 POPF changes IF, not IOPL",
    reference: SENSITIVE,
    text: virtual8086(
      "push word ptr 0x202\npopf\npushf\ncli\npop ax\nand eax, 0x3200",
      VM | IOPL_3,
    ),
    expected: "00003200",
  },
  {
    name: "with IOPL 3 IRET stays in virtual-8086 mode",
    reference: SENSITIVE,
    text: virtual8086(
      `push word ptr 0x2
       push cs
       push word ptr landing
       iret
     landing:
       pushf
       pop ax
       and eax, 0x3000
       mov cx, 0x1000
       mov fs, cx
       mov bx, fs
       add ax, bx`,
      VM | IOPL_3,
    ),
    expected: "00004000",
  },
  {
    name: "far calls are those of real-address mode",
    reference: ADDRESSES,
    text: virtual8086(`
      call 0xf000:procedure
      jmp finish
    procedure:
      mov bp, sp
      mov eax, [bp]
      sub ax, procedure
      retf
    finish:
    `),
    expected: "f000fffe",
  },
  {
    name: "a word at offset FFFFH is #GP(0)",
    reference: 'Intel SDM Vol. 3A §5.3, "Limit Checking"',
    text: virtual8086("mov bx, 0xffff\nat: mov ax, [bx]"),
    expected: "0d 00000000 +00",
    qemu: { prints: "00000000", why: "QEMU's translator has no limits of segments." },
  },
  {
    name: "LLDT is #UD",
    reference: "Intel SDM Vol. 2A, LLDT—Load Local Descriptor Table Register",
    text: virtual8086("at: lldt ax"),
    expected: "06 00000000 +00",
  },
  {
    name: "LGDT is #GP(0)",
    reference: "Intel SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register",
    text: virtual8086("at: lgdt [0]"),
    expected: "0d 00000000 +00",
  },
  {
    name: "ports are those of the bitmap, whatever IOPL is",
    reference: PORTS,
    text: virtual8086("at: in al, 0x21", VM | IOPL_3),
    expected: "0d 00000000 +00",
  },
];

const own = cases.map((each, number) => ({
  ...each,
  text: each.text.replaceAll(/\b(virtual|fromVirtual|landing|procedure|finish)\b/gu, `$1${number}`),
}));

export const virtual8086Mode: Kernel = {
  topic: "Virtual-8086 mode",
  cases: own,
  text: protectedModeText(own),
};
