import { expect, test } from "vitest";
import { withoutHeading, withWalks } from "./explained-blocks.ts";

const document = `# A page

<!-- explained: pgfault vtx:shadow -->

old

<!-- end -->

Between.

<!-- explained: in bare -->
<!-- end -->
`;

test("walks are replaced, and nothing else", () => {
  const written = withWalks(document, ({ benchmark, strategy }) => `${benchmark} $& ${strategy}`);
  expect(written).toContain("```text\npgfault $& vtx:shadow\n```");
  expect(written).toContain("```text\nin $& bare\n```");
  expect(written).toContain("\nBetween.\n");
  expect(written).not.toContain("old");
  expect(withWalks(written, ({ benchmark, strategy }) => `${benchmark} $& ${strategy}`)).toBe(
    written,
  );
});

test("the heading of what is printed goes", () => {
  expect(withoutHeading("in: IN, one\n\nbare (Bare): 3 cycles\n  in al, 0x80\n")).toBe(
    "bare (Bare): 3 cycles\n  in al, 0x80",
  );
});
