/** Our figures beside the published ones: in the paper's unit, and as ratios to bare, which carry over between machines. */
import type { Report } from "@ringside/strategy";
import { cyclesPerOperation, ratioToBare, resultOf } from "./figures.ts";
import { publishedFor, type Published } from "./published.ts";

/** One published figure and ours. What cannot be said is undefined. */
export interface Beside {
  readonly benchmark: string;
  readonly published: Published;
  /** Ours in the unit of the published figure; of µs, at the clock of the report's profile. */
  readonly ours: number | undefined;
  /** Ours over the published figure. */
  readonly oursToPublished: number | undefined;
  /** The published figure over the native one of the same paper. */
  readonly publishedToNative: number | undefined;
  readonly oursToBare: number | undefined;
  /** {@link oursToBare} over {@link publishedToNative}: 1 when the technique costs us what it cost them. */
  readonly ratioOfRatios: number | undefined;
}

/** What the numbers of a row are: the published figure, ours, and four ratios. */
export const PUBLISHED_COLUMNS: readonly string[] = [
  "published",
  "ours",
  "ours ÷ published",
  "theirs ÷ native",
  "ours ÷ bare",
  "ratio of both",
];

/** How to read them. */
export const PUBLISHED_INTRODUCTION =
  "Their machines, kernels and programs are not ours, so what carries over is what a technique adds to native. The last ratio is ours over theirs: 1 when the technique costs us what it cost them.";

/** What the note "calibrated" says. */
export const CALIBRATED =
  "Calibrated: the profile pentium-4 is made so that this native figure comes out, so ours is no prediction there.";

/** Every published figure for which the report has a result, by benchmark. */
export function besidePublished(report: Report, benchmarks: readonly string[]): readonly Beside[] {
  return benchmarks.flatMap((benchmark) => {
    const figures = publishedFor(benchmark);
    const native = figures.find(({ strategy }) => strategy === "bare");
    return figures.flatMap((published): Beside[] => {
      const result = resultOf(report, benchmark, published.strategy);
      if (result === undefined) return [];
      const ours = inUnitOf(published, report, result);
      const oursToBare = ratioToBare(report, result);
      const publishedToNative = over(published.value, native?.value);
      return [
        {
          benchmark,
          published,
          ours,
          oursToPublished: over(ours, published.value),
          publishedToNative,
          oursToBare,
          ratioOfRatios: over(oursToBare, publishedToNative),
        },
      ];
    });
  });
}

function inUnitOf(
  { unit }: Published,
  report: Report,
  result: ReturnType<typeof resultOf>,
): number | undefined {
  const cycles = cyclesPerOperation(result);
  if (cycles === undefined || result === undefined) return undefined;
  switch (unit) {
    case "cycles":
      return cycles;
    case "µs":
      return (cycles / report.profile.hertz) * 1e6;
    case "ratio":
      return ratioToBare(report, result);
  }
}

function over(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}
