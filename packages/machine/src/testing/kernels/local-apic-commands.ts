/** The local APIC in memory: interrupt commands, errors, and the switch of software. */
import {
  LOCAL_APIC,
  PLACE_64,
  vector64,
  type Kernel,
  type KernelCase,
} from "@ringside/isa/testing";
import { APIC, boardKernel, MASKED, open, read, sendSelf, settle, write } from "./board-kernel.ts";

const LOCATION = 'Intel SDM Vol. 3A §11.4.4, "Local APIC Status and Location"';
const DISABLED =
  'Intel SDM Vol. 3A §11.4.7.2, "Local APIC State After It Has Been Software Disabled"';
const ERRORS = 'Intel SDM Vol. 3A §11.5.3, "Error Handling"';
const COMMAND = 'Intel SDM Vol. 3A §11.6.1, "Interrupt Command Register (ICR)"';
const LOGICAL = 'Intel SDM Vol. 3A §11.6.2.2, "Logical Destination Mode"';

/** Present, writable, not cached. */
const PAGE = 0x13;
const ALL_WITH_SELF = 0x8_4000;
const ALL_BUT_SELF = 0xc_4000;
const LOGICAL_MODE = 0x4800;
const PHYSICAL_MODE = 0x4000;

const QEMU_ERRORS = "QEMU shows errors at once, and keeps them.";
const QEMU_MASKS = "QEMU leaves the entries alone.";
const NO_ERROR_INTERRUPT = "It sets the status only.";

/** A command to a destination. */
function command(low: number, destination: number): string {
  return `${write(APIC.commandHigh, (destination << 24) >>> 0)}\n${write(APIC.command, low)}`;
}

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

export const localApicCommands: Kernel = boardKernel(
  "Commands and errors of the local APIC",
  [...commands, ...errors],
  ["handler", "end"],
);
