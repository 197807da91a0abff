/** Debug registers, single steps and RF. */
import {
  PLACE,
  protectedModeText,
  SEGMENT,
  segment,
  writeDescriptor,
  writeGate,
} from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const INSTRUCTION = 'Intel SDM Vol. 3B §18.3.1.1, "Instruction-Breakpoint Exception Condition"';
const DATA = 'Intel SDM Vol. 3B §18.3.1.2, "Data Memory and I/O Breakpoint Exception Conditions"';
const DETECT = 'Intel SDM Vol. 3B §18.3.1.3, "General-Detect Exception Condition"';
const STEP = 'Intel SDM Vol. 3B §18.3.1.4, "Single-Step Exception Condition"';
const FIELDS = 'Intel SDM Vol. 3B §18.2.5, "Breakpoint Field Recognition"';

const ROM = 0xf_0000;
const { data } = PLACE;

/** DR7 for breakpoint 0. */
function control(condition: number, lengthField: number): number {
  return 0x401 | (condition << 16) | (lengthField << 18);
}

const [EXECUTE, WRITE, PORT, ACCESS] = [0, 1, 2, 3] as const;

/** Goes on in a segment with base 0: QEMU compares instruction breakpoints with EIP, not with linear addresses. */
const INTO_FLAT_CODE = `
  ${writeDescriptor(SEGMENT.own, segment(0, 0xf_ffff, 0x9b, 0xc))}
  jmp ${SEGMENT.own}:flat + ${ROM}
  flat:
`;

/**
 * Runs code whose #DB leaves DR6 15:0 and the distance of EIP from `at` in EAX. `before` runs without breakpoints, and
 * `linear` goes into DR0.
 */
function debugged(linear: string, dr7: number, code: string, before = ""): string {
  return `
    ${writeGate(PLACE.idt + 8, SEGMENT.code, "handler", 0x8e)}
    xor eax, eax
    mov dr6, eax
    mov eax, ${linear}
    mov dr0, eax
    ${before}
    mov eax, ${dr7}
    mov dr7, eax
    xor eax, eax
    ${code}
    jmp end
    handler:
    pop ebx
    sub ebx, at
    mov eax, dr6
    shl eax, 16
    mov ax, bx
    end:
    xor ecx, ecx
    mov dr7, ecx
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "an instruction breakpoint is met before its instruction",
    reference: INSTRUCTION,
    text: debugged(
      `at + ${ROM}`,
      control(EXECUTE, 0),
      "mov ecx, 1\nat: mov ecx, 2\nnop\nend:",
      INTO_FLAT_CODE,
    )
      .replace("sub ebx, at", `sub ebx, at + ${ROM}`)
      .replace("end:", `jmp ${SEGMENT.code}:end`),
    expected: "0ff10000",
  },
  {
    name: "RF lets the instruction of a breakpoint pass once",
    reference: INSTRUCTION,
    text: `
      ${writeGate(PLACE.idt + 8, SEGMENT.code, "handler", 0x8e)}
      mov eax, at + ${ROM}
      mov dr0, eax
      ${INTO_FLAT_CODE}
      mov eax, ${control(EXECUTE, 0)}
      mov dr7, eax
      xor ebx, ebx
      mov ecx, 3
    at: inc ebx
      loop at
      jmp ${SEGMENT.code}:end
    handler:
      or dword ptr [esp+8], 0x10000
      add ebx, 0x100
      iretd
    end:
      xor eax, eax
      mov dr7, eax
      mov eax, ebx`,
    expected: "00000303",
  },
  {
    name: "a write meets a data breakpoint behind its instruction",
    reference: DATA,
    text: debugged(`${data}`, control(WRITE, 3), `mov [${data}], eax\nat: nop`),
    expected: "0ff10000",
  },
  {
    name: "a read does not meet a breakpoint on writes",
    reference: FIELDS,
    text: debugged(`${data}`, control(WRITE, 3), `mov ecx, [${data}]\nmov eax, 7\nat: nop`),
    expected: "00000007",
  },
  {
    name: "a read meets a breakpoint on accesses",
    reference: FIELDS,
    text: debugged(`${data}`, control(ACCESS, 3), `mov ecx, [${data}]\nat: nop`),
    expected: "0ff10000",
  },
  {
    name: "the last byte of a doubleword meets a breakpoint of one byte",
    reference: FIELDS,
    text: debugged(`${data + 3}`, control(WRITE, 0), `mov [${data}], eax\nat: nop`),
    expected: "0ff10000",
  },
  {
    name: "the byte behind does not",
    reference: FIELDS,
    text: debugged(`${data + 4}`, control(WRITE, 0), `mov [${data}], eax\nmov eax, 5\nat: nop`),
    expected: "00000005",
  },
  {
    name: "an address is taken down to a multiple of the length",
    reference: FIELDS,
    text: debugged(`${data + 6}`, control(WRITE, 3), `mov byte ptr [${data + 4}], 1\nat: nop`),
    expected: "0ff10000",
    qemu: { prints: "00000000", why: "QEMU takes the address as it is." },
  },
  {
    name: "a push meets a breakpoint",
    reference: DATA,
    text: debugged(`${PLACE.stack - 4}`, control(WRITE, 3), "push eax\nat: nop"),
    expected: "0ff10000",
  },
  {
    name: "a repeated string meets a breakpoint behind the iteration",
    reference: DATA,
    text: debugged(
      `${data + 8}`,
      control(WRITE, 3),
      "at: rep stosd",
      `mov edi, ${data}\nmov ecx, 5\ncld`,
    ).replace("pop ebx\n", "pop ebx\nsub ebx, ecx\n"),
    expected: "0ff1fffe",
  },
  {
    name: "an I/O breakpoint needs CR4.DE",
    reference: DATA,
    text: debugged(
      "0x80",
      control(PORT, 0),
      "out 0x80, al\nat: nop",
      "mov ecx, cr4\nor ecx, 8\nmov cr4, ecx",
    ),
    expected: "0ff10000",
  },
  {
    name: "with CR4.DE, DR4 is #UD",
    reference: 'Intel SDM Vol. 3B §18.2.2, "Debug Registers DR4 and DR5"',
    text: "mov ecx, cr4\nor ecx, 8\nmov cr4, ecx\nat: mov eax, dr4",
    expected: "06 00000000 +00",
  },
  {
    name: "general detect comes before the access to a debug register",
    reference: DETECT,
    text: debugged("0", 0x2400, "at: mov ecx, dr0"),
    expected: "2ff00000",
    qemu: { prints: "00000000", why: "QEMU has no general detect." },
  },
  {
    name: "a single step is a trap behind the next instruction",
    reference: STEP,
    text: debugged("0", 0x400, "pushfd\nor dword ptr [esp], 0x100\npopfd\nnop\nat: nop"),
    expected: "4ff00000",
  },
  {
    name: "a single step and a data breakpoint are one exception",
    reference: STEP,
    text: debugged(
      `${data}`,
      control(WRITE, 3),
      `pushfd\nor dword ptr [esp], 0x100\npopfd\nmov [${data}], eax\nat: nop`,
    ),
    expected: "4ff10000",
    qemu: { prints: "4ff10003", why: "QEMU takes two exceptions, the single step later." },
  },
  {
    name: "INT1 is a trap that leaves DR6 alone",
    reference: "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    text: debugged("0", 0x400, "int1\nat: nop"),
    expected: "0ff00000",
    qemu: { prints: "06 00000000 +ff", why: "QEMU has no INT1 here." },
  },
  {
    name: "a task whose T flag is set is trapped before its first instruction",
    reference: 'Intel SDM Vol. 3B §18.3.1.5, "Task-Switch Exception Condition"',
    text: `
      ${writeDescriptor(SEGMENT.otherTss, segment(PLACE.otherTss, 0x67, 0x89, 0))}
      mov edi, ${PLACE.otherTss}
      mov ecx, 26
      xor eax, eax
      rep stosd
      mov dword ptr [${PLACE.otherTss + 0x20}], at
      mov dword ptr [${PLACE.otherTss + 0x24}], 2
      mov dword ptr [${PLACE.otherTss + 0x38}], ${PLACE.otherStack}
      mov dword ptr [${PLACE.otherTss + 0x48}], ${SEGMENT.data}
      mov dword ptr [${PLACE.otherTss + 0x4c}], ${SEGMENT.code}
      mov dword ptr [${PLACE.otherTss + 0x50}], ${SEGMENT.data}
      mov dword ptr [${PLACE.otherTss + 0x54}], ${SEGMENT.data}
      mov word ptr [${PLACE.otherTss + 0x64}], 1
      ${debugged("0", 0x400, `jmp ${SEGMENT.otherTss}:0\nat: mov eax, 0x77`)}`,
    expected: "8ff00000",
    qemu: { prints: "00000077", why: "QEMU does not look at a TSS's T flag." },
  },
];

const own = cases.map((each, number) => ({
  ...each,
  text: each.text
    .replaceAll(/\b(handler|end|flat)\b/gu, `$1${number}`)
    .replaceAll(/\bat\b(?!:)/gu, `at${number}`),
}));

export const debug: Kernel = {
  topic: "Debugging",
  cases: own,
  text: protectedModeText(own),
};
