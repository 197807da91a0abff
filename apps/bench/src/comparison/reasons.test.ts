/** What is said under the table, for counts made up so that the answer is known. */
import {
  countTree,
  pentium4,
  price,
  reportSchema,
  type Counts,
  type OkResult,
  type Report,
} from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { columnReasons, largestKinds } from "./reasons.ts";

const operations = 10;

function result(benchmark: string, strategy: string, flat: Record<string, number>): OkResult {
  const counts: Counts = {
    rings: {},
    mnemonics: {},
    exceptions: {},
    interrupts: {},
    translation: {},
    ...countTree(flat),
    units: 1000,
    instructions: 1000,
  };
  const { modelledCycles, guestCycles, transitionCycles, monitorCycles } = price(counts, pentium4);
  const part = {
    operations,
    instructions: counts.instructions,
    modelledCycles,
    guestCycles,
    transitionCycles,
    monitorCycles,
    wallMs: 1,
    events: counts,
  };
  return {
    benchmark,
    strategy,
    status: "ok",
    checksum: "0123456789abcdef",
    ...part,
    cold: part,
  };
}

function report(strategies: readonly string[], results: Report["results"]): Report {
  return {
    schema: reportSchema,
    profile: pentium4,
    strategies: strategies.map((id) => ({
      id,
      name: id,
      summary: "",
      traits: { guestKernel: "unmodified", guestKernelLevel: 0, extensions: [], exclusive: true },
      capabilities: { programs: true, kernels: true, selfModifyingCode: true },
    })),
    results,
  };
}

const trapping = { entries: 10, "exits.cpuid": 10, "monitor.vmreads": 10 };

describe("columnReasons", () => {
  test("tells what a strategy adds, and not what bare has as well", () => {
    const sample = report(
      ["bare", "odd"],
      [
        result("syscall", "bare", { "exceptions.0": 100 }),
        result("syscall", "odd", { "exceptions.0": 100, ...trapping }),
      ],
    );
    const kinds = largestKinds(sample, "odd", 3);
    expect(kinds.map(({ events }) => events)).toEqual([
      "VM entries",
      "VM exits for CPUID",
      "reads of VMCS fields",
    ]);
    expect(kinds.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(columnReasons(sample)).toEqual([
      {
        strategy: "bare",
        reason: "Its cycles go to exceptions (98 %) and instructions of the guest (1.96 %).",
      },
      {
        strategy: "odd",
        reason:
          "Within 5 % of bare in 0 of 1 benchmarks; dearest: syscall (1.82×). What it adds to bare is mostly VM entries (57.5 %), VM exits for CPUID (38.2 %) and reads of VMCS fields (4.25 %).",
      },
    ]);
  });

  test("gives benchmarks the same weight, whatever they cost", () => {
    const sample = report(
      ["bare", "odd"],
      [
        result("in", "bare", {}),
        result("in", "odd", { entries: 100_000 }),
        result("cr8wr", "bare", {}),
        result("cr8wr", "odd", { "monitor.vmreads": 100 }),
      ],
    );
    expect(largestKinds(sample, "odd", 3).map(({ share }) => share)).toEqual([0.5, 0.5]);
  });

  test("names what is cheaper than on bare, and says nothing of what is alike", () => {
    const sample = report(
      ["bare", "odd"],
      [
        result("in", "bare", { "mnemonics.in": 10 }),
        result("in", "odd", {}),
        result("cr8wr", "bare", {}),
        result("cr8wr", "odd", {}),
      ],
    );
    expect(columnReasons(sample)[1]?.reason).toBe(
      "Within 5 % of bare in 1 of 2 benchmarks; cheaper: in.",
    );
  });

  test("has a reason for a strategy that nothing is modelled of", () => {
    const sample = report(
      ["odd"],
      [{ benchmark: "in", strategy: "odd", status: "not-applicable", reason: "It has no ports." }],
    );
    expect(columnReasons(sample)[0]?.reason).toBe("No cycles are modelled. It has no ports.");
  });
});
