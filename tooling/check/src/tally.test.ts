import { describe, expect, test } from "vitest";
import { tallyReport } from "./tally.ts";

const report = (files: unknown[]): string => JSON.stringify({ testResults: files });

describe("tally of a Vitest report", () => {
  test("counts passed, failed and skipped tests over all files", () => {
    const text = report([
      { status: "passed", assertionResults: [{ status: "passed" }, { status: "skipped" }] },
      { status: "failed", assertionResults: [{ status: "failed" }, { status: "passed" }] },
    ]);
    expect(tallyReport(text)).toEqual({ passed: 2, failed: 1, skipped: 1 });
  });

  test("counts a file that did not load as one failure", () => {
    const text = report([{ status: "failed", assertionResults: [] }]);
    expect(tallyReport(text)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  test("refuses what is not a report", () => {
    expect(() => tallyReport("{}")).toThrow("no testResults");
  });
});
