/** A guest that is never in IA-32e mode: what the hypervisor does for it is right in protected and real mode, too. */
import { assemble } from "@ringside/isa";
import { Host, type Guest } from "@ringside/strategy";
import { expect, test } from "vitest";
import { vtx } from "./index.ts";

const memoryBytes = 4 << 20;
const base = 0x1_0000;

/** A Multiboot kernel, loaded where real mode reaches it. */
function multiboot(source: string): Guest {
  const { bytes } = assemble(
    `
      bits 32
      magic equ 0x1badb002
      flags equ 0x10000
      dd magic, flags, 0x100000000 - magic - flags
      dd ${base}, ${base}, 0, 0, ${base + 32}
      ${source}
    `,
    { mode: 32, address: BigInt(base) },
  );
  return { kind: "kernel", format: "multiboot", image: bytes, commandLine: "", memoryBytes };
}

function run(source: string): { readonly exit: unknown; readonly log: string } {
  let log = "";
  using machine = vtx.create(
    Host.create({ memoryBytes: memoryBytes + (1 << 20) }),
    multiboot(source),
    {
      output: { log: (bytes) => (log += new TextDecoder().decode(bytes)) },
    },
  );
  machine.input.end();
  return { exit: machine.run(1_000_000), log };
}

/** Device memory and strings of port accesses are emulated; the APIC keeps what is written to its spurious vector. */
const useDevices = `
      mov edi, 0xfee000f0
      mov dword [edi], 0x1ff
      mov eax, [edi]
      cmp eax, 0x1ff
      jne failed
      mov esi, text
      mov edx, 0xe9
      mov ecx, 3
      cld
      rep outsb
`;

test("uses devices in protected mode, without paging and with 4-MByte pages, and in real mode", () => {
  const { exit, log } = run(`
      mov esp, 0x8000
      ${useDevices}
      ; one to one: all RAM, and the APIC's 4 MBytes
      mov dword [0x9000], 0x83
      mov dword [0x9fec], 0xfec00083
      mov eax, cr4
      or eax, 0x10
      mov cr4, eax
      mov eax, 0x9000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      ${useDevices}
      mov eax, cr0
      and eax, 0x7fffffff
      mov cr0, eax
      lgdt [gdt_register]
      db 0xea
      dd narrow - ${base}
      dw 0x08
    narrow:
      bits 16
      mov ax, 0x10
      mov ds, ax
      mov es, ax
      mov ss, ax
      mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      db 0xea
      dw real - ${base}, ${base >> 4}
    real:
      mov ax, ${base >> 4}
      mov ds, ax
      xor ax, ax
      mov ss, ax
      mov sp, 0x8000
      mov si, text - ${base}
      mov dx, 0xe9
      mov cx, 3
      cld
      rep outsb
      mov ax, 7
      mov dx, 0xf4
      out dx, ax
      hlt
    bits 32
    failed:
      hlt
    text:
      db 0x6f, 0x6b, 0x0a
    align 8
    gdt:
      dq 0, 0x00009b010000ffff, 0x000093010000ffff
    gdt_register:
      dw 23
      dd gdt
  `);
  expect(log).toBe("ok\nok\nok\n");
  expect(exit).toEqual({ reason: "halted", value: 7 });
});

test("takes interrupts of its devices in real mode", () => {
  const { exit, log } = run(`
      lgdt [gdt_register]
      db 0xea
      dd narrow - ${base}
      dw 0x08
    narrow:
      bits 16
      mov eax, cr0
      and al, 0xfe
      mov cr0, eax
      db 0xea
      dw real - ${base}, ${base >> 4}
    real:
      xor ax, ax
      mov ss, ax
      mov ds, ax
      mov sp, 0x8000
      lidt [cs:vectors - ${base}]
      ; IRQ 0 is vector 8 of the 8259, as a BIOS leaves it
      mov word [0x20], tick - ${base}
      mov word [0x22], ${base >> 4}
      mov al, 0x11
      out 0x20, al
      mov al, 8
      out 0x21, al
      mov al, 4
      out 0x21, al
      mov al, 1
      out 0x21, al
      mov al, 0xfe
      out 0x21, al
      mov al, 0x34
      out 0x43, al
      mov al, 0
      out 0x40, al
      mov al, 4
      out 0x40, al
      xor bx, bx
      sti
    wait:
      hlt
      cmp bx, 3
      jb wait
      mov ax, bx
      mov dx, 0xf4
      out dx, ax
      cli
      hlt
    tick:
      inc bx
      mov al, 0x20
      out 0x20, al
      iret
    align 8
    gdt:
      dq 0, 0x00009b010000ffff
    gdt_register:
      dw 15
      dd gdt
    vectors:
      dw 0x3ff
      dd 0
  `);
  expect(log).toBe("");
  expect(exit).toEqual({ reason: "halted", value: 3 });
});

test("switches tasks for it: by CALL and IRET, and by a task gate in the IDT", () => {
  const { exit, log } = run(`
      mov esp, 0x8000
      lgdt [gdt_register]
      db 0xea
      dd flat
      dw 0x08
    flat:
      mov eax, 0x10
      mov ds, eax
      mov es, eax
      mov ss, eax
      mov ax, 0x18
      ltr ax
      mov dword [second + 32], task
      mov dword [second + 36], 2
      mov dword [second + 56], 0x7000
      mov dword [second + 72], 0x10
      mov dword [second + 76], 0x08
      mov dword [second + 80], 0x10
      mov dword [second + 84], 0x10
      mov dword [0x9030], 0x00200000
      mov dword [0x9034], 0x00008500
      lidt [idt_register]
      mov ebx, 0x1234
      db 0x9a
      dd 0
      dw 0x20
      mov al, 0x61
      out 0xe9, al
      ud2
      mov al, 0x63
      out 0xe9, al
      cmp ebx, 0x1234
      jne failed
      mov eax, 9
      out 0xf4, eax
    failed:
      hlt
    task:
      mov al, 0x62
      out 0xe9, al
      mov ebx, 0
      iret
      ; the task goes on here when it is entered again: behind UD2
      mov al, 0x64
      out 0xe9, al
      add dword [first + 32], 2
      iret
    align 8
    gdt:
      dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
      dw 0x67, first - ${base}
      db 1, 0x89, 0, 0
      dw 0x67, second - ${base}
      db 1, 0x89, 0, 0
    gdt_register:
      dw 39
      dd gdt
    idt_register:
      dw 0x7ff
      dd 0x9000
    align 8
    first:
      resb 104
    second:
      resb 104
  `);
  expect(log).toBe("badc");
  expect(exit).toEqual({ reason: "halted", value: 9 });
});
