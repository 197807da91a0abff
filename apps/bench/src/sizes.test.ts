/** Sizes and units on the command line. */
import { describe, expect, test } from "vitest";
import { parseSize, parseUnits } from "./sizes.ts";

describe("parseSize", () => {
  test.each([
    ["64M", 64 * 1024 ** 2],
    ["1g", 1024 ** 3],
    ["512KiB", 512 * 1024],
    ["65536", 65536],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
  test.each(["", "M", "-1", "0", "1.5", "64X", "1e3"])("refuses %j", (text) => {
    expect(() => parseSize(text)).toThrow("Give a size");
  });
});

describe("parseUnits", () => {
  test.each([
    ["1000000", 1e6],
    ["5e9", 5e9],
    ["100M", 1e8],
  ])("reads %s", (text, units) => {
    expect(parseUnits(text)).toBe(units);
  });
  test.each(["0", "-1", "1e99", "ten"])("refuses %j", (text) => {
    expect(() => parseUnits(text)).toThrow("Give a number of units");
  });
});
