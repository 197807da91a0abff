import { describe, expect, test } from "vitest";
import { pentium4 } from "./profiles/pentium-4.ts";
import { readReport, reportSchema, type Report } from "./report.ts";

const measurement = {
  operations: 1000,
  instructions: 5000,
  modelledCycles: 900,
  guestCycles: 500,
  transitionCycles: 300,
  monitorCycles: 100,
  wallMs: 1.5,
  events: { exceptions: { "14": 3 }, units: 5100 },
};

const report: Report = {
  schema: reportSchema,
  profile: pentium4,
  strategies: [
    {
      id: "bare",
      name: "Bare",
      summary: "No hypervisor.",
      traits: {
        guestKernel: "unmodified",
        guestKernelLevel: 0,
        extensions: [],
        exclusive: true,
      },
      capabilities: { programs: true, kernels: true, selfModifyingCode: true },
    },
  ],
  results: [
    {
      ...measurement,
      benchmark: "sieve",
      strategy: "bare",
      status: "ok",
      checksum: "0123456789abcdef",
      cold: { ...measurement, modelledCycles: null, reason: "not modelled" },
    },
    {
      benchmark: "in",
      strategy: "container",
      status: "not-applicable",
      reason: "It has no ports.",
    },
  ],
};

describe("a report", () => {
  test("survives a round through JSON", () => {
    expect(readReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  function broken(change: (copy: { results: Record<string, unknown>[] }) => void): unknown {
    const copy = JSON.parse(JSON.stringify(report)) as { results: Record<string, unknown>[] };
    change(copy);
    return copy;
  }

  test.each([
    ["no object", 42, "the report"],
    ["another schema", { ...report, schema: "ringside.report/0" }, "schema"],
    [
      "a sum that is wrong",
      broken((r) => Object.assign(r.results[0] ?? {}, { modelledCycles: 1 })),
      "results.0",
    ],
    [
      "a null without a reason",
      broken((r) => Object.assign(r.results[0] ?? {}, { modelledCycles: null })),
      "results.0",
    ],
    [
      "a checksum that is none",
      broken((r) => Object.assign(r.results[0] ?? {}, { checksum: "xyz" })),
      "results.0.checksum",
    ],
    [
      "an unknown field",
      broken((r) => Object.assign(r.results[1] ?? {}, { extra: 1 })),
      "results.1",
    ],
    [
      "a failure without a reason",
      broken((r) => Object.assign(r.results[1] ?? {}, { reason: "" })),
      "results.1.reason",
    ],
  ])("with %s is refused, naming the place", (_, value, place) => {
    expect(() => readReport(value)).toThrow(TypeError);
    expect(() => readReport(value)).toThrow(`${place}:`);
  });
});
