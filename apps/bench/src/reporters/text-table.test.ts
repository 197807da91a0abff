/** Tables and paragraphs. */
import { describe, expect, test } from "vitest";
import { fitted, textTable, wrapped } from "./text-table.ts";

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

describe("textTable of cells with several lines", () => {
  test("keeps columns in line, and rows and titles in order", () => {
    const text = textTable(["a", "b"], [["1", "two\nlines"], ["A title"], ["2", "x"]]);
    expect(text.split("\n")).toEqual([
      "a  b",
      "─".repeat(8),
      "1  two",
      "   lines",
      "A title",
      "2  x",
    ]);
  });
});

describe("fitted", () => {
  const head = ["id", "why"];
  const rows = [["one", "a reason that is told in many words, more than fit"], ["A title"]];

  test("breaks prose so that the table is as wide as the terminal at most", () => {
    const text = textTable(head, fitted(head, rows, [1], 30));
    expect(text.split("\n")).toEqual([
      "id   why",
      "─".repeat(30),
      "one  a reason that is told in",
      "     many words, more than fit",
      "A title",
    ]);
  });

  test("leaves rows alone that fit, and those of a pipe", () => {
    expect(fitted(head, rows, [1], 80)).toBe(rows);
    expect(fitted(head, rows, [1], undefined)).toBe(rows);
  });
});

describe("wrapped", () => {
  test("does not count colour codes", () => {
    expect(wrapped("\u001b[2mab\u001b[22m cd", 5)).toHaveLength(1);
  });

  test.each([
    ["a b c", 3, ["a b", "c"]],
    ["a b c", 5, ["a b c"]],
    ["longer than that", 4, ["longer", "than", "that"]],
    ["", 4, [""]],
  ])("breaks %o to %i columns", (text, columns, lines) => {
    expect(wrapped(text, columns)).toEqual(lines);
  });
});
