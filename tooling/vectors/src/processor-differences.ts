/**
 * Where processors differ and manuals let them: what the one underneath may do otherwise than ours.
 *
 * Each entry is matched against one instruction, as narrowly as it can be told. The fuzzer counts what it met of each.
 */
import { differences, type PlannedEncoding, type VectorResult } from "@ringside/isa/testing";

/** One instruction on both, alone or as the last one of a program. */
export interface Comparison {
  /** Its row's key, empty for one that only prepares for another, and what of it is not compared. */
  readonly encoding: Pick<PlannedEncoding, "key" | "except">;
  readonly code: Uint8Array;
  /** The state before it, and what memory then holds, where it had changed. */
  readonly before: Pick<VectorResult, "registers" | "memory">;
  readonly ours: VectorResult;
  readonly theirs: VectorResult;
}

export interface ProcessorDifference {
  /** What the other processor does. */
  readonly name: string;
  /** Why that is right, too. */
  readonly why: string;
  readonly reference: string;
  readonly matches: (comparison: Comparison) => boolean;
}

const UNDEFINED_OPCODE = 6;
const STACK_FAULT = 12;
const GENERAL_PROTECTION = 13;
const PAGE_FAULT = 14;
const ALIGNMENT_CHECK = 17;
const AC = 0x4_0000n;
const MXCSR_DEFINED = 0xffff;
const MISALIGNED_MASK = 0x2_0000;

/** Whether theirs faulted by this vector and left everything else as it was. */
function onlyFaults({ encoding, before, theirs }: Comparison, vector: number): boolean {
  const { rip, fault } = theirs;
  const untouched = { ...before, rip, fault };
  return fault?.vector === vector && differences(untouched, theirs, encoding.except).length === 0;
}

/** Whether the two differ in nothing but this part of what they left. */
function sameBut(
  { encoding, ours, theirs }: Comparison,
  part: "rip" | "fault" | "general registers",
): boolean {
  const { rip, fault } = theirs;
  const { general } = theirs.registers;
  const adapted = {
    rip: { ...ours, rip },
    fault: { ...ours, fault },
    "general registers": { ...ours, registers: { ...ours.registers, general } },
  };
  return differences(adapted[part], theirs, encoding.except).length === 0;
}

function checksAlignment({ before }: Comparison): boolean {
  return (before.registers.flags & AC) !== 0n;
}

export const PROCESSOR_DIFFERENCES: readonly ProcessorDifference[] = [
  {
    name: "an access that is not aligned is #AC before it is a page fault",
    why: "the order of exceptions in one class depends on the implementation",
    reference: 'Intel SDM Vol. 3A §6.9, "Prioritization of Concurrent Events"',
    matches: (comparison) =>
      checksAlignment(comparison) &&
      comparison.ours.fault?.vector === PAGE_FAULT &&
      comparison.theirs.fault?.vector === ALIGNMENT_CHECK &&
      sameBut(comparison, "fault"),
  },
  {
    name: "16 bytes that need no alignment are checked for it under EFLAGS.AC",
    why: "whether accesses of 128 bits are checked depends on the implementation",
    reference: 'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 17)',
    matches: (comparison) =>
      checksAlignment(comparison) &&
      /^(?:movdqu|movup[sd]|lddqu|pcmp[ei]str[im]|maskmovdqu) /u.test(comparison.encoding.key) &&
      comparison.ours.fault === undefined &&
      onlyFaults(comparison, ALIGNMENT_CHECK),
  },
  {
    name: "MOVSXD to 16 bits reads 32",
    why: "Intel's manual gives it an operand of 16 bits and discourages its use; AMD's knows it with one of 32",
    reference: "Intel SDM Vol. 2B, MOVSX/MOVSXD—Move With Sign-Extension",
    matches: (comparison) =>
      comparison.encoding.key.startsWith("movsxd | o16 ") &&
      comparison.ours.fault === undefined &&
      (onlyFaults(comparison, PAGE_FAULT) ||
        (checksAlignment(comparison) && onlyFaults(comparison, ALIGNMENT_CHECK))),
  },
  {
    name: "LOCK MOV from or to a control register is one of CR8",
    why: "AMD's processors have this way to CR8 for 32-bit code; elsewhere LOCK is undefined there",
    reference:
      'APM §3.1.5, "CR8 (Task Priority Register, TPR)"; Intel SDM Vol. 2A, LOCK—Assert LOCK# Signal Prefix',
    matches: (comparison) =>
      /^mov \| 0F 2[02] /u.test(comparison.encoding.key) &&
      comparison.ours.fault?.vector === UNDEFINED_OPCODE &&
      onlyFaults(comparison, GENERAL_PROTECTION),
  },
  {
    name: "what CALL pushes faults before a target that is not canonical does",
    why: "the order of exceptions in one class depends on the implementation",
    reference: 'Intel SDM Vol. 3A §6.9, "Prioritization of Concurrent Events"',
    matches: (comparison) =>
      comparison.encoding.key.startsWith("call ") &&
      comparison.ours.fault?.vector === GENERAL_PROTECTION &&
      [STACK_FAULT, PAGE_FAULT].includes(comparison.theirs.fault?.vector ?? 0) &&
      sameBut(comparison, "fault"),
  },
  {
    name: "MXCSR has bit 17, by which SSE operands need no alignment",
    why: "MXCSR_MASK says which bits a processor has, and AMD's have this one",
    reference: 'Intel SDM Vol. 1 §11.6.6, "Guidelines for Writing to the MXCSR Register"',
    matches: ({ encoding, ours, theirs }) => {
      const { mxcsr } = theirs.registers;
      const loaded = { ...ours.registers, mxcsr };
      const adapted = { ...ours, rip: theirs.rip, fault: undefined, registers: loaded };
      return (
        encoding.key.startsWith("ldmxcsr ") &&
        ours.fault?.vector === GENERAL_PROTECTION &&
        (mxcsr & ~MXCSR_DEFINED) === MISALIGNED_MASK &&
        differences(adapted, theirs, encoding.except).length === 0
      );
    },
  },
  {
    name: "a REP prefix turns the condition of LOOPE and LOOPNE into its own",
    why: "REP prefixes of instructions that repeat nothing are reserved",
    reference: 'Intel SDM Vol. 2A §2.1.1, "Instruction Prefixes"',
    matches: (comparison) =>
      /^loopn?e /u.test(comparison.encoding.key) &&
      comparison.code.some((byte) => byte === 0xf2 || byte === 0xf3) &&
      comparison.ours.fault === undefined &&
      sameBut(comparison, "rip"),
  },
  {
    name: "POPA keeps the registers that it loaded before the one that faults",
    why: "executed again it loads them all, so that a handler need not care",
    reference: "Intel SDM Vol. 2B, POPA/POPAD—Pop All General-Purpose Registers",
    matches: (comparison) =>
      /^popad? /u.test(comparison.encoding.key) &&
      comparison.ours.fault !== undefined &&
      sameBut(comparison, "general registers"),
  },
];

/** The entry that explains a difference, if any does. */
export function explain(comparison: Comparison): ProcessorDifference | undefined {
  return PROCESSOR_DIFFERENCES.find(({ matches }) => matches(comparison));
}
