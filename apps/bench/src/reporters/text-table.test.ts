/** Tables and paragraphs. */
import { describe, expect, test } from "vitest";
import { textTable, wrapped } from "./text-table.ts";

describe("textTable", () => {
  test("lets a row of one cell span the table, and sets numbers flush right", () => {
    const text = textTable(
      ["", "cycles"],
      [["A title that is wider than its column"], ["in", "3,209"], ["cr8wr", "140"]],
      new Set([1]),
    );
    expect(text.split("\n")).toEqual([
      "       cycles",
      "─".repeat("A title that is wider than its column".length),
      "A title that is wider than its column",
      "in      3,209",
      "cr8wr     140",
    ]);
  });

  test("has no rule without a head", () => {
    expect(textTable(undefined, [["bare", "nothing"]])).toBe("bare  nothing");
  });
});

describe("wrapped", () => {
  test.each([
    ["a b c", 3, ["a b", "c"]],
    ["a b c", 5, ["a b c"]],
    ["longer than that", 4, ["longer", "than", "that"]],
    ["", 4, [""]],
  ])("breaks %o to %i columns", (text, columns, lines) => {
    expect(wrapped(text, columns)).toEqual(lines);
  });
});
