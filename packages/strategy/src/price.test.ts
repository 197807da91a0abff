import { describe, expect, test } from "vitest";
import { checkCostProfile, type CostConstant, type CostProfile } from "./cost-profile.ts";
import type { Counts } from "./counts.ts";
import { price } from "./price.ts";

const nothing: Counts = {
  units: 0,
  instructions: 0,
  rings: {},
  mnemonics: {},
  exceptions: {},
  interrupts: {},
  translation: {},
};

function profileOf(
  ...constants: Pick<CostConstant, "id" | "class" | "cycles" | "prices">[]
): CostProfile {
  const rest = {
    events: "",
    unit: "",
    from: "",
    to: "",
    provenance: "estimated",
    source: "",
    unverified: false,
  } as const;
  return {
    id: "test",
    name: "test",
    year: 2026,
    hertz: 1,
    constants: constants.map((constant) => ({ ...rest, ...constant })),
  };
}

describe("price", () => {
  const profile = profileOf(
    { id: "other", class: "guest", cycles: 1, prices: { kind: "other-instructions" } },
    { id: "in", class: "guest", cycles: 100, prices: { kind: "counts", names: ["mnemonics.in"] } },
    {
      id: "fault",
      class: "transition",
      cycles: 10,
      prices: { kind: "counts", names: ["exceptions"], except: ["exceptions.14"] },
    },
    {
      id: "page",
      class: "transition",
      cycles: 20,
      prices: { kind: "counts", names: ["exceptions.14"] },
    },
    { id: "exit", class: "monitor", cycles: 7, prices: { kind: "counts", names: ["exits"] } },
  );
  const counts: Counts = {
    ...nothing,
    instructions: 50,
    mnemonics: { in: 3, cpuid: 2 },
    exceptions: { "0": 1, "13": 1, "14": 4 },
    exits: { io: 2 },
  };

  test("prices every instruction once and every event once", () => {
    expect(price(counts, profile)).toMatchObject({
      guestCycles: 47 + 300,
      transitionCycles: 20 + 80,
      monitorCycles: 14,
      modelledCycles: 461,
    });
  });

  test("has parts that sum to the whole", () => {
    const priced = price(counts, profile);
    const sum = priced.parts.reduce((total, part) => total + part.cycles, 0);
    expect(sum).toBe(priced.modelledCycles);
  });

  test("gives no total, and says why, where work is not modelled", () => {
    const priced = price(counts, profile, "The kernel is not modelled.");
    expect(priced.modelledCycles).toBeNull();
    expect(priced.reason).toBe("The kernel is not modelled.");
    expect(priced.guestCycles).toBe(347);
  });
});

describe("a cost profile", () => {
  const in1 = {
    id: "in",
    class: "guest",
    cycles: 1,
    prices: { kind: "counts", names: ["mnemonics.in"] },
  } as const;

  test.each([
    ["two constants of one id", [in1, { ...in1, prices: { kind: "other-instructions" } }]],
    ["a count priced twice", [in1, { ...in1, id: "again" }]],
    [
      "a count priced by itself and in its group",
      [
        { ...in1, id: "all", prices: { kind: "counts", names: ["exceptions"] } },
        { ...in1, id: "one", prices: { kind: "counts", names: ["exceptions.14"] } },
      ],
    ],
    [
      "a group that includes instructions priced elsewhere",
      [{ ...in1, prices: { kind: "counts", names: ["mnemonics"] } }],
    ],
    ["a negative cost", [{ ...in1, cycles: -1 }]],
  ] as const)("is refused with %s", (_, constants) => {
    expect(() => checkCostProfile(profileOf(...constants))).toThrow(RangeError);
  });
});
