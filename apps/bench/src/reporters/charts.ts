/** Charts of a report, drawn here as SVG, so that a page with them needs no script and no network. */
import { BarChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use, type EChartsCoreOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { OkResult, Report } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { cyclesPerOperation, figure, resultOf } from "../comparison/figures.ts";

use([BarChart, GridComponent, LegendComponent, TitleComponent, AriaComponent, SVGRenderer]);

const WIDTH = 900;
const ROW_HEIGHT = 34;
const FRAME_HEIGHT = 90;
/** Colour of text, in charts and around them. */
export const INK = "#20303c";
const PALETTE = ["#2f6f9f", "#e0803a", "#4f9d69", "#a85c9c", "#c2a83e", "#6b7a8f"];
const PART_COLOURS = { guest: "#2f6f9f", transition: "#e0803a", monitor: "#a85c9c" } as const;

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

/** Benchmarks from top to bottom, as a bar chart's axis wants them: from the bottom up. */
function axes(
  shown: readonly Benchmark[],
  value: Readonly<Record<string, unknown>>,
): EChartsCoreOption {
  return {
    grid: { left: 130, right: 90, top: 40, bottom: 36 },
    legend: { top: 4, left: 130, itemWidth: 14, itemHeight: 10, itemGap: 22 },
    yAxis: {
      type: "category",
      data: shown.map(({ id }) => id).toReversed(),
      axisTick: { show: false },
      axisLabel: { fontSize: 13, color: INK },
    },
    xAxis: {
      axisLabel: { color: "#5a6b78" },
      splitLine: { lineStyle: { color: "#e3e8ec" } },
      ...value,
    },
  };
}

/** Cycles of one warm operation, on a logarithmic scale. */
export function ratioChart(report: Report, shown: readonly Benchmark[]): string {
  const modelled = report.strategies.filter(({ id }) =>
    shown.some((benchmark) => cyclesPerOperation(resultOf(report, benchmark.id, id)) !== undefined),
  );
  return chart(
    {
      ...axes(shown, {
        type: "log",
        min: 1,
        axisLabel: { formatter: (value: number) => figure(value), color: "#5a6b78" },
      }),
      series: modelled.map(({ id }, index) => ({
        name: id,
        type: "bar",
        barMaxWidth: 18,
        itemStyle: { color: PALETTE[index % PALETTE.length], borderRadius: [0, 3, 3, 0] },
        label: {
          show: true,
          position: "right",
          color: INK,
          formatter: ({ value }: { value: unknown }) =>
            typeof value === "number" ? figure(value) : "",
        },
        data: shown
          .map((benchmark) => cyclesPerOperation(resultOf(report, benchmark.id, id)) ?? "-")
          .toReversed(),
      })),
    },
    shown.length * Math.max(1, modelled.length * 0.7),
  );
}

/** The three parts of those cycles, in percent. */
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
  const series = (
    name: string,
    colour: string,
    cycles: (result: OkResult) => number,
  ): Readonly<Record<string, unknown>> => ({
    name,
    type: "bar",
    stack: "parts",
    barMaxWidth: 18,
    itemStyle: { color: colour },
    data: rows.map(({ result, total }) => (100 * cycles(result)) / total).toReversed(),
  });
  const option = axes(shown, {
    type: "value",
    max: 100,
    axisLabel: { formatter: "{value} %", color: "#5a6b78" },
  });
  return chart(
    {
      ...option,
      grid: { left: 190, right: 40, top: 40, bottom: 36 },
      legend: { top: 4, left: 190, itemWidth: 14, itemHeight: 10, itemGap: 22 },
      yAxis: {
        type: "category",
        data: rows.map(({ label }) => label).toReversed(),
        axisTick: { show: false },
        axisLabel: { fontSize: 13, color: INK },
      },
      series: [
        series("guest", PART_COLOURS.guest, ({ guestCycles }) => guestCycles),
        series("transitions", PART_COLOURS.transition, ({ transitionCycles }) => transitionCycles),
        series("monitor", PART_COLOURS.monitor, ({ monitorCycles }) => monitorCycles),
      ],
    },
    rows.length,
  );
}

/** Wall time of one warm operation, on a logarithmic scale. */
export function wallChart(report: Report, shown: readonly Benchmark[]): string {
  const nanoseconds = (benchmark: Benchmark, strategy: string): number | "-" => {
    const result = resultOf(report, benchmark.id, strategy);
    return result?.status === "ok" ? (result.wallMs * 1e6) / result.operations : "-";
  };
  return chart(
    {
      // Bars of a logarithmic axis begin at 1: nothing takes less than a nanosecond.
      ...axes(shown, {
        type: "log",
        min: 1,
        axisLabel: { formatter: (value: number) => figure(value), color: "#5a6b78" },
      }),
      series: report.strategies.map(({ id }, index) => ({
        name: id,
        type: "bar",
        barMaxWidth: 18,
        itemStyle: { color: PALETTE[index % PALETTE.length], borderRadius: [0, 3, 3, 0] },
        label: {
          show: true,
          position: "right",
          color: INK,
          formatter: ({ value }: { value: unknown }) =>
            typeof value === "number" ? `${figure(value)} ns` : "",
        },
        data: shown.map((benchmark) => nanoseconds(benchmark, id)).toReversed(),
      })),
    },
    shown.length * Math.max(1, report.strategies.length * 0.7),
  );
}
