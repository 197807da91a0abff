/** Real-address mode: paragraphs, the interrupt vector table, limits, and the ways into protected mode and back. */
import { FINISH, PRINTING, type Kernel, type KernelCase } from "./rom.ts";

const REAL = 'Intel SDM Vol. 3B §21.1, "Real-Address Mode"';
const LIMITS = 'Intel SDM Vol. 3A §5.3, "Limit Checking"';
const NO_LIMITS = "QEMU's translator has no limits of segments.";

/** Each case leaves a result in EAX. Exceptions arrive with their vector in EAX, too, at `after`. */
const cases: readonly KernelCase[] = [
  {
    name: "a segment register holds a paragraph",
    reference: `${REAL}; §21.1.1, "Address Translation in Real-Address Mode"`,
    text: `
      mov ax, 0x1234
      mov es, ax
      mov dword ptr es:[0x10], 0xcafe
      mov ax, 0x1235
      mov fs, ax
      mov eax, fs:[0]
    `,
    expected: "0000cafe",
  },
  {
    name: "addresses of BP use SS",
    reference: 'Intel SDM Vol. 2A §2.1.5, "Addressing-Mode Encoding of ModR/M and SIB Bytes"',
    text: `
      mov ax, 0x2000
      mov ss, ax
      mov bp, 0x20
      mov si, 4
      mov word ptr [bp+si+2], 0x77
      mov fs, ax
      movzx eax, word ptr fs:[0x26]
    `,
    expected: "00000077",
  },
  {
    name: "16-bit addresses wrap at 64 KiB",
    reference: 'Intel SDM Vol. 1 §3.3.5, "32-Bit and 16-Bit Address and Operand Sizes"',
    text: `
      mov byte ptr [0x0ffe], 0x5a
      mov bx, 0xffff
      mov si, 0x0fff
      movzx eax, byte ptr [bx+si]
    `,
    expected: "0000005a",
  },
  {
    name: "a word at offset FFFFH is #GP",
    reference: `${LIMITS}; Vol. 3B §21.1.4, "Interrupt and Exception Handling"`,
    text: "mov bx, 0xffff\nmov ax, [bx]\nxor eax, eax",
    expected: "0000000d",
    qemu: { prints: "00000000", why: NO_LIMITS },
  },
  {
    name: "a word at offset FFFFH of the stack segment is #SS",
    reference: LIMITS,
    text: "mov bp, 0xffff\nmov ax, [bp]\nxor eax, eax",
    expected: "0000000c",
    qemu: { prints: "00000000", why: NO_LIMITS },
  },
  {
    name: "a 32-bit offset beyond the limit is #GP",
    reference: LIMITS,
    text: "mov ebx, 0x10000\nmov al, [ebx]\nxor eax, eax",
    expected: "0000000d",
    qemu: { prints: "00000000", why: NO_LIMITS },
  },
  {
    name: "INT pushes FLAGS, CS and IP and clears IF and TF",
    reference: `${REAL}; §21.1.4, "Interrupt and Exception Handling"`,
    text: `
      mov word ptr [0x80*4], .handler
      mov word ptr [0x80*4+2], 0xf000
      sti
      int 0x80
    .back:
      jmp .end
    .handler:
      cli
      pop bx
      pop cx
      pop dx
      pushf
      pop ax
      push dx
      push cx
      push bx
      sub bx, .back
      and ax, 0x200
      and edx, 0x200
      shl edx, 16
      movzx eax, ax
      or eax, edx
      movzx ebx, bx
      or eax, ebx
      iret
    .end: cli
    `,
    expected: "02000000",
  },
  {
    name: "divide by zero arrives through vector 0 with its own address",
    reference: 'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 0)',
    text: "xor cx, cx\nmov ax, 1\ndiv cx",
    expected: "00000000",
  },
  {
    name: "far CALL and RET with parameters",
    reference: "Intel SDM Vol. 2A, CALL—Call Procedure; Vol. 2B, RET—Return From Procedure",
    text: `
      mov sp, 0x9000
      push word ptr 0x1111
      push word ptr 0x2222
      call far 0xf000:.procedure
      movzx ebx, sp
      shl ebx, 16
      or eax, ebx
      jmp .end
    .procedure:
      mov bp, sp
      movzx eax, word ptr [bp+4]
      retf 4
    .end:
    `,
    expected: "90002222",
  },
  {
    name: "near jumps wrap IP at 64 KiB, also with an offset of 8 bits",
    reference: "Intel SDM Vol. 2A, JMP—Jump (operation)",
    text: `
      mov ax, 0x3000
      mov es, ax
      mov dword ptr es:[0], 0x68cb5aeb
      mov byte ptr es:[0x5c], 0xcb
      mov word ptr es:[0xfffd], 0x7feb
      mov byte ptr es:[0x7e], 0xcb
      push cs
      push word ptr .end
      jmp 0x3000:0xfffd
    .end: mov eax, 0x600d
    `,
    expected: "0000600d",
  },
  {
    name: "string moves with a segment override",
    reference: 'Intel SDM Vol. 1 §7.3.9.1, "String Instructions"',
    text: `
      mov ax, 0x2000
      mov es, ax
      mov si, .text
      xor di, di
      mov cx, 2
      cld
      cs rep movsw
      mov eax, es:[0]
      jmp .end
    .text: db "abcd"
    .end:
    `,
    expected: "64636261",
  },
  {
    name: "LGDT with an operand of 16 bits loads 24 bits of the base",
    reference: "Intel SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register",
    text: `
      mov dword ptr [0x700], 0x56780010
      mov word ptr [0x704], 0xab34
      lgdt [0x700]
      mov dword ptr [0x712], 0
      sgdt [0x710]
      mov eax, [0x712]
    `,
    expected: "00345678",
  },
  {
    name: "LAR and its kin are #UD",
    reference: "Intel SDM Vol. 2A, LAR—Load Access Rights Byte",
    text: "mov cx, 8\nlar ax, cx\nxor eax, eax",
    expected: "00000006",
  },
  {
    name: "BCD: AAM and DAA",
    reference:
      "Intel SDM Vol. 2A, AAM—ASCII Adjust AX After Multiply; DAA—Decimal Adjust AL after Addition",
    text: `
      mov eax, 0x4f
      aam 10
      mov ebx, eax
      mov al, 0x79
      add al, 0x35
      daa
      shl ebx, 16
      movzx eax, al
      or eax, ebx
    `,
    expected: "07090014",
  },
  {
    name: "a segment keeps the limit that protected mode gave it",
    reference: 'Intel SDM Vol. 3A §10.9.2, "Switching Back to Real-Address Mode"',
    text: `
      o32 lgdt cs:[gdtr]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      mov cx, 0x10
      mov fs, cx
      and al, 0xfe
      mov cr0, eax
      jmp 0xf000:.flushed
    .flushed:
      xor ax, ax
      mov fs, ax
      mov ebx, 0x200000
      mov dword ptr fs:[ebx], 0x12344321
      mov eax, fs:[ebx]
    `,
    expected: "12344321",
  },
  {
    name: "LMSW enters protected mode, and cannot leave it",
    reference: "Intel SDM Vol. 2A, LMSW—Load Machine Status Word",
    text: `
      o32 lgdt cs:[gdtr]
      smsw ax
      or al, 1
      lmsw ax
      jmp 0x18:.protected
    .protected:
      xor ax, ax
      lmsw ax
      mov ebx, cr0
      mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      jmp 0xf000:.real
    .real:
      mov eax, ebx
      and eax, 1
    `,
    expected: "00000001",
  },
  {
    name: "32-bit code and back",
    reference: 'Intel SDM Vol. 3A §10.9.1, "Switching to Protected Mode"',
    text: `
      o32 lgdt cs:[gdtr]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      jmp 0x08:.wide
    bits 32
    .wide:
      mov eax, 0x01234567
      rol eax, 8
      mov ebx, eax
      jmp 0x18:.narrow
    bits 16
    .narrow:
      mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      jmp 0xf000:.real
    .real:
      mov eax, ebx
    `,
    expected: "23456701",
  },
];

const VECTORS = 0x20;

/** Reloads what cases change, remembers where the next goes on, and prints EAX after it. */
function caseText({ text }: KernelCase, number: number): string {
  return `
    case${number}:
      xor ax, ax
      mov ds, ax
      mov ss, ax
      mov sp, 0x8000
      mov word ptr [0x600], after${number}
      ${text}
    after${number}:
      xor bx, bx
      mov ss, bx
      mov sp, 0x8000
      mov ds, bx
      call hex8
      call newline
  `;
}

function vectorStub(vector: number): string {
  return `vector${vector}: mov eax, ${vector}\njmp arrive`;
}

const numbers = Array.from({ length: VECTORS }, (_, vector) => vector);

export const realMode: Kernel = {
  topic: "Real-address mode",
  cases,
  text: `
    start:
      cli
      cld
      xor ax, ax
      mov es, ax
      xor di, di
      mov si, vectors
      mov cx, ${VECTORS}
    fill:
      cs movsw
      mov ax, 0xf000
      stosw
      loop fill
      ${cases.map(caseText).join("\n")}
      ${FINISH}
    arrive:
      xor bx, bx
      mov ds, bx
      jmp word ptr [0x600]
    ${numbers.map(vectorStub).join("\n")}
    vectors: ${numbers.map((vector) => `dw vector${vector}`).join("\n")}
    gdtr: dw 0x1f
      dd 0xf0000 + gdt
    gdt: dq 0
      dq 0x004f9b0f0000ffff
      dq 0x00cf93000000ffff
      dq 0x00009b0f0000ffff
    ${PRINTING}
  `,
};
