/** Charts of a report, drawn here as SVG, so that a page with them needs no script and no network. */
import { BarChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { OkResult, Report } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { cyclesPerOperation, figure, resultOf } from "../comparison/figures.ts";

use([BarChart, GridComponent, LegendComponent, SVGRenderer]);

const WIDTH = 900;
const ROW_HEIGHT = 34;
const FRAME_HEIGHT = 90;
/** Rows of the parts are lower: there is one for each benchmark and strategy. */
const PARTS_ROW = 0.65;
/** Colours of text and lines, by which the style sheet of the page finds them to change them for a dark one. */
export const INK = "#20303c";
export const FAINT = "#5a6b78";
export const GRID = "#e3e8ec";
/** Seen on white and on near black, and told apart by most who do not see all colours. */
const PALETTE = ["#3b82b8", "#e0803a", "#4f9d69", "#a85c9c", "#c2a83e", "#6b7a8f"];
const PART_COLOURS = { guest: "#3b82b8", transition: "#e0803a", monitor: "#a85c9c" } as const;

type Options = Readonly<Record<string, unknown>>;

function chart(option: EChartsCoreOption, rows: number): string {
  const height = FRAME_HEIGHT + rows * ROW_HEIGHT;
  const drawing = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height });
  drawing.setOption({
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif", color: INK },
    ...option,
  });
  const svg = drawing.renderToSVGString();
  drawing.dispose();
  return svg;
}

/** Labels from top to bottom, as a bar chart's axis wants them: from the bottom up. */
function axes(labels: readonly string[], labelWidth: number, value: Options): EChartsCoreOption {
  return {
    grid: { left: labelWidth, right: 90, top: 40, bottom: 36 },
    legend: {
      top: 4,
      left: labelWidth,
      itemWidth: 14,
      itemHeight: 10,
      itemGap: 22,
      selectedMode: false,
      textStyle: { color: INK },
    },
    yAxis: {
      type: "category",
      data: labels.toReversed(),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: FAINT } },
      axisLabel: { fontSize: 13, color: INK },
    },
    xAxis: { splitLine: { lineStyle: { color: GRID } }, ...value },
  };
}

/** A bar for each benchmark and strategy that has a value, with its figure, on a logarithmic scale from 1. */
function barsByStrategy(
  report: Report,
  shown: readonly Benchmark[],
  valueOf: (benchmark: string, strategy: string) => number | undefined,
  unit: string,
): string {
  const drawn = report.strategies
    .map(({ id }, index) => ({ id, colour: PALETTE[index % PALETTE.length] }))
    .filter(({ id }) => shown.some((benchmark) => valueOf(benchmark.id, id) !== undefined));
  return chart(
    {
      ...axes(
        shown.map(({ id }) => id),
        130,
        {
          type: "log",
          min: 1,
          axisLabel: { formatter: (value: number) => figure(value), color: FAINT },
        },
      ),
      series: drawn.map(({ id, colour }) => ({
        name: id,
        type: "bar",
        silent: true,
        barMaxWidth: 18,
        itemStyle: { color: colour, borderRadius: [0, 3, 3, 0] },
        label: {
          show: true,
          position: "right",
          color: INK,
          formatter: ({ value }: { value: unknown }) =>
            typeof value === "number" ? `${figure(value)}${unit}` : "",
        },
        data: shown.map((benchmark) => valueOf(benchmark.id, id) ?? "-").toReversed(),
      })),
    },
    shown.length * Math.max(1, drawn.length * 0.7),
  );
}

/** Cycles of one warm operation. */
export function cyclesChart(report: Report, shown: readonly Benchmark[]): string {
  const cyclesOf = (benchmark: string, strategy: string): number | undefined =>
    cyclesPerOperation(resultOf(report, benchmark, strategy));
  return barsByStrategy(report, shown, cyclesOf, "");
}

/** Wall time of one warm operation. */
export function wallChart(report: Report, shown: readonly Benchmark[]): string {
  const nanosecondsOf = (benchmark: string, strategy: string): number | undefined => {
    const result = resultOf(report, benchmark, strategy);
    return result?.status === "ok" ? (result.wallMs * 1e6) / result.operations : undefined;
  };
  return barsByStrategy(report, shown, nanosecondsOf, " ns");
}

/** The three parts of the cycles, in percent. */
export function partsChart(report: Report, shown: readonly Benchmark[]): string {
  const rows = shown.flatMap((benchmark) =>
    report.strategies.flatMap(({ id }) => {
      const result = resultOf(report, benchmark.id, id);
      if (result?.status !== "ok" || result.modelledCycles === null || result.modelledCycles === 0)
        return [];
      return [
        {
          label: report.strategies.length === 1 ? benchmark.id : `${benchmark.id} · ${id}`,
          result,
          total: result.modelledCycles,
        },
      ];
    }),
  );
  const series = (name: string, colour: string, cycles: (result: OkResult) => number): Options => ({
    name,
    type: "bar",
    stack: "parts",
    silent: true,
    barMaxWidth: 14,
    itemStyle: { color: colour },
    data: rows.map(({ result, total }) => (100 * cycles(result)) / total).toReversed(),
  });
  return chart(
    {
      ...axes(
        rows.map(({ label }) => label),
        230,
        { type: "value", max: 100, axisLabel: { formatter: "{value} %", color: FAINT } },
      ),
      series: [
        series("guest", PART_COLOURS.guest, ({ guestCycles }) => guestCycles),
        series("transitions", PART_COLOURS.transition, ({ transitionCycles }) => transitionCycles),
        series("monitor", PART_COLOURS.monitor, ({ monitorCycles }) => monitorCycles),
      ],
    },
    rows.length * PARTS_ROW,
  );
}
