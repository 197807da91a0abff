/**
 * The corpus of what once differed: packages/isa/vectors/regressions.txt, which the tests of isa replay.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { formatRecordedFile, parseRecordedFile, type RecordedFile } from "@ringside/isa/testing";

const FILE = new URL("../../../packages/isa/vectors/regressions.txt", import.meta.url);

/** A vector, or a program, with what the processor underneath did. */
export interface Regression {
  /** The key of a row, behind `PROGRAM` for a program. */
  readonly key: string;
  readonly line: string;
}

/** The corpus with one more line at the end of its row; the corpus itself when it has the line. */
export function withRegression(file: RecordedFile, { key, line }: Regression): RecordedFile {
  const known = file.encodings.find((encoding) => encoding.key === key);
  if (known === undefined)
    return { ...file, encodings: [...file.encodings, { key, lines: [line] }] };
  if (known.lines.includes(line)) return file;
  const longer = { key, lines: [...known.lines, line] };
  return {
    ...file,
    encodings: file.encodings.map((encoding) => (encoding === known ? longer : encoding)),
  };
}

/** Adds to the committed corpus. */
export function addRegression(regression: Regression): void {
  const before = parseRecordedFile(readFileSync(FILE, "utf8"));
  writeFileSync(FILE, formatRecordedFile(withRegression(before, regression)));
}
