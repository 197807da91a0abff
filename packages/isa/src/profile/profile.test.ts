import { describe, expect, test } from "vitest";
import { instructions } from "../instructions/index.ts";
import { FEATURES } from "./features.ts";
import { checkProfile, defaultProfile, processorProfiles } from "./profile.ts";

describe("A profile", () => {
  test("is refused with a sentence when a field is out of range", () => {
    const wrong = { ...defaultProfile, physicalAddressBits: 60 };
    expect(() => checkProfile(wrong)).toThrow(
      'Profile "x86-64-v2" has physicalAddressBits 60. Expected a whole number from 36 to 52.',
    );
    const unknown = { ...defaultProfile, features: new Set(["warp"]) };
    expect(() => checkProfile(unknown)).toThrow(
      'Profile "x86-64-v2" has feature warp. Expected a name from FEATURES.',
    );
  });

  test("of the default is the one of x86-64-v2, and has no hypervisor bit", () => {
    expect(processorProfiles.get("x86-64-v2")).toBe(defaultProfile);
    expect(defaultProfile.features).not.toContain("hypervisor");
    expect(() => checkProfile(defaultProfile)).not.toThrow();
  });

  test("of the lowest level has what the System V ABI names for it", () => {
    const level = ["cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2", "syscall", "lm", "nx"];
    const v1 = processorProfiles.get("x86-64-v1");
    expect(level.filter((feature) => v1?.features.has(feature) !== true)).toEqual([]);
  });

  test("of each ABI level has what the level names, and the lower one lacks it", () => {
    const added = ["cx16", "lahf_lm", "popcnt", "sse3", "ssse3", "sse4_1", "sse4_2"];
    const [v1, v2] = ["x86-64-v1", "x86-64-v2"].map((id) => processorProfiles.get(id)?.features);
    expect(added.filter((name) => v2?.has(name) !== true)).toEqual([]);
    expect(added.filter((name) => v1?.has(name) !== false)).toEqual([]);
    for (const [id, profile] of processorProfiles) {
      expect(profile.id).toBe(id);
      expect(() => checkProfile(profile)).not.toThrow();
    }
  });

  test("of the whole system has every feature but those that extensions and hypervisors bring", () => {
    const system = processorProfiles.get("x86-64-v2-system");
    const missing = Object.keys(FEATURES).filter((name) => system?.features.has(name) !== true);
    expect(missing).toEqual(["vmx", "hypervisor"]);
  });

  test("can name every feature that a row of the table needs", () => {
    const needed = new Set(
      instructions.flatMap(({ feature }) => (feature === undefined ? [] : [feature])),
    );
    expect([...needed].filter((feature) => !(feature in FEATURES))).toEqual([]);
  });
});
