/** The whole comparison at a glance: benchmarks by strategies, and darker where more is paid or saved. */
import type { Report, Result } from "@ringside/strategy";
import { groupNames, type Benchmark } from "../comparison/benchmarks.ts";
import { cyclesPerOperation, figure, ratio, ratioToBare, resultOf } from "../comparison/figures.ts";
import { escape, table } from "./markup.ts";

/** A ratio this far from 1, up or down, has the full colour. */
const FULL_COLOUR_RATIO = 300;
/** Within this part of bare a cell has no colour. */
const SAME = 0.05;

/** One table: ratio to bare, and cycles of one warm operation below it. */
export function overview(report: Report, shown: readonly Benchmark[]): string {
  const head = `<tr><th></th>${report.strategies.map(({ id }) => `<th class="number"><code>${escape(id)}</code></th>`).join("")}</tr>`;
  const rows = shown.flatMap((benchmark, index) => [
    ...(shown[index - 1]?.group === benchmark.group
      ? []
      : [
          `<tr><th class="group" colspan="${report.strategies.length + 1}">${escape(groupNames[benchmark.group])}</th></tr>`,
        ]),
    `<tr><th scope="row">${escape(benchmark.id)}<small>${escape(benchmark.operation)}</small></th>${report.strategies
      .map(({ id }) => cell(report, resultOf(report, benchmark.id, id)))
      .join("")}</tr>`,
  ]);
  return table(head, rows, report.strategies.length > 3 ? "many" : "few");
}

function cell(report: Report, result: Result | undefined): string {
  if (result === undefined) return "<td></td>";
  const cycles = cyclesPerOperation(result);
  if (result.status !== "ok" || cycles === undefined) {
    const failed = result.status === "failed";
    const word = failed ? "failed" : result.status === "ok" ? "not modelled" : "n/a";
    return `<td class="number ${failed ? "failed" : "quiet"}" title="${escape(result.reason ?? "")}">${word}</td>`;
  }
  const relative = ratioToBare(report, result);
  if (relative === undefined) return `<td class="number">${figure(cycles)}</td>`;
  return `<td class="number${coloured(relative)}>${ratio(relative)}<small>${figure(cycles)}</small></td>`;
}

/** The rest of a cell's class attribute, its closing quote, and how much of the colour it has. */
function coloured(relative: number): string {
  if (Math.abs(relative - 1) <= SAME) return '"';
  const by = Math.min(1, Math.abs(Math.log(relative)) / Math.log(FULL_COLOUR_RATIO));
  return ` ${relative > 1 ? "dearer" : "cheaper"}" style="--by: ${by.toFixed(2)}"`;
}
