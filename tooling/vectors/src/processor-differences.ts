/**
 * Where processors differ and manuals let them: what the one underneath may do otherwise than ours.
 *
 * Each entry is matched against one instruction, as narrowly as it can be told. The fuzzer counts what it met of each.
 */
import { differences, type PlannedEncoding, type VectorResult } from "@ringside/isa/testing";

/** One instruction on both, alone or as the last one of a program. */
export interface Comparison {
  readonly encoding: PlannedEncoding;
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

const PAGE_FAULT = 14;
const ALIGNMENT_CHECK = 17;
const AC = 0x4_0000n;

/** Whether theirs faulted by this vector and left everything else as it was. */
function onlyFaults({ encoding, before, theirs }: Comparison, vector: number): boolean {
  const { rip, fault } = theirs;
  const untouched = { ...before, rip, fault };
  return fault?.vector === vector && differences(untouched, theirs, encoding.except).length === 0;
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
      comparison.ours.rip === comparison.theirs.rip &&
      onlyFaults(comparison, ALIGNMENT_CHECK),
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
];

/** The entry that explains a difference, if any does. */
export function explain(comparison: Comparison): ProcessorDifference | undefined {
  return PROCESSOR_DIFFERENCES.find(({ matches }) => matches(comparison));
}
