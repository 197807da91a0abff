/** IRETQ in 64-bit mode, and the blocking of NMIs that it ends. */
import {
  faultsAt,
  FETCHED,
  longModeText,
  NOT_CANONICAL,
  PLACE_64,
  SEGMENT_64,
  user64,
  vector64,
  withOwnLabels64,
} from "./long-mode.ts";
import { segment } from "./protected-mode.ts";
import { INTERRUPT_COMMAND, LOCAL_APIC, NMI, type Kernel, type KernelCase } from "./rom.ts";

const RETURN = "Intel SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return";
const BLOCKING = 'Intel SDM Vol. 3A §6.7.1, "Handling Multiple NMIs"';

const { stack, gdt } = PLACE_64;
const OWN = SEGMENT_64.own;

interface Return {
  readonly ss?: string;
  readonly rsp?: string;
  readonly flags?: number;
  readonly cs?: string;
  readonly rip?: string;
}

/** IRETQ at `at`; what it pops is the way back to level 0 where nothing else is said. */
function iretq(changed: Return, before = ""): string {
  const {
    ss = String(SEGMENT_64.data),
    rsp = String(stack),
    flags = 2,
    cs = String(SEGMENT_64.code),
    rip = "back",
  } = changed;
  return `
    push ${ss}
    push ${rsp}
    push ${flags}
    push ${cs}
    mov rbx, ${rip}
    push rbx
    ${before}
    at: iretq`;
}

/** The processor sends itself an NMI. The jump ends what QEMU translates as one. */
function sendNmi(label: string): string {
  return `
    mov ebx, ${LOCAL_APIC + INTERRUPT_COMMAND}
    mov dword ptr [rbx+16], 0
    mov dword ptr [rbx], ${0x4000 | NMI}
    jmp ${label}
    ${label}: nop`;
}

const returns: readonly KernelCase[] = [
  {
    name: "IRETQ loads SS and RSP also without a change of level",
    reference: RETURN,
    text: `${iretq({ rsp: String(stack - 0x40) })}\nback: mov eax, ${stack}\nsub eax, esp`,
    expected: "00000040",
  },
  {
    name: "IRETQ to level 0 accepts a null SS",
    reference: RETURN,
    text: `${iretq({ ss: "0" })}\nback: mov eax, ss`,
    expected: "00000000",
  },
  {
    name: "IRETQ to level 3 does not",
    reference: RETURN,
    text: `${iretq({ ss: "3", cs: String(SEGMENT_64.user | 3) })}\nback: nop`,
    expected: "0d 00000000 +00",
  },
  {
    name: "IRETQ with NT is #GP(0)",
    reference: RETURN,
    text: `${iretq({}, "push 0x4002\npopfq")}\nback: nop`,
    expected: "0d 00000000 +00",
  },
  {
    name: "IRETQ to a null CS is #GP(0)",
    reference: RETURN,
    text: `${iretq({ cs: "0" })}\nback: nop`,
    expected: "0d 00000000 +00",
  },
  {
    name: "IRETQ to data is #GP with the selector",
    reference: RETURN,
    text: `${iretq({ cs: String(SEGMENT_64.data) })}\nback: nop`,
    expected: "0d 00000010 +00",
  },
  {
    name: "IRETQ to code that is not present is #NP with the selector",
    reference: RETURN,
    text: `
      mov rbx, ${segment(0, 0xf_ffff, 0x1b, 0xa)}
      mov [${gdt + OWN}], rbx
      ${iretq({ cs: String(OWN) })}
      back: nop`,
    expected: "0b 00000050 +00",
  },
  {
    name: "IRETQ to an SS of another level is #GP with the selector",
    reference: RETURN,
    text: `${iretq({ ss: String(SEGMENT_64.userData | 3) })}\nback: nop`,
    expected: "0d 00000020 +00",
  },
  {
    name: "IRETQ to an inner level is #GP with the selector",
    reference: RETURN,
    text: `${user64(iretq({}))}\nback: nop`,
    expected: "0d 00000008 +00",
  },
  {
    name: "IRETQ to an address that is not canonical is #GP of the IRETQ",
    reference: RETURN,
    text: faultsAt(iretq({ rip: NOT_CANONICAL })),
    expected: "00000000",
    qemu: { prints: "00008000", why: FETCHED },
  },
  {
    name: "IRETQ goes to compatibility mode",
    reference: RETURN,
    text: `
      ${iretq({ ss: String(SEGMENT_64.userData | 3), cs: String(SEGMENT_64.user32 | 3) }, "xor eax, eax")}
      bits 32
      back:
      dec eax
      mov ebx, 5
      int 0x30
      bits 64`,
    expected: "ffffffff",
  },
  {
    name: "IRETQ to level 3 empties data segments of level 0",
    reference: 'Intel SDM Vol. 3A §5.8.6, "Returning from a Called Procedure"',
    text: user64("mov eax, ds\nmov ebx, es\nor eax, ebx"),
    expected: "00000000",
  },
  {
    name: "IRETQ at level 3 changes neither IF nor IOPL",
    reference: RETURN,
    text: `
      ${user64(`
        ${iretq({
          ss: String(SEGMENT_64.userData | 3),
          rsp: String(PLACE_64.userStack),
          flags: 0x3202,
          cs: String(SEGMENT_64.user | 3),
        })}
        back:
        pushfq
        pop rax
        and eax, 0x3200`)}`,
    expected: "00000000",
  },
];

const nmis: readonly KernelCase[] = [
  {
    name: "an NMI arrives with IF clear",
    reference: BLOCKING,
    text: `
      ${vector64(2, "handler")}
      xor eax, eax
      ${sendNmi("sent")}
      jmp end
      handler:
      inc eax
      iretq
      end: nop`,
    expected: "00000001",
  },
  {
    name: "an NMI in the handler waits for its IRETQ",
    reference: BLOCKING,
    text: `
      ${vector64(2, "handler")}
      xor eax, eax
      xor ecx, ecx
      ${sendNmi("sent")}
      jmp end
      handler:
      inc ecx
      cmp ecx, 2
      je second
      ${sendNmi("again")}
      mov al, cl
      iretq
      second:
      mov ah, cl
      iretq
      end: nop`,
    expected: "00000201",
  },
  {
    name: "any IRETQ ends the blocking, also one within the handler",
    reference: BLOCKING,
    text: `
      ${vector64(2, "handler")}
      xor eax, eax
      xor ecx, ecx
      ${sendNmi("sent")}
      jmp end
      handler:
      inc ecx
      cmp ecx, 2
      je second
      ${sendNmi("again")}
      mov rbx, rsp
      push ${SEGMENT_64.data}
      push rbx
      push 2
      push ${SEGMENT_64.code}
      push back
      iretq
      back:
      shl eax, 8
      mov al, 1
      iretq
      second:
      mov al, 2
      iretq
      end: nop`,
    expected: "00000201",
  },
];

const own = withOwnLabels64(
  [...returns, ...nmis],
  ["handler", "end", "procedure", "back", "sent", "again", "second"],
);

export const interruptReturn: Kernel = {
  topic: "IRETQ and NMIs in 64-bit mode",
  cases: own,
  text: longModeText(own),
};
