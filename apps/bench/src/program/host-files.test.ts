/** Programs and files of the host's disk. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFiles, readProgram } from "./host-files.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-test-"));
  await writeFile(join(folder, "program"), Uint8Array.of(0, 255, 10));
  await chmod(join(folder, "program"), 0o751);
  await writeFile(join(folder, "plain"), "text", { mode: 0o640 });
  await writeFile(join(folder, "a:b"), "colon");
  await mkdir(join(folder, "folder"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("readProgram", () => {
  test("gives the bytes, the mode and the absolute path", async () => {
    const path = join(folder, "program");
    expect(await readProgram(join(folder, "folder", "..", "program"))).toEqual({
      path,
      file: { bytes: Buffer.of(0, 255, 10), mode: 0o751 },
    });
  });

  test.each([
    ["none", 127, /There is no program/u],
    ["plain/below", 127, /There is no program/u],
    ["plain", 126, /is not executable/u],
    ["folder", 126, /is not a file/u],
  ])("refuses %s with status %d", async (name, status, message) => {
    await expect(readProgram(join(folder, name))).rejects.toThrow(
      expect.objectContaining({ status, message: expect.stringMatching(message) }),
    );
  });
});

describe("readFiles", () => {
  test("puts a file into the root under its own name, or where it is told", async () => {
    const host = join(folder, "plain");
    const files = await readFiles([host, `${host}:/etc/../data/it`]);
    expect([...files.keys()]).toEqual(["/plain", "/data/it"]);
    expect(files.get("/data/it")).toEqual({ bytes: Buffer.from("text"), mode: 0o640 });
  });

  test("splits at the last colon, since names may have some", async () => {
    expect([...(await readFiles([`${join(folder, "a:b")}:/ab`])).keys()]).toEqual(["/ab"]);
  });

  test.each([
    ["a relative path", "plain:data", /not that of a file/u],
    ["a folder", "plain:/data/", /not that of a file/u],
    ["nothing", "plain:", /not that of a file/u],
  ])("refuses %s in the guest", async (_what, specification, message) => {
    await expect(readFiles([join(folder, specification)])).rejects.toThrow(
      expect.objectContaining({ status: 125, message: expect.stringMatching(message) }),
    );
  });

  test.each([
    ["none", /cannot be read \(ENOENT\)/u],
    ["folder", /cannot be read \(EISDIR\)/u],
  ])("refuses the host's %s", async (name, message) => {
    await expect(readFiles([join(folder, name)])).rejects.toThrow(
      expect.objectContaining({ status: 125, message: expect.stringMatching(message) }),
    );
  });
});
