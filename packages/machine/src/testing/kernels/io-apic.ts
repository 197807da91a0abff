/**
 * The I/O APIC. The 8254 is the device: in mode 0 its output rises when the count is over and stays high until the
 * next control word, so that it serves as an edge and as a level.
 */
import { vector64, type Kernel, type KernelCase } from "@ringside/isa/testing";
import {
  APIC,
  awaitLog,
  awaitZero,
  boardKernel,
  IO_APIC,
  MASKED,
  open,
  settle,
  write,
} from "./board-kernel.ts";

const REGISTERS = 'Intel 82093AA §3.2, "IOAPIC Registers"';
const SELECT = 'Intel 82093AA §3.1, "Memory Mapped Registers for Accessing IOAPIC Registers"';
const TABLE = 'Intel 82093AA §3.2.4, "IOREDTBL[23:0]—I/O Redirection Table Registers"';
const END_OF_INTERRUPT = 'Intel SDM Vol. 3A §11.8.5, "Signaling Interrupt Servicing Completion"';

/** The timer's pin, and the registers of its entry. */
const PIN = 2;
const ENTRY = 0x10 + 2 * PIN;
const VECTOR = 0x36;
const LEVEL = 0x8000;
const LOGICAL = 0x800;
const NMI_MODE = 0x400;

const BOCHS_LEVEL = "Bochs has no remote IRR, and an end of interrupt does not reach its I/O APIC.";

function put(register: number, value: number): string {
  return `
    mov edi, ${IO_APIC}
    mov dword ptr [rdi], ${register}
    mov dword ptr [rdi+16], ${value}`;
}

/** Gives a register in EAX. */
function get(register: number): string {
  return `
    mov edi, ${IO_APIC}
    mov dword ptr [rdi], ${register}
    mov eax, [rdi+16]`;
}

/** The output is low, for as long as the longest count takes. Changes AL. */
const LOWER = "mov al, 0x30\nout 0x43, al\nmov al, 0xff\nout 0x40, al\nout 0x40, al";
const AGAIN = "mov al, 0x30\nout 0x43, al";
/** The output rises soon; this waits until the 8259, which has the line too, saw it. Changes EAX and ECX. */
function raise(label: string): string {
  return `
    ${AGAIN}
    mov al, 50
    out 0x40, al
    xor eax, eax
    out 0x40, al
    ${awaitZero(label, "mov al, 0x0a\nout 0x20, al\nin al, 0x20\nnot al\ntest al, 1")}
    xor eax, eax`;
}

/** A service that ends with the output low. */
const SERVE_AND_LOWER = `
  handler:
  push rax
  ${LOWER}
  pop rax
  shl eax, 8
  mov al, ${VECTOR}
  jmp ended
`;

const cases: readonly KernelCase[] = [
  {
    name: "the index register is read back",
    reference: SELECT,
    text: `mov edi, ${IO_APIC}\nmov dword ptr [rdi], 0x21\nmov eax, [rdi]\nand eax, 0xff`,
    expected: "00000021",
  },
  {
    name: "there are 24 entries",
    reference: REGISTERS,
    text: `${get(1)}\nand eax, 0xff0000`,
    expected: "00170000",
  },
  {
    name: "the ID has four bits",
    reference: REGISTERS,
    text: `${put(0, 0xffff_ffff)}\n${get(0)}\nmov edx, eax\n${put(0, 0x0100_0000)}\nmov eax, edx`,
    expected: "0f000000",
    bochs: { prints: "ff000000", why: "Bochs has the eight bits of later parts." },
  },
  {
    name: "an entry keeps what can be written",
    reference: TABLE,
    text: `${put(ENTRY, 0xffff_afff & ~0x7000)}\n${put(ENTRY + 1, 0x1200_0000)}\n${get(ENTRY + 1)}\nmov edx, eax\n${get(ENTRY)}\nand eax, 0x1ffff\nor eax, edx`,
    expected: "12018fff",
  },
  {
    name: "delivery status and remote IRR are not written",
    reference: TABLE,
    text: `${put(ENTRY, MASKED | LEVEL | 0x5000 | VECTOR)}\n${get(ENTRY)}`,
    expected: "00018036",
  },
  {
    name: "an edge interrupts",
    reference: TABLE,
    text: `${LOWER}\n${put(ENTRY, VECTOR)}\n${raise("wait")}\n${open()}`,
    expected: "00000036",
  },
  {
    name: "once",
    reference: TABLE,
    text: `${LOWER}\n${put(ENTRY, VECTOR)}\n${raise("wait")}\n${open()}\n${open()}`,
    expected: "00000036",
  },
  {
    name: "an edge at a masked entry is lost",
    reference: TABLE,
    text: `${LOWER}\n${put(ENTRY, MASKED | VECTOR)}\n${raise("wait")}\n${put(ENTRY, VECTOR)}\n${open()}`,
    expected: "00000000",
  },
  {
    name: "a level at a masked entry is not",
    reference: TABLE,
    text: `
      ${vector64(VECTOR, "handler")}
      ${LOWER}
      ${put(ENTRY, MASKED | LEVEL | VECTOR)}
      ${raise("wait")}
      ${put(ENTRY, LEVEL | VECTOR)}
      ${open()}
      jmp end
      ${SERVE_AND_LOWER}
      end: nop`,
    expected: "00000036",
  },
  {
    name: "a level interrupts again as long as it lasts",
    reference: TABLE,
    text: `
      ${vector64(VECTOR, "again")}
      ${LOWER}
      ${put(ENTRY, LEVEL | VECTOR)}
      ${raise("wait")}
      ${open()}
      ${open()}
      ${open()}
      jmp end
      again:
      inc eax
      cmp eax, 3
      jb ended
      push rax
      ${LOWER}
      pop rax
      jmp ended
      end: nop`,
    expected: "00000003",
    bochs: { prints: "00000001", why: BOCHS_LEVEL },
  },
  {
    name: "its remote IRR is set until the end of the service",
    reference: TABLE,
    text: `
      ${vector64(VECTOR, "handler")}
      ${LOWER}
      ${put(ENTRY, LEVEL | VECTOR)}
      ${raise("wait")}
      ${open()}
      mov edx, ebp
      ${get(ENTRY)}
      and eax, 0x4000
      shr eax, 4
      or eax, edx
      jmp end
      handler:
      ${get(ENTRY)}
      and eax, 0x4000
      mov ebp, eax
      ${LOWER}
      jmp ended
      end: nop`,
    expected: "00004000",
    bochs: { prints: "00000000", why: BOCHS_LEVEL },
  },
  {
    name: "the trigger mode register has the level",
    reference: 'Intel SDM Vol. 3A §11.8.4, "Interrupt Acceptance for Fixed Interrupts"',
    text: `
      ${vector64(VECTOR, "handler")}
      ${LOWER}
      ${put(ENTRY, LEVEL | VECTOR)}
      ${raise("wait")}
      ${open()}
      mov eax, ebp
      jmp end
      handler:
      mov ebp, [rbx+${APIC.triggerMode}]
      ${LOWER}
      jmp ended
      end: nop`,
    expected: "00400000",
  },
  {
    name: "a level that goes away while it waits is served all the same",
    reference: END_OF_INTERRUPT,
    text: `${LOWER}\n${put(ENTRY, LEVEL | VECTOR)}\n${raise("wait")}\n${LOWER}\nxor eax, eax\n${open()}\n${open()}`,
    expected: "00000036",
  },
  {
    name: "a logical destination",
    reference: TABLE,
    text: `
      ${write(APIC.logicalDestination, 0x0400_0000)}
      ${LOWER}
      ${put(ENTRY + 1, 0x0600_0000)}
      ${put(ENTRY, LOGICAL | VECTOR)}
      ${raise("wait")}
      ${open()}`,
    expected: "00000036",
  },
  {
    name: "a destination that is another processor's",
    reference: TABLE,
    text: `
      ${LOWER}
      ${put(ENTRY + 1, 0x0500_0000)}
      ${put(ENTRY, VECTOR)}
      ${raise("wait")}
      ${open()}`,
    expected: "00000000",
  },
  {
    name: "an entry in NMI mode sends an NMI, whatever its vector",
    reference: TABLE,
    text: `
      ${vector64(2, "handler")}
      ${LOWER}
      xor ebp, ebp
      ${put(ENTRY, NMI_MODE | VECTOR)}
      ${raise("wait")}
      ${settle()}
      mov eax, ebp
      jmp end
      handler:
      mov ebp, 1
      iretq
      end: nop`,
    expected: "00000001",
  },
  {
    name: "an NMI wakes a processor that halts with IF clear",
    reference: "Intel SDM Vol. 2A, HLT—Halt",
    text: `
      ${vector64(2, "handler")}
      ${LOWER}
      ${put(ENTRY, NMI_MODE | VECTOR)}
      xor ebp, ebp
      ${AGAIN}
      mov al, 0x10
      out 0x40, al
      mov al, 0x10
      out 0x40, al
      hlt
      mov eax, ebp
      jmp end
      handler:
      mov ebp, 0x600d
      iretq
      end: nop`,
    expected: "0000600d",
  },
  {
    name: "HLT ends with the timer's interrupt",
    reference: "Intel SDM Vol. 2A, HLT—Halt",
    text: `
      ${LOWER}
      ${put(ENTRY, VECTOR)}
      ${AGAIN}
      mov al, 0x10
      out 0x40, al
      mov al, 0x10
      out 0x40, al
      xor eax, eax
      sti
      hlt
      cli`,
    expected: "00000036",
  },
  {
    name: "and a loop with interrupts on meets it too",
    reference: TABLE,
    text: `
      ${LOWER}
      ${put(ENTRY, VECTOR)}
      ${AGAIN}
      mov al, 0x10
      out 0x40, al
      mov al, 0x10
      out 0x40, al
      xor eax, eax
      ${awaitLog("wait")}`,
    expected: "00000036",
  },
];

export const ioApic: Kernel = boardKernel("I/O APIC", cases, [
  "handler",
  "again",
  "end",
  "wait",
  "waitOver",
]);
