/** The 8254: modes, latches, bytes, and the gate of counter 2, whose output port 61H shows. */
import { type Kernel, type KernelCase } from "@ringside/isa/testing";
import { awaitZero, boardKernel } from "./board-kernel.ts";

const CONTROL = 'Intel 82C54, "Control Word Format"';
const LATCH = 'Intel 82C54, "Counter Latch Command"';
const READ_BACK = 'Intel 82C54, "Read-Back Command"';
const MODE_0 = 'Intel 82C54, "Mode 0: Interrupt on Terminal Count"';
const MODE_1 = 'Intel 82C54, "Mode 1: Hardware Retriggerable One-Shot"';
const MODE_2 = 'Intel 82C54, "Mode 2: Rate Generator"';
const MODE_3 = 'Intel 82C54, "Mode 3: Square Wave Mode"';
const MODE_4 = 'Intel 82C54, "Mode 4: Software Triggered Strobe"';
const GATES = 'Intel 82C54, "Gate Pin Operations Summary" (table)';

function out(port: number, value: number): string {
  return `mov al, ${value}\nout ${port}, al`;
}

/** Counter 2 in a mode, two bytes at a time. */
function program(mode: number, count: number, bcd: 0 | 1 = 0): string {
  return `${out(0x43, 0xb0 | (mode << 1) | bcd)}\n${out(0x42, count & 0xff)}\n${out(0x42, count >> 8)}`;
}

const GATE_LOW = out(0x61, 0);
const GATE_HIGH = out(0x61, 1);
/** Gives the output of counter 2 in EAX. */
const OUTPUT = "in al, 0x61\nmovzx eax, al\nshr eax, 5\nand eax, 1";
const NO_GATE = "The gate does not stop QEMU's counters.";
/** Status of counter 2, without the bit that says whether the count was loaded. */
const STATUS = `${out(0x43, 0xe8)}\nin al, 0x42\nmovzx eax, al\nand eax, 0x3f`;
/** The count of counter 2 in EAX. */
const COUNT = `${out(0x43, 0x80)}\nin al, 0x42\nmov dl, al\nin al, 0x42\nmov dh, al\nmovzx eax, dx`;

function awaitOutput(label: string, level: 0 | 1): string {
  const wanted = level === 1 ? "not al\n" : "";
  return awaitZero(label, `in al, 0x61\n${wanted}test al, 0x20`);
}

const bytes: readonly KernelCase[] = [
  {
    name: "the status has mode, bytes and code",
    reference: READ_BACK,
    text: `${GATE_LOW}\n${program(2, 0x1000, 1)}\n${STATUS}`,
    expected: "00000035",
  },
  {
    name: "the mode is shown as it was written",
    reference: READ_BACK,
    text: `${GATE_LOW}\n${program(7, 0x1000)}\n${STATUS}\nand eax, 0xe`,
    expected: "0000000e",
  },
  {
    name: "the low byte is read before the high byte",
    reference: CONTROL,
    text: `${GATE_LOW}\n${program(0, 0x1234)}\n${COUNT}`,
    expected: "00001234",
  },
  {
    name: "a counter of low bytes",
    reference: CONTROL,
    text: `${GATE_LOW}\n${out(0x43, 0x90)}\n${out(0x42, 0x56)}\nin al, 0x42\nmov ah, al\nin al, 0x42\nmovzx eax, ax`,
    expected: "00005656",
  },
  {
    name: "a counter of high bytes",
    reference: CONTROL,
    text: `${GATE_LOW}\n${out(0x43, 0xa0)}\n${out(0x42, 0x56)}\nin al, 0x42\nmov ah, al\nin al, 0x42\nmovzx eax, ax`,
    expected: "00005656",
  },
  {
    name: "a latched count stays while the counter goes on",
    reference: LATCH,
    text: `
      ${GATE_HIGH}
      ${program(0, 0xffff)}
      ${out(0x43, 0x80)}
      mov ecx, 20000
      spin: loop spin
      ${out(0x43, 0x80)}
      in al, 0x42
      mov dl, al
      in al, 0x42
      mov dh, al
      ${COUNT.replace("mov dl, al", "mov bl, al").replace("mov dh, al", "mov bh, al").replace("movzx eax, dx", "movzx eax, bx")}
      movzx edx, dx
      cmp eax, edx
      setb al
      movzx eax, al`,
    expected: "00000001",
  },
  {
    name: "a read-back of status and count gives the status first",
    reference: READ_BACK,
    text: `${GATE_LOW}\n${program(0, 0x1234)}\n${out(0x43, 0xc8)}\nin al, 0x42\nand al, 0xbf\nmov dl, al\nin al, 0x42\nmov dh, al\nin al, 0x42\nmovzx eax, dx`,
    expected: "00003430",
  },
  {
    name: "a decimal count",
    reference: CONTROL,
    text: `${GATE_LOW}\n${program(0, 0x1234, 1)}\n${COUNT}`,
    expected: "00001234",
  },
];

const modes: readonly KernelCase[] = [
  {
    name: "mode 0: the output is low from the control word on",
    reference: MODE_0,
    text: `${GATE_HIGH}\n${program(3, 0)}\n${out(0x43, 0xb0)}\n${OUTPUT}`,
    expected: "00000000",
  },
  {
    name: "mode 0: it rises at the end of the count, and stays high",
    reference: MODE_0,
    text: `
      ${GATE_HIGH}
      ${program(0, 100)}
      ${awaitOutput("wait", 1)}
      mov ecx, 20000
      spin: loop spin
      ${OUTPUT}`,
    expected: "00000001",
  },
  {
    name: "mode 0: without its gate it does not count",
    reference: GATES,
    text: `${GATE_LOW}\n${program(0, 0x20)}\nmov ecx, 2000000\nspin: loop spin\n${OUTPUT}`,
    expected: "00000000",
    qemu: { prints: "00000001", why: NO_GATE },
  },
  {
    name: "mode 0: the gate lets it go on",
    reference: GATES,
    text: `${GATE_LOW}\n${program(0, 0x20)}\n${GATE_HIGH}\n${awaitOutput("wait", 1)}\n${OUTPUT}`,
    expected: "00000001",
  },
  {
    name: "mode 0: a new count makes the output low again",
    reference: MODE_0,
    text: `
      ${GATE_HIGH}
      ${program(0, 100)}
      ${awaitOutput("wait", 1)}
      ${out(0x42, 0xff)}
      ${out(0x42, 0xff)}
      ${OUTPUT}`,
    expected: "00000000",
  },
  {
    name: "mode 1: the gate starts it, and its output is low until the end",
    reference: MODE_1,
    text: `
      ${GATE_LOW}
      ${program(1, 0x4000)}
      ${OUTPUT}
      mov ebp, eax
      ${GATE_HIGH}
      ${awaitOutput("wait", 0)}
      ${OUTPUT}
      mov edi, eax
      ${awaitOutput("more", 1)}
      ${OUTPUT}
      shl ebp, 8
      or ebp, edi
      shl ebp, 8
      or eax, ebp`,
    expected: "00010001",
    qemu: { prints: "00010000", why: NO_GATE },
  },
  {
    name: "mode 2: the count starts again at its end",
    reference: MODE_2,
    text: `
      ${GATE_HIGH}
      ${program(2, 0x1000)}
      mov ecx, 3000000
      xor ebp, ebp
      mov edi, 0x1000
      wait:
      ${COUNT}
      cmp eax, edi
      mov edi, eax
      jbe lower
      inc ebp
      lower:
      cmp ebp, 3
      je done
      dec ecx
      jnz wait
      done:
      mov eax, ebp`,
    expected: "00000003",
  },
  {
    name: "mode 2: it never shows more than its count, nor 0",
    reference: MODE_2,
    text: `
      ${GATE_HIGH}
      ${program(2, 5)}
      mov ecx, 3000
      xor ebp, ebp
      wait:
      ${COUNT}
      dec eax
      cmp eax, 5
      setae al
      movzx eax, al
      or ebp, eax
      dec ecx
      jnz wait
      mov eax, ebp`,
    expected: "00000000",
  },
  {
    name: "mode 2: a low gate makes the output high",
    reference: GATES,
    text: `${GATE_HIGH}\n${program(2, 2)}\n${GATE_LOW}\n${OUTPUT}`,
    expected: "00000001",
    qemu: { prints: "00000000", why: NO_GATE },
  },
  {
    name: "mode 3: half of the time the output is high, half of it low",
    reference: MODE_3,
    text: `
      ${GATE_HIGH}
      ${program(3, 0x2000)}
      ${awaitOutput("wait", 0)}
      ${awaitOutput("more", 1)}
      ${awaitOutput("last", 0)}
      ${OUTPUT}`,
    expected: "00000000",
  },
  {
    name: "mode 3, or 7: it counts by two",
    reference: MODE_3,
    text: `
      ${GATE_HIGH}
      ${program(7, 0x100)}
      mov ecx, 3000
      xor ebp, ebp
      wait:
      ${COUNT}
      or ebp, eax
      dec ecx
      jnz wait
      mov eax, ebp
      and eax, 1`,
    expected: "00000000",
    qemu: { prints: "00000001", why: "QEMU counts by one in mode 7." },
  },
  {
    name: "mode 4: the output is high when the count is over",
    reference: MODE_4,
    text: `${GATE_HIGH}\n${program(4, 0x20)}\nmov ecx, 200000\nspin: loop spin\n${OUTPUT}`,
    expected: "00000001",
    qemu: { prints: "00000000", why: "QEMU's output is high for the one cycle only." },
  },
];

export const pit: Kernel = boardKernel(
  "The 8254",
  [...bytes, ...modes],
  ["wait", "waitOver", "more", "moreOver", "last", "lastOver", "spin", "done", "lower"],
);
