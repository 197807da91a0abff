import { initialRegisters, recordingPlan, type VectorResult } from "@ringside/isa/testing";
import { describe, expect, test } from "vitest";
import { explain, type Comparison } from "./processor-differences.ts";

const ALIGNMENT_CHECK = 0x4_0000n;
const UNALIGNED = 0x2001_2ffdn;

function row(start: string): Comparison["encoding"] {
  const found = recordingPlan().find(({ key }) => key.startsWith(start));
  if (found === undefined)
    throw new RangeError(`The table has no row that starts with "${start}".`);
  return found;
}

function result(flags: bigint, vector?: number, change?: { readonly rax: bigint }): VectorResult {
  const registers = { ...initialRegisters(64), flags };
  if (change !== undefined) registers.general[0] = change.rax;
  const linear = vector === 14 ? UNALIGNED : undefined;
  return {
    rip: 0x2000_0800n,
    registers,
    memory: [],
    fault: vector === undefined ? undefined : { vector, linear },
  };
}

function comparison(
  key: string,
  flags: bigint,
  ours: VectorResult,
  theirs: VectorResult,
): Comparison {
  return { encoding: row(key), before: result(flags), ours, theirs };
}

describe("A difference between processors is known", () => {
  test.each([
    ["#AC in place of a page fault", "mov | o32 8B", 14, 17],
    ["#AC of MOVDQU", "movdqu | F3 0F 6F", undefined, 17],
    ["a page fault of MOVSXD to 16 bits", "movsxd | o16", undefined, 14],
  ])("for %s", (_what, key, ours, theirs) => {
    const found = explain(
      comparison(
        key,
        ALIGNMENT_CHECK,
        result(ALIGNMENT_CHECK, ours),
        result(ALIGNMENT_CHECK, theirs),
      ),
    );
    expect(found).toBeDefined();
  });

  test.each([
    ["without EFLAGS.AC", "mov | o32 8B", 0n, result(0n, 14), result(0n, 17)],
    [
      "when ours does not fault",
      "mov | o32 8B",
      ALIGNMENT_CHECK,
      result(ALIGNMENT_CHECK),
      result(ALIGNMENT_CHECK, 17),
    ],
    [
      "when theirs changed a register",
      "mov | o32 8B",
      ALIGNMENT_CHECK,
      result(ALIGNMENT_CHECK, 14),
      result(ALIGNMENT_CHECK, 17, { rax: 1n }),
    ],
    [
      "for rows that must be aligned",
      "movdqa | 66 0F 6F",
      ALIGNMENT_CHECK,
      result(ALIGNMENT_CHECK),
      result(ALIGNMENT_CHECK, 17),
    ],
    ["for MOVSXD to 32 bits", "movsxd | o32", 0n, result(0n), result(0n, 14)],
  ])("and not %s", (_when, key, flags, ours, theirs) => {
    expect(explain(comparison(key, flags, ours, theirs))).toBeUndefined();
  });
});
