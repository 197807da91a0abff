import { describe, expect, test } from "vitest";
import { manualDifferences, withManualDifferences } from "./manual-differences.ts";

describe("differences from the manual", () => {
  test("are collected from comments, wrapped lines included", () => {
    const text = "// Differs from the SDM: one thing\n// in two lines.\nconst a = 1;\n";
    expect(manualDifferences([{ path: "src/a.ts", text }])).toBe(
      "- One thing in two lines. ([src/a.ts](src/a.ts))\n",
    );
  });

  test("end with the comment block they stand in", () => {
    const text = "/**\n * Differs from the SDM: only this.\n */\nconst a = 1;\n";
    expect(manualDifferences([{ path: "src/a.ts", text }])).toBe(
      "- Only this. ([src/a.ts](src/a.ts))\n",
    );
  });

  test("replace the README's old list and leave the rest", () => {
    const readme = "# A\n\n## Differs from the manual\n\n- old\n\n## Layout\n\nfiles\n";
    expect(withManualDifferences(readme, "- new\n")).toBe(
      "# A\n\n## Differs from the manual\n\n- new\n\n## Layout\n\nfiles\n",
    );
    expect(withManualDifferences(readme, undefined)).toBe("# A\n\n## Layout\n\nfiles\n");
  });

  test("get a section of their own before the layout", () => {
    expect(withManualDifferences("# A\n\n## Layout\n", "- new\n")).toBe(
      "# A\n\n## Differs from the manual\n\n- new\n\n## Layout\n",
    );
  });
});
