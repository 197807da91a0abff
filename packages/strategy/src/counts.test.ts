import { expect, test } from "vitest";
import { countAt, countsBetween, countTree } from "./counts.ts";

test("nests dotted names, with vectors in numeric order", () => {
  const tree = countTree({ units: 9, "exceptions.14": 2, "exceptions.3": 1, "a.b.c": 4 });
  expect(JSON.stringify(tree)).toBe('{"a":{"b":{"c":4}},"exceptions":{"3":1,"14":2},"units":9}');
});

test("refuses a name that is both a count and a group", () => {
  expect(() => countTree({ walks: 1, "walks.deep": 2 })).toThrow(RangeError);
  expect(() => countTree({ "walks.deep": 2, "walks.deep.er": 1 })).toThrow(RangeError);
});

test("subtracts an earlier snapshot, also where it lacks names", () => {
  const earlier = { units: 10, exceptions: { "14": 1 } };
  const later = { units: 25, exceptions: { "14": 3, "0": 2 }, walks: { all: 7 } };
  expect(countsBetween(earlier, later)).toEqual({
    units: 15,
    exceptions: { "14": 2, "0": 2 },
    walks: { all: 7 },
  });
});

test("finds counts and sums groups; what was never counted is 0", () => {
  const tree = { exceptions: { "14": 3, "0": 2 }, units: 5 };
  expect(countAt(tree, "exceptions.14")).toBe(3);
  expect(countAt(tree, "exceptions")).toBe(5);
  expect(countAt(tree, "exceptions.14.deeper")).toBe(0);
  expect(countAt(tree, "toString")).toBe(0);
});
