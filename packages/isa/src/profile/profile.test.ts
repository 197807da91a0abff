import { describe, expect, test } from "vitest";
import { instructions } from "../instructions/index.ts";
import { FEATURES } from "./features.ts";
import { checkProfile, defaultProfile } from "./profile.ts";

describe("A profile", () => {
  test("is refused with a sentence when a field is out of range", () => {
    const wrong = { ...defaultProfile, physicalAddressBits: 60 };
    expect(() => checkProfile(wrong)).toThrow(
      'Profile "ringside-v1" has physicalAddressBits 60. Expected a whole number from 36 to 52.',
    );
    const unknown = { ...defaultProfile, features: new Set(["warp"]) };
    expect(() => checkProfile(unknown)).toThrow(
      'Profile "ringside-v1" has feature warp. Expected a name from FEATURES.',
    );
  });

  test("of the default has the features of x86-64-v1, and no hypervisor bit", () => {
    for (const feature of [
      "cmov",
      "cx8",
      "fpu",
      "fxsr",
      "mmx",
      "sse",
      "sse2",
      "syscall",
      "lm",
      "nx",
    ]) {
      expect(defaultProfile.features).toContain(feature);
    }
    expect(defaultProfile.features).not.toContain("hypervisor");
    expect(() => checkProfile(defaultProfile)).not.toThrow();
  });

  test("can name every feature that a row of the table needs", () => {
    const needed = new Set(
      instructions.flatMap(({ feature }) => (feature === undefined ? [] : [feature])),
    );
    expect([...needed].filter((feature) => !(feature in FEATURES))).toEqual([]);
  });
});
