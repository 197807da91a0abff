import { describe, expect, test } from "vitest";
import { tallyReport } from "./tally.ts";

const report = (files: unknown[]): string => JSON.stringify({ testResults: files });
const passed = { status: "passed", fullName: "adds" };
const failed = { status: "failed", fullName: "carries", failureMessages: ["Error: 1\n    at x"] };

describe("tally of a Vitest report", () => {
  test("counts passed, failed and skipped tests over all files", () => {
    const text = report([
      { name: "a", status: "passed", assertionResults: [passed, { status: "skipped" }] },
      { name: "b", status: "failed", assertionResults: [failed, passed] },
    ]);
    expect(tallyReport(text)).toEqual({
      passed: 2,
      failed: 1,
      skipped: 1,
      failures: ["b: carries: Error: 1"],
    });
  });

  test("counts a file that did not load as one failure", () => {
    const text = report([
      { name: "a", status: "failed", message: "Cannot find x\nthere", assertionResults: [] },
    ]);
    expect(tallyReport(text)).toEqual({
      passed: 0,
      failed: 1,
      skipped: 0,
      failures: ["a: Cannot find x"],
    });
  });

  test("refuses what is not a report", () => {
    expect(() => tallyReport("{}")).toThrow("no testResults");
  });
});
