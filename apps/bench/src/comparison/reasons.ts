/**
 * Why a column of the table costs what it does, in words that follow from the priced counts.
 *
 * A strategy is judged by what it adds to bare. Benchmarks count alike, whatever their size: each kind of event has
 * the mean of its shares of what the benchmarks add.
 */
import { price, type Counts, type OkResult, type Report } from "@ringside/strategy";
import { figure, ratio, ratioToBare, resultOf } from "./figures.ts";

/** A benchmark that adds less than this part of bare's cycles says nothing about where cycles go. */
const WORTH_EXPLAINING = 0.02;
/** Within this part of bare, a figure counts as the same. */
const SAME = 0.05;
const KINDS_NAMED = 3;
/** A smaller mean share than this is not named. */
const WORTH_NAMING = 0.005;

/** One kind of event and its mean share of the cycles that are explained. */
export interface Kind {
  readonly id: string;
  /** In the plural: `VM exits`. */
  readonly events: string;
  /** From 0 to 1. */
  readonly share: number;
}

/** One sentence or two for each strategy of the report, in its order. */
export function columnReasons(report: Report): readonly { strategy: string; reason: string }[] {
  return report.strategies.map(({ id }) => ({ strategy: id, reason: reasonOf(report, id) }));
}

/** Kinds of event that the strategy's cycles go to, beyond those of bare where there is bare; the largest first. */
export function largestKinds(report: Report, strategy: string, most: number): readonly Kind[] {
  const sums = new Map<string, Kind>();
  let explained = 0;
  for (const result of modelledResults(report, strategy)) {
    const added = addedCycles(report, result);
    const total = added.reduce((sum, { cycles }) => sum + cycles, 0);
    if (total <= (result.modelledCycles / result.operations) * WORTH_EXPLAINING) continue;
    explained += 1;
    for (const { id, events, cycles } of added) {
      const share = (sums.get(id)?.share ?? 0) + cycles / total;
      sums.set(id, { id, events, share });
    }
  }
  return [...sums.values()]
    .map((kind) => ({ ...kind, share: kind.share / explained }))
    .filter(({ share }) => share >= WORTH_NAMING)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, most);
}

function reasonOf(report: Report, strategy: string): string {
  const results = modelledResults(report, strategy);
  if (results.length === 0) return unmodelledReason(report, strategy);
  const kinds = largestKinds(report, strategy, KINDS_NAMED).map(
    ({ events, share }) => `${events} (${figure(100 * share)} %)`,
  );
  if (strategy === "bare" || !hasBare(report)) return `Its cycles go to ${list(kinds)}.`;
  const adds = kinds.length === 0 ? "" : ` What it adds to bare is mostly ${list(kinds)}.`;
  return `${againstBare(report, results)}${adds}`;
}

/** Where a strategy is like bare, where cheaper, and where it costs most. */
function againstBare(report: Report, results: readonly Modelled[]): string {
  const ratios = results.flatMap((result) => {
    const toBare = ratioToBare(report, result);
    return toBare === undefined ? [] : [{ benchmark: result.benchmark, toBare }];
  });
  const same = ratios.filter(({ toBare }) => Math.abs(toBare - 1) <= SAME).length;
  const cheaper = ratios.filter(({ toBare }) => toBare < 1 - SAME);
  const dearest = ratios.toSorted((a, b) => b.toBare - a.toBare)[0];
  const parts = [`Within ${100 * SAME} % of bare in ${same} of ${ratios.length} benchmarks`];
  if (cheaper.length > 0) {
    parts.push(`cheaper: ${list(cheaper.map(({ benchmark }) => benchmark))}`);
  }
  if (dearest !== undefined && dearest.toBare > 1 + SAME) {
    parts.push(`dearest: ${dearest.benchmark} (${ratio(dearest.toBare)})`);
  }
  return `${parts.join("; ")}.`;
}

function unmodelledReason(report: Report, strategy: string): string {
  const reasons = report.results
    .filter((result) => result.strategy === strategy && result.reason !== undefined)
    // What ran without a price says more than what did not run.
    .toSorted((a, b) => Number(b.status === "ok") - Number(a.status === "ok"));
  const why = reasons[0]?.reason;
  return `No cycles are modelled. ${why ?? "Nothing ran."}`;
}

type Modelled = OkResult & { readonly modelledCycles: number };

function modelledResults(report: Report, strategy: string): readonly Modelled[] {
  return report.results.filter(
    (result): result is Modelled =>
      result.strategy === strategy && result.status === "ok" && result.modelledCycles !== null,
  );
}

function hasBare(report: Report): boolean {
  return report.strategies.some(({ id }) => id === "bare");
}

interface Added {
  readonly id: string;
  readonly events: string;
  readonly cycles: number;
}

/** Cycles of one operation by kind, less those of bare for the same kind; none below zero. */
function addedCycles(report: Report, result: OkResult): readonly Added[] {
  const bare = result.strategy === "bare" ? undefined : resultOf(report, result.benchmark, "bare");
  const natively = bare?.status === "ok" ? perOperation(report, bare) : [];
  return perOperation(report, result).map(({ id, events, cycles }) => {
    const before = natively.find((other) => other.id === id)?.cycles ?? 0;
    return { id, events, cycles: Math.max(0, cycles - before) };
  });
}

function perOperation({ profile }: Report, { events, operations }: OkResult): readonly Added[] {
  // A report's events are the counts that its maker priced.
  return price(events as Counts, profile).parts.map(({ constant, cycles }) => ({
    id: constant.id,
    events: constant.events,
    cycles: cycles / operations,
  }));
}

/** `a`, `a and b`, `a, b and c`. */
function list(items: readonly string[]): string {
  const last = items.at(-1) ?? "";
  return items.length < 2 ? last : `${items.slice(0, -1).join(", ")} and ${last}`;
}
