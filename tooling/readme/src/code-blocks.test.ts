import { describe, expect, test } from "vitest";
import { codeBlocks } from "./code-blocks.ts";

describe("code blocks", () => {
  test("are given with language, text and line", () => {
    expect(codeBlocks("# A\n\n```ts\nlet a = 1;\n```\nend\n")).toEqual([
      { language: "ts", code: "let a = 1;\n", line: 3 },
    ]);
  });

  test("may hold fences shorter than their own", () => {
    expect(codeBlocks("````md\n```ts\n```\n````\n")).toEqual([
      { language: "md", code: "```ts\n```\n", line: 1 },
    ]);
  });

  test("that never end are an error", () => {
    expect(() => codeBlocks("```ts\nlet a;\n")).toThrow("line 1 never ends");
  });
});
