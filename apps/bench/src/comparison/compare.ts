/** A whole comparison: every benchmark under every strategy, and the report. */
import {
  reportSchema,
  type CostProfile,
  type Report,
  type Result,
  type Strategy,
} from "@ringside/strategy";
import type { Benchmark } from "./benchmarks.ts";
import { measure, type WallClock } from "./measure.ts";

export interface ComparisonOptions {
  readonly strategies: readonly Strategy[];
  readonly benchmarks: readonly Benchmark[];
  readonly profile: CostProfile;
  readonly wallClock: WallClock;
  /** Called before each run. */
  readonly onStart?: (benchmark: Benchmark, strategy: Strategy) => void;
  /** Aborting it ends the run that is going on, and the comparison. */
  readonly signal?: AbortSignal;
}

/** Runs one after another, so that wall times do not disturb each other. */
export async function compare(options: ComparisonOptions): Promise<Report> {
  const results: Result[] = [];
  for (const benchmark of options.benchmarks) {
    const row: Result[] = [];
    for (const strategy of options.strategies) {
      options.signal?.throwIfAborted();
      options.onStart?.(benchmark, strategy);
      row.push(
        sameChecksum(
          await measure(strategy, benchmark, options.profile, options.wallClock, options.signal),
          row,
        ),
      );
    }
    results.push(...row);
  }
  return {
    schema: reportSchema,
    profile: options.profile,
    strategies: options.strategies.map(({ id, name, summary, traits, capabilities }) => ({
      id,
      name,
      summary,
      traits,
      capabilities,
    })),
    results,
  };
}

/** A fast wrong answer fails: the work's checksum must be that of the strategies before. */
function sameChecksum(result: Result, before: readonly Result[]): Result {
  if (result.status !== "ok") return result;
  const other = before.find((earlier) => earlier.status === "ok");
  if (other === undefined || other.status !== "ok" || other.checksum === result.checksum)
    return result;
  return {
    benchmark: result.benchmark,
    strategy: result.strategy,
    status: "failed",
    reason: `Its checksum is ${result.checksum}, and under ${other.strategy} it is ${other.checksum}.`,
  };
}
