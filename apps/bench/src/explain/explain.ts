/** One operation under each strategy, explained. */
import type { CostProfile, Strategy } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { isStrategyError } from "../failure.ts";
import type { Explained } from "../reporters/explanation.ts";
import { cyclesOf, storyOf } from "./narrative.ts";
import { walkOperation, type Walk } from "./operation.ts";

/** Operations before the one that is told: caches are warm and translators have adapted. */
const OPERATIONS_BEFORE = 100;

/** Walks through one warm operation of `benchmark`. */
export function explain(strategy: Strategy, benchmark: Benchmark, profile: CostProfile): Explained {
  const { id, name, traits } = strategy;
  const walk = walkOrReason(strategy, benchmark);
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

/** Wrong use of a strategy is a reason, too: a host that is too small, a guest that it does not take after all. */
function walkOrReason(strategy: Strategy, benchmark: Benchmark): Walk {
  try {
    return walkOperation(strategy, benchmark, OPERATIONS_BEFORE);
  } catch (error) {
    if (!isStrategyError(error)) throw error;
    return { kind: "not-walked", reason: error.message };
  }
}
