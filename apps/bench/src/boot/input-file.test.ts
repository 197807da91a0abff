import { existsSync } from "node:fs";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readInput } from "./input-file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-input-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a file is read whole, an empty one too", async () => {
  const path = join(folder, "file");
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, at) => at * 7);
  await writeFile(path, bytes);
  expect(Buffer.compare(await readInput(path), bytes)).toBe(0);
  expect(await readInput(path, bytes.length)).toHaveLength(bytes.length);
  await truncate(path);
  expect(await readInput(path)).toHaveLength(0);
});

test("a file beyond the limit is not read at all", async () => {
  const path = join(folder, "sparse");
  await using file = await open(path, "w");
  await file.truncate(2 ** 40);
  await expect(readInput(path)).rejects.toThrow(`${path} is larger than 1024 MiB`);
});

test.skipIf(!existsSync("/dev/zero"))("what has no end is read up to the limit", async () => {
  await expect(readInput("/dev/zero", 4 << 20)).rejects.toThrow("is larger than 4 MiB");
});

test("what is not there, and a folder, are said to be that", async () => {
  await expect(readInput(join(folder, "none"))).rejects.toThrow("none cannot be read (ENOENT).");
  await expect(readInput(folder)).rejects.toThrow(`${folder} cannot be read (EISDIR).`);
});
