/** The local APIC in x2APIC mode, and the deadline of its timer. */
import { defaultProfile } from "@ringside/isa";
import { type Kernel, type KernelCase } from "@ringside/isa/testing";
import { awaitLog, boardKernel, END, MASKED, open } from "./board-kernel.ts";

const ENABLING = 'Intel SDM Vol. 3A §11.12.1, "Detecting and Enabling x2APIC Mode"';
const ADDRESSES = 'Intel SDM Vol. 3A §11.12.1.2, "x2APIC Register Address Space"';
const RESERVED = 'Intel SDM Vol. 3A §11.12.1.3, "Reserved Bit Checking"';
const STATES = 'Intel SDM Vol. 3A §11.12.5, "x2APIC State Transitions"';
const COMMAND = 'Intel SDM Vol. 3A §11.12.9, "ICR Operation in x2APIC Mode"';
const IDENTITY =
  'Intel SDM Vol. 3A §11.12.10.2, "Deriving Logical x2APIC ID from the Local x2APIC ID"';
const SELF = 'Intel SDM Vol. 3A §11.12.11, "SELF IPI Register"';
const DEADLINE = 'Intel SDM Vol. 3A §11.5.4.1, "TSC-Deadline Mode"';

const BASE = 0x1b;
const [DISABLED, XAPIC, BOTH, EXTENDED_ONLY] = [
  0xfee0_0100, 0xfee0_0900, 0xfee0_0d00, 0xfee0_0500,
] as const;
const MSR = {
  id: 0x802,
  version: 0x803,
  taskPriority: 0x808,
  processorPriority: 0x80a,
  endOfInterrupt: 0x80b,
  logicalId: 0x80d,
  destinationFormat: 0x80e,
  spurious: 0x80f,
  inService: 0x811,
  request: 0x821,
  error: 0x828,
  command: 0x830,
  commandHigh: 0x831,
  timer: 0x832,
  errorVector: 0x837,
  initialCount: 0x838,
  currentCount: 0x839,
  divide: 0x83e,
  self: 0x83f,
  deadline: 0x6e0,
} as const;
const VECTOR = 0x35;
const DEADLINE_MODE = 0x4_0000;
const NO_CHECK = "Bochs checks reserved bits of few registers.";

function write(msr: number, low: number, high = 0): string {
  return `mov ecx, ${msr}\nmov eax, ${low}\nmov edx, ${high}\nat: wrmsr`;
}

/** The same where a case has its `at` elsewhere. */
function set(msr: number, low: number, high = 0): string {
  return write(msr, low, high).replace("at: ", "");
}

function read(msr: number): string {
  return `mov ecx, ${msr}\nat: rdmsr`;
}

function get(msr: number): string {
  return `mov ecx, ${msr}\nrdmsr`;
}

const NEVER_AGAIN = "Bochs does not enable its APIC again.";

const NOTHING_YET = "xor eax, eax";
const FAULTS = "0d 00000000 +00";

function faults(name: string, reference: string, text: string): KernelCase {
  return { name, reference, text, expected: FAULTS };
}

/** Handlers end by MSR: the service of `vector` ends when the log has it. */
function taken(text: string): string {
  return `mov r15d, ${END.none}\n${text}\n${NOTHING_YET}\n${open()}\nmov esi, eax\n${set(MSR.endOfInterrupt, 0)}\nmov eax, esi`;
}

/** The timer is due 20000 ticks from now; the log is in ESI. */
const REACHED = `
  ${set(MSR.timer, DEADLINE_MODE | VECTOR)}
  mov r15d, ${END.none}
  rdtsc
  add eax, 20000
  adc edx, 0
  mov ecx, ${MSR.deadline}
  wrmsr
  ${NOTHING_YET}
  ${awaitLog("wait")}
  mov esi, eax
  ${set(MSR.endOfInterrupt, 0)}
`;

const modes: readonly KernelCase[] = [
  {
    name: "IA32_APIC_BASE shows the mode",
    reference: ENABLING,
    text: get(BASE),
    expected: "fee00d00",
  },
  faults("x2APIC mode without the enable flag is #GP(0)", STATES, write(BASE, EXTENDED_ONLY)),
  faults("from x2APIC mode there is no way to xAPIC mode", STATES, write(BASE, XAPIC)),
];

const registers: readonly KernelCase[] = [
  { name: "the ID has 32 bits", reference: ADDRESSES, text: get(MSR.id), expected: "00000000" },
  faults("it is not written", ADDRESSES, write(MSR.id, 0)),
  {
    name: "the logical ID follows from it: a bit of sixteen in a cluster",
    reference: IDENTITY,
    text: get(MSR.logicalId),
    expected: "00000001",
  },
  faults("it is not written either", ADDRESSES, write(MSR.logicalId, 1)),
  faults("there is no destination format", ADDRESSES, read(MSR.destinationFormat)),
  faults("there is no upper half of the command", ADDRESSES, read(MSR.commandHigh)),
  faults("an address without a register", ADDRESSES, read(0x804)),
  faults("the end of interrupt is not read", ADDRESSES, read(MSR.endOfInterrupt)),
  faults("only 0 is written to it", RESERVED, write(MSR.endOfInterrupt, 1)),
  faults("only 0 is written to the error status", RESERVED, write(MSR.error, 1)),
  faults("the task priority has 8 bits", RESERVED, write(MSR.taskPriority, 0x100)),
  faults("and no upper half", RESERVED, write(MSR.taskPriority, 0, 1)),
  faults("the processor priority is not written", ADDRESSES, write(MSR.processorPriority, 0)),
  faults("the ISR is not written", ADDRESSES, write(MSR.inService, 0)),
  faults("the current count is not written", ADDRESSES, write(MSR.currentCount, 0)),
  {
    ...faults(
      "an entry of the local vector table has reserved bits",
      RESERVED,
      write(MSR.errorVector, 0x80_0000),
    ),
    bochs: { prints: "00800000", why: NO_CHECK },
  },
  {
    ...faults("the divide configuration too", RESERVED, write(MSR.divide, 0x4)),
    bochs: { prints: "00000004", why: NO_CHECK },
  },
  {
    name: "CR8 is bits 7:4 of the task priority",
    reference: 'Intel SDM Vol. 3A §11.8.6.1, "Interaction of Task Priorities between CR8 and APIC"',
    text: `mov eax, 6\nmov cr8, rax\n${get(MSR.taskPriority)}`,
    expected: "00000060",
  },
];

const interrupts: readonly KernelCase[] = [
  {
    name: "the processor interrupts itself by one write",
    reference: SELF,
    text: taken(set(MSR.self, 0x31)),
    expected: "00000031",
  },
  faults("that register is not read", SELF, read(MSR.self)),
  {
    ...faults("its vector has 8 bits", SELF, write(MSR.self, 0x131)),
    bochs: { prints: "00000131", why: NO_CHECK },
  },
  {
    name: "the request waits in the IRR",
    reference: ADDRESSES,
    text: `${set(MSR.self, 0x31)}\n${get(MSR.request)}\nmov edi, eax\n${taken("")}\nmov eax, edi`,
    expected: "00020000",
  },
  {
    name: "a command of 64 bits has the destination in its upper half",
    reference: COMMAND,
    text: taken(set(MSR.command, 0x31, 0)),
    expected: "00000031",
  },
  {
    name: "a command to another processor",
    reference: COMMAND,
    text: taken(set(MSR.command, 0x31, 7)),
    expected: "00000000",
  },
  {
    name: "a command to all, by its destination",
    reference: COMMAND,
    text: taken(set(MSR.command, 0x31, 0xffff_ffff)),
    expected: "00000031",
  },
  {
    name: "a command to a logical ID",
    reference: IDENTITY,
    text: taken(set(MSR.command, 0x831, 1)),
    expected: "00000031",
  },
  {
    name: "a logical ID of another cluster",
    reference: IDENTITY,
    text: taken(set(MSR.command, 0x831, 0x1_0001)),
    expected: "00000000",
  },
  {
    name: "a command is read back as it was written",
    reference: COMMAND,
    text: `${taken(set(MSR.command, 0x31, 7))}\n${get(MSR.command)}\nshl edx, 8\nor eax, edx`,
    expected: "00000731",
    bochs: { prints: "00000000", why: "Bochs keeps no command." },
  },
  {
    ...faults("a command has reserved bits", RESERVED, write(MSR.command, 0x10_0031, 7)),
    bochs: { prints: "00100031", why: NO_CHECK },
  },
];

const deadlines: readonly KernelCase[] = [
  {
    name: "at its deadline the timer interrupts",
    reference: DEADLINE,
    text: `${REACHED}\nmov eax, esi`,
    expected: "00000035",
  },
  {
    name: "and is disarmed",
    reference: DEADLINE,
    text: `${REACHED}\n${get(MSR.deadline)}\nor edx, eax\nsetnz al\nmovzx eax, al`,
    expected: "00000000",
    bochs: { prints: "00000001", why: "Bochs leaves the deadline as it was written." },
  },
  {
    name: "a deadline that has passed is due at once",
    reference: DEADLINE,
    text: `
      ${set(MSR.timer, DEADLINE_MODE | VECTOR)}
      mov r15d, ${END.none}
      ${set(MSR.deadline, 1)}
      ${NOTHING_YET}
      ${awaitLog("wait")}
      mov esi, eax
      ${set(MSR.endOfInterrupt, 0)}
      mov eax, esi`,
    expected: "00000035",
  },
  {
    name: "a deadline of 0 disarms it",
    reference: DEADLINE,
    text: `
      ${set(MSR.timer, DEADLINE_MODE | VECTOR)}
      ${set(MSR.deadline, 0xffff_ffff, 0x7fff)}
      ${set(MSR.deadline, 0)}
      ${get(MSR.deadline)}
      or eax, edx`,
    expected: "00000000",
  },
  {
    name: "a deadline ahead is read back",
    reference: DEADLINE,
    text: `
      ${set(MSR.timer, DEADLINE_MODE | MASKED | VECTOR)}
      ${set(MSR.deadline, 0x89ab_cdef, 0x4567)}
      ${get(MSR.deadline)}
      xor eax, edx`,
    expected: "89ab8888",
  },
  {
    name: "in the other modes writes of the deadline are ignored",
    reference: DEADLINE,
    text: `
      ${set(MSR.timer, MASKED | VECTOR)}
      ${set(MSR.deadline, 0x89ab_cdef, 0x4567)}
      ${get(MSR.deadline)}
      or eax, edx`,
    expected: "00000000",
  },
  {
    name: "in deadline mode writes of the initial count are ignored",
    reference: DEADLINE,
    text: `
      ${set(MSR.timer, DEADLINE_MODE | MASKED | VECTOR)}
      ${set(MSR.initialCount, 1000)}
      ${get(MSR.initialCount)}`,
    expected: "00000000",
  },
  {
    name: "a change of mode disarms it",
    reference: DEADLINE,
    text: `
      ${set(MSR.timer, DEADLINE_MODE | MASKED | VECTOR)}
      ${set(MSR.deadline, 0x89ab_cdef, 0x4567)}
      ${set(MSR.timer, MASKED | VECTOR)}
      ${set(MSR.timer, DEADLINE_MODE | MASKED | VECTOR)}
      ${get(MSR.deadline)}
      or eax, edx`,
    expected: "00000000",
    bochs: { prints: "89abcdef", why: "Bochs keeps the deadline." },
  },
];

/** What switches the APIC off: nothing follows that needs it. */
const switches: readonly KernelCase[] = [
  {
    name: "while it is disabled, CPUID does not report it",
    reference: 'Intel SDM Vol. 3A §11.4.3, "Enabling or Disabling the Local APIC"',
    text: `
      ${set(BASE, DISABLED)}
      mov eax, 1
      cpuid
      mov esi, edx
      ${set(BASE, XAPIC)}
      mov eax, esi
      and eax, 0x200`,
    expected: "00000000",
  },
  {
    ...faults(
      "by way of disabled it comes to xAPIC mode, where the registers are no MSRs",
      STATES,
      `${set(BASE, DISABLED)}\n${set(BASE, XAPIC)}\n${read(MSR.version)}`,
    ),
    bochs: { prints: "0d 00000000 +80", why: NEVER_AGAIN },
  },
  {
    ...faults(
      "from disabled there is no way to x2APIC mode",
      STATES,
      `${set(BASE, DISABLED)}\n${write(BASE, BOTH)}`,
    ),
    bochs: { prints: "0d 00000000 +87", why: NEVER_AGAIN },
  },
];

/** x2APIC mode if it is not there yet, and silence by MSRs: the registers in memory are gone. */
const EACH = `
  ${set(BASE, BOTH)}
  ${set(MSR.spurious, 0x13e)}
  ${set(MSR.initialCount, 0)}
  ${set(MSR.timer, MASKED)}
  ${set(MSR.errorVector, MASKED)}
  ${set(MSR.taskPriority, 0)}
  ${set(MSR.endOfInterrupt, 0)}
  xor eax, eax
`;

export const x2Apic: Kernel = boardKernel(
  "x2APIC mode and the deadline of the timer",
  [...modes, ...registers, ...interrupts, ...deadlines, ...switches],
  ["wait", "waitOver"],
  {
    each: EACH,
    profile: {
      ...defaultProfile,
      id: "with-x2apic",
      features: new Set([...defaultProfile.features, "x2apic", "tsc_deadline_timer"]),
    },
    lacking: { qemu: "its translator has neither x2APIC nor the deadline before version 9" },
  },
);
