/** The comparison on a terminal: one table, and under it why each column is what it is. */
import type { Report, Result } from "@ringside/strategy";
import {
  benchmarks,
  groupNames,
  type Benchmark,
  type BenchmarkGroup,
} from "../comparison/benchmarks.ts";
import {
  besidePublished,
  CALIBRATED,
  PUBLISHED_COLUMNS,
  PUBLISHED_INTRODUCTION,
  type Beside,
} from "../comparison/beside-published.ts";
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
import { fitted, textTable, visibleLength, wrapped } from "./text-table.ts";

const SHARES_SHOWN = 3;
const EVENTS_SHOWN = 4;
/** Prose wider than this is hard to read. */
const PROSE_COLUMNS = 100;
const HANGING = 2;
/** The line below the table: there `pnpm picture` ends its picture. */
const OPERATIONS_TITLE = "What one operation is";

export interface TerminalOptions {
  /** Also the largest events and the wall time of each cell. */
  readonly cells?: boolean;
  /** Width of the terminal; without it lines of tables are as long as they need. */
  readonly columns?: number | undefined;
}

/** The whole text, without a final line feed. */
export function terminalReport(
  report: Report,
  colours: Colours,
  { cells = false, columns }: TerminalOptions = {},
): string {
  const { bold, dim } = colours;
  const proseColumns = Math.min(PROSE_COLUMNS, columns ?? PROSE_COLUMNS);
  const layout: Layout = { colours, columns, proseColumns };
  const shown = benchmarks.filter(({ id }) =>
    report.results.some(({ benchmark }) => benchmark === id),
  );
  const beside = besidePublished(
    report,
    shown.map(({ id }) => id),
  );
  const heading = `${bold("Modelled cycles of one warm operation")}, and the ratio to bare ${dim(`(profile: ${report.profile.name})`)}`;
  return [
    ...wrapped(heading, columns ?? Number.POSITIVE_INFINITY),
    "",
    ...mainTables(report, shown, layout),
    "",
    ...operations(shown, layout),
    "",
    bold("Why"),
    whyTable(report, layout),
    ...(cells ? ["", bold("Cell by cell"), cellTable(report, shown, layout)] : []),
    ...publishedTable(beside, layout),
    ...refusals(report, layout),
    ...sources(beside, layout),
  ].join("\n");
}

/** What a text is laid out for. */
interface Layout {
  readonly colours: Colours;
  /** Undefined where lines may be as long as they need. */
  readonly columns: number | undefined;
  readonly proseColumns: number;
}

/** One table, or several below each other where the strategies do not fit side by side. */
function mainTables(report: Report, shown: readonly Benchmark[], layout: Layout): string[] {
  const { colours, columns = Number.POSITIVE_INFINITY } = layout;
  const tables: string[] = [];
  let ids: string[] = [];
  for (const { id } of report.strategies) {
    const wider = mainTable(report, shown, [...ids, id], colours);
    if (ids.length > 0 && Math.max(...wider.split("\n").map(visibleLength)) > columns) {
      tables.push(mainTable(report, shown, ids, colours), "");
      ids = [id];
    } else ids.push(id);
  }
  return [...tables, mainTable(report, shown, ids, colours)];
}

function mainTable(
  report: Report,
  shown: readonly Benchmark[],
  ids: readonly string[],
  colours: Colours,
): string {
  const { bold, dim } = colours;
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

/** What the rows mean, several on a line. */
function operations(shown: readonly Benchmark[], { colours, proseColumns }: Layout): string[] {
  const { bold, dim } = colours;
  const lines: string[] = [];
  for (const { id, operation } of shown) {
    const last = lines.at(-1);
    const longer = `${last}; ${id}: ${operation}`;
    if (last === undefined || longer.length > proseColumns) lines.push(`${id}: ${operation}`);
    else lines[lines.length - 1] = longer;
  }
  return [bold(OPERATIONS_TITLE), ...lines.map((line) => dim(line))];
}

function cell(report: Report, result: Result | undefined, { red, dim }: Colours): string[] {
  if (result === undefined) return ["", ""];
  if (result.status !== "ok") return [result.status === "failed" ? red("failed") : dim("n/a"), ""];
  const cycles = cyclesPerOperation(result);
  if (cycles === undefined) return [dim("not modelled"), ""];
  const relative = ratioToBare(report, result);
  return [figure(cycles), relative === undefined ? "" : dim(ratio(relative))];
}

function whyTable(report: Report, { colours: { bold }, proseColumns, columns }: Layout): string {
  const reasons = columnReasons(report);
  const label = Math.max(...reasons.map(({ strategy }) => strategy.length)) + 2;
  const prose = columns === undefined ? proseColumns : Math.min(proseColumns, columns - label);
  const rows = reasons.map(({ strategy, reason }) => [
    bold(strategy),
    wrapped(reason, prose).join("\n"),
  ]);
  return textTable(undefined, rows);
}

function cellTable(report: Report, shown: readonly Benchmark[], layout: Layout): string {
  const { dim } = layout.colours;
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
  const head = ["", "", dim("wall, here"), "instructions", "the largest parts, in cycles"];
  return textTable(head, fitted(head, rows, [4], layout.columns), new Set([2, 3]));
}

function publishedTable(beside: readonly Beside[], layout: Layout): string[] {
  if (beside.length === 0) return [];
  const { colours, columns = Number.POSITIVE_INFINITY, proseColumns } = layout;
  const { bold, dim } = colours;
  const head = ["", "", ...PUBLISHED_COLUMNS, ""];
  const rows = beside.map((row, index) => publishedRow(row, beside[index - 1], colours));
  const whole = publishedText(head, rows);
  const isTooWide = Math.max(...whole.split("\n").map(visibleLength)) > columns;
  const brief = (row: readonly string[]): string[] =>
    row.filter((_, index) => index < 4 || index === 7);
  return [
    "",
    bold("Beside published figures"),
    ...wrapped(PUBLISHED_INTRODUCTION, proseColumns).map((line) => dim(line)),
    "",
    isTooWide ? publishedText(brief(head), rows.map(brief)) : whole,
  ];
}

function publishedText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return textTable(head, rows, new Set([2, 3, 4, 5, 6, 7]));
}

function publishedRow(row: Beside, before: Beside | undefined, { dim }: Colours): string[] {
  const { published, ours, oursToPublished, publishedToNative, oursToBare, ratioOfRatios } = row;
  const { technique, strategy, value, unit } = published;
  const isNative = strategy === "bare";
  const optional = (of: number | undefined): string => (of === undefined ? "" : ratio(of));
  return [
    before?.benchmark === row.benchmark ? "" : row.benchmark,
    technique,
    quantity(value, unit),
    ours === undefined ? dim("none") : quantity(ours, unit),
    optional(oursToPublished),
    isNative ? "" : optional(publishedToNative),
    isNative ? "" : optional(oursToBare),
    isNative ? "" : optional(ratioOfRatios),
    dim(notesOf(row).join(", ")),
  ];
}

function notesOf({ published: { calibrates, unverified } }: Beside): string[] {
  return [...(calibrates ? ["calibrated"] : []), ...(unverified ? ["unverified"] : [])];
}

/** What does not apply, what failed and what is not modelled, each reason once. */
function refusals(report: Report, { colours: { bold, red }, proseColumns }: Layout): string[] {
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
    ...[...reasons].flatMap(([title, { strategies, benchmarks: ids }]) =>
      hanging(`${[...strategies].join(", ")}, ${title} (${[...ids].join(", ")})`, proseColumns),
    ),
  ];
}

function sources(beside: readonly Beside[], layout: Layout): string[] {
  const { bold, dim } = layout.colours;
  const used = new Map<string, Set<string>>();
  for (const { benchmark, published } of beside) {
    used.set(published.source, (used.get(published.source) ?? new Set()).add(benchmark));
  }
  if (used.size === 0) return [];
  return [
    "",
    bold("Where published figures come from"),
    ...[...[...used].map(([source, ids]) => `${[...ids].join(", ")}: ${source}`), CALIBRATED]
      .flatMap((line) => hanging(line, layout.proseColumns))
      .map((line) => dim(line)),
  ];
}

/** A paragraph whose first line sticks out. */
function hanging(text: string, columns: number): string[] {
  return wrapped(text, columns - HANGING).map(
    (line, index) => `${index === 0 ? "" : " ".repeat(HANGING)}${line}`,
  );
}
