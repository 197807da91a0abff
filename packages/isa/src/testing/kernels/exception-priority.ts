/** Exceptions in 64-bit mode: which comes first, what each saves, and what becomes a double fault. */
import {
  gateFlags,
  longModeText,
  mapPage,
  PAGE_FLAGS,
  PLACE_64,
  SEGMENT_64,
  user64,
  vector64,
  withOwnLabels64,
} from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const PRIORITY =
  'Intel SDM Vol. 3A §6.9, "Prioritization of Concurrent Events" (table "Priority Among Concurrent Events")';
const DOUBLE =
  'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8, table "Conditions for Generating a Double Fault")';
const ERROR_CODE = 'Intel SDM Vol. 3A §6.13, "Error Code"';
const RESTART = 'Intel SDM Vol. 3A §6.6, "Program or Task Restart"';
const CANONICAL = 'Intel SDM Vol. 1 §3.3.7.1, "Canonical Addressing"';

function reference(interrupt: number): string {
  return `Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt ${interrupt})`;
}

const { data, pages, record, tss } = PLACE_64;
const NOT_CANONICAL = "0x800000000000";
const NO_STACK_FAULT = "QEMU raises #GP for every address that is not canonical.";
const CROSSING = "QEMU looks at the first page first; real processors do not.";
const MASKED = "QEMU computes SSE as if all exceptions were masked.";
const LONG_INDEX = "QEMU puts twice the vector into the error code, and leaves EXT clear.";
const NO_ALIGNMENT = "QEMU's translator checks no alignment.";

const LAZY_SWITCH = "mov rax, cr0\nor eax, 8\nmov cr0, rax";
const ALIGNMENT_MASK = "mov rax, cr0\nor eax, 0x40000\nmov cr0, rax";
const [FLAGS_TF, FLAGS_AC] = [0x102, 0x4_0002];
const SINGLE_STEP = `push ${FLAGS_TF}\npopfq`;

/** Code at {@link pages}, from where the saved RIP is counted. */
function jumpTo(linear: number): string {
  return `mov qword ptr [${record + 8}], ${linear}\nmov rbx, ${linear}\njmp rbx`;
}

/** Breakpoint 0 on the execution of an address. */
function breakAt(linear: string): string {
  return `mov rax, ${linear}\nmov dr0, rax\nmov eax, 0x401\nmov dr7, rax`;
}

/** Breakpoint 0 on writes (1) or accesses (3) of 4 bytes of the data. */
function watch(condition: 1 | 3): string {
  const control = 0x401 | (condition << 16) | (3 << 18);
  return `mov eax, ${data}\nmov dr0, rax\nmov eax, ${control}\nmov dr7, rax`;
}

/** Makes a vector's stack one that is not mapped. */
function withoutStack(vector: number): string {
  return `
    mov qword ptr [${tss + 36}], ${pages + 0x800}
    mov byte ptr [${PLACE_64.idt + vector * 16 + 4}], 1`;
}

function absentGate(vector: number): string {
  return gateFlags(vector, 0x0e);
}

/** Runs code whose exception gives EAX to the case. */
function handled(vector: number, handler: string, text: string): string {
  return `
    ${vector64(vector, "handler")}
    ${text}
    jmp end
    handler:
    ${handler}
    end:`;
}

const order: readonly KernelCase[] = [
  {
    name: "a code breakpoint comes before the page fault of the fetch",
    reference: PRIORITY,
    text: `${breakAt(String(pages))}\n${jumpTo(pages)}`,
    expected: "01 00000000 +00",
  },
  {
    name: "a code breakpoint comes before #UD",
    reference: PRIORITY,
    text: `${breakAt("at")}\nat: ud2`,
    expected: "01 00000000 +00",
  },
  {
    name: "a page fault of the fetch comes before #UD, with RIP at the first byte",
    reference: PRIORITY,
    text: `
      ${mapPage(pages, data)}
      mov byte ptr [${data + 0xfff}], 0x0f
      ${jumpTo(pages + 0xfff)}`,
    expected: "0e 00000010 +00",
  },
  {
    name: "CR2 of such a fault is in the second page",
    reference: reference(14),
    text: handled(
      14,
      "mov rax, cr2",
      `${mapPage(pages, data)}
       mov byte ptr [${data + 0xfff}], 0x0f
       ${jumpTo(pages + 0xfff)}`,
    ),
    expected: "00201000",
  },
  {
    name: "an instruction longer than 15 bytes is #GP(0) before it is #UD",
    reference: reference(13),
    text: `at: db ${"0x66, ".repeat(14)}0x0f, 0x0b`,
    expected: "0d 00000000 +00",
  },
  {
    name: "#UD comes before the #GP of an operand (0F BA /0)",
    reference: PRIORITY,
    text: `mov rbx, ${NOT_CANONICAL}\nat: db 0x0f, 0xba, 0x03, 0x00`,
    expected: "06 00000000 +00",
    qemu: { prints: "0d 00000000 +00", why: "QEMU reads the operand first." },
  },
  {
    name: "the #UD of a LOCK comes before the #GP of a privilege",
    reference: PRIORITY,
    text: user64("at: db 0xf0\nhlt"),
    expected: "06 00000000 +00",
    qemu: { prints: "0d 00000000 +00", why: "QEMU looks at the privilege level first." },
  },
  {
    name: "#NM comes before the page fault of an operand",
    reference: PRIORITY,
    text: `${LAZY_SWITCH}\nat: fld qword ptr [${pages}]`,
    expected: "07 00000000 +00",
  },
  {
    name: "#NM comes before the #GP of an operand",
    reference: PRIORITY,
    text: `${LAZY_SWITCH}\nmov rbx, ${NOT_CANONICAL}\nat: movaps xmm0, [rbx]`,
    expected: "07 00000000 +00",
  },
  {
    name: "the #UD of an SSE instruction under CR0.EM comes before the #GP of its operand",
    reference: PRIORITY,
    text: `mov rax, cr0\nor eax, 4\nmov cr0, rax\nat: movaps xmm0, [${data + 1}]`,
    expected: "06 00000000 +00",
  },
  {
    name: "the #GP of a privilege comes before the page fault of an operand",
    reference: PRIORITY,
    text: user64(`at: lgdt [${pages}]`),
    expected: "0d 00000000 +00",
  },
  {
    name: "an operand across the end of the canonical addresses is #GP(0) before it is #PF",
    reference: CANONICAL,
    text: "mov rbx, 0x7ffffffffffc\nat: mov rax, [rbx]",
    expected: "0d 00000000 +00",
    qemu: { prints: "0e 00000000 +00", why: CROSSING },
  },
  {
    name: "and for a write that reads first",
    reference: CANONICAL,
    text: "mov rbx, 0x7ffffffffffc\nat: add [rbx], rax",
    expected: "0d 00000000 +00",
    qemu: { prints: "0e 00000000 +00", why: CROSSING },
  },
  {
    name: "and #SS(0) for a write through RBP",
    reference: CANONICAL,
    text: "mov rbp, 0x7ffffffffffc\nat: mov [rbp], rax",
    expected: "0c 00000000 +00",
    qemu: { prints: "0e 00000002 +00", why: CROSSING },
  },
  {
    name: "an operand of 16 bytes that is not aligned is #GP(0) before it is #PF",
    reference: PRIORITY,
    text: `at: movaps xmm0, [${pages + 8}]`,
    expected: "0d 00000000 +00",
  },
  {
    name: "an address that is not canonical is #GP(0)",
    reference: CANONICAL,
    text: `mov rbx, ${NOT_CANONICAL}\nat: mov rax, [rbx]`,
    expected: "0d 00000000 +00",
  },
  {
    name: "with RBP as its base it is #SS(0)",
    reference: CANONICAL,
    text: `mov rbp, ${NOT_CANONICAL}\nat: mov rax, [rbp]`,
    expected: "0c 00000000 +00",
    qemu: { prints: "0d 00000000 +00", why: NO_STACK_FAULT },
  },
  {
    name: "a page fault comes before #AC",
    reference: PRIORITY,
    text: `${ALIGNMENT_MASK}\n${user64(`at: mov eax, [${pages + 1}]`, FLAGS_AC)}`,
    expected: "0e 00000004 +00",
  },
  {
    name: "#AC comes where the page is there",
    reference: reference(17),
    text: `${ALIGNMENT_MASK}\n${user64(`xor eax, eax\nat: mov eax, [${data + 1}]`, FLAGS_AC)}`,
    expected: "11 00000000 +00",
    qemu: { prints: "00000000", why: NO_ALIGNMENT },
  },
  {
    name: "the page fault of a divisor comes before #DE",
    reference: PRIORITY,
    text: `xor eax, eax\nat: div dword ptr [${pages}]`,
    expected: "0e 00000000 +00",
  },
  {
    name: "the single step of an instruction comes before the #UD of the next",
    reference: PRIORITY,
    text: `${SINGLE_STEP}\nnop\nat: ud2`,
    expected: "01 00000000 +00",
  },
  {
    name: "the single step of an instruction comes before the page fault of the next fetch",
    reference: PRIORITY,
    text: `mov qword ptr [${record + 8}], ${pages}\nmov ebx, ${pages}\n${SINGLE_STEP}\njmp rbx`,
    expected: "01 00000000 +00",
  },
  {
    name: "a data breakpoint of an instruction comes before the #UD of the next",
    reference: PRIORITY,
    text: `${watch(1)}\nmov [${data}], eax\nat: ud2`,
    expected: "01 00000000 +00",
  },
  {
    name: "a data breakpoint of an instruction comes before the page fault of the next fetch",
    reference: PRIORITY,
    text: handled(
      1,
      "mov rax, [rsp]\nshr eax, 20",
      `mov dword ptr [${data}], ${pages}\n${watch(3)}\njmp qword ptr [${data}]`,
    ),
    expected: "00000002",
    qemu: { prints: "00000000", why: "QEMU takes the breakpoint in the handler of the fault." },
  },
  {
    name: "a code breakpoint comes before the page fault of an instruction's second page",
    reference: PRIORITY,
    text: `
      ${mapPage(pages, data)}
      mov byte ptr [${data + 0xfff}], 0x0f
      ${breakAt(String(pages + 0xfff))}
      ${jumpTo(pages + 0xfff)}`,
    expected: "01 00000000 +00",
  },
  {
    name: "an instruction that faults is not stepped over",
    reference: PRIORITY,
    text: `${SINGLE_STEP}\nat: ud2`,
    expected: "06 00000000 +00",
  },
  {
    name: "an instruction that faults meets no data breakpoint behind it",
    reference: PRIORITY,
    text: `
      ${vector64(1, "end")}
      ${watch(3)}
      ${handled(14, "mov eax, 14", `mov esi, ${data}\nmov edi, ${pages}\nmov eax, 1\nmovsd`)}`,
    expected: "0000000e",
    qemu: { prints: "00000001", why: "QEMU takes the breakpoint as well, before the handler." },
  },
];

const saved: readonly KernelCase[] = [
  {
    name: "#DE saves RIP of the instruction",
    reference: reference(0),
    text: "xor ecx, ecx\nat: div ecx",
    expected: "00 00000000 +00",
  },
  {
    name: "#BP saves RIP behind the instruction",
    reference: reference(3),
    text: "at: int3",
    expected: "03 00000000 +01",
  },
  {
    name: "INTO is #UD",
    reference: "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    text: "at: db 0xce",
    expected: "06 00000000 +00",
  },
  {
    name: "#TS has the selector of a TSS that is too short",
    reference: reference(10),
    text: `
      mov word ptr [${PLACE_64.gdt + SEGMENT_64.tss}], 0x2f
      mov byte ptr [${PLACE_64.gdt + SEGMENT_64.tss + 5}], 0x89
      mov ax, ${SEGMENT_64.tss}
      ltr ax
      mov byte ptr [${PLACE_64.idt + 0x31 * 16 + 4}], 7
      at: int 0x31`,
    expected: "0a 00000038 +00",
  },
  {
    name: "#NP has the selector of a data segment that is not present",
    reference: reference(11),
    text: `mov eax, ${SEGMENT_64.absent}\nat: mov ds, ax`,
    expected: "0b 00000048 +00",
  },
  {
    name: "#SS has the selector of a stack segment that is not present",
    reference: reference(12),
    text: `mov eax, ${SEGMENT_64.absent}\nat: mov ss, ax`,
    expected: "0c 00000048 +00",
  },
  {
    name: "#GP has the selector beyond the table's limit",
    reference: ERROR_CODE,
    text: "mov eax, 0xfc\nat: mov ds, ax",
    expected: "0d 000000fc +00",
  },
  {
    name: "a null SS at level 3 is #GP(0)",
    reference: reference(13),
    text: user64("xor eax, eax\nat: mov ss, ax"),
    expected: "0d 00000000 +00",
  },
  {
    name: "a write at level 3 to a page that is read-only is #PF(7)",
    reference: reference(14),
    text: `${mapPage(pages, data, PAGE_FLAGS & ~2)}\n${user64(`at: mov [${pages}], eax`)}`,
    expected: "0e 00000007 +00",
  },
  {
    name: "a fetch from a page with XD is #PF(11H)",
    reference: reference(14),
    text: `
      ${mapPage(pages, data)}
      mov dword ptr [${PLACE_64.table + 4}], 0x80000000
      ${jumpTo(pages)}`,
    expected: "0e 00000011 +00",
  },
  {
    name: "#MF arrives at the next waiting instruction, with RIP there",
    reference: reference(16),
    text: `
      mov word ptr [${data}], 0x37b
      fldcw [${data}]
      fld1
      fldz
      fdivp st(1), st(0)
      nop
      at: fwait`,
    expected: "10 00000000 +00",
  },
  {
    name: "#XM saves RIP of the instruction",
    reference: reference(19),
    text: `
      mov dword ptr [${data}], 0x1d80
      ldmxcsr [${data}]
      xorps xmm1, xmm1
      mov eax, 0x3f800000
      movd xmm0, eax
      at: divss xmm0, xmm1`,
    expected: "13 00000000 +00",
    qemu: { prints: "3f800000", why: MASKED },
  },
  {
    name: "without CR4.OSXMMEXCPT it is #UD",
    reference: reference(19),
    text: `
      mov eax, 0x220
      mov cr4, rax
      mov dword ptr [${data}], 0x1d80
      ldmxcsr [${data}]
      xorps xmm1, xmm1
      mov eax, 0x3f800000
      movd xmm0, eax
      at: divss xmm0, xmm1`,
    expected: "06 00000000 +00",
    qemu: { prints: "3f800000", why: MASKED },
  },
  {
    name: "a repeated string that faults keeps what it has done",
    reference: RESTART,
    text: handled(
      14,
      "mov eax, ecx",
      `${mapPage(pages, data)}
       mov esi, ${data + 0x100}
       mov edi, ${pages + 0xffc}
       mov ecx, 10
       rep movsb`,
    ),
    expected: "00000006",
  },
  {
    name: "a fault saves RFLAGS with RF",
    reference: 'Intel SDM Vol. 3B §18.3.1.1, "Instruction-Breakpoint Exception Condition"',
    text: handled(6, "mov eax, [rsp+16]\nand eax, 0x10000", "ud2"),
    expected: "00010000",
    qemu: { prints: "00000000", why: "QEMU does not set RF in what it saves." },
  },
  {
    name: "a software interrupt saves them without",
    reference: 'Intel SDM Vol. 3B §18.3.1.1, "Instruction-Breakpoint Exception Condition"',
    text: handled(3, "mov eax, [rsp+16]\nand eax, 0x10000", "int3"),
    expected: "00000000",
  },
];

const nested: readonly KernelCase[] = [
  {
    name: "contributory and contributory: #DE whose gate is absent is #DF(0)",
    reference: DOUBLE,
    text: `${absentGate(0)}\nxor ecx, ecx\nat: div ecx`,
    expected: "08 00000000 +00",
  },
  {
    name: "contributory and contributory: #GP whose gate is of a wrong type",
    reference: DOUBLE,
    text: `${gateFlags(13, 0x85)}\nmov rbx, ${NOT_CANONICAL}\nat: mov rax, [rbx]`,
    expected: "08 00000000 +00",
  },
  {
    name: "contributory and contributory: #SS whose stack is not canonical",
    reference: DOUBLE,
    text: `
      ${withoutStack(12)}
      mov rbp, ${NOT_CANONICAL}
      mov [${tss + 36}], rbp
      at: mov rax, [rbp]`,
    expected: "08 00000000 +00",
    qemu: { prints: "0d 00000000 +00", why: NO_STACK_FAULT },
  },
  {
    name: "contributory and page fault are served one after the other",
    reference: DOUBLE,
    text: `${withoutStack(13)}\nmov rbx, ${NOT_CANONICAL}\nat: mov rax, [rbx]`,
    expected: "0e 00000002 +00",
  },
  {
    name: "page fault and contributory are a double fault",
    reference: DOUBLE,
    text: `${absentGate(14)}\nat: mov rax, [${pages}]`,
    expected: "08 00000000 +00",
  },
  {
    name: "page fault and page fault are a double fault",
    reference: DOUBLE,
    text: `${withoutStack(14)}\nat: mov rax, [${pages}]`,
    expected: "08 00000000 +00",
  },
  {
    name: "benign and contributory: #UD whose gate is absent is #NP with IDT and EXT",
    reference: DOUBLE,
    text: `${absentGate(6)}\nat: ud2`,
    expected: "0b 00000033 +00",
    qemu: { prints: "0b 00000062 +00", why: LONG_INDEX },
  },
  {
    name: "benign and contributory: #NM whose gate has a null selector is #GP(EXT)",
    reference: DOUBLE,
    text: `${LAZY_SWITCH}\nmov word ptr [${PLACE_64.idt + 7 * 16 + 2}], 0\nat: fld1`,
    expected: "0d 00000001 +00",
    qemu: { prints: "0d 00000000 +00", why: "QEMU leaves EXT clear." },
  },
  {
    name: "benign and contributory: a single step whose gate is absent saves the next RIP",
    reference: DOUBLE,
    text: `${absentGate(1)}\n${SINGLE_STEP}\nnop\nat: nop`,
    expected: "0b 0000000b +00",
    qemu: { prints: "0b 00000012 +00", why: LONG_INDEX },
  },
  {
    name: "benign and contributory: #XM whose gate is absent",
    reference: DOUBLE,
    text: `
      ${absentGate(19)}
      mov dword ptr [${data}], 0x1d80
      ldmxcsr [${data}]
      xorps xmm1, xmm1
      mov eax, 0x3f800000
      movd xmm0, eax
      at: divss xmm0, xmm1`,
    expected: "0b 0000009b +00",
    qemu: { prints: "3f800000", why: MASKED },
  },
  {
    name: "benign and page fault are served one after the other",
    reference: DOUBLE,
    text: `${withoutStack(6)}\nat: ud2`,
    expected: "0e 00000002 +00",
  },
  {
    name: "INT3 whose gate is absent is #NP without EXT, with RIP at INT3",
    reference: ERROR_CODE,
    text: `${absentGate(3)}\nat: int3`,
    expected: "0b 0000001a +00",
    qemu: { prints: "0b 00000032 +00", why: LONG_INDEX },
  },
  {
    name: "INT n whose gate is absent is #NP without EXT, with RIP at INT n",
    reference: ERROR_CODE,
    text: `${absentGate(0x31)}\nat: int 0x31`,
    expected: "0b 0000018a +00",
    qemu: { prints: "0b 00000312 +00", why: LONG_INDEX },
  },
];

const own = withOwnLabels64([...order, ...saved, ...nested], ["handler", "end"]);

export const exceptionPriority: Kernel = {
  topic: "Exceptions and their priority in 64-bit mode",
  cases: own,
  text: longModeText(own),
};
