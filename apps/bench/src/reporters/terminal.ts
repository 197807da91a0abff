/** The comparison on a terminal: one table, and under it why each cell is what it is. */
import type { Report, Result } from "@ringside/strategy";
import {
  benchmarks,
  groupNames,
  type Benchmark,
  type BenchmarkGroup,
  type Published,
} from "../comparison/benchmarks.ts";
import {
  cyclesPerOperation,
  eventsPerOperation,
  figure,
  quantity,
  ratio,
  ratioToBare,
  resultOf,
  shares,
  wallPerOperation,
} from "../comparison/figures.ts";
import type { Colours } from "../terminal.ts";
import { textTable } from "./text-table.ts";

const SHARES_SHOWN = 3;
const EVENTS_SHOWN = 4;

/** The whole text, without a final line feed. */
export function terminalReport(report: Report, colours: Colours): string {
  const { bold, dim } = colours;
  const shown = benchmarks.filter(({ id }) =>
    report.results.some(({ benchmark }) => benchmark === id),
  );
  const parts = [
    `${bold("Modelled cycles of one warm operation")}, and the ratio to bare ${dim(`(profile: ${report.profile.name}; wall time is this machine's)`)}`,
    "",
    mainTable(report, shown, colours),
    "",
    bold("Why"),
    whyTable(report, shown, colours),
    ...refusals(report, colours),
    ...sources(shown, colours),
  ];
  return parts.join("\n");
}

function mainTable(report: Report, shown: readonly Benchmark[], colours: Colours): string {
  const { bold, dim } = colours;
  const ids = report.strategies.map(({ id }) => id);
  const head = ["", ...ids.flatMap((id) => [bold(id), "", dim("wall")]), "published"];
  const rows: string[][] = [];
  let group: BenchmarkGroup | undefined;
  for (const benchmark of shown) {
    if (benchmark.group !== group) {
      if (group !== undefined) rows.push([""]);
      group = benchmark.group;
      rows.push([dim(groupNames[group])]);
    }
    rows.push([
      benchmark.id,
      ...ids.flatMap((id) => cell(report, resultOf(report, benchmark.id, id), colours)),
      publishedCell(benchmark.published, colours),
    ]);
  }
  const right = new Set(ids.flatMap((_id, index) => [1 + index * 3, 2 + index * 3, 3 + index * 3]));
  return textTable(head, fillRows(rows, head.length), right);
}

/** Group titles span the table: their other cells are empty. */
function fillRows(rows: readonly (readonly string[])[], columns: number): string[][] {
  return rows.map((row) => [...row, ...Array.from({ length: columns - row.length }, () => "")]);
}

function cell(report: Report, result: Result | undefined, { red, dim }: Colours): string[] {
  if (result === undefined) return ["", "", ""];
  if (result.status !== "ok")
    return [result.status === "failed" ? red("failed") : dim("n/a"), "", ""];
  const cycles = cyclesPerOperation(result);
  const wall = dim(wallPerOperation(result));
  if (cycles === undefined) return [dim("not modelled"), "", wall];
  const relative = ratioToBare(report, result);
  return [figure(cycles), relative === undefined ? "" : dim(ratio(relative)), wall];
}

function publishedCell(published: readonly Published[], { dim }: Colours): string {
  return published
    .map(({ technique, value, unit, unverified, calibrates }) => {
      const notes = [calibrates ? "calibrated" : "", unverified ? "unverified" : ""].filter(
        (note) => note !== "",
      );
      return `${technique} ${quantity(value, unit)}${notes.length > 0 ? dim(` (${notes.join(", ")})`) : ""}`;
    })
    .join("; ");
}

function whyTable(report: Report, shown: readonly Benchmark[], { dim }: Colours): string {
  const rows: string[][] = [];
  for (const benchmark of shown) {
    for (const { id } of report.strategies) {
      const result = resultOf(report, benchmark.id, id);
      if (result?.status !== "ok") continue;
      const text =
        result.modelledCycles === null
          ? eventsPerOperation(result, EVENTS_SHOWN).map(
              ({ name, count }) => `${figure(count)} × ${name}`,
            )
          : shares(result, report.profile, SHARES_SHOWN).map(
              ({ name, count, cycles }) =>
                `${figure(count)} × ${name} ${dim(`= ${figure(cycles)}`)}`,
            );
      rows.push([
        benchmark.id,
        id,
        `${figure(result.instructions / result.operations)} instructions`,
        text.join(", "),
      ]);
    }
  }
  return textTable(["", "", "", "per operation"], rows);
}

/** What does not apply, what failed and what is not modelled, each reason once. */
function refusals(report: Report, { bold, red }: Colours): string[] {
  const reasons = new Map<string, string[]>();
  const add = (title: string, benchmark: string): void =>
    void reasons.set(title, [...(reasons.get(title) ?? []), benchmark]);
  for (const result of report.results) {
    if (result.status === "ok") {
      if (result.reason !== undefined)
        add(`${result.strategy}, not modelled: ${result.reason}`, result.benchmark);
    } else if (result.status === "failed")
      add(red(`${result.strategy}, failed: ${result.reason}`), result.benchmark);
    else add(`${result.strategy}, n/a: ${result.reason}`, result.benchmark);
  }
  if (reasons.size === 0) return [];
  return [
    "",
    bold("Not in the table"),
    ...[...reasons].map(([reason, ids]) => `${reason} (${ids.join(", ")})`),
  ];
}

function sources(shown: readonly Benchmark[], { bold, dim }: Colours): string[] {
  const used = new Map<string, string[]>();
  for (const { id, published } of shown) {
    for (const { source } of published) used.set(source, [...(used.get(source) ?? []), id]);
  }
  if (used.size === 0) return [];
  return [
    "",
    bold("Published values"),
    ...[...used].map(([source, ids]) => dim(`${ids.join(", ")}: ${source}`)),
    dim(
      "calibrated: the profile's constants are chosen so that this native figure comes out; it is no prediction.",
    ),
  ];
}
