/** What `ringside compare` does. */
import { readFile, writeFile } from "node:fs/promises";
import { costProfiles, readReport, type CostProfile, type Report } from "@ringside/strategy";
import { benchmarks, type Benchmark } from "../comparison/benchmarks.ts";
import { compare } from "../comparison/compare.ts";
import { reprice } from "../comparison/reprice.ts";
import type { CompareOptions } from "../commands/compare.ts";
import { CommandError, errorCode, STATUS, unreadable } from "../failure.ts";
import { terminalReport } from "../reporters/terminal.ts";
import { findStrategies } from "../strategies.ts";
import { colours, columnsOf, progress } from "../terminal.ts";
import { explainOperation } from "./explain-operation.ts";

/** Runs, prints the table, and writes the files that are wanted. */
export async function runComparison(options: CompareOptions): Promise<void> {
  const profile = findProfile(options.profile);
  if (options.explain !== undefined) {
    await explainOperation(options, options.explain, profile);
    return;
  }
  const report =
    options.from === undefined
      ? await runBenchmarks(options, profile)
      : reprice(await readReportFile(options, options.from), profile);
  if (report !== undefined) await show(report, options);
}

/** Runs what is wanted; undefined after Ctrl-C. */
async function runBenchmarks(
  options: CompareOptions,
  profile: CostProfile,
): Promise<Report | undefined> {
  const chosen = findBenchmarks(options.benchmarks);
  const strategies = await findStrategies(options.strategies);
  const stopped = new AbortController();
  const onInterrupt = (): void => stopped.abort();
  process.once("SIGINT", onInterrupt);
  const shown = progress();
  const total = chosen.length * strategies.length;
  let done = 0;
  try {
    return await compare({
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
  } catch (error) {
    if (!stopped.signal.aborted) throw error;
    process.exitCode = STATUS.interrupted;
    return undefined;
  } finally {
    shown.stop();
    process.off("SIGINT", onInterrupt);
  }
}

/** A report of an earlier run, which is input from outside. */
async function readReportFile(options: CompareOptions, path: string): Promise<Report> {
  for (const other of ["benchmarks", "strategies"] as const) {
    if (options[other] !== undefined) {
      throw new CommandError(`--from runs nothing, so it does not go with --${other}.`);
    }
  }
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    return readReport(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    throw new CommandError(`${path}: ${error.message}`, undefined, { cause: error });
  }
}

/** Prints the table, and writes the files that are wanted. */
async function show(report: Report, options: CompareOptions): Promise<void> {
  process.stdout.write(
    `${terminalReport(report, colours(process.stdout), { cells: options.cells === true, columns: columnsOf(process.stdout) })}\n`,
  );
  if (options.json !== undefined)
    await write(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (options.html !== undefined) {
    const { htmlReport } = await import("../reporters/html.ts");
    await write(options.html, htmlReport(report));
  }
  if (report.results.some(({ status }) => status === "failed")) process.exitCode = 1;
}

function findProfile(name: string): CostProfile {
  const profile = costProfiles.find(({ id }) => id === name);
  if (profile !== undefined) return profile;
  const known = costProfiles.map(({ id }) => id).join(", ");
  throw new CommandError(`There is no cost profile "${name}". Known ones: ${known}.`);
}

function findBenchmarks(list: string | undefined): readonly Benchmark[] {
  if (list === undefined) return benchmarks;
  const names = list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) throw new CommandError("No benchmark is named.");
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
    throw new CommandError(`${path} cannot be written (${errorCode(error)}).`, undefined, {
      cause: error,
    });
  }
}
