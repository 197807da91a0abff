/** The timer of the local APIC: one-shot and periodic. */
import { PLACE_64, vector64, type Kernel, type KernelCase } from "@ringside/isa/testing";
import {
  APIC,
  awaitLog,
  awaitZero,
  boardKernel,
  MASKED,
  open,
  read,
  write,
} from "./board-kernel.ts";

const TIMER = 'Intel SDM Vol. 3A §11.5.4, "APIC Timer"';
const TABLE = 'Intel SDM Vol. 3A §11.5.1, "Local Vector Table"';
const VECTOR = 0x35;
const PERIODIC = 0x2_0000;
/** A count that no wait here reaches. */
const LONG = 0xf000_0000;

const cases: readonly KernelCase[] = [
  {
    name: "the entry keeps vector, mask and mode",
    reference: TABLE,
    text: `${write(APIC.timer, MASKED | PERIODIC | VECTOR)}\n${read(APIC.timer)}`,
    expected: "00030035",
  },
  {
    name: "at the end of its count it interrupts",
    reference: TIMER,
    text: `${write(APIC.timer, VECTOR)}\n${write(APIC.initialCount, 1000)}\n${awaitLog("wait")}`,
    expected: "00000035",
  },
  {
    name: "once, in one-shot mode",
    reference: TIMER,
    text: `
      ${write(APIC.timer, VECTOR)}
      ${write(APIC.initialCount, 1000)}
      ${awaitLog("wait")}
      mov ecx, 20000
      sti
      spin: loop spin
      cli`,
    expected: "00000035",
  },
  {
    name: "then its count stays 0, and the initial count as it was",
    reference: TIMER,
    text: `
      ${write(APIC.timer, VECTOR)}
      ${write(APIC.initialCount, 1000)}
      ${awaitLog("wait")}
      mov eax, [rbx+${APIC.currentCount}]
      shl eax, 16
      add eax, [rbx+${APIC.initialCount}]`,
    expected: "000003e8",
  },
  {
    name: "in periodic mode it goes on",
    reference: TIMER,
    text: `
      ${vector64(VECTOR, "handler")}
      ${write(APIC.timer, PERIODIC | VECTOR)}
      ${write(APIC.initialCount, 20000)}
      sti
      mov ecx, 50000000
      wait:
      cmp eax, 3
      jae done
      dec ecx
      jnz wait
      done:
      cli
      ${write(APIC.initialCount, 0)}
      jmp end
      handler:
      inc eax
      cmp eax, 3
      jb ended
      ; One more may wait already.
      mov eax, 3
      ${write(APIC.timer, MASKED)}
      jmp ended
      end: nop`,
    expected: "00000003",
  },
  {
    name: "it counts down from its initial count",
    reference: TIMER,
    text: `
      ${write(APIC.initialCount, LONG)}
      mov edx, [rbx+${APIC.currentCount}]
      ${awaitZero("wait", `cmp edx, [rbx+${APIC.currentCount}]\nseta al\ncmp al, 1`)}
      cmp edx, ${LONG}
      seta ah`,
    expected: "00000001",
  },
  {
    name: "masked, it counts and does not interrupt",
    reference: TABLE,
    text: `
      ${write(APIC.timer, MASKED | VECTOR)}
      ${write(APIC.initialCount, 100)}
      ${awaitZero("wait", `cmp dword ptr [rbx+${APIC.currentCount}], 0`)}
      ${open()}
      mov ecx, [rbx+${APIC.request}]
      or eax, ecx
      add eax, [rbx+${APIC.currentCount}]`,
    expected: "00000000",
  },
  {
    name: "an initial count of 0 stops it",
    reference: TIMER,
    text: `
      ${write(APIC.timer, VECTOR)}
      ${write(APIC.initialCount, LONG)}
      ${write(APIC.initialCount, 0)}
      ${open()}
      mov edx, [rbx+${APIC.currentCount}]
      shl edx, 8
      or eax, edx`,
    expected: "00000000",
  },
  {
    name: "a new initial count starts it again",
    reference: TIMER,
    text: `
      ${write(APIC.timer, VECTOR)}
      ${write(APIC.initialCount, LONG)}
      ${write(APIC.initialCount, 1000)}
      ${awaitLog("wait")}`,
    expected: "00000035",
  },
  {
    name: "the divide configuration has bits 0, 1 and 3",
    reference: TIMER,
    text: `${write(APIC.divide, 0xffff_ffff)}\n${read(APIC.divide)}`,
    expected: "0000000b",
  },
  {
    name: "HLT ends with its interrupt",
    reference: "Intel SDM Vol. 2A, HLT—Halt",
    text: `
      ${write(APIC.timer, VECTOR)}
      ${write(APIC.initialCount, 100000)}
      sti
      hlt
      cli
      shl eax, 8`,
    expected: "00003500",
  },
  {
    name: "a repeated string is interrupted between two iterations, and goes on",
    reference:
      "Intel SDM Vol. 2B, REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix (description)",
    text: `
      ${vector64(VECTOR, "handler")}
      mov edi, ${PLACE_64.pages}
      mov esi, ${PLACE_64.data}
      ${write(APIC.timer, VECTOR)}
      ${write(APIC.initialCount, 100000)}
      mov ecx, 0x60000
      sti
      repeated: rep lodsb
      cli
      mov eax, ebp
      shl eax, 8
      mov al, cl
      sub esi, ${PLACE_64.data + 0x6_0000}
      or eax, esi
      jmp end
      handler:
      ; Bit 0: RIP at the string instruction. Bit 1: some iterations are done, and some are left.
      xor ebp, ebp
      cmp qword ptr [rsp], repeated
      sete bpl
      lea edx, [rcx+rsi]
      cmp edx, ${PLACE_64.data + 0x6_0000}
      jne ended
      test ecx, ecx
      jz ended
      cmp ecx, 0x60000
      je ended
      or ebp, 2
      jmp ended
      end: nop`,
    expected: "00000300",
    qemu: { prints: "00000000", why: "QEMU's time is the host's: the timer is over before." },
  },
];

export const apicTimer: Kernel = boardKernel("Timer of the local APIC", cases, [
  "handler",
  "end",
  "wait",
  "waitOver",
  "spin",
  "done",
  "repeated",
]);
