import { formatRecordedFile, parseRecordedFile, PROGRAM } from "@ringside/isa/testing";
import { expect, test } from "vitest";
import { withRegression } from "./regressions.ts";

const CORPUS = parseRecordedFile("# by a processor\n= a | 00\n64 00 |\n= b | 01\n64 01 |\n");

test.each([
  [
    "at the end of its row",
    "a | 00",
    "64 0000 |",
    "# by a processor\n= a | 00\n64 00 |\n64 0000 |\n= b | 01\n64 01 |\n",
  ],
  [
    "in a row of its own",
    `${PROGRAM}b | 01`,
    "64 01 |",
    "# by a processor\n= a | 00\n64 00 |\n= b | 01\n64 01 |\n= program: b | 01\n64 01 |\n",
  ],
  ["once", "b | 01", "64 01 |", "# by a processor\n= a | 00\n64 00 |\n= b | 01\n64 01 |\n"],
])("A regression is added %s", (_where, key, line, text) => {
  expect(formatRecordedFile(withRegression(CORPUS, { key, line }))).toBe(text);
});
