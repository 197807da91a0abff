/**
 * How the page looks: on a wide screen and a narrow one, light and dark, and on paper.
 *
 * Charts are drawn with the colours of a light page; the rules for `figure svg` give their text and lines those of
 * the reader's.
 */
import { FAINT, GRID, INK } from "./charts.ts";

const LIGHT = `
  --ground: #fbfcfd; --panel: #fff; --ink: ${INK}; --soft: #43535f; --faint: ${FAINT}; --line: ${GRID};
  --code: #eef2f5; --failed: #a5281b; --dearer: #e0803a; --cheaper: #4f9d69;`;

const DARK = `
  --ground: #14181f; --panel: #1b212a; --ink: #dde3ea; --soft: #b4bfca; --faint: #8f9caa; --line: #333d49;
  --code: #29323d; --failed: #f47067; --dearer: #d06f27; --cheaper: #3f8a58;`;

/** The style sheet of the page. */
export const STYLE: string = `
:root { color-scheme: light dark;${LIGHT} }
@media screen and (prefers-color-scheme: dark) { :root {${DARK} } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.5rem 4rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.3rem; border-bottom: 2px solid var(--line); padding-bottom: .3rem; }
header p, section > p { max-width: 48rem; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .92rem; }
a { color: inherit; text-decoration-color: var(--faint); text-underline-offset: .2em; }
.strategies dt { font-weight: 600; margin-top: .4rem; } .strategies dd { margin: 0 0 0 1rem; color: var(--soft); }
code { font: .92em ui-monospace, monospace; background: var(--code); border-radius: 3px; padding: 0 .25em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; overflow-x: auto; }
figure svg { display: block; min-width: 640px; max-width: 100%; height: auto; }
figure svg text { fill: var(--ink); }
figure svg [stroke="${GRID}"] { stroke: var(--line); } figure svg [stroke="${FAINT}"] { stroke: var(--faint); }
figcaption { font-size: .88rem; color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; background: var(--panel); }
.many { min-width: 52rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
thead th { color: var(--faint); font-weight: 600; } tbody th { font-weight: 600; }
thead code { white-space: nowrap; }
.scroll th[scope=row] { position: sticky; left: 0; background: var(--panel); }
th.group { padding-top: 1rem; font-weight: 400; color: var(--faint); }
small { display: block; font-weight: 400; color: var(--faint); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td code { white-space: nowrap; } .why { min-width: 20rem; }
.quiet { color: var(--faint); } .failed { color: var(--failed); }
.dearer { background: color-mix(in srgb, var(--dearer) calc(var(--by) * 60%), transparent); }
.cheaper { background: color-mix(in srgb, var(--cheaper) calc(var(--by) * 60%), transparent); }
.dearer small, .cheaper small { color: var(--soft); }
.tag { font-size: .78rem; background: var(--code); border-radius: 3px; padding: 0 .35em; color: var(--soft); white-space: nowrap; }
@media (max-width: 640px) { body { padding: 1.2rem .8rem 3rem; } h1 { font-size: 1.6rem; } }
@media print {
  @page { margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 12px; background: #fff; }
  nav { display: none; }
  .scroll, figure { overflow: visible; } .many { min-width: 0; } figure svg { min-width: 0; max-height: 250mm; }
  figure, tr { break-inside: avoid; } h2, .scroll th[scope=row] { position: sticky; left: 0; background: var(--panel); }
th.group { break-after: avoid; }
  .dearer, .cheaper, .tag, code, svg { print-color-adjust: exact; }
}
`;
