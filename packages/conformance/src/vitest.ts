/**
 * Registers the conformance suite with Vitest.
 *
 * @packageDocumentation
 */
import { Host, type Strategy } from "@ringside/strategy";
import { describe, test } from "vitest";
import { applies, conformanceCases, subjectHostBytes } from "./index.ts";

/**
 * Registers the whole suite for one strategy. Call it at the top level of a test file.
 *
 * What the strategy says it cannot do shows as skipped; the documented refusal is tested instead.
 */
export function describeStrategy(strategy: Strategy): void {
  describe(`${strategy.id} conforms`, () => {
    for (const testCase of conformanceCases) {
      const { name, requires, run } = testCase;
      const missing = applies(testCase, strategy) ? "" : ` (needs ${requires ?? "nothing"})`;
      test.skipIf(missing !== "")(`${strategy.id} ${name}${missing}`, () =>
        run({ strategy, host: Host.create({ memoryBytes: subjectHostBytes }) }),
      );
    }
  });
}
