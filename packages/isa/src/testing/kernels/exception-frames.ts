/** What exceptions save in 64-bit mode, and which pairs of them are a double fault. */
import {
  gateFlags,
  handled,
  longModeText,
  mapPage,
  NOT_CANONICAL,
  PAGE_FLAGS,
  PLACE_64,
  reference,
  SEGMENT_64,
  user64,
  withOwnLabels64,
} from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const DOUBLE =
  'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8, table "Conditions for Generating a Double Fault")';
const ERROR_CODE = 'Intel SDM Vol. 3A §6.13, "Error Code"';
const RESTART = 'Intel SDM Vol. 3A §6.6, "Program or Task Restart"';

const { data, pages, record, tss } = PLACE_64;
const NO_STACK_FAULT = "QEMU raises #GP for every address that is not canonical.";
const MASKED = "QEMU computes SSE as if all exceptions were masked.";
const LONG_INDEX = "QEMU puts twice the vector into the error code, and leaves EXT clear.";

const LAZY_SWITCH = "mov rax, cr0\nor eax, 8\nmov cr0, rax";
const SINGLE_STEP = "push 0x102\npopfq";

/** Makes a vector's stack one that is not mapped. */
function withoutStack(vector: number): string {
  return `
    mov qword ptr [${tss + 36}], ${pages + 0x800}
    mov byte ptr [${PLACE_64.idt + vector * 16 + 4}], 1`;
}

function absentGate(vector: number): string {
  return gateFlags(vector, 0x0e);
}

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
      mov qword ptr [${record + 8}], ${pages}
      mov ebx, ${pages}
      jmp rbx`,
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

const own = withOwnLabels64([...saved, ...nested], ["handler", "end"]);

export const exceptionFrames: Kernel = {
  topic: "What exceptions save and double faults in 64-bit mode",
  cases: own,
  text: longModeText(own),
};
