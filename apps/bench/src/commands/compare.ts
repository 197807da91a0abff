/** `ringside compare`: the table. */
import { writeFile } from "node:fs/promises";
import { Option, type Command } from "commander";
import { pentium4, type CostProfile } from "@ringside/strategy";
import { benchmarks, type Benchmark } from "../comparison/benchmarks.ts";
import { compare } from "../comparison/compare.ts";
import { CommandError } from "../failure.ts";
import { terminalReport } from "../reporters/terminal.ts";
import { findStrategies } from "../strategies.ts";
import { colours, progress } from "../terminal.ts";

const PROFILES: readonly CostProfile[] = [pentium4];
const SIGINT_STATUS = 130;

interface CompareOptions {
  readonly strategies?: string;
  readonly benchmarks?: string;
  readonly profile: string;
  readonly json?: string;
  readonly html?: string;
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
    .addOption(
      new Option("--profile <id>", "processor that prices the events")
        .choices(PROFILES.map(({ id }) => id))
        .default(PROFILES[0]?.id),
    )
    .option("--json <file>", "also write the report as JSON")
    .option("--html <file>", "also write the report as one self-contained page with charts")
    .addHelpText(
      "after",
      `
Benchmarks: ${benchmarks.map(({ id }) => id).join(", ")}.

Example:
  $ ringside compare --benchmarks nano,fork-wait --html report.html`,
    )
    .action(run);
}

async function run(options: CompareOptions): Promise<void> {
  const strategies = await findStrategies(options.strategies);
  const profile = PROFILES.find(({ id }) => id === options.profile);
  if (profile === undefined)
    throw new CommandError(`There is no cost profile "${options.profile}".`);
  const chosen = findBenchmarks(options.benchmarks);

  const stopped = new AbortController();
  const onInterrupt = (): void => stopped.abort();
  process.once("SIGINT", onInterrupt);
  const shown = progress();
  const total = chosen.length * strategies.length;
  let done = 0;
  try {
    const report = await compare({
      strategies,
      benchmarks: chosen,
      profile,
      wallClock: () => performance.now(),
      signal: stopped.signal,
      onStart(benchmark, strategy) {
        shown.update(`${benchmark.id} under ${strategy.id} (${done} of ${total} done)`);
        done += 1;
      },
    });
    shown.stop();
    process.stdout.write(`${terminalReport(report, colours(process.stdout))}\n`);
    if (options.json !== undefined)
      await write(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
    if (options.html !== undefined) {
      const { htmlReport } = await import("../reporters/html.ts");
      await write(options.html, htmlReport(report));
    }
    if (report.results.some(({ status }) => status === "failed")) process.exitCode = 1;
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    process.exitCode = SIGINT_STATUS;
  } finally {
    shown.stop();
    process.off("SIGINT", onInterrupt);
  }
}

function findBenchmarks(list: string | undefined): readonly Benchmark[] {
  if (list === undefined) return benchmarks;
  const names = list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  for (const name of names) {
    if (!benchmarks.some(({ id, group }) => id === name || group === name)) {
      throw new CommandError(
        `There is no benchmark "${name}". Known ones: nano, micro, compute, ${benchmarks.map(({ id }) => id).join(", ")}.`,
      );
    }
  }
  return benchmarks.filter(({ id, group }) => names.includes(id) || names.includes(group));
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new CommandError(`${path} cannot be written (${code}).`, undefined, { cause: error });
  }
}
