/**
 * Reads the totals out of Vitest's JSON report.
 *
 * A file that fails to load has no tests of its own in the report, so it counts as one failure.
 */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface FileResult {
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string }[];
}

/** @throws {Error} when `text` is not a Vitest JSON report. */
export function tallyReport(text: string): Tally {
  const report: unknown = JSON.parse(text);
  if (!isReport(report)) {
    throw new Error("The test report has no testResults. Vitest's JSON reporter was expected.");
  }
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const file of report.testResults) {
    let failedHere = 0;
    for (const { status } of file.assertionResults) {
      if (status === "passed") passed += 1;
      else if (status === "failed") failedHere += 1;
      else skipped += 1;
    }
    failed += failedHere === 0 && file.status === "failed" ? 1 : failedHere;
  }
  return { passed, failed, skipped };
}

function isReport(value: unknown): value is { testResults: readonly FileResult[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "testResults" in value &&
    Array.isArray(value.testResults)
  );
}
