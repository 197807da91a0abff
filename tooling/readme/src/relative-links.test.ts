import { describe, expect, test } from "vitest";
import { relativeLinks } from "./relative-links.ts";

describe("relative links", () => {
  test("are the targets without anchors", () => {
    expect(relativeLinks("[a](b.md#c) and ![d](e.svg)")).toEqual(["b.md", "e.svg"]);
  });

  test("leave out addresses, anchors alone, and code", () => {
    expect(relativeLinks("[a](https://b) [c](#d) `[e](f)`\n```md\n[g](h)\n```\n")).toEqual([]);
  });
});
