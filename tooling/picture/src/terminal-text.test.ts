import { describe, expect, test } from "vitest";
import { terminalLines } from "./terminal-text.ts";

describe("terminal text", () => {
  test("is split where its style changes, and columns count characters", () => {
    expect(terminalLines("a×\u001b[1;32mb\u001b[0mc\n")).toEqual([
      [
        { column: 0, text: "a×", style: { bold: false, dim: false, colour: undefined } },
        { column: 2, text: "b", style: { bold: true, dim: false, colour: 2 } },
        { column: 3, text: "c", style: { bold: false, dim: false, colour: undefined } },
      ],
    ]);
  });

  test("keeps a style over the end of a line", () => {
    expect(terminalLines("\u001b[2ma\nb")[1]?.[0]?.style.dim).toBe(true);
  });

  test("refuses sequences that move the cursor", () => {
    expect(() => terminalLines("\u001b[2K")).toThrow("does more than colour");
  });
});
