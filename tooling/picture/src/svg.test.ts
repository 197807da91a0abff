import { expect, test } from "vitest";
import { terminalSvg } from "./svg.ts";

const style = { bold: false, dim: false, colour: undefined };

test("an SVG of a terminal escapes text and is as wide as the longest line", () => {
  const svg = terminalSvg("cmd", [[{ column: 10, text: "a<b&c", style }]]);
  expect(svg).toContain(">a&lt;b&amp;c</text>");
  expect(svg).toContain(`width="${Math.ceil(15 * 7.8) + 36}"`);
});

test("an SVG of a terminal starts a span after its leading blanks", () => {
  const svg = terminalSvg("c", [[{ column: 0, text: "   x  ", style }]]);
  expect(svg).toContain(`<text x="${(18 + 3 * 7.8).toFixed(1)}"`);
  expect(svg).toContain(">x</text>");
});
