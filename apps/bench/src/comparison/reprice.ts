/** A report under another profile: counts are facts, so nothing has to run again. */
import {
  price,
  type CostProfile,
  type Counts,
  type Measurement,
  type Report,
  type Result,
} from "@ringside/strategy";

/** The same counts and wall times, priced by `profile`. */
export function reprice(report: Report, profile: CostProfile): Report {
  const unmodelled = new Map(report.strategies.map(({ id, traits }) => [id, traits.unmodelled]));
  const repriced = (part: Measurement, strategy: string): Measurement => {
    const { operations, instructions, wallMs, events } = part;
    // A report's events are the counts that its maker priced.
    const priced = price(events as Counts, profile, unmodelled.get(strategy));
    const { modelledCycles, guestCycles, transitionCycles, monitorCycles, reason } = priced;
    return {
      operations,
      instructions,
      modelledCycles,
      guestCycles,
      transitionCycles,
      monitorCycles,
      wallMs,
      events,
      ...(reason === undefined ? {} : { reason }),
    };
  };
  const results = report.results.map((result): Result => {
    if (result.status !== "ok") return result;
    const { benchmark, strategy, status, checksum, cold } = result;
    return {
      benchmark,
      strategy,
      status,
      checksum,
      ...repriced(result, strategy),
      cold: repriced(cold, strategy),
    };
  });
  return { ...report, profile, results };
}
