/** Timing a peer: the ways a run can end. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { timed } from "./peer-run.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const shell = (script: string): { command: string; args: readonly string[] } => ({
  command: "/bin/sh",
  args: ["-c", script],
});

test("a run that ends by itself is timed when its status is the right one", async () => {
  expect(await timed({ ...shell("exit 1"), end: { status: 1 } })).toBeGreaterThan(0);
  expect(await timed({ ...shell("exit 3"), end: { status: 1 } })).toBe(
    "not measured: it ended with status 3",
  );
});

test("a command that is not there is not installed", async () => {
  expect(await timed({ command: join(folder, "none"), args: [], end: { status: 0 } })).toBe(
    "not installed",
  );
});

test("a run that goes on is timed by the exit frame on its console, and killed", async () => {
  const console = join(folder, "console");
  // It waits for its input, as a debugger does, writes the frame in two parts, and goes on.
  const script = `trap "" TERM; read -r word; printf '\\365\\003\\004' > ${console}; printf '\\000\\000\\000\\000\\000' >> ${console}; exec sleep 60`;
  expect(await timed({ ...shell(script), input: "c\n", end: { console } })).toBeGreaterThan(0);
});

test("a guest program that fails is no measurement, nor is a console that an earlier run left", async () => {
  const console = join(folder, "console");
  await writeFile(console, Uint8Array.of(0xf5, 3, 4, 0, 0, 0, 0, 0));
  const script = `printf '\\365\\003\\004\\000\\000\\002\\000\\000' > ${console}; exec sleep 60`;
  expect(await timed({ ...shell(script), end: { console }, stale: [console] })).toBe(
    "not measured: the program ended with wait status 512",
  );
});

test("a run ends when it is told to", async () => {
  const stop = new AbortController();
  const run = timed({ ...shell("exec sleep 60"), end: { status: 0 } }, stop.signal);
  setImmediate(() => stop.abort());
  await expect(run).rejects.toThrow(/aborted/u);
});

test("a run that ends without the frame is no measurement", async () => {
  expect(await timed({ ...shell("exit 0"), end: { console: join(folder, "console") } })).toBe(
    "not measured: it ended with status 0",
  );
});
