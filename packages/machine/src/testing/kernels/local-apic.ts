/** The local APIC in memory: acceptance, priorities, ends of interrupts. */
import { vector64, type Kernel, type KernelCase } from "@ringside/isa/testing";
import { APIC, boardKernel, END, open, read, sendSelf, settle, write } from "./board-kernel.ts";

const LOCATION = 'Intel SDM Vol. 3A §11.4.4, "Local APIC Status and Location"';
const IDENTITY = 'Intel SDM Vol. 3A §11.4.6, "Local APIC ID"';
const VERSION = 'Intel SDM Vol. 3A §11.4.8, "Local APIC Version Register"';
const VECTORS = 'Intel SDM Vol. 3A §11.5.2, "Valid Interrupt Vectors"';
const PRIORITY = 'Intel SDM Vol. 3A §11.8.3, "Interrupt, Task, and Processor Priority"';
const PRIORITIES = 'Intel SDM Vol. 3A §11.8.3.1, "Task and Processor Priorities"';
const ACCEPTANCE = 'Intel SDM Vol. 3A §11.8.4, "Interrupt Acceptance for Fixed Interrupts"';
const SERVICE = 'Intel SDM Vol. 3A §11.8.5, "Signaling Interrupt Servicing Completion"';
const CR8 = 'Intel SDM Vol. 3A §11.8.6.1, "Interaction of Task Priorities between CR8 and APIC"';

const IA32_APIC_BASE = 0x1b;
const BOCHS_COMPARES =
  "Bochs compares vectors where the manual compares classes, and then finds its request spurious.";

/** Sets the task priority; EAX marks that nothing arrived before. */
function lowerTo(priority: number): string {
  return `mov eax, 1\n${write(APIC.taskPriority, priority)}\n${open()}`;
}

const acceptance: readonly KernelCase[] = [
  {
    name: "IA32_APIC_BASE has the address, the enable flag and that of the bootstrap processor",
    reference: LOCATION,
    text: `mov ecx, ${IA32_APIC_BASE}\nrdmsr`,
    expected: "fee00900",
  },
  {
    name: "the only processor's ID is 0",
    reference: IDENTITY,
    text: read(APIC.id),
    expected: "00000000",
  },
  {
    name: "the version is that of an integrated APIC",
    reference: VERSION,
    text: `${read(APIC.version)}\nand eax, 0xff`,
    expected: "00000014",
  },
  {
    name: "an interrupt that IF holds back waits in the IRR",
    reference: ACCEPTANCE,
    text: `${sendSelf(0x31)}\nmov edx, [rbx+${APIC.request}]\n${open()}\nmov eax, edx`,
    expected: "00020000",
  },
  {
    name: "in its handler it has moved to the ISR",
    reference: ACCEPTANCE,
    text: `
      ${vector64(0x31, "handler")}
      ${sendSelf(0x31)}
      ${open()}
      jmp end
      handler:
      mov eax, [rbx+${APIC.inService}]
      or eax, [rbx+${APIC.request}]
      jmp ended
      end: nop`,
    expected: "00020000",
  },
  {
    name: "an end of interrupt clears it there",
    reference: SERVICE,
    text: `${sendSelf(0x31)}\n${open()}\nmov eax, [rbx+${APIC.inService}]\nor eax, [rbx+${APIC.request}]`,
    expected: "00000000",
  },
  {
    name: "an interrupt from the processor is edge-triggered",
    reference: ACCEPTANCE,
    text: `${sendSelf(0x31)}\n${open()}\nmov eax, [rbx+${APIC.triggerMode}]\nand eax, 0x20000`,
    expected: "00000000",
  },
  {
    name: "two requests of one vector that waits are one",
    reference: ACCEPTANCE,
    text: `${sendSelf(0x31)}\n${sendSelf(0x31)}\n${open()}`,
    expected: "00000031",
  },
  {
    name: "a second request is held while the first is in service",
    reference: ACCEPTANCE,
    text: `
      ${vector64(0x31, "handler")}
      ${sendSelf(0x31)}
      ${open()}
      jmp end
      handler:
      inc eax
      cmp eax, 1
      jne ended
      ${sendSelf(0x31)}
      jmp ended
      end: nop`,
    expected: "00000002",
  },
  {
    name: "the vectors from 16 up arrive",
    reference: VECTORS,
    text: `${sendSelf(0x1f)}\n${open()}`,
    expected: "0000001f",
  },
];

const priorities: readonly KernelCase[] = [
  {
    name: "of two classes the higher comes first",
    reference: PRIORITY,
    text: `${sendSelf(0x21)}\n${sendSelf(0x32)}\n${open()}`,
    expected: "00003221",
  },
  {
    name: "of one class the higher vector comes first",
    reference: PRIORITY,
    text: `${sendSelf(0x31)}\n${sendSelf(0x33)}\n${open()}`,
    expected: "00003331",
  },
  {
    name: "a handler is interrupted by a higher class",
    reference: PRIORITIES,
    text: `
      ${vector64(0x21, "handler")}
      ${sendSelf(0x21)}
      ${open()}
      jmp end
      handler:
      ${sendSelf(0x32)}
      ${open()}
      shl eax, 8
      mov al, 0x21
      jmp ended
      end: nop`,
    expected: "00003221",
  },
  {
    name: "a handler is not interrupted by its own class",
    reference: PRIORITIES,
    text: `
      ${vector64(0x31, "handler")}
      ${sendSelf(0x31)}
      ${open()}
      jmp end
      handler:
      ${sendSelf(0x3d)}
      ${open()}
      shl eax, 8
      mov al, 0x31
      jmp ended
      end: nop`,
    expected: "0000313d",
    bochs: { prints: "003e3d31", why: BOCHS_COMPARES },
  },
  {
    name: "an end of interrupt is for the highest in service",
    reference: SERVICE,
    text: `
      ${vector64(0x21, "handler")}
      ${vector64(0x31, "inner")}
      ${sendSelf(0x21)}
      ${open()}
      jmp end
      handler:
      ${sendSelf(0x31)}
      ${open()}
      jmp ended
      inner:
      ${write(APIC.endOfInterrupt, 0)}
      mov eax, [rbx+${APIC.inService}]
      iretq
      end: nop`,
    expected: "00000002",
  },
  {
    name: "an end of interrupt with nothing in service does nothing",
    reference: SERVICE,
    text: `${sendSelf(0x31)}\n${write(APIC.endOfInterrupt, 0)}\n${open()}`,
    expected: "00000031",
  },
  {
    name: "without it, the class stays closed",
    reference: SERVICE,
    text: `
      mov r15d, ${END.none}
      ${sendSelf(0x31)}
      ${open()}
      ${sendSelf(0x32)}
      ${open()}
      mov edx, eax
      mov r15d, ${END.apic}
      ${write(APIC.endOfInterrupt, 0)}
      ${open()}
      shl edx, 16
      or eax, edx`,
    expected: "00313132",
    bochs: { prints: "313f3e32", why: BOCHS_COMPARES },
  },
  {
    name: "the task priority holds its own class back",
    reference: PRIORITIES,
    text: `${write(APIC.taskPriority, 0x30)}\n${sendSelf(0x3d)}\n${open()}\n${lowerTo(0x20)}`,
    expected: "0000013d",
  },
  {
    name: "the sub-class of the task priority does not matter",
    reference: PRIORITIES,
    text: `${write(APIC.taskPriority, 0x2f)}\n${sendSelf(0x31)}\n${open()}`,
    expected: "00000031",
  },
  {
    name: "the processor priority is the task priority while nothing is in service",
    reference: PRIORITIES,
    text: `${write(APIC.taskPriority, 0x25)}\n${read(APIC.processorPriority)}`,
    expected: "00000025",
  },
  {
    name: "it is the class in service while that is higher",
    reference: PRIORITIES,
    text: `
      ${vector64(0x3d, "handler")}
      ${write(APIC.taskPriority, 0x25)}
      ${sendSelf(0x3d)}
      ${open()}
      jmp end
      handler:
      ${read(APIC.processorPriority)}
      jmp ended
      end: nop`,
    expected: "00000030",
  },
  {
    name: "CR8 is bits 7:4 of the task priority",
    reference: CR8,
    text: `${write(APIC.taskPriority, 0x37)}\nmov rax, cr8`,
    expected: "00000003",
  },
  {
    name: "writing CR8 clears the sub-class",
    reference: CR8,
    text: `${write(APIC.taskPriority, 0x37)}\nmov eax, 5\nmov cr8, rax\n${read(APIC.taskPriority)}`,
    expected: "00000050",
  },
  {
    name: "CR8 holds an interrupt back, and lets it go at once",
    reference: CR8,
    text: `
      mov eax, 3
      mov cr8, rax
      ${sendSelf(0x32)}
      ${open()}
      mov edx, 2
      sti
      ${settle()}
      mov eax, 1
      mov cr8, rdx
      ${settle()}
      cli`,
    expected: "00000132",
  },
  {
    name: "CR8 has four bits",
    reference: "Intel SDM Vol. 2B, MOV—Move to/from Control Registers",
    text: "mov eax, 16\nat: mov cr8, rax",
    expected: "0d 00000000 +00",
    qemu: { prints: "00000010", why: "QEMU ignores the others." },
  },
];

export const localApic: Kernel = boardKernel(
  "Local APIC",
  [...acceptance, ...priorities],
  ["handler", "end", "inner"],
);
