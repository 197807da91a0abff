/** `ringside compare`: the table. */
import type { Command } from "commander";
import { benchmarks } from "../comparison/benchmarks.ts";

const BENCHMARK_COLUMNS = 16;
/** The processor of the paper that the first comparison follows. */
const DEFAULT_PROFILE = "pentium-4";

export interface CompareOptions {
  readonly strategies?: string;
  readonly benchmarks?: string;
  readonly profile: string;
  readonly json?: string;
  readonly html?: string;
  readonly cells?: boolean;
  readonly explain?: string;
  readonly from?: string;
}

export function addCompare(program: Command): void {
  program
    .command("compare")
    .description(
      "Runs the benchmarks under every strategy and prints what each operation costs, and why.",
    )
    .option(
      "--strategies <ids>",
      "which strategies, with commas; plugins by package name or path (default: all)",
    )
    .option(
      "--benchmarks <ids>",
      `which benchmarks or groups (nano, micro, compute), with commas (default: all)`,
    )
    .option("--profile <id>", "processor that prices the events", DEFAULT_PROFILE)
    .option("--cells", "also print the largest parts and the wall time of each cell")
    .option(
      "--explain <benchmark>",
      "instead of the table, walk through one operation under every strategy, event by event",
    )
    .option("--from <file>", "run nothing: price the counts of a report that --json wrote")
    .option("--json <file>", "also write the report as JSON")
    .option("--html <file>", "also write the report as one self-contained page with charts")
    .addHelpText(
      "after",
      `
Benchmarks, and what one operation is:
${benchmarks.map(({ id, operation }) => `  ${id.padEnd(BENCHMARK_COLUMNS)}${operation}`).join("\n")}

Profiles: pentium-4, core-2, penryn, sandy-bridge, haswell.
Exit status: 0; 1 when a benchmark failed; 125 when ringside itself fails.

Example:
  $ ringside compare --benchmarks nano,fork-wait --html report.html
  $ ringside compare --from report.json --profile haswell
  $ ringside compare --explain pgfault --strategies bare,vtx:shadow`,
    )
    .action(async (options: CompareOptions) => {
      const { runComparison } = await import("../actions/compare.ts");
      await runComparison(options);
    });
}
