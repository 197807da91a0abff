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
      const { name, requires, lacks, run } = testCase;
      const isFor =
        requires === undefined ? `without ${lacks}` : `with ${[requires].flat().join(" and ")}`;
      const skips = !applies(testCase, strategy);
      test.skipIf(skips)(`${strategy.id} ${name}${skips ? ` (for strategies ${isFor})` : ""}`, () =>
        run({ strategy, host: Host.create({ memoryBytes: subjectHostBytes }) }),
      );
    }
  });
}
