/**
 * What a real processor did, against what ours does; and that every row of the table is tested one way or the other.
 *
 * The vectors are recorded by tooling/vectors and kept in packages/isa/vectors.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { differences } from "./compare.ts";
import { coversEncodings, isNamed } from "./coverage.ts";
import { formatVector, parseVector } from "./format.ts";
import { recordingPlan, tablePatterns, type VectorArea } from "./plan.ts";
import {
  formatRecordedFile,
  parseRecordedFile,
  PROGRAM,
  type RecordedEncoding,
  type RecordedFile,
} from "./recorded-files.ts";
import { ReplayMachine } from "./replay.ts";
import { UNRECORDED } from "./unrecorded.ts";

const AREAS = ["integer", "sse", "x87"] as const;
const SOURCES = fileURLToPath(new URL("../", import.meta.url));
const UNCOMPARED = new Map(recordingPlan().map(({ key, except }) => [key, except]));

function readVectors(area: VectorArea): RecordedFile {
  const packed = readFileSync(new URL(`../../vectors/${area}.txt.br`, import.meta.url));
  return parseRecordedFile(brotliDecompressSync(packed).toString());
}

const files = new Map(AREAS.map((area) => [area, readVectors(area)]));

/** Rows by the instruction that they belong to. */
function byMnemonic(encodings: readonly RecordedEncoding[]): [string, RecordedEncoding[]][] {
  const groups = new Map<string, RecordedEncoding[]>();
  for (const encoding of encodings) {
    const mnemonic = encoding.key.split(" | ", 1)[0] ?? "";
    groups.set(mnemonic, [...(groups.get(mnemonic) ?? []), encoding]);
  }
  return [...groups];
}

describe.each(AREAS)("Recorded %s instructions", (area) => {
  const machine = new ReplayMachine();
  test.each(byMnemonic(files.get(area)?.encodings ?? []))(
    "%s does what the real processor did",
    (_mnemonic, encodings) => {
      const found: string[] = [];
      for (const { key, lines } of encodings) {
        const except = UNCOMPARED.get(key) ?? { flags: [], statusWord: 0 };
        for (const line of lines) {
          const { input, result } = parseVector(line);
          const different = differences(machine.execute(input), result, except);
          if (different.length > 0) found.push(`${key}: ${different.join("; ")} in ${line}`);
        }
      }
      expect(found).toEqual([]);
    },
  );
});

/** What `pnpm fuzz` once found to differ, in the format of the recorded files. */
const REGRESSIONS = readFileSync(new URL("../../vectors/regressions.txt", import.meta.url), "utf8");

test.each(parseRecordedFile(REGRESSIONS).encodings.map(({ key, lines }) => [key, lines] as const))(
  "%s does what it once did not, as the fuzzer found",
  (key, lines) => {
    const machine = new ReplayMachine();
    const isProgram = key.startsWith(PROGRAM);
    const row = isProgram ? key.slice(PROGRAM.length) : key;
    const except = UNCOMPARED.get(row);
    if (except === undefined) throw new RangeError(`The table has no row ${row}.`);
    for (const line of lines) {
      const { input, result } = parseVector(line);
      const ours = isProgram ? machine.executeProgram(input) : machine.execute(input);
      expect(differences(ours, result, except), line).toEqual([]);
    }
  },
);

test("The corpus of what once differed keeps its text when it is read and written", () => {
  expect(formatRecordedFile(parseRecordedFile(REGRESSIONS))).toBe(REGRESSIONS);
});

describe("Vector files", () => {
  test.each(AREAS)("of %s instructions say which processor they are of", (area) => {
    const processor = files.get(area)?.processor.join("\n");
    expect(processor).toMatch(/^vendor \w+\nbrand .+\nleaf1 eax=/u);
  });

  test("keep their text when they are read and written", () => {
    for (const { encodings } of files.values()) {
      for (const line of encodings[0]?.lines ?? [])
        expect(formatVector(parseVector(line))).toBe(line);
    }
  });

  test("hold only rows that the table has", () => {
    const keys = new Set(recordingPlan().map(({ key }) => key));
    const recorded = [...files.values()].flatMap(({ encodings }) =>
      encodings.map(({ key }) => key),
    );
    expect(recorded.filter((key) => !keys.has(key))).toEqual([]);
  });
});

describe("Coverage", () => {
  test("every row of the table has recorded vectors or a test that names it", () => {
    const recorded = new Set(
      [...files.values()].flatMap(({ encodings }) =>
        encodings.filter(({ lines }) => lines.length > 0).map(({ key }) => key),
      ),
    );
    const named = namesInTests();
    const uncovered = recordingPlan()
      .filter(({ key }) => !recorded.has(key) && !named.some((name) => isNamed(key, name)))
      .map(({ key, unrecorded }) => `${key} (${unrecorded ?? "record it: tooling/vectors"})`);
    expect(uncovered).toEqual([]);
  });

  test("the list of what is not recorded has only mnemonics of the table", () => {
    const mnemonics = new Set(tablePatterns().map(({ mnemonic }) => mnemonic));
    expect([...UNRECORDED.keys()].filter((mnemonic) => !mnemonics.has(mnemonic))).toEqual([]);
  });

  test("refuses to name a row that does not exist", () => {
    expect(() => coversEncodings("add", "mov | 88 /r")).not.toThrow();
    expect(() => coversEncodings("frob")).toThrow(RangeError);
    expect(() => coversEncodings("mov | 88")).toThrow('No row of the table is "mov | 88".');
  });
});

/** String literals in calls of `coversEncodings` in tests of other files. */
function namesInTests(): string[] {
  const tests = readdirSync(SOURCES, { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".test.ts") && !path.endsWith("vectors.test.ts"),
  );
  return tests.flatMap((path) => {
    const text = readFileSync(join(SOURCES, path), "utf8");
    return [...text.matchAll(/coversEncodings\(([^)]*)\)/gu)].flatMap(([, list = ""]) =>
      [...list.matchAll(/"([^"]+)"/gu)].map(([, name = ""]) => name),
    );
  });
}
