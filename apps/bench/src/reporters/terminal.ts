/** The comparison on a terminal: one table, and under it why each column is what it is. */
import type { Report, Result } from "@ringside/strategy";
import {
  benchmarks,
  groupNames,
  type Benchmark,
  type BenchmarkGroup,
} from "../comparison/benchmarks.ts";
import { besidePublished, type Beside } from "../comparison/beside-published.ts";
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
import { columnReasons } from "../comparison/reasons.ts";
import type { Colours } from "../terminal.ts";
import { textTable, wrapped } from "./text-table.ts";

const SHARES_SHOWN = 3;
const EVENTS_SHOWN = 4;
/** Prose wider than this is hard to read. */
const PROSE_COLUMNS = 100;

export interface TerminalOptions {
  /** Also the largest events and the wall time of each cell. */
  readonly cells?: boolean;
}

/** The whole text, without a final line feed. */
export function terminalReport(
  report: Report,
  colours: Colours,
  { cells = false }: TerminalOptions = {},
): string {
  const { bold, dim } = colours;
  const shown = benchmarks.filter(({ id }) =>
    report.results.some(({ benchmark }) => benchmark === id),
  );
  const beside = besidePublished(
    report,
    shown.map(({ id }) => id),
  );
  return [
    `${bold("Modelled cycles of one warm operation")}, and the ratio to bare ${dim(`(profile: ${report.profile.name})`)}`,
    "",
    mainTable(report, shown, colours),
    "",
    bold("Why"),
    whyTable(report, colours),
    ...(cells ? ["", bold("Cell by cell"), cellTable(report, shown, colours)] : []),
    ...publishedTable(beside, colours),
    ...refusals(report, colours),
    ...sources(beside, colours),
  ].join("\n");
}

function mainTable(report: Report, shown: readonly Benchmark[], colours: Colours): string {
  const { bold, dim } = colours;
  const ids = report.strategies.map(({ id }) => id);
  const head = ["", ...ids.flatMap((id) => [bold(id), ""])];
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
    ]);
  }
  const right = new Set(ids.flatMap((_id, index) => [1 + index * 2, 2 + index * 2]));
  return textTable(head, rows, right);
}

function cell(report: Report, result: Result | undefined, { red, dim }: Colours): string[] {
  if (result === undefined) return ["", ""];
  if (result.status !== "ok") return [result.status === "failed" ? red("failed") : dim("n/a"), ""];
  const cycles = cyclesPerOperation(result);
  if (cycles === undefined) return [dim("not modelled"), ""];
  const relative = ratioToBare(report, result);
  return [figure(cycles), relative === undefined ? "" : dim(ratio(relative))];
}

function whyTable(report: Report, { bold }: Colours): string {
  const rows = columnReasons(report).flatMap(({ strategy, reason }) =>
    wrapped(reason, PROSE_COLUMNS).map((line, index) => [index === 0 ? bold(strategy) : "", line]),
  );
  return textTable(undefined, rows);
}

function cellTable(report: Report, shown: readonly Benchmark[], { dim }: Colours): string {
  const rows: string[][] = [];
  for (const benchmark of shown) {
    for (const { id } of report.strategies) {
      const result = resultOf(report, benchmark.id, id);
      if (result?.status !== "ok") continue;
      const text =
        result.modelledCycles === null
          ? eventsPerOperation(result, EVENTS_SHOWN).map(
              ({ name, count }) => `${name} × ${figure(count)}`,
            )
          : shares(result, report.profile, SHARES_SHOWN).map(
              ({ name, count, cycles }) =>
                `${name} × ${figure(count)} ${dim(`= ${figure(cycles)}`)}`,
            );
      rows.push([
        benchmark.id,
        id,
        wallPerOperation(result),
        figure(result.instructions / result.operations),
        text.join(", "),
      ]);
    }
  }
  return textTable(
    ["", "", dim("wall, here"), "instructions", "the largest parts of one operation, in cycles"],
    rows,
    new Set([2, 3]),
  );
}

function publishedTable(beside: readonly Beside[], { bold, dim }: Colours): string[] {
  if (beside.length === 0) return [];
  const rows = beside.map((row, index) => {
    const { published, ours, oursToPublished, publishedToNative, oursToBare, ratioOfRatios } = row;
    const { technique, strategy, value, unit } = published;
    const isNative = strategy === "bare";
    const optional = (of: number | undefined): string => (of === undefined ? "" : ratio(of));
    return [
      beside[index - 1]?.benchmark === row.benchmark ? "" : row.benchmark,
      technique,
      quantity(value, unit),
      ours === undefined ? dim("none") : quantity(ours, unit),
      optional(oursToPublished),
      isNative ? "" : optional(publishedToNative),
      isNative ? "" : optional(oursToBare),
      isNative ? "" : optional(ratioOfRatios),
      dim(notesOf(row).join(", ")),
    ];
  });
  const head = [
    "",
    "",
    "published",
    "ours",
    "ours to it",
    "to native",
    "ours to bare",
    "ratio",
    "",
  ];
  return ["", bold("Beside published figures"), textTable(head, rows, new Set([2, 3, 4, 5, 6, 7]))];
}

function notesOf({ published: { calibrates, unverified } }: Beside): string[] {
  return [...(calibrates ? ["calibrated"] : []), ...(unverified ? ["unverified"] : [])];
}

/** What does not apply, what failed and what is not modelled, each reason once. */
function refusals(report: Report, { bold, red }: Colours): string[] {
  const reasons = new Map<string, { strategies: Set<string>; benchmarks: Set<string> }>();
  for (const { benchmark, strategy, status, reason } of report.results) {
    if (reason === undefined) continue;
    const told = `${{ ok: "not modelled", failed: "failed", "not-applicable": "n/a" }[status]}: ${reason}`;
    const title = status === "failed" ? red(told) : told;
    const known = reasons.get(title) ?? { strategies: new Set(), benchmarks: new Set() };
    known.strategies.add(strategy);
    known.benchmarks.add(benchmark);
    reasons.set(title, known);
  }
  if (reasons.size === 0) return [];
  return [
    "",
    bold("Not in the table"),
    ...[...reasons].map(
      ([title, { strategies, benchmarks: ids }]) =>
        `${[...strategies].join(", ")}, ${title} (${[...ids].join(", ")})`,
    ),
  ];
}

function sources(beside: readonly Beside[], { bold, dim }: Colours): string[] {
  const used = new Map<string, Set<string>>();
  for (const { benchmark, published } of beside) {
    used.set(published.source, (used.get(published.source) ?? new Set()).add(benchmark));
  }
  if (used.size === 0) return [];
  return [
    "",
    bold("Where published figures come from"),
    ...[...used].map(([source, ids]) => dim(`${[...ids].join(", ")}: ${source}`)),
    dim(
      "calibrated: the profile pentium-4 is made so that this native figure comes out; ours is no prediction.",
    ),
  ];
}
