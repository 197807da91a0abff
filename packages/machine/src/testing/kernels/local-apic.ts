/** The local APIC in memory: acceptance, priorities, ends of interrupts, commands, errors. */
import {
  LOCAL_APIC,
  PLACE_64,
  vector64,
  type Kernel,
  type KernelCase,
} from "@ringside/isa/testing";
import {
  APIC,
  boardKernel,
  END,
  MASKED,
  open,
  read,
  sendSelf,
  settle,
  write,
} from "./board-kernel.ts";

const LOCATION = 'Intel SDM Vol. 3A §11.4.4, "Local APIC Status and Location"';
const IDENTITY = 'Intel SDM Vol. 3A §11.4.6, "Local APIC ID"';
const DISABLED =
  'Intel SDM Vol. 3A §11.4.7.2, "Local APIC State After It Has Been Software Disabled"';
const VERSION = 'Intel SDM Vol. 3A §11.4.8, "Local APIC Version Register"';
const VECTORS = 'Intel SDM Vol. 3A §11.5.2, "Valid Interrupt Vectors"';
const ERRORS = 'Intel SDM Vol. 3A §11.5.3, "Error Handling"';
const COMMAND = 'Intel SDM Vol. 3A §11.6.1, "Interrupt Command Register (ICR)"';
const LOGICAL = 'Intel SDM Vol. 3A §11.6.2.2, "Logical Destination Mode"';
const PRIORITY = 'Intel SDM Vol. 3A §11.8.3, "Interrupt, Task, and Processor Priority"';
const PRIORITIES = 'Intel SDM Vol. 3A §11.8.3.1, "Task and Processor Priorities"';
const ACCEPTANCE = 'Intel SDM Vol. 3A §11.8.4, "Interrupt Acceptance for Fixed Interrupts"';
const SERVICE = 'Intel SDM Vol. 3A §11.8.5, "Signaling Interrupt Servicing Completion"';
const CR8 = 'Intel SDM Vol. 3A §11.8.6.1, "Interaction of Task Priorities between CR8 and APIC"';

const IA32_APIC_BASE = 0x1b;
/** Present, writable, not cached. */
const PAGE = 0x13;
const ALL_WITH_SELF = 0x8_4000;
const ALL_BUT_SELF = 0xc_4000;
const LOGICAL_MODE = 0x4800;
const PHYSICAL_MODE = 0x4000;

const BOCHS_COMPARES =
  "Bochs compares vectors where the manual compares classes, and then finds its request spurious.";
const QEMU_ERRORS = "QEMU shows errors at once, and keeps them.";
const QEMU_MASKS = "QEMU leaves the entries alone.";
const NO_ERROR_INTERRUPT = "It sets the status only.";

/** A command to a destination. */
function command(low: number, destination: number): string {
  return `${write(APIC.commandHigh, (destination << 24) >>> 0)}\n${write(APIC.command, low)}`;
}

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

const commands: readonly KernelCase[] = [
  {
    name: "a command to the own ID",
    reference: COMMAND,
    text: `${command(PHYSICAL_MODE | 0x31, 0)}\n${open()}`,
    expected: "00000031",
  },
  {
    name: "a command to another ID does not arrive here",
    reference: COMMAND,
    text: `${command(PHYSICAL_MODE | 0x31, 7)}\n${open()}`,
    expected: "00000000",
  },
  {
    name: "a command to all",
    reference: COMMAND,
    text: `${write(APIC.command, ALL_WITH_SELF | 0x31)}\n${open()}`,
    expected: "00000031",
  },
  {
    name: "a command to all but the own processor",
    reference: COMMAND,
    text: `${write(APIC.command, ALL_BUT_SELF | 0x31)}\n${open()}`,
    expected: "00000000",
  },
  {
    name: "a logical destination of the flat model is a set",
    reference: LOGICAL,
    text: `${write(APIC.logicalDestination, 0x0400_0000)}\n${command(LOGICAL_MODE | 0x31, 0x06)}\n${open()}`,
    expected: "00000031",
  },
  {
    name: "a set without this processor",
    reference: LOGICAL,
    text: `${write(APIC.logicalDestination, 0x0400_0000)}\n${command(LOGICAL_MODE | 0x31, 0x0b)}\n${open()}`,
    expected: "00000000",
  },
  {
    name: "in the cluster model the upper half names a cluster",
    reference: LOGICAL,
    text: `
      ${write(APIC.destinationFormat, 0x0fff_ffff)}
      ${write(APIC.logicalDestination, 0x2400_0000)}
      ${command(LOGICAL_MODE | 0x31, 0x14)}
      ${open()}
      ${command(LOGICAL_MODE | 0x32, 0x25)}
      ${open()}`,
    expected: "00000032",
  },
  {
    name: "an NMI comes with IF clear, to vector 2 whatever the command says",
    reference: COMMAND,
    text: `
      ${vector64(2, "handler")}
      ${command(PHYSICAL_MODE | 0x431, 0)}
      ${settle()}
      jmp end
      handler:
      mov eax, 2
      iretq
      end: nop`,
    expected: "00000002",
  },
  {
    name: "the upper half of the command is kept",
    reference: COMMAND,
    text: `${write(APIC.commandHigh, 0x0700_0000)}\n${read(APIC.commandHigh)}`,
    expected: "07000000",
  },
];

const errors: readonly KernelCase[] = [
  {
    name: "a register that is not there is an error",
    reference: ERRORS,
    text: `${read(0x40)}\n${write(APIC.error, 0)}\n${read(APIC.error)}`,
    expected: "00000080",
  },
  {
    name: "the error status shows what was there when it was written",
    reference: ERRORS,
    text: `${read(0x40)}\n${read(APIC.error)}`,
    expected: "00000000",
    qemu: { prints: "00000080", why: QEMU_ERRORS },
  },
  {
    name: "a second write clears it",
    reference: ERRORS,
    text: `${read(0x40)}\n${write(APIC.error, 0)}\n${write(APIC.error, 0)}\n${read(APIC.error)}`,
    expected: "00000000",
    qemu: { prints: "00000080", why: QEMU_ERRORS },
  },
  {
    name: "an error interrupts through its entry",
    reference: ERRORS,
    text: `${write(APIC.errorVector, 0x34)}\nmov ecx, [rbx+0x40]\n${open()}`,
    expected: "00000034",
    qemu: { prints: "00000000", why: NO_ERROR_INTERRUPT },
    bochs: { prints: "00000000", why: NO_ERROR_INTERRUPT },
  },
  {
    name: "a masked entry does not",
    reference: ERRORS,
    text: `${write(APIC.errorVector, MASKED | 0x34)}\nmov ecx, [rbx+0x40]\n${open()}`,
    expected: "00000000",
  },
  {
    name: "disabled by software it masks the entries of the local vector table",
    reference: DISABLED,
    text: `${write(APIC.errorVector, 0x34)}\n${write(APIC.spurious, 0x3e)}\n${read(APIC.errorVector)}`,
    expected: "00010034",
    qemu: { prints: "00000034", why: QEMU_MASKS },
  },
  {
    name: "and they cannot be unmasked",
    reference: DISABLED,
    text: `${write(APIC.spurious, 0x3e)}\n${write(APIC.errorVector, 0x34)}\n${read(APIC.errorVector)}`,
    expected: "00010034",
    qemu: { prints: "00000034", why: QEMU_MASKS },
  },
  {
    name: "the spurious vector is kept",
    reference: 'Intel SDM Vol. 3A §11.9, "Spurious Interrupt"',
    text: read(APIC.spurious),
    expected: "0000013e",
  },
  {
    name: "a page of the registers is mapped like any other",
    reference: LOCATION,
    text: `
      mov eax, ${LOCAL_APIC + PAGE}
      mov [${PLACE_64.table}], rax
      invlpg [${PLACE_64.pages}]
      mov dword ptr [${PLACE_64.pages + APIC.taskPriority}], 0x20
      ${read(APIC.taskPriority)}`,
    expected: "00000020",
  },
  // The last, because QEMU takes the vector for a good one, and keeps it.
  {
    name: "sending a vector below 16 is an error",
    reference: ERRORS,
    text: `${sendSelf(0x0f)}\n${write(APIC.error, 0)}\n${read(APIC.error)}\nand eax, 0x20`,
    expected: "00000020",
    qemu: { prints: "00000000", why: "QEMU sends it." },
    bochs: { prints: "00000000", why: "Bochs takes it for one that was received." },
  },
];

export const localApic: Kernel = boardKernel(
  "Local APIC",
  [...acceptance, ...priorities, ...commands, ...errors],
  ["handler", "end", "inner"],
);
