/** What `ringside compare --explain` does. */
import type { CostProfile } from "@ringside/strategy";
import type { CompareOptions } from "../commands/compare.ts";
import { benchmarks, type Benchmark } from "../comparison/benchmarks.ts";
import { explain } from "../explain/explain.ts";
import { CommandError } from "../failure.ts";
import { explanationHeading, explanationSection } from "../reporters/explanation.ts";
import { findStrategies } from "../strategies.ts";
import { colours, progress } from "../terminal.ts";

/** Walks through one operation under every strategy, and prints each walk when it is done. */
export async function explainOperation(
  options: CompareOptions,
  name: string,
  profile: CostProfile,
): Promise<void> {
  for (const other of ["benchmarks", "from", "json", "html", "cells"] as const) {
    if (options[other] !== undefined) {
      throw new CommandError(`--explain prints no table, so it does not go with --${other}.`);
    }
  }
  const benchmark = findBenchmark(name);
  const strategies = await findStrategies(options.strategies);
  const shownIn = colours(process.stdout);
  process.stdout.write(`${explanationHeading(benchmark, profile, shownIn)}\n`);
  for (const strategy of strategies) {
    const shown = progress();
    shown.update(`${benchmark.id} under ${strategy.id}`);
    const explained = explain(strategy, benchmark, profile);
    shown.stop();
    process.stdout.write(`\n${explanationSection(explained, shownIn)}\n`);
  }
}

function findBenchmark(name: string): Benchmark {
  const benchmark = benchmarks.find(({ id }) => id === name);
  if (benchmark !== undefined) return benchmark;
  throw new CommandError(
    `There is no benchmark "${name}" to explain. Known ones: ${benchmarks.map(({ id }) => id).join(", ")}.`,
  );
}
