/** The tables of the page, below its charts. */
import type { Report } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import {
  besidePublished,
  CALIBRATED,
  PUBLISHED_COLUMNS,
  PUBLISHED_INTRODUCTION,
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
import { escape, table } from "./markup.ts";

const SHARES_SHOWN = 4;

/** Every figure of some benchmarks, with the largest parts of each. */
export function figuresTable(report: Report, shown: readonly Benchmark[]): string {
  const rows = shown.flatMap((benchmark) =>
    report.strategies.map(({ id }, index) => {
      const result = resultOf(report, benchmark.id, id);
      const name =
        index === 0
          ? `<th rowspan="${report.strategies.length}" scope="rowgroup">${escape(benchmark.id)}<small>${escape(benchmark.operation)}</small></th>`
          : "";
      return `<tr>${name}<td><code>${escape(id)}</code></td>${resultCells(report, result)}</tr>`;
    }),
  );
  const head = `<tr><th>benchmark</th><th>strategy</th>${["cycles", "to bare", "cold cycles", "instructions", "wall"].map(numberHead).join("")}<th>why</th></tr>`;
  return table(head, rows, "many");
}

function resultCells(report: Report, result: ReturnType<typeof resultOf>): string {
  if (result === undefined) return '<td colspan="6"></td>';
  if (result.status !== "ok")
    return `<td colspan="6" class="${result.status === "failed" ? "failed" : "quiet"}">${result.status === "failed" ? "failed: " : ""}${escape(result.reason)}</td>`;
  const cycles = cyclesPerOperation(result);
  const relative = ratioToBare(report, result);
  const cold =
    result.cold.modelledCycles === null
      ? ""
      : figure(result.cold.modelledCycles / result.cold.operations);
  const why =
    cycles === undefined
      ? eventsPerOperation(result, SHARES_SHOWN).map(
          ({ name, count }) => `${escape(name)} × ${figure(count)}`,
        )
      : shares(result, report.profile, SHARES_SHOWN).map(
          ({ name, count, cycles: part }) => `${escape(name)} × ${figure(count)} = ${figure(part)}`,
        );
  return `${number(cycles === undefined ? `<span class="quiet" title="${escape(result.reason ?? "")}">not modelled</span>` : figure(cycles))}${number(relative === undefined ? "" : ratio(relative))}${number(cold)}${number(figure(result.instructions / result.operations))}${number(wallPerOperation(result))}<td class="why">${why.join("<br>")}</td>`;
}

/** Published figures and ours beside them; empty where there is none. */
export function publishedBody(report: Report, shown: readonly Benchmark[]): string {
  const beside = besidePublished(
    report,
    shown.map(({ id }) => id),
  );
  if (beside.length === 0) return "";
  const optional = (of: number | undefined): string => (of === undefined ? "" : ratio(of));
  const rows = beside.map((row) => {
    const { technique, strategy, value, unit, source, unverified, calibrates } = row.published;
    const isNative = strategy === "bare";
    const notes = `${calibrates ? ' <span class="tag">calibrated</span>' : ""}${unverified ? ' <span class="tag">unverified</span>' : ""}`;
    const ours = row.ours === undefined ? "" : quantity(row.ours, unit);
    const ratios = isNative
      ? ["", "", ""]
      : [row.publishedToNative, row.oursToBare, row.ratioOfRatios].map(optional);
    return `<tr><th scope="row">${escape(row.benchmark)}</th><td>${escape(technique)}${notes}</td>${number(quantity(value, unit))}${number(ours)}${number(optional(row.oursToPublished))}${ratios.map(number).join("")}<td><small>${escape(source)}</small></td></tr>`;
  });
  const head = `<tr><th>benchmark</th><th>technique</th>${PUBLISHED_COLUMNS.map(numberHead).join("")}<th>source</th></tr>`;
  return `<p>${PUBLISHED_INTRODUCTION} ${CALIBRATED}</p>
${table(head, rows, "many")}`;
}

/** Why cells are empty, each reason once; empty where none is. */
export function reasonsBody(report: Report): string {
  const reasons = new Set(
    report.results.flatMap((result) =>
      result.reason === undefined ? [] : [`${result.strategy}: ${result.reason}`],
    ),
  );
  if (reasons.size === 0) return "";
  return `<ul>${[...reasons].map((reason) => `<li>${escape(reason)}</li>`).join("")}</ul>`;
}

/** What each event costs under the profile, and who says so. */
export function constantsBody({ profile }: Report): string {
  const rows = profile.constants.map(
    ({ id, class: costClass, cycles, unit, from, to, provenance, source, unverified }) =>
      `<tr><td><code>${escape(id)}</code></td><td>${costClass}</td><td class="number">${figure(cycles)}</td><td>${escape(unit)}</td><td>from ${escape(from)}<br>to ${escape(to)}</td><td><span class="tag">${provenance}${unverified ? ", unverified" : ""}</span> ${escape(source)}</td></tr>`,
  );
  const head = `<tr><th>constant</th><th>part</th>${numberHead("cycles")}<th>for each</th><th>includes</th><th>where it comes from</th></tr>`;
  return `<p>Each counted event is priced by one constant. <i>Calibrated</i> constants are chosen so that a published native figure comes out, so those cells are no predictions.</p>
${table(head, rows, "many")}`;
}

function number(text: string): string {
  return `<td class="number">${text}</td>`;
}

function numberHead(text: string): string {
  return `<th class="number">${text}</th>`;
}
