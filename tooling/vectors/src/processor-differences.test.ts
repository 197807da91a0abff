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
  return {
    encoding: row(key),
    code: Uint8Array.of(0xf3, 0xe1, 0x10),
    before: result(flags),
    ours,
    theirs,
  };
}

describe("A difference between processors is known", () => {
  test.each([
    ["#AC in place of a page fault", "mov | o32 8B", 14, 17],
    ["#AC of MOVDQU", "movdqu | F3 0F 6F", undefined, 17],
    ["a page fault of MOVSXD to 16 bits", "movsxd | o16", undefined, 14],
    ["LOCK MOV of a control register", "mov | 0F 22", 6, 13],
    ["the push of a CALL", "call | FF /2", 13, 14],
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

  test("for LOOPE with a REP prefix, which goes another way, and in nothing else", () => {
    const [ours, theirs] = [result(0n), { ...result(0n), rip: 0x2000_0813n }];
    expect(explain(comparison("loope | E1", 0n, ours, theirs))).toBeDefined();
    expect(explain(comparison("loop | E2", 0n, ours, theirs))).toBeUndefined();
    const counted = { ...result(0n, undefined, { rax: 5n }), rip: theirs.rip };
    expect(explain(comparison("loope | E1", 0n, ours, counted))).toBeUndefined();
  });

  test("for LDMXCSR of bit 17 and no other that is not defined", () => {
    const loading = (mxcsr: number): VectorResult => {
      const done = result(0n);
      return { ...done, registers: { ...done.registers, mxcsr } };
    };
    const key = "ldmxcsr | NP 0F AE /2";
    expect(explain(comparison(key, 0n, result(0n, 13), loading(0x2_1f80)))).toBeDefined();
    expect(explain(comparison(key, 0n, result(0n, 13), loading(0x3_1f80)))).toBeUndefined();
    expect(explain(comparison(key, 0n, result(0n), loading(0x2_1f80)))).toBeUndefined();
  });

  test("for POPA that faults, and in registers alone", () => {
    const [ours, theirs] = [result(0n, 14), result(0n, 14, { rax: 5n })];
    expect(explain(comparison("popad | o32 61", 0n, ours, theirs))).toBeDefined();
    expect(explain(comparison("popad | o32 61", 0n, result(0n), theirs))).toBeUndefined();
    const stored = { ...theirs, memory: [{ linear: 0x2001_0000, bytes: Uint8Array.of(1) }] };
    expect(explain(comparison("popad | o32 61", 0n, ours, stored))).toBeUndefined();
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
