/** Pricing a report again. */
import { haswell, pentium4, readReport, type Report } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import { container } from "@ringside/strategy-container";
import { beforeAll, describe, expect, test } from "vitest";
import { benchmarks } from "./benchmarks.ts";
import { compare } from "./compare.ts";
import { reprice } from "./reprice.ts";

const chosen = benchmarks
  .filter(({ id }) => id === "null-call" || id === "divzero")
  .map((benchmark) => ({ ...benchmark, operations: 50 }));
const options = { strategies: [bare, container], benchmarks: chosen, wallClock: () => 0 };

describe("reprice", () => {
  let report: Report;
  beforeAll(async () => {
    report = await compare({ ...options, profile: pentium4 });
  });

  test("gives what a run under the other profile would have given", async () => {
    const repriced = reprice(report, haswell);
    expect(repriced).toEqual(await compare({ ...options, profile: haswell }));
    expect(repriced).not.toEqual(report);
  });

  test("gives the report itself under its own profile, also after a trip through JSON", () => {
    const read = readReport(JSON.parse(JSON.stringify(report)));
    expect(reprice(read, pentium4)).toEqual(report);
  });
});
