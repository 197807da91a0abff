/** One operation under each strategy, explained. */
import type { CostProfile, Strategy } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import type { Explained } from "../reporters/explanation.ts";
import { cyclesOf, storyOf } from "./narrative.ts";
import { walkOperation } from "./operation.ts";

/** Operations before the one that is told: caches are warm and translators have adapted. */
const OPERATIONS_BEFORE = 100;

/** Walks through one warm operation of `benchmark`. */
export function explain(strategy: Strategy, benchmark: Benchmark, profile: CostProfile): Explained {
  const { id, name, traits } = strategy;
  const walk = walkOperation(strategy, benchmark, OPERATIONS_BEFORE);
  if (walk.kind === "not-walked") {
    return { strategy: id, name, story: undefined, cycles: undefined, reason: walk.reason };
  }
  const story = storyOf(walk.steps, profile);
  return {
    strategy: id,
    name,
    story,
    cycles: traits.unmodelled === undefined ? cyclesOf(story) : undefined,
    ...(traits.unmodelled === undefined ? {} : { reason: traits.unmodelled }),
  };
}
