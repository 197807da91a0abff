/** The profiles that come with the contract. */
import { describe, expect, test } from "vitest";
import { checkCostProfile, type CostProfile } from "../cost-profile.ts";
import { countTree, type Counts, type CountTree } from "../counts.ts";
import { price } from "../price.ts";
import { costProfiles } from "./index.ts";
import { haswell } from "./haswell.ts";
import { pentium4 } from "./pentium-4.ts";

const nothing: Counts = {
  units: 0,
  instructions: 0,
  rings: {},
  mnemonics: {},
  exceptions: {},
  interrupts: {},
  translation: {},
};

/** Counts in which every name that the profile prices has its own prime, so that nothing cancels out. */
function everything(profile: CostProfile): Counts {
  const names = profile.constants.flatMap(({ prices }) =>
    prices.kind === "counts" ? [...prices.names, ...(prices.except ?? [])] : [],
  );
  const groups = new Set(
    names.filter((name) => names.some((other) => other.startsWith(`${name}.`))),
  );
  const flat: Record<string, number> = {};
  for (const [index, name] of [...new Set(names)].entries()) {
    flat[groups.has(name) ? `${name}.other` : name] = 1000 + index;
  }
  return { ...nothing, ...countTree(flat), instructions: 1_000_000 };
}

/** A sum of cycles that does not know how constants select: each leaf is asked which constants price it. */
function priceByLeaf(counts: Counts, profile: CostProfile): number {
  const leaves = leavesOf(counts);
  let named = 0;
  let cycles = 0;
  for (const [name, count] of leaves) {
    const pricing = profile.constants.filter(
      ({ prices }) =>
        prices.kind === "counts" &&
        prices.names.some((group) => isWithin(name, group)) &&
        !(prices.except ?? []).some((group) => isWithin(name, group)),
    );
    expect(pricing.length, name).toBeLessThanOrEqual(1);
    cycles += count * (pricing[0]?.cycles ?? 0);
    cycles -= count * takenFrom(name, profile);
    if (pricing.length === 1 && name.startsWith("mnemonics.")) named += count;
  }
  const other = profile.constants.find(({ prices }) => prices.kind === "other-instructions");
  return cycles + (counts.instructions - named) * (other?.cycles ?? 0);
}

/** What a count takes from constants that price it under another name: callouts from software interrupts. */
function takenFrom(name: string, profile: CostProfile): number {
  return profile.constants
    .filter(
      ({ prices }) =>
        prices.kind === "counts" &&
        (prices.except ?? []).some((group) => isWithin(name, group)) &&
        !prices.names.some((group) => isWithin(name, group)),
    )
    .reduce((sum, { cycles }) => sum + cycles, 0);
}

function leavesOf(tree: CountTree, prefix = ""): [string, number][] {
  return Object.entries(tree).flatMap(([name, value]): [string, number][] =>
    typeof value === "number"
      ? [[`${prefix}${name}`, value]]
      : leavesOf(value, `${prefix}${name}.`),
  );
}

function isWithin(name: string, group: string): boolean {
  return name === group || name.startsWith(`${group}.`);
}

describe.each(costProfiles.map((profile) => [profile.id, profile] as const))(
  "the profile %s",
  (_id, profile) => {
    test("prices nothing twice", () => {
      expect(() => checkCostProfile(profile)).not.toThrow();
    });

    test("has classes that are disjoint and sum to the whole", () => {
      const counts = everything(profile);
      const priced = price(counts, profile);
      const parts = priced.parts.reduce((total, { cycles }) => total + cycles, 0);
      const classes = priced.guestCycles + priced.transitionCycles + priced.monitorCycles;
      expect(priced.parts).toHaveLength(profile.constants.length);
      expect(parts).toBeCloseTo(classes, 3);
      expect(priced.modelledCycles).toBeCloseTo(priceByLeaf(counts, profile), 3);
    });

    test("says unverified only of estimates", () => {
      const unverified = profile.constants.filter((constant) => constant.unverified);
      expect(unverified.filter(({ provenance }) => provenance !== "estimated")).toEqual([]);
    });

    test("says of every constant where it comes from", () => {
      const silent = profile.constants.filter(({ source, from, to, unit, events }) =>
        [source, from, to, unit, events].includes(""),
      );
      expect(silent).toEqual([]);
    });
  },
);

test("profiles have unlike ids, and differ in figures alone", () => {
  const shape = ({ constants }: CostProfile): unknown =>
    constants.map(({ id, class: part, from, to, prices }) => ({ id, part, from, to, prices }));
  expect(new Set(costProfiles.map(({ id }) => id)).size).toBe(costProfiles.length);
  for (const profile of costProfiles) expect(shape(profile)).toEqual(shape(pentium4));
});

test("a change of context gets cheaper with each generation of VMX", () => {
  const roundTrips = costProfiles.map(
    (profile) =>
      price({ ...nothing, entries: 1, exits: { "exception-or-nmi": 1 } }, profile).modelledCycles,
  );
  expect(roundTrips).toEqual(roundTrips.toSorted((a, b) => (b ?? 0) - (a ?? 0)));
  expect([roundTrips[0], roundTrips.at(-1)]).toEqual([4340, 830]);
});

const pageFault: Counts = {
  ...nothing,
  exceptions: { "14": 1 },
  mnemonics: { iret: 1 },
  instructions: 1,
  translation: { walkReferences: 4 },
};

test("the profile haswell reproduces the measured page fault of 715 cycles and its IRET of 330", () => {
  expect(price(pageFault, haswell).modelledCycles).toBe(715 + 330);
});

describe("the profile pentium-4", () => {
  test.each([
    // Adams, Agesen, ASPLOS 2006, native: the operation with its handler, without the loop around it.
    ["in", { instructions: 1, mnemonics: { in: 1 } }, 3209],
    ["cr8wr", { instructions: 1, mnemonics: { "mov-to-cr8": 1 } }, 140],
    ["call-ret", { instructions: 2, mnemonics: { call: 1, ret: 1 } }, 11],
    ["ptemod", { instructions: 1 }, 1],
    ["divzero", { instructions: 3, mnemonics: { iret: 1 }, exceptions: { "0": 1 } }, 889],
    ["pgfault", { ...pageFault, instructions: 4 }, 1093],
  ])("reproduces the published native figure of %s", (_, counts, cycles) => {
    expect(price({ ...nothing, ...counts }, pentium4).modelledCycles).toBe(cycles);
  });

  test("prices a trap alike, whether it goes to the guest or to a monitor", () => {
    const trap = { mnemonics: { iret: 1 }, instructions: 1, exceptions: { "13": 1 } };
    const toMonitor = { returns: { iret: 1 }, monitor: { exceptions: { "13": 1 } } };
    expect(price({ ...nothing, ...trap }, pentium4).modelledCycles).toBe(
      price({ ...nothing, ...toMonitor }, pentium4).modelledCycles,
    );
  });

  test("prices a callout once, though it is an INT", () => {
    const callout = {
      instructions: 1,
      mnemonics: { int: 1 },
      monitor: { "software-interrupts": { "96": 1 } },
      callouts: { lookup: 1 },
    };
    const cycles = pentium4.constants.find(({ id }) => id === "callout")?.cycles;
    expect(price({ ...nothing, ...callout }, pentium4).modelledCycles).toBe(cycles);
  });

  test.each([0.8, 1.2])(
    "keeps the published order of native costs when every estimate is off by the factor %d",
    (factor) => {
      const moved: CostProfile = {
        ...pentium4,
        constants: pentium4.constants.map((constant) =>
          constant.provenance === "estimated"
            ? { ...constant, cycles: constant.cycles * factor }
            : constant,
        ),
      };
      const costs = [
        { instructions: 1, mnemonics: { in: 1 } },
        { ...pageFault, instructions: 4 },
        { instructions: 3, mnemonics: { iret: 1 }, exceptions: { "0": 1 } },
        { instructions: 3, mnemonics: { syscall: 1, sysret: 1 } },
        { instructions: 1, mnemonics: { "mov-to-cr8": 1 } },
        { instructions: 2, mnemonics: { call: 1, ret: 1 } },
        { instructions: 1 },
      ].map((counts) => price({ ...nothing, ...counts }, moved).modelledCycles ?? 0);
      expect(costs).toEqual(costs.toSorted((a, b) => b - a));
      expect(new Set(costs).size).toBe(costs.length);
    },
  );
});
