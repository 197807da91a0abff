/** Exceptions in 64-bit mode: which of several comes first. */
import {
  handled,
  longModeText,
  mapPage,
  NOT_CANONICAL,
  PLACE_64,
  reference,
  user64,
  vector64,
  withOwnLabels64,
} from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const PRIORITY =
  'Intel SDM Vol. 3A §6.9, "Prioritization of Concurrent Events" (table "Priority Among Concurrent Events")';
const CANONICAL = 'Intel SDM Vol. 1 §3.3.7.1, "Canonical Addressing"';

const { data, pages, record } = PLACE_64;
const NO_STACK_FAULT = "QEMU raises #GP for every address that is not canonical.";
const CROSSING = "QEMU looks at the first page first; real processors do not.";
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

const cases: readonly KernelCase[] = [
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
    bochs: { prints: "11 00000000 +00", why: "Bochs checks the alignment first." },
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

const own = withOwnLabels64(cases, ["handler", "end"]);

export const exceptionPriority: Kernel = {
  topic: "Priority of exceptions in 64-bit mode",
  cases: own,
  text: longModeText(own),
};
