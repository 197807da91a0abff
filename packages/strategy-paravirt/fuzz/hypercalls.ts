/**
 * Random hypercalls without end, each seed for a while, until something that must hold does not:
 *
 *     pnpm fuzz:hypercalls [SEED]
 */
import { HypercallFuzzer } from "../src/testing/hypercall-fuzzer.ts";

const roundsPerSeed = 1000;
const first = Number(process.argv[2] ?? 1);
if (!Number.isSafeInteger(first) || first < 1)
  throw new RangeError("SEED is a whole number from 1.");
for (let seed = first; ; seed += 1) {
  const { hypercalls, successes, resets } = new HypercallFuzzer(seed).run(roundsPerSeed);
  console.log(
    `seed ${seed}: ${hypercalls} hypercalls, ${successes} granted, ${resets} domains ended`,
  );
}
