import { describe, expect, test } from "vitest";
import { suppressionReasons } from "./suppression-reasons.ts";

const complaints = (text: string): number => suppressionReasons({ path: "a.ts", text }).length;

describe("suppression reasons", () => {
  test("accepts a reason after two dashes", () => {
    expect(complaints("// oxlint-disable-next-line no-bitwise -- flags are bits")).toBe(0);
  });

  test("accepts a reason after @ts-expect-error", () => {
    expect(complaints("// @ts-expect-error the id must be a string")).toBe(0);
  });

  test("complains about exceptions without a reason", () => {
    expect(complaints("// oxlint-disable-next-line no-bitwise")).toBe(1);
    expect(complaints("/* eslint-disable */")).toBe(1);
    expect(complaints("// @ts-expect-error")).toBe(1);
  });

  test("complains about @ts-ignore, reason or not", () => {
    expect(complaints("// @ts-ignore because")).toBe(1);
  });
});
