/**
 * Reads the totals out of Vitest's JSON report.
 *
 * A file that fails to load has no tests of its own in the report, so it counts as one failure.
 */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** A line for each failure, with its file: a log that is cut to its end still says what to mend. */
  readonly failures: readonly string[];
}

interface FileResult {
  readonly name: string;
  readonly status: string;
  /** Why the file did not load. */
  readonly message: string;
  readonly assertionResults: readonly TestResult[];
}

interface TestResult {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages?: readonly string[] | null;
}

/** @throws {Error} when `text` is not a Vitest JSON report. */
export function tallyReport(text: string): Tally {
  const report: unknown = JSON.parse(text);
  if (!isReport(report)) {
    throw new Error("The test report has no testResults. Vitest's JSON reporter was expected.");
  }
  let passed = 0;
  let skipped = 0;
  const failures: string[] = [];
  for (const { name, status, message, assertionResults } of report.testResults) {
    const failedTests = assertionResults.filter((test) => test.status === "failed");
    const passedTests = assertionResults.filter((test) => test.status === "passed");
    passed += passedTests.length;
    skipped += assertionResults.length - passedTests.length - failedTests.length;
    for (const { fullName, failureMessages } of failedTests)
      failures.push(`${name}: ${fullName}: ${firstLine(failureMessages?.[0])}`);
    if (status === "failed" && failedTests.length === 0)
      failures.push(`${name}: ${firstLine(message)}`);
  }
  return { passed, failed: failures.length, skipped, failures };
}

function firstLine(text = ""): string {
  return text.split("\n", 1)[0] ?? "";
}

function isReport(value: unknown): value is { testResults: readonly FileResult[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "testResults" in value &&
    Array.isArray(value.testResults)
  );
}
