/** Published figures, and ours beside them. */
import { countTree, pentium4, reportSchema, type OkResult, type Report } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { benchmarks } from "./benchmarks.ts";
import { besidePublished } from "./beside-published.ts";
import { publishedBenchmarks, publishedFor } from "./published.ts";

describe("published figures", () => {
  test("are for benchmarks that there are", () => {
    const known = new Set(benchmarks.map(({ id }) => id));
    expect(publishedBenchmarks.filter((id) => !known.has(id))).toEqual([]);
  });

  test.each(publishedBenchmarks)("of %s begin with the native one, in one unit", (benchmark) => {
    const [native, ...others] = publishedFor(benchmark);
    expect(native?.strategy).toBe("bare");
    expect(others.map(({ unit }) => unit)).toEqual(others.map(() => native?.unit));
  });

  test("calibrate nothing but native cells", () => {
    const calibrating = publishedBenchmarks
      .flatMap(publishedFor)
      .filter(({ calibrates }) => calibrates);
    expect(new Set(calibrating.map(({ strategy }) => strategy))).toEqual(new Set(["bare"]));
  });
});

function result(benchmark: string, strategy: string, cycles: number): OkResult {
  const part = {
    operations: 1,
    instructions: 1,
    modelledCycles: cycles,
    guestCycles: cycles,
    transitionCycles: 0,
    monitorCycles: 0,
    wallMs: 1,
    events: countTree({}),
  };
  return { benchmark, strategy, status: "ok", checksum: "0123456789abcdef", ...part, cold: part };
}

const report = (...results: OkResult[]): Report => ({
  schema: reportSchema,
  profile: pentium4,
  strategies: [],
  results,
});

describe("besidePublished", () => {
  test("compares cycles with cycles, and ratios with ratios", () => {
    const rows = besidePublished(
      report(result("divzero", "bare", 889), result("divzero", "vtx:shadow", 2028)),
      ["divzero"],
    );
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({
      published: { technique: "VT-x without EPT", value: 1014 },
      ours: 2028,
      oursToPublished: 2,
      publishedToNative: 1014 / 889,
      oursToBare: 2028 / 889,
      ratioOfRatios: 2,
    });
  });

  test("turns cycles into time at the profile's clock", () => {
    const [row] = besidePublished(report(result("fork-wait", "bare", 3800)), ["fork-wait"]);
    expect(row?.ours).toBeCloseTo(1, 9);
    expect(row?.published.unit).toBe("µs");
  });

  test("takes the ratio to bare where a ratio was published", () => {
    const rows = besidePublished(
      report(result("integer-mix", "bare", 100), result("integer-mix", "paravirt", 150)),
      ["integer-mix"],
    );
    expect(rows.map(({ ours }) => ours)).toEqual([1, 1.5]);
  });
});
