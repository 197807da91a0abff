/** Figures of a report as people read them: per operation, as ratios, in words. */
import {
  price,
  type Counts,
  type CostProfile,
  type CountTree,
  type OkResult,
  type Report,
  type Result,
} from "@ringside/strategy";

/** Events rarer than this in an operation come from somewhere else: a timer, the end of the run. */
const WORTH_TELLING = 0.005;

/** The result of a benchmark under a strategy. */
export function resultOf(report: Report, benchmark: string, strategy: string): Result | undefined {
  return report.results.find(
    (result) => result.benchmark === benchmark && result.strategy === strategy,
  );
}

/** Modelled cycles of one warm operation; undefined where nothing is modelled or nothing ran. */
export function cyclesPerOperation(result: Result | undefined): number | undefined {
  if (result?.status !== "ok" || result.modelledCycles === null) return undefined;
  return result.modelledCycles / result.operations;
}

/** Ratio to the same benchmark on bare. */
export function ratioToBare(report: Report, result: Result): number | undefined {
  const mine = cyclesPerOperation(result);
  const bare = cyclesPerOperation(resultOf(report, result.benchmark, "bare"));
  return mine === undefined || bare === undefined || bare === 0 ? undefined : mine / bare;
}

/** What one warm operation's cycles consist of, the largest first. */
export interface Share {
  readonly name: string;
  readonly count: number;
  readonly cycles: number;
}

/** The parts of the price of one warm operation, the most expensive first. */
export function shares(result: OkResult, profile: CostProfile, most: number): readonly Share[] {
  return price(result.events as Counts, profile)
    .parts.map(({ constant, count, cycles }) => ({
      name: constant.events,
      count: count / result.operations,
      cycles: cycles / result.operations,
    }))
    .filter(({ count }) => count >= WORTH_TELLING)
    .toSorted((a, b) => b.cycles - a.cycles)
    .slice(0, most);
}

/** Groups of counts, those that explain most first; what is in no group here restates others or is no event. */
const EXPLAINING: readonly { readonly group: string; readonly say: (name: string) => string }[] = [
  { group: "systemCalls", say: (name) => `${name}()` },
  { group: "kernel", say: words },
  { group: "exceptions", say: (name) => `exception ${name}` },
  { group: "interrupts", say: (name) => `interrupt ${name}` },
  { group: "translation", say: words },
  { group: "mnemonics", say: (name) => name },
];

/** Counted events of one warm operation, those that explain most first. */
export function eventsPerOperation(result: OkResult, most: number): readonly Share[] {
  return EXPLAINING.flatMap(({ group, say }) => {
    const counts = result.events[group];
    if (typeof counts !== "object") return [];
    return flatten(counts)
      .map(({ name, count }) => ({ name: say(name), count: count / result.operations, cycles: 0 }))
      .filter(({ count }) => count >= WORTH_TELLING)
      .toSorted((a, b) => b.count - a.count);
  }).slice(0, most);
}

/** `pagesCopied` as people say it. */
function words(name: string): string {
  return name.replaceAll(/[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`);
}

function flatten(
  tree: CountTree,
  prefix = "",
): { readonly name: string; readonly count: number }[] {
  return Object.entries(tree).flatMap(([name, value]) =>
    typeof value === "number"
      ? [{ name: `${prefix}${name}`, count: value }]
      : flatten(value, `${prefix}${name}.`),
  );
}

/** A number with three significant digits and thousands set apart: `1,093`, `0.45`, `12.3`. */
export function figure(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const [whole = "", fraction] = (size < 0.01 ? value.toPrecision(2) : value.toFixed(digits)).split(
    ".",
  );
  const grouped = whole.replaceAll(/\B(?=(\d{3})+(?!\d))/gu, ",");
  return fraction === undefined || /^0*$/u.test(fraction) ? grouped : `${grouped}.${fraction}`;
}

/** A value with its unit: `1 cycle`, `3,209 cycles`, `0.45 µs`, `1.02×`. */
export function quantity(value: number, unit: "cycles" | "µs" | "ratio"): string {
  if (unit === "ratio") return ratio(value);
  return `${figure(value)} ${unit === "cycles" && value === 1 ? "cycle" : unit}`;
}

/** Wall time of one operation: `1.2 µs`. */
export function wallPerOperation(result: OkResult): string {
  const us = (result.wallMs * 1000) / result.operations;
  return us >= 1000
    ? `${figure(us / 1000)} ms`
    : us >= 1
      ? `${figure(us)} µs`
      : `${figure(us * 1000)} ns`;
}

/** A ratio: `1.00×`, `12.5×`, `3,207×`, `0.0031×`. */
export function ratio(value: number): string {
  if (value >= 100) return `${figure(value)}×`;
  if (value > 0 && value < 0.01) return `${value.toPrecision(2)}×`;
  return `${value >= 10 ? value.toFixed(1) : value.toFixed(2)}×`;
}
