import { describe, expect, test } from "vitest";
import { sectionTitles } from "./section-titles.ts";

const check = (text: string): number[] =>
  sectionTitles({ path: "add.ts", text }).map(({ line }) => line);

describe("section titles", () => {
  test("accepts a number with its title", () => {
    expect(check('// Intel SDM Vol. 1 §3.4.3.1, "Status Flags".')).toEqual([]);
  });

  test("accepts a title on the next line of the comment", () => {
    expect(check(' * Vol. 3A §4.5.4,\n * "Linear-Address Translation"')).toEqual([]);
  });

  test("complains about a bare number, with its line", () => {
    expect(check("// first\n// see Vol. 3C §26.6.2 for this")).toEqual([2]);
  });

  test("complains about each of two numbers that share one title", () => {
    expect(check('§4.5 and §4.6, "Access Rights"')).toEqual([1]);
  });
});
