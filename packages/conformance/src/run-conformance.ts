/** Runs cases without a test runner. */
import { Host, type Strategy } from "@ringside/strategy";
import { applies, subjectHostBytes, type ConformanceCase } from "./conformance-case.ts";

export type CaseResult =
  | { readonly name: string; readonly outcome: "passed" | "skipped" }
  | { readonly name: string; readonly outcome: "failed"; readonly error: Error };

/** Runs each case on a host of its own, in order, and gives what came of it as it comes. */
export async function* runConformance(
  strategy: Strategy,
  cases: readonly ConformanceCase[],
): AsyncGenerator<CaseResult, void, void> {
  for (const testCase of cases) yield await runCase(strategy, testCase);
}

async function runCase(strategy: Strategy, testCase: ConformanceCase): Promise<CaseResult> {
  const { name } = testCase;
  if (!applies(testCase, strategy)) return { name, outcome: "skipped" };
  try {
    await testCase.run({ strategy, host: Host.create({ memoryBytes: subjectHostBytes }) });
    return { name, outcome: "passed" };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    return { name, outcome: "failed", error };
  }
}
