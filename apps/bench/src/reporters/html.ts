/** The comparison as one self-contained page. */
import type { Report } from "@ringside/strategy";
import {
  benchmarks,
  groupNames,
  type Benchmark,
  type BenchmarkGroup,
} from "../comparison/benchmarks.ts";
import { besidePublished } from "../comparison/beside-published.ts";
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
import { INK, partsChart, ratioChart, wallChart } from "./charts.ts";

const SHARES_SHOWN = 4;

/** The page, as text. */
export function htmlReport(report: Report): string {
  const shown = benchmarks.filter(({ id }) =>
    report.results.some(({ benchmark }) => benchmark === id),
  );
  const groups = (["nano", "micro", "compute"] as const).filter((group) =>
    shown.some((benchmark) => benchmark.group === group),
  );
  const reasons = new Map(columnReasons(report).map(({ strategy, reason }) => [strategy, reason]));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ringside: what virtualization costs</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>What virtualization costs</h1>
<p>The same guests under ${report.strategies.length === 1 ? "one strategy" : `${report.strategies.length} strategies`} on one x86-64 processor.
Cycles are modelled: counted events times the constants of the profile <b>${escape(report.profile.name)}</b>.
Wall time was measured on the machine that made this page.</p>
</header>
<section>
<h2>The strategies, and why they cost what they do</h2>
<dl class="strategies">${report.strategies.map(({ id, name, summary }) => `<dt><code>${escape(id)}</code> ${escape(name)}</dt><dd>${escape(summary)}</dd><dd>${escape(reasons.get(id) ?? "")}</dd>`).join("")}</dl>
</section>
${groups
  .map((group) =>
    groupSection(
      report,
      shown.filter((benchmark) => benchmark.group === group),
      group,
    ),
  )
  .join("\n")}
${publishedSection(report, shown)}
${reasonsSection(report)}
${constantsSection(report)}
</body>
</html>
`;
}

function groupSection(report: Report, shown: readonly Benchmark[], group: BenchmarkGroup): string {
  return `<section>
<h2>${escape(groupNames[group])}</h2>
<figure>${ratioChart(report, shown)}<figcaption>Modelled cycles of one warm operation. The scale is logarithmic; the number is the cycles.</figcaption></figure>
<figure>${partsChart(report, shown)}<figcaption>What those cycles consist of, in percent: the guest's own work, the processor's changes of context, a hypervisor's work.</figcaption></figure>
<figure>${wallChart(report, shown)}<figcaption>Wall time of one warm operation on this machine, in nanoseconds, on a logarithmic scale. Measured, and different each time.</figcaption></figure>
${figuresTable(report, shown)}
</section>`;
}

function figuresTable(report: Report, shown: readonly Benchmark[]): string {
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
  return `<table>
<thead><tr><th>benchmark</th><th>strategy</th><th class="number">cycles</th><th class="number">to bare</th><th class="number">cold cycles</th><th class="number">instructions</th><th class="number">wall</th><th>why</th></tr></thead>
<tbody>${rows.join("\n")}</tbody>
</table>`;
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
  const number = (text: string): string => `<td class="number">${text}</td>`;
  return `${number(cycles === undefined ? `<span class="quiet" title="${escape(result.reason ?? "")}">not modelled</span>` : figure(cycles))}${number(relative === undefined ? "" : ratio(relative))}${number(cold)}${number(figure(result.instructions / result.operations))}${number(wallPerOperation(result))}<td>${why.join("<br>")}</td>`;
}

function publishedSection(report: Report, shown: readonly Benchmark[]): string {
  const beside = besidePublished(
    report,
    shown.map(({ id }) => id),
  );
  if (beside.length === 0) return "";
  const number = (text: string): string => `<td class="number">${text}</td>`;
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
  return `<section>
<h2>Beside published figures</h2>
<p>Their machines, kernels and programs are not ours, so what carries over is the ratio to native. The last ratio is ours over theirs: 1 when the technique costs us what it cost them.
<i>Calibrated</i> figures made the profile pentium-4, so ours is no prediction there.</p>
<table><thead><tr><th>benchmark</th><th>technique</th><th class="number">published</th><th class="number">ours</th><th class="number">ours to it</th><th class="number">published to native</th><th class="number">ours to bare</th><th class="number">ratio</th><th>source</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table>
</section>`;
}

function reasonsSection(report: Report): string {
  const reasons = new Set(
    report.results.flatMap((result) =>
      result.reason === undefined ? [] : [`${result.strategy}: ${result.reason}`],
    ),
  );
  if (reasons.size === 0) return "";
  return `<section><h2>What is not in the figures</h2><ul>${[...reasons].map((reason) => `<li>${escape(reason)}</li>`).join("")}</ul></section>`;
}

function constantsSection({ profile }: Report): string {
  const rows = profile.constants.map(
    ({ id, class: costClass, cycles, unit, from, to, provenance, source, unverified }) =>
      `<tr><td><code>${escape(id)}</code></td><td>${costClass}</td><td class="number">${figure(cycles)}</td><td>${escape(unit)}</td><td>from ${escape(from)}<br>to ${escape(to)}</td><td><span class="tag">${provenance}${unverified ? ", unverified" : ""}</span> ${escape(source)}</td></tr>`,
  );
  return `<section>
<h2>The profile: ${escape(profile.name)}</h2>
<p>Each counted event is priced by one constant. <i>Calibrated</i> constants are chosen so that a published native figure comes out, so those cells are no predictions.</p>
<table><thead><tr><th>constant</th><th>part</th><th class="number">cycles</th><th>for each</th><th>includes</th><th>where it comes from</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>
</section>`;
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const STYLE = `
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.5rem 4rem; font: 15px/1.5 system-ui, sans-serif; color: ${INK}; background: #fbfcfd; }
h1 { font-size: 2rem; margin: 0 0 .5rem; } h2 { margin: 2.5rem 0 .75rem; font-size: 1.3rem; border-bottom: 2px solid #e3e8ec; padding-bottom: .3rem; }
header p { max-width: 48rem; color: #43535f; }
.strategies dt { font-weight: 600; margin-top: .4rem; } .strategies dd { margin: 0 0 0 1rem; color: #43535f; }
code { font: .92em ui-monospace, monospace; background: #eef2f5; border-radius: 3px; padding: 0 .25em; }
figure { margin: 1rem 0; background: #fff; border: 1px solid #e3e8ec; border-radius: 8px; padding: 1rem; overflow-x: auto; }
figure svg { max-width: 100%; height: auto; }
figcaption { font-size: .88rem; color: #5a6b78; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; background: #fff; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #e3e8ec; }
thead th { color: #5a6b78; font-weight: 600; } tbody th { font-weight: 600; }
small { display: block; font-weight: 400; color: #5a6b78; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.quiet { color: #76858f; } .failed { color: #a5281b; }
.tag { font-size: .78rem; background: #eef2f5; border-radius: 3px; padding: 0 .35em; color: #43535f; }
@media print { body { background: #fff; } }
`;
