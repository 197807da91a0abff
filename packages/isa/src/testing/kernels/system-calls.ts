/** SYSCALL, SYSRET, SYSENTER and SYSEXIT, in 64-bit and compatibility mode. */
import {
  longModeText,
  NOT_CANONICAL,
  PLACE_64,
  SEGMENT_64,
  user64,
  vector64,
  withOwnLabels64,
} from "./long-mode.ts";
import { segment } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const SYSCALL = "Intel SDM Vol. 2B, SYSCALL—Fast System Call";
const SYSRET = "Intel SDM Vol. 2B, SYSRET—Return From Fast System Call";
const SYSENTER = "Intel SDM Vol. 2B, SYSENTER—Fast System Call";
const SYSEXIT = "Intel SDM Vol. 2B, SYSEXIT—Fast Return from Fast System Call";
const STEP = 'Intel SDM Vol. 3B §18.3.1.4, "Single-Step Exception Condition"';

const EFER = 0xc000_0080;
const MSR = {
  sysenterCs: 0x174,
  sysenterEsp: 0x175,
  sysenterEip: 0x176,
  star: 0xc000_0081,
  lstar: 0xc000_0082,
  cstar: 0xc000_0083,
  fmask: 0xc000_0084,
} as const;
const { gdt, userStack, innerStack } = PLACE_64;
const FAULTS = "0d 00000000 +00";
const UNDEFINED = "06 00000000 +00";
/**
 * SYSRET finds its segments from here on: 32-bit code, data, 64-bit code. SYSENTER its own: code, data; SYSEXIT those behind:
 * 32-bit code, data, 64-bit code, data.
 */
const [RETURN_BASE, ENTER_BASE] = [0x50, 0x08] as const;

function set(msr: number, low: string, high = "0"): string {
  return `mov ecx, ${msr}\nmov eax, ${low}\nmov edx, ${high}\nwrmsr`;
}

const ENABLE = `${set(EFER, "0x901")}\n${set(MSR.star, "0", String((RETURN_BASE << 16) | SEGMENT_64.code))}\n${set(MSR.fmask, "0")}`;
const LSTAR = set(MSR.lstar, "entry");
const SYSENTER_MSRS = `${set(MSR.sysenterCs, String(ENTER_BASE))}\n${set(MSR.sysenterEsp, String(innerStack))}`;
const SYSENTER_ENTRY = `${SYSENTER_MSRS}\n${set(MSR.sysenterEip, "entry")}`;
const PASSES = "It lets one instruction pass, as for IRETQ.";
const AMD = "QEMU does what AMD's processors do, whatever the vendor.";

/** A system call from level 3 whose entry gives EAX to the case. */
function called(entry: string, before = "", code = "syscall"): string {
  return `
    ${ENABLE}
    ${LSTAR}
    ${before}
    ${user64(`${code}\nback:`)}
    entry:
    ${entry}`;
}

/** SYSRET from level 0; INT 30H gives EAX of the program to the case. */
function returned(row: string, program: string, flags = "2", bits = 64): string {
  return `
    ${ENABLE}
    mov ecx, program
    mov r11, ${flags}
    mov esp, ${userStack}
    ${row}
    bits ${bits}
    program:
    ${program}
    int 0x30
    bits 64`;
}

function entered(entry: string, code = "sysenter"): string {
  return `
    ${SYSENTER_ENTRY}
    ${user64(code)}
    entry:
    ${entry}`;
}

function exited(row: string, program: string, bits = 64): string {
  return `
    ${SYSENTER_MSRS}
    mov edx, program
    mov ecx, ${userStack}
    ${row}
    bits ${bits}
    program:
    ${program}
    int 0x30
    bits 64`;
}

const SELECTORS = "mov eax, cs\nshl eax, 16\nmov ebx, ss\nor eax, ebx";

const syscalls: readonly KernelCase[] = [
  {
    name: "SYSCALL leaves the address behind it in RCX",
    reference: SYSCALL,
    text: called("mov eax, ecx\nsub eax, back"),
    expected: "00000000",
  },
  {
    name: "and RFLAGS in R11",
    reference: SYSCALL,
    text: called("mov eax, r11d\nand eax, 0xcd5", "", "push 0x4c7\npopfq\nsyscall"),
    expected: "000004c5",
  },
  {
    name: "R11 has RF clear",
    reference: SYSCALL,
    text: called("mov eax, r11d\nand eax, 0x10000"),
    expected: "00000000",
  },
  {
    name: "its segments are those of IA32_STAR",
    reference: SYSCALL,
    text: called(SELECTORS),
    expected: "00080010",
  },
  {
    name: "their RPL is 0 whatever IA32_STAR has",
    reference: SYSCALL,
    text: called(SELECTORS, set(MSR.star, "0", String((RETURN_BASE << 16) | SEGMENT_64.code | 3))),
    expected: "00080010",
  },
  {
    name: "the stack stays",
    reference: SYSCALL,
    text: called(`mov eax, ${userStack}\nsub eax, esp`),
    expected: "00000000",
  },
  {
    name: "IA32_FMASK clears flags",
    reference: SYSCALL,
    text: called(
      "pushfq\npop rax\nand eax, 0x4d5",
      set(MSR.fmask, "0x401"),
      `mov rsp, ${userStack}\npush 0x4c7\npopfq\nsyscall`,
    ),
    expected: "000000c4",
    qemu: { prints: "00000000", why: "QEMU clears all status flags, too." },
  },
  {
    name: "without EFER.SCE it is #UD",
    reference: SYSCALL,
    text: `${set(EFER, "0x900")}\n${user64("at: syscall")}`,
    expected: UNDEFINED,
  },
  {
    name: "in compatibility mode it is #UD",
    reference: SYSCALL,
    text: `
      ${ENABLE}
      ${set(MSR.cstar, "entry")}
      ${returned("sysret", "at: db 0x0f, 0x05", "2", 32)}
      entry: mov eax, 0xa3d`,
    expected: UNDEFINED,
    qemu: { prints: "00000a3d", why: AMD },
  },
  {
    name: "a single step of SYSCALL comes behind it, unless IA32_FMASK has TF",
    reference: STEP,
    text: called("mov eax, 0x77\nnop", set(MSR.fmask, "0x100"), "push 0x102\npopfq\nat: syscall"),
    expected: "00000077",
    bochs: { prints: "01 00000000 +04", why: "Bochs goes by the flag with which it began." },
  },
  {
    name: "SYSRETQ goes to 64-bit code",
    reference: SYSRET,
    text: returned("sysretq", SELECTORS),
    expected: "0063005b",
  },
  {
    name: "SYSRET goes to 32-bit code",
    reference: SYSRET,
    text: returned("sysret", SELECTORS, "2", 32),
    expected: "0053005b",
  },
  {
    name: "it takes RIP from the lower half of RCX",
    reference: SYSRET,
    text: returned("bts rcx, 40\nsysret", "mov eax, 7", "2", 32),
    expected: "00000007",
  },
  {
    name: "SYSRETQ takes RFLAGS from R11, without RF",
    reference: SYSRET,
    text: returned("sysretq", "pushfq\npop rax\nand eax, 0x3f4ed5", "0x2104c7"),
    expected: "002004c5",
  },
  {
    name: "it loads IF and IOPL",
    reference: SYSRET,
    text: `${returned("sysretq", "pushfq\npop rax\nand eax, 0x3200", "0x3202")}\ncli`,
    expected: "00003200",
  },
  {
    name: "to an address that is not canonical it is #GP(0) of the kernel",
    reference: SYSRET,
    text: `
      ${vector64(13, "entry")}
      ${ENABLE}
      mov rcx, ${NOT_CANONICAL}
      mov r11, 2
      sysretq
      entry:
      mov rax, [rsp+8]
      shr rax, 32
      or eax, [rsp+16]`,
    expected: "00000008",
    qemu: { prints: "00008063", why: "QEMU goes there, and the fetch faults." },
  },
  {
    name: "without EFER.SCE SYSRETQ is #UD",
    reference: SYSRET,
    text: `${set(EFER, "0x900")}\nat: sysretq`,
    expected: UNDEFINED,
  },
  {
    name: "SYSRETQ is the supervisor's",
    reference: SYSRET,
    text: `${ENABLE}\n${user64("at: sysretq")}`,
    expected: FAULTS,
  },
  {
    name: "a single step begins behind SYSRETQ that sets TF",
    reference: STEP,
    text: `
      ${ENABLE}
      mov ecx, program
      mov r11, 0x102
      at: sysretq
      program: nop
      ud2`,
    expected: "01 00000000 +03",
    bochs: { prints: "01 00000000 +04", why: PASSES },
  },
];

const sysenters: readonly KernelCase[] = [
  {
    name: "SYSENTER loads segments from IA32_SYSENTER_CS",
    reference: SYSENTER,
    text: entered(SELECTORS),
    expected: "00080010",
  },
  {
    name: "and RSP",
    reference: SYSENTER,
    text: entered(`mov eax, ${innerStack}\nsub eax, esp`),
    expected: "00000000",
  },
  {
    name: "it clears IF",
    reference: SYSENTER,
    text: `
      ${ENABLE}
      ${SYSENTER_ENTRY}
      ${returned("sysretq", "sysenter", "0x202")}
      entry:
      pushfq
      pop rax
      and eax, 0x200`,
    expected: "00000000",
  },
  {
    name: "without a selector it is #GP(0)",
    reference: SYSENTER,
    text: `${set(MSR.sysenterCs, "0")}\n${user64("at: sysenter")}`,
    expected: FAULTS,
  },
  {
    name: "from compatibility mode it comes to 64-bit code",
    reference: SYSENTER,
    text: `
      ${ENABLE}
      ${SYSENTER_ENTRY}
      ${returned("sysret", "sysenter", "2", 32)}
      entry:
      mov rax, 0x123456789a
      shr rax, 32`,
    expected: "00000012",
  },
  {
    name: "SYSEXIT goes to 32-bit code",
    reference: SYSEXIT,
    text: exited("sysexit", SELECTORS, 32),
    expected: "001b0023",
  },
  {
    name: "with REX.W to 64-bit code",
    reference: SYSEXIT,
    text: exited("sysexitq", SELECTORS),
    expected: "002b0033",
  },
  {
    name: "RSP is RCX",
    reference: SYSEXIT,
    text: exited("sysexitq", `mov eax, ${userStack}\nsub eax, esp`),
    expected: "00000000",
  },
  {
    name: "to an address that is not canonical it is #GP(0) of the kernel",
    reference: SYSEXIT,
    text: `
      ${vector64(13, "entry")}
      ${SYSENTER_MSRS}
      mov rdx, ${NOT_CANONICAL}
      mov ecx, ${userStack}
      sysexitq
      entry:
      mov rax, [rsp+8]
      shr rax, 32
      or eax, [rsp+16]`,
    expected: "00000008",
    qemu: { prints: "0000802b", why: "QEMU goes there, and the fetch faults." },
  },
  {
    name: "to a stack that is not canonical too",
    reference: SYSEXIT,
    text: `${SYSENTER_MSRS}\nmov edx, program\nmov rcx, ${NOT_CANONICAL}\nmov eax, 7\nat: sysexitq\nprogram: int 0x30`,
    expected: FAULTS,
    qemu: { prints: "00000007", why: "QEMU does not look." },
  },
  {
    name: "without a selector it is #GP(0)",
    reference: SYSEXIT,
    text: `${set(MSR.sysenterCs, "0")}\nat: sysexitq`,
    expected: FAULTS,
  },
  {
    name: "SYSEXIT is the supervisor's",
    reference: SYSEXIT,
    text: `${SYSENTER_MSRS}\n${user64("at: sysexitq")}`,
    expected: FAULTS,
  },
];

/** The descriptors that SYSRET's segments name, so that exceptions and INT find them as they are. */
const EACH = `
  mov rbx, ${segment(0, 0xf_ffff, 0xfb, 0xc)}
  mov [${gdt + RETURN_BASE}], rbx
  xor eax, eax
`;

const own = withOwnLabels64([...syscalls, ...sysenters], ["entry", "back", "program"]);

export const systemCalls: Kernel = {
  topic: "System calls in 64-bit mode",
  cases: own,
  // SYSENTER in 64-bit mode is Intel's.
  processors: { qemu: "max,vendor=GenuineIntel" },
  text: longModeText(own, { each: EACH }),
};
