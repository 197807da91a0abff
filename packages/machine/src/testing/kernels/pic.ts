/**
 * The 8259 pair. Two devices ask when they are told to: the serial port on line 4, by switching on its interrupt for an
 * empty transmitter, and the 8254 on line 0, by a count in mode 0.
 */
import { type Kernel, type KernelCase } from "@ringside/isa/testing";
import {
  awaitZero,
  boardKernel,
  END,
  EXTERNAL_ON,
  MASTER_VECTOR,
  open,
  SLAVE_VECTOR,
} from "./board-kernel.ts";

const INITIALIZATION = 'Intel 8259A, "Initialization Command Words (ICWS)"';
const MASKS = 'Intel 8259A, "Operation Control Word 1 (OCW1)"';
const READING = 'Intel 8259A, "Reading the 8259A Status"';
const NESTED = 'Intel 8259A, "Fully Nested Mode"';
const EOI = 'Intel 8259A, "End of Interrupt (EOI)"';
const AUTOMATIC = 'Intel 8259A, "Automatic End of Interrupt (AEOI) Mode"';
const ROTATION = 'Intel 8259A, "Automatic Rotation (Equal Priority Devices)"';
const SPECIFIC = 'Intel 8259A, "Specific Rotation (Specific Priority)"';
const SPECIAL_MASK = 'Intel 8259A, "Special Mask Mode"';
const POLL = 'Intel 8259A, "Poll Command"';
const TRIGGER = 'Intel 8259A, "Edge and Level Triggered Modes"';

const SERIAL = 0x3f8;
const [TIMER_LINE, SERIAL_LINE] = [0x01, 0x10] as const;
const POLARITY =
  "It keeps the request of an edge whose line has fallen again; the data sheet wants the line high until the acknowledge.";

const FIRST_COME = "Bochs stays with the first request that raised INT until it is acknowledged.";

function out(port: number, value: number): string {
  return `mov edx, ${port}\nmov al, ${value}\nout dx, al`;
}

/** Gives a byte of a port in EAX, and keeps the log in its upper bytes. */
function into(port: number): string {
  return `mov edx, ${port}\nshl eax, 8\nin al, dx`;
}

/** The serial port asks: OUT2 lets its line through. Changes AL, so it comes before a log begins. */
const RAISE_SERIAL = `${out(SERIAL + 4, 8)}\n${out(SERIAL + 1, 2)}\nxor eax, eax`;
const LOWER_SERIAL = `push rax\n${out(SERIAL + 1, 0)}\npop rax`;
const LOWER_TIMER = `push rax\n${out(0x43, 0x30)}\npop rax`;

/** The 8254 asks; this waits until it does. */
function raiseTimer(label: string): string {
  return `
    ${out(0x43, 0x30)}
    ${out(0x40, 50)}
    ${out(0x40, 0)}
    ${awaitZero(label, "mov al, 0x0a\nout 0x20, al\nin al, 0x20\nnot al\ntest al, 1")}
    xor eax, eax`;
}

/** Initializes the master alone again, with its last word. */
function initialize(vector: number, last: number): string {
  return `${out(0x20, 0x11)}\n${out(0x21, vector)}\n${out(0x21, 4)}\n${out(0x21, last)}\n${out(0x21, 0xff)}`;
}

function unmask(lines: number): string {
  return out(0x21, 0xff & ~lines);
}

const [READ_IRR, READ_ISR] = [0x0a, 0x0b] as const;
const status = (command: number): string =>
  `push rax\n${out(0x20, command)}\npop rax\n${into(0x20)}`;
const command = (value: number): string => `push rax\n${out(0x20, value)}\npop rax`;

const NO_END = `mov r15d, ${END.none}`;
/** As the log shows them. */
const TIMER_VECTOR = MASTER_VECTOR.toString(16);
const SERIAL_VECTOR = (MASTER_VECTOR + 4).toString(16);

const requests: readonly KernelCase[] = [
  {
    name: "the mask is read back",
    reference: MASKS,
    text: `${out(0x21, 0xa5)}\nxor eax, eax\n${into(0x21)}`,
    expected: "000000a5",
  },
  {
    name: "initialization clears the mask",
    reference: INITIALIZATION,
    text: `${out(0x20, 0x11)}\n${out(0x21, MASTER_VECTOR)}\n${out(0x21, 4)}\n${out(0x21, 1)}\nxor eax, eax\n${into(0x21)}`,
    expected: "00000000",
  },
  {
    name: "a request is in the IRR, whether masked or not",
    reference: READING,
    text: `${RAISE_SERIAL}\n${status(READ_IRR)}\n${LOWER_SERIAL}`,
    expected: "00000010",
  },
  {
    name: "it arrives with its vector",
    reference: INITIALIZATION,
    text: `${unmask(SERIAL_LINE)}\n${RAISE_SERIAL}\n${open()}\n${LOWER_SERIAL}`,
    expected: `000000${SERIAL_VECTOR}`,
  },
  {
    name: "the vectors are where the second initialization word says",
    reference: INITIALIZATION,
    text: `${initialize(0x38, 1)}\n${unmask(SERIAL_LINE)}\n${RAISE_SERIAL}\n${open()}\n${LOWER_SERIAL}`,
    expected: "0000003c",
  },
  {
    name: "a masked line waits until it is unmasked",
    reference: MASKS,
    text: `${RAISE_SERIAL}\n${open()}\nmov ebp, eax\n${unmask(SERIAL_LINE)}\nmov eax, ebp\n${open()}\n${LOWER_SERIAL}`,
    expected: `000000${SERIAL_VECTOR}`,
  },
  {
    name: "an edge is one request, however long the line stays high",
    reference: TRIGGER,
    text: `${unmask(SERIAL_LINE)}\n${RAISE_SERIAL}\n${open()}\n${open()}\n${LOWER_SERIAL}`,
    expected: `000000${SERIAL_VECTOR}`,
  },
  {
    name: "a level asks again after its end of interrupt",
    reference: TRIGGER,
    text: `
      ${out(0x4d0, SERIAL_LINE)}
      ${unmask(SERIAL_LINE)}
      ${RAISE_SERIAL}
      ${NO_END}
      ${open()}
      ${command(0x20)}
      ${open()}
      ${LOWER_SERIAL}
      ${command(0x20)}
      ${open()}`,
    expected: `0000${SERIAL_VECTOR}${SERIAL_VECTOR}`,
  },
  {
    name: "an edge that is gone before the acknowledge leaves nothing",
    reference: 'Intel 8259A, "IR Triggering Timing Requirements"',
    text: `${RAISE_SERIAL}\n${LOWER_SERIAL}\n${status(READ_IRR)}`,
    expected: "00000000",
    qemu: { prints: "00000010", why: POLARITY },
  },
];

const service: readonly KernelCase[] = [
  {
    name: "in service, it is in the ISR and no longer in the IRR",
    reference: READING,
    text: `
      ${unmask(SERIAL_LINE)}
      ${RAISE_SERIAL}
      ${NO_END}
      ${open()}
      ${status(READ_ISR)}
      ${status(READ_IRR)}
      ${LOWER_SERIAL}
      ${command(0x20)}`,
    expected: `00${SERIAL_VECTOR}1000`,
  },
  {
    name: "the lower line comes first",
    reference: NESTED,
    text: `${unmask(SERIAL_LINE | TIMER_LINE)}\n${raiseTimer("wait")}\n${RAISE_SERIAL}\n${open()}\n${LOWER_SERIAL}\n${LOWER_TIMER}`,
    expected: `0000${TIMER_VECTOR}${SERIAL_VECTOR}`,
  },
  {
    name: "a line in service holds higher ones back",
    reference: NESTED,
    text: `
      ${unmask(SERIAL_LINE | TIMER_LINE)}
      ${raiseTimer("wait")}
      ${NO_END}
      ${open()}
      mov ebp, eax
      ${RAISE_SERIAL}
      mov eax, ebp
      ${open()}
      mov r15d, ${END.pic}
      ${command(0x20)}
      shl eax, 8
      ${open()}
      ${LOWER_SERIAL}
      ${LOWER_TIMER}`,
    expected: `00${TIMER_VECTOR}00${SERIAL_VECTOR}`,
  },
  {
    name: "and lets lower ones through",
    reference: NESTED,
    text: `
      ${unmask(SERIAL_LINE | TIMER_LINE)}
      ${RAISE_SERIAL}
      ${NO_END}
      ${open()}
      mov ebp, eax
      ${raiseTimer("wait")}
      mov eax, ebp
      ${open()}
      ${status(READ_ISR)}
      ${command(0x20)}
      ${status(READ_ISR)}
      ${command(0x20)}
      ${LOWER_SERIAL}
      ${LOWER_TIMER}`,
    expected: `${SERIAL_VECTOR}${TIMER_VECTOR}1110`,
  },
  {
    name: "a specific end of interrupt names its line",
    reference: EOI,
    text: `
      ${unmask(SERIAL_LINE | TIMER_LINE)}
      ${RAISE_SERIAL}
      ${NO_END}
      ${open()}
      ${raiseTimer("wait")}
      ${open()}
      xor eax, eax
      ${command(0x64)}
      ${status(READ_ISR)}
      ${command(0x60)}
      ${status(READ_ISR)}
      ${LOWER_SERIAL}
      ${LOWER_TIMER}`,
    expected: "00000100",
  },
  {
    name: "with automatic ends nothing stays in service",
    reference: AUTOMATIC,
    text: `
      ${initialize(MASTER_VECTOR, 3)}
      ${unmask(SERIAL_LINE)}
      ${RAISE_SERIAL}
      ${NO_END}
      ${open()}
      ${status(READ_ISR)}
      ${LOWER_SERIAL}`,
    expected: `0000${SERIAL_VECTOR}00`,
  },
  {
    name: "rotation on an end of interrupt makes its line the lowest",
    reference: ROTATION,
    text: `
      ${unmask(SERIAL_LINE | TIMER_LINE)}
      ${raiseTimer("wait")}
      ${NO_END}
      ${open()}
      ${command(0xa0)}
      ${LOWER_TIMER}
      ${raiseTimer("more")}
      ${RAISE_SERIAL}
      mov r15d, ${END.pic}
      ${open()}
      ${LOWER_SERIAL}
      ${LOWER_TIMER}`,
    expected: `0000${SERIAL_VECTOR}${TIMER_VECTOR}`,
    bochs: { prints: "00002024", why: FIRST_COME },
  },
  {
    name: "priorities are set by naming the lowest line",
    reference: SPECIFIC,
    text: `
      ${unmask(SERIAL_LINE | TIMER_LINE)}
      ${raiseTimer("wait")}
      ${RAISE_SERIAL}
      ${command(0xc3)}
      ${open()}
      ${LOWER_SERIAL}
      ${LOWER_TIMER}`,
    expected: `0000${SERIAL_VECTOR}${TIMER_VECTOR}`,
    bochs: { prints: "00002024", why: FIRST_COME },
  },
  {
    name: "in special mask mode a masked line in service holds nothing back",
    reference: SPECIAL_MASK,
    text: `
      ${unmask(SERIAL_LINE | TIMER_LINE)}
      ${raiseTimer("wait")}
      ${NO_END}
      ${open()}
      ${out(0x20, 0x68)}
      ${unmask(SERIAL_LINE)}
      ${RAISE_SERIAL}
      ${open()}
      ${command(0x48)}
      ${command(0x64)}
      ${command(0x60)}
      ${LOWER_SERIAL}
      ${LOWER_TIMER}`,
    expected: `000000${SERIAL_VECTOR}`,
  },
  {
    name: "a poll takes the request without an interrupt",
    reference: POLL,
    text: `
      ${unmask(SERIAL_LINE)}
      ${RAISE_SERIAL}
      ${status(0x0c)}
      ${status(READ_ISR)}
      ${command(0x20)}
      ${LOWER_SERIAL}`,
    expected: "00008410",
    bochs: {
      prints: "00000400",
      why: "Bochs gives the line without bit 7, and takes nothing into service.",
    },
  },
  {
    name: "a poll without a request",
    reference: POLL,
    text: `${status(0x0c)}\nand eax, 0x80`,
    expected: "00000000",
  },
];

/** The clock's periodic interrupt, line 8: register B bit 6, and register C ends a request. */
const CLOCK_ON = `${out(0x70, 0x0a)}\n${out(0x71, 0x26)}\n${out(0x70, 0x0b)}\n${out(0x71, 0x42)}`;
const CLOCK_OFF = `push rax\n${out(0x70, 0x0b)}\n${out(0x71, 0x02)}\n${out(0x70, 0x0c)}\nin al, 0x71\npop rax`;

const cascade: readonly KernelCase[] = [
  {
    name: "a line of the slave comes through line 2 with the slave's vector",
    reference: 'Intel 8259A, "Cascade Mode"',
    text: `
      ${unmask(4)}
      ${out(0xa1, 0xfe)}
      ${CLOCK_ON}
      xor eax, eax
      ${NO_END}
      sti
      mov ecx, 50000000
      wait:
      test eax, eax
      jnz done
      dec ecx
      jnz wait
      done:
      cli
      ${status(READ_ISR)}
      ${CLOCK_OFF}
      push rax
      ${out(0xa0, READ_ISR)}
      pop rax
      ${into(0xa0)}
      push rax
      ${out(0xa0, 0x20)}
      ${out(0x20, 0x20)}
      pop rax`,
    expected: `00${SLAVE_VECTOR.toString(16)}0401`,
  },
  {
    name: "the slave's mask holds it back",
    reference: MASKS,
    text: `
      ${unmask(4)}
      ${CLOCK_ON}
      ${awaitZero("wait", `${out(0xa0, READ_IRR)}\nin al, dx\nnot al\ntest al, 1`)}
      xor eax, eax
      ${open()}
      ${CLOCK_OFF}`,
    expected: "00000000",
  },
];

export const pic: Kernel = boardKernel(
  "The 8259 pair",
  [...requests, ...service, ...cascade],
  ["wait", "waitOver", "more", "moreOver", "done"],
  { each: EXTERNAL_ON },
);
