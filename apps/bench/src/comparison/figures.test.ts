/** Figures as people read them. */
import { describe, expect, test } from "vitest";
import { figure, ratio } from "./figures.ts";

describe("figure", () => {
  test.each([
    [0, "0"],
    [1093, "1,093"],
    [1_234_567.8, "1,234,568"],
    [0.45, "0.45"],
    [12.34, "12.3"],
    [11, "11"],
    [0.0012, "0.0012"],
  ])("writes %d as %s", (value, text) => {
    expect(figure(value)).toBe(text);
  });
});

describe("ratio", () => {
  test.each([
    [1, "1.00×"],
    [12.34, "12.3×"],
    [391.2, "391×"],
    [3207.4, "3,207×"],
    [0.00312, "0.0031×"],
  ])("writes %d as %s", (value, text) => {
    expect(ratio(value)).toBe(text);
  });
});
