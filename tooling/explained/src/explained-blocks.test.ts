import { expect, test } from "vitest";
import { withOutput } from "./explained-blocks.ts";

const document = `# A page

<!-- explained: pgfault vtx:shadow -->

old

<!-- end -->

Between.

<!-- printed: classify --critical -->
<!-- end -->
`;

const printedBy = (args: readonly string[]): string =>
  args[0] === "compare" ? "pgfault: a heading\n\nvtx:shadow $&\n  a line\n" : `${args.join(" ")}\n`;
const sources = { printedBy, portedBy: (name: string) => `-${name} $&` };

test("blocks show what the command prints, a walk without its heading", () => {
  const written = withOutput(document, sources);
  expect(written).toContain("```text\nvtx:shadow $&\n  a line\n```");
  expect(written).toContain("```text\nclassify --critical\n```");
});

test("what is between blocks stays, and writing again changes nothing", () => {
  const written = withOutput(document, sources);
  expect(written).toContain("<!-- end -->\n\nBetween.\n\n<!-- printed");
  expect(written).not.toContain("old");
  expect(withOutput(written, sources)).toBe(written);
});

test("what stands between quotes is one argument", () => {
  const asked: (readonly string[])[] = [];
  withOutput('<!-- printed: trace --append "a=1 b=2" -->\n<!-- end -->', {
    ...sources,
    printedBy: (args) => {
      asked.push(args);
      return "";
    },
  });
  expect(asked).toEqual([["trace", "--append", "a=1 b=2"]]);
});

test("the command is run with the arguments that the comment means", () => {
  const asked: string[] = [];
  withOutput(document, {
    ...sources,
    printedBy: (args) => {
      asked.push(args.join(" "));
      return "";
    },
  });
  expect(asked).toEqual([
    "compare --explain pgfault --strategies vtx:shadow",
    "classify --critical",
  ]);
});

test("functions of both builds stand in one block, as a difference", () => {
  expect(withOutput("<!-- ported: idle load -->\n<!-- end -->", sources)).toBe(
    "<!-- ported: idle load -->\n\n```diff\n-idle $&\n\n-load $&\n```\n\n<!-- end -->",
  );
});
