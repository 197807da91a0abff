/** The comparison as one self-contained page. */
import type { Report } from "@ringside/strategy";
import { benchmarks, groupNames, type Benchmark } from "../comparison/benchmarks.ts";
import { columnReasons } from "../comparison/reasons.ts";
import { cyclesChart, partsChart, wallChart } from "./charts.ts";
import { escape } from "./markup.ts";
import { overview } from "./overview.ts";
import { STYLE } from "./page-style.ts";
import { constantsBody, figuresTable, publishedBody, reasonsBody } from "./page-tables.ts";

/** The page, as text. */
export function htmlReport(report: Report): string {
  const shown = benchmarks.filter(({ id }) =>
    report.results.some(({ benchmark }) => benchmark === id),
  );
  const groups = (["nano", "micro", "compute"] as const).filter((group) =>
    shown.some((benchmark) => benchmark.group === group),
  );
  const sections = [
    {
      id: "overview",
      title: "At a glance",
      body: `<p>${OVERVIEW}</p>\n${overview(report, shown)}`,
    },
    {
      id: "strategies",
      title: "The strategies, and why they cost what they do",
      body: strategyList(report),
    },
    ...groups.map((group) => ({
      id: group,
      title: groupNames[group],
      body: groupBody(
        report,
        shown.filter((benchmark) => benchmark.group === group),
      ),
    })),
    { id: "published", title: "Beside published figures", body: publishedBody(report, shown) },
    { id: "reasons", title: "What is not in the figures", body: reasonsBody(report) },
    { id: "profile", title: `The profile: ${report.profile.name}`, body: constantsBody(report) },
  ].filter(({ body }) => body !== "");
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
<nav>${sections.map(({ id, title }) => `<a href="#${id}">${escape(title)}</a>`).join("\n")}</nav>
</header>
${sections.map(({ id, title, body }) => `<section id="${id}">\n<h2>${escape(title)}</h2>\n${body}\n</section>`).join("\n")}
</body>
</html>
`;
}

const OVERVIEW =
  "The ratio to bare, and below it the cycles of one warm operation. Orange is dearer than bare and green cheaper, the stronger the more.";

function strategyList(report: Report): string {
  const reasons = new Map(columnReasons(report).map(({ strategy, reason }) => [strategy, reason]));
  return `<dl class="strategies">${report.strategies
    .map(
      ({ id, name, summary }) =>
        `<dt><code>${escape(id)}</code> ${escape(name)}</dt><dd>${escape(summary)}</dd><dd>${escape(reasons.get(id) ?? "")}</dd>`,
    )
    .join("")}</dl>`;
}

function groupBody(report: Report, shown: readonly Benchmark[]): string {
  return `<figure>${cyclesChart(report, shown)}<figcaption>Modelled cycles of one warm operation. The scale is logarithmic; the number is the cycles.</figcaption></figure>
<figure>${partsChart(report, shown)}<figcaption>What those cycles consist of, in percent: the guest's own work, the processor's changes of context, a hypervisor's work.</figcaption></figure>
<figure>${wallChart(report, shown)}<figcaption>Wall time of one warm operation on this machine, in nanoseconds, on a logarithmic scale. Measured, and different each time.</figcaption></figure>
${figuresTable(report, shown)}`;
}
