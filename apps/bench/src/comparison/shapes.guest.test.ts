/**
 * The shapes that others published, under our counts: which technique wins, which loses, and by about how much.
 *
 * Each benchmark runs once; its counts are then priced under the profile as it is and with every estimated constant
 * moved by a fifth each way, alone and all together. So a shape that rests on a guess fails.
 */
import {
  countAt,
  haswell,
  pentium4,
  price,
  type CostProfile,
  type Counts,
  type OkResult,
} from "@ringside/strategy";
import { beforeAll, describe, expect, test } from "vitest";
import { findStrategy } from "../strategies.ts";
import { benchmarks } from "./benchmarks.ts";
import { measure } from "./measure.ts";

/** Fewer operations than in the table: what is warm after ten is warm after a thousand. */
const runs: Readonly<Record<string, { readonly operations: number; readonly under: string }>> = {
  in: { operations: 200, under: "bare binary-translation vtx" },
  cr8wr: { operations: 5000, under: "bare binary-translation" },
  syscall: { operations: 200, under: "bare binary-translation" },
  "call-ret": { operations: 200, under: "bare binary-translation" },
  divzero: { operations: 200, under: "bare binary-translation" },
  pgfault: { operations: 200, under: "bare binary-translation vtx vtx:shadow" },
  ptemod: { operations: 1000, under: "bare binary-translation paravirt vtx vtx:shadow" },
  "ptemod-batched": { operations: 2048, under: "paravirt" },
  "fork-wait": { operations: 50, under: "bare binary-translation paravirt vtx vtx:shadow" },
  "integer-mix": { operations: 20, under: "bare binary-translation paravirt vtx vtx:shadow" },
  sieve: { operations: 10, under: "bare binary-translation paravirt vtx vtx:shadow" },
  sha256: { operations: 20, under: "bare binary-translation paravirt vtx vtx:shadow" },
  nbody: { operations: 2000, under: "bare binary-translation paravirt vtx vtx:shadow" },
};

const measured = new Map<string, OkResult>();

beforeAll(async () => {
  for (const [id, { operations, under }] of Object.entries(runs)) {
    const benchmark = benchmarks.find((known) => known.id === id);
    if (benchmark === undefined) throw new Error(`There is no benchmark ${id}.`);
    for (const name of under.split(" ")) {
      const strategy = await findStrategy(name);
      const result = await measure(strategy, { ...benchmark, operations }, pentium4, () => 0);
      if (result.status !== "ok") throw new Error(`${id} under ${name}: ${result.reason}`);
      measured.set(`${id} ${name}`, result);
    }
  }
}, 200_000);

function resultOf(benchmark: string, strategy: string): OkResult {
  const result = measured.get(`${benchmark} ${strategy}`);
  if (result === undefined) throw new Error(`${benchmark} did not run under ${strategy}.`);
  return result;
}

/** What was counted in the warm part. */
function counted(benchmark: string, strategy: string): Counts {
  return resultOf(benchmark, strategy).events as Counts; // What `measure` put there.
}

/** Modelled cycles of one operation. */
function cycles(benchmark: string, strategy: string, profile: CostProfile): number {
  const priced = price(counted(benchmark, strategy), profile).modelledCycles;
  if (priced === null) throw new Error(`${benchmark} has no price under ${strategy}.`);
  return priced / resultOf(benchmark, strategy).operations;
}

/** The profile with some of its estimated constants moved. */
function moved(
  profile: CostProfile,
  factor: number,
  isMoved: (id: string) => boolean,
): CostProfile {
  return {
    ...profile,
    constants: profile.constants.map((constant) =>
      constant.provenance === "estimated" && isMoved(constant.id)
        ? { ...constant, cycles: constant.cycles * factor }
        : constant,
    ),
  };
}

/** The profile, and what it could be if its estimates are off by a fifth. */
function variantsOf(profile: CostProfile): readonly CostProfile[] {
  const estimated = profile.constants.filter(({ provenance }) => provenance === "estimated");
  return [
    profile,
    ...[0.8, 1.2].flatMap((factor) => [
      moved(profile, factor, () => true),
      ...estimated.map(({ id }) => moved(profile, factor, (other) => other === id)),
    ]),
  ];
}

/** The ratio of one strategy's cycles to another's under every variant, smallest and largest. */
function ratios(
  benchmark: string,
  strategy: string,
  to: string,
  profile: CostProfile = pentium4,
): { readonly least: number; readonly most: number } {
  const all = variantsOf(profile).map(
    (variant) => cycles(benchmark, strategy, variant) / cycles(benchmark, to, variant),
  );
  return { least: Math.min(...all), most: Math.max(...all) };
}

describe("binary translation, on the Pentium 4 of 2006", () => {
  test.each(["in", "cr8wr"])("is cheaper than bare in %s: no trap, no device", (benchmark) => {
    expect(ratios(benchmark, "binary-translation", "bare").most).toBeLessThan(1);
  });

  test.each(["syscall", "call-ret", "divzero", "pgfault"])(
    "costs more than bare in %s",
    (benchmark) => {
      expect(ratios(benchmark, "binary-translation", "bare").least).toBeGreaterThan(1);
    },
  );

  test("forks in 3 to 9 times the cycles of bare", () => {
    const { least, most } = ratios("fork-wait", "binary-translation", "bare");
    expect(least).toBeGreaterThan(3);
    expect(most).toBeLessThan(9);
  });
});

describe("VT-x without extended page tables, on the Pentium 4 of 2006", () => {
  test.each(["ptemod", "pgfault", "fork-wait"])(
    "costs more than binary translation in %s",
    (benchmark) => {
      expect(ratios(benchmark, "vtx:shadow", "binary-translation").least).toBeGreaterThan(1);
    },
  );

  test("forks in more than twice the cycles of binary translation", () => {
    expect(ratios("fork-wait", "vtx:shadow", "binary-translation").least).toBeGreaterThan(2);
  });
});

describe("VT-x with extended page tables, on Haswell", () => {
  test("forks within 1.3 times the cycles of bare", () => {
    expect(ratios("fork-wait", "vtx", "bare", haswell).most).toBeLessThan(1.3);
  });

  test("does not exit when the guest writes its page tables", () => {
    // Of what does exit, each does.
    expect(countAt(counted("in", "vtx"), "exits")).toBe(200);
    expect(countAt(counted("ptemod", "vtx"), "exits")).toBe(0);
    expect(countAt(counted("fork-wait", "vtx"), "exits")).toBe(0);
  });

  test.each(["pgfault", "fork-wait"])("takes at most 24 references a walk in %s", (benchmark) => {
    const counts = counted(benchmark, "vtx");
    const references =
      countAt(counts, "translation.walkReferences") +
      countAt(counts, "translation.secondStageReferences");
    expect(countAt(counts, "translation.walks")).toBeGreaterThan(0);
    expect(references / countAt(counts, "translation.walks")).toBeLessThanOrEqual(24);
  });
});

describe("paravirtualization", () => {
  test("forks in 1.5 to 2.5 times the cycles of bare, and in fewer than binary translation", () => {
    const { least, most } = ratios("fork-wait", "paravirt", "bare");
    expect(least).toBeGreaterThan(1.5);
    expect(most).toBeLessThan(2.5);
    expect(ratios("fork-wait", "paravirt", "binary-translation").most).toBeLessThan(1);
  });

  test("asks for a list of page-table entries in less than a fiftieth of the hypercalls", () => {
    const perEntry = (benchmark: string): number =>
      countAt(counted(benchmark, "paravirt"), "hypercalls") /
      resultOf(benchmark, "paravirt").operations;
    expect(perEntry("ptemod")).toBeGreaterThanOrEqual(1);
    expect(perEntry("ptemod") / perEntry("ptemod-batched")).toBeGreaterThan(50);
  });
});

describe("a program that computes", () => {
  test.each(["binary-translation", "paravirt", "vtx", "vtx:shadow"])(
    "costs about what it costs on bare, to 5 percent, under %s",
    (strategy) => {
      for (const benchmark of ["integer-mix", "sieve", "sha256", "nbody"]) {
        for (const profile of [pentium4, haswell]) {
          const { least, most } = ratios(benchmark, strategy, "bare", profile);
          expect(least).toBeGreaterThan(0.95);
          expect(most).toBeLessThan(1.05);
        }
      }
    },
  );
});
