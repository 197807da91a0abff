/** When interrupts arrive: behind STI and MOV SS, in HLT, and what a task priority or an NMI changes. */
import {
  PLACE_64,
  SEGMENT_64,
  vector64,
  type Kernel,
  type KernelCase,
} from "@ringside/isa/testing";
import { APIC, boardKernel, open, sendSelf, settle, write } from "./board-kernel.ts";

const STI = "Intel SDM Vol. 2B, STI—Set Interrupt Flag";
const MOV = "Intel SDM Vol. 2B, MOV—Move";
const HLT = "Intel SDM Vol. 2A, HLT—Halt";
const MASKING = 'Intel SDM Vol. 3A §6.8.1, "Masking Maskable Hardware Interrupts"';
const STACKS =
  'Intel SDM Vol. 3A §6.8.3, "Masking Exceptions and Interrupts When Switching Stacks"';
const PRIORITY =
  'Intel SDM Vol. 3A §6.9, "Prioritization of Concurrent Events" (table "Priority Among Concurrent Events")';
const VECTOR = 0x31;

/** A handler that gives the low byte of ECX, and the code around it. */
function counted(text: string): string {
  return `
    ${vector64(VECTOR, "handler")}
    xor ecx, ecx
    ${sendSelf(VECTOR)}
    ${text}
    cli
    jmp end
    handler:
    shl eax, 8
    mov al, cl
    or al, 0x80
    jmp ended
    end: nop`;
}

const cases: readonly KernelCase[] = [
  {
    name: "STI lets one instruction pass",
    reference: STI,
    text: counted("sti\ninc ecx\ninc ecx\ninc ecx"),
    expected: "00000081",
  },
  {
    name: "not when IF is set already",
    reference: STI,
    text: counted(
      `sti\nnop\nxor ecx, ecx\n${write(APIC.taskPriority, 0xf0)}\n${sendSelf(VECTOR)}\nsti\n${write(APIC.taskPriority, 0)}\n${settle()}\ninc ecx\nshl eax, 0`,
    ),
    expected: "00008080",
  },
  {
    name: "STI and CLI let nothing through",
    reference: STI,
    text: `${sendSelf(VECTOR)}\nsti\ncli\nnop\nnop\nmov edx, eax\n${open()}\nmov eax, edx`,
    expected: "00000000",
  },
  {
    name: "STI and HLT do not miss an interrupt that waits",
    reference: HLT,
    text: counted("sti\nhlt\ninc ecx"),
    expected: "00000080",
  },
  {
    name: "behind HLT the handler returns to the next instruction",
    reference: HLT,
    text: `
      ${vector64(VECTOR, "handler")}
      ${sendSelf(VECTOR)}
      sti
      hlt
      back:
      cli
      jmp end
      handler:
      mov eax, [rsp]
      sub eax, back
      sub eax, -0x77
      jmp ended
      end: nop`,
    expected: "00000077",
  },
  {
    name: "POPFQ that sets IF lets nothing pass",
    reference: MASKING,
    text: counted("push 0x202\npopfq\ninc ecx\ninc ecx"),
    expected: "00000080",
  },
  {
    name: "IRETQ that sets IF neither",
    reference: MASKING,
    text: counted(`
      mov rdx, rsp
      push ${SEGMENT_64.data}
      push rdx
      push 0x202
      push ${SEGMENT_64.code}
      push back
      iretq
      back:
      inc ecx
      inc ecx`),
    expected: "00000080",
  },
  {
    name: "MOV to SS lets no single step come before the next instruction",
    reference: STACKS,
    text: `
      ${vector64(1, "handler")}
      mov edx, ss
      xor ecx, ecx
      push 0x102
      popfq
      mov ss, edx
      inc ecx
      jmp end
      handler:
      shl eax, 8
      mov al, cl
      or al, 0x80
      and qword ptr [rsp+16], -0x101
      iretq
      end: nop`,
    expected: "00000081",
  },
  {
    name: "a breakpoint on what MOV to SS reads comes behind the next instruction",
    reference: MOV,
    text: `
      ${vector64(1, "handler")}
      mov dword ptr [${PLACE_64.data}], ${SEGMENT_64.data}
      mov eax, ${PLACE_64.data}
      mov dr0, rax
      mov eax, 0xf0401
      mov dr7, rax
      xor eax, eax
      xor ecx, ecx
      mov ss, [${PLACE_64.data}]
      inc ecx
      inc ecx
      xor edx, edx
      mov dr7, rdx
      jmp end
      handler:
      shl eax, 8
      mov al, cl
      or al, 0x80
      iretq
      end: nop`,
    expected: "00000081",
    qemu: { prints: "00000080", why: "QEMU holds no breakpoint back." },
  },
  {
    name: "of an NMI and an interrupt the NMI comes first",
    reference: PRIORITY,
    text: `
      ${vector64(2, "handler")}
      ${write(APIC.taskPriority, 0xf0)}
      ${sendSelf(VECTOR)}
      xor ecx, ecx
      mov dword ptr [rbx+${APIC.commandHigh}], 0
      sti
      mov dword ptr [rbx+${APIC.command}], 0x4400
      ${settle()}
      ${write(APIC.taskPriority, 0)}
      ${settle()}
      cli
      jmp end
      handler:
      shl eax, 8
      mov al, 2
      iretq
      end: nop`,
    expected: "00000231",
  },
  {
    name: "a fault in the instruction behind STI comes before the interrupt",
    reference: PRIORITY,
    text: `
      ${vector64(6, "handler")}
      ${sendSelf(VECTOR)}
      sti
      ud2
      back:
      cli
      jmp end
      handler:
      shl eax, 8
      mov al, 6
      mov qword ptr [rsp], back
      iretq
      end: nop`,
    expected: "00000631",
  },
  {
    name: "the trap of a single step comes before the interrupt",
    reference: PRIORITY,
    text: `
      ${vector64(1, "handler")}
      xor edx, edx
      mov eax, 15
      mov cr8, rax
      xor eax, eax
      ${sendSelf(VECTOR)}
      push 0x302
      popfq
      mov cr8, rdx
      nop
      cli
      jmp end
      handler:
      shl eax, 8
      mov al, 1
      and qword ptr [rsp+16], -0x101
      iretq
      end: nop`,
    expected: "00000131",
  },
  {
    name: "an interrupt clears TF and NT for its handler, and IRETQ brings them back",
    reference:
      'Intel SDM Vol. 3A §6.12.1.3, "Flag Usage By Exception- or Interrupt-Handler Procedure"',
    text: `
      ${vector64(VECTOR, "handler")}
      ${sendSelf(VECTOR)}
      push 0x4202
      popfq
      nop
      pushfq
      pop rdx
      cli
      and edx, 0x4200
      shl edx, 16
      or eax, edx
      push 2
      popfq
      jmp end
      handler:
      pushfq
      pop rax
      and eax, 0x4300
      jmp ended
      end: nop`,
    expected: "42000000",
  },
];

export const arrival: Kernel = boardKernel("Arrival of interrupts", cases, [
  "handler",
  "end",
  "back",
]);
