/** When there is colour, and when a line has an end. */
import { describe, expect, test } from "vitest";
import { colours, columnsOf } from "./terminal.ts";

const isColoured = (
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string>>,
): boolean => colours(stream, environment).bold("x") !== "x";

describe("colours", () => {
  test.each([
    [{ isTTY: true }, {}, true],
    [{}, {}, false],
    [{ isTTY: true }, { NO_COLOR: "1" }, false],
    [{ isTTY: true }, { NO_COLOR: "" }, true],
    [{}, { FORCE_COLOR: "1" }, true],
    [{}, { FORCE_COLOR: "" }, true],
    [{ isTTY: true }, { FORCE_COLOR: "0" }, false],
    [{ isTTY: true }, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
  ])("of %o with %o: %s", (stream, environment, expected) => {
    expect(isColoured(stream, environment)).toBe(expected);
  });
});

test("a pipe has no width, whatever it says", () => {
  expect(columnsOf({ isTTY: false, columns: 80 })).toBeUndefined();
  expect(columnsOf({ isTTY: true, columns: 80 })).toBe(80);
});
