/** Each peer that is installed runs our program to its end; Bochs with the kernel from a disk. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { timed } from "./peer-run.ts";
import { peers } from "./peers.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.for(peers)("$name runs integer-mix", async ({ name, prepare }, { skip }) => {
  const outcome = await timed(await prepare(folder, 2));
  if (outcome === "not installed") skip(`${name} is not installed`);
  expect(outcome).toEqual(expect.any(Number));
});
