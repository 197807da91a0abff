/** Programs and files of the host's disk. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFiles, readProgram, requireInterpreter } from "./host-files.ts";

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

describe("requireInterpreter", () => {
  /** An ELF64 file with one program header, PT_INTERP, and the loader's path behind it. */
  function dynamic(interpreter: string): Uint8Array {
    const bytes = new Uint8Array(200);
    const view = new DataView(bytes.buffer);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    view.setBigUint64(32, 64n, true);
    view.setUint16(56, 1, true);
    view.setUint32(64, 3, true);
    view.setBigUint64(72, 120n, true);
    view.setBigUint64(96, BigInt(interpreter.length + 1), true);
    bytes.set(new TextEncoder().encode(interpreter), 120);
    return bytes;
  }
  const program = { path: "/bin/ls", file: { bytes: dynamic("/lib/ld.so"), mode: 0o755 } };

  test("names the loader that is missing", () => {
    expect(() => requireInterpreter("ls", program, new Map())).toThrow(
      expect.objectContaining({ status: 126, message: expect.stringContaining("/lib/ld.so") }),
    );
  });

  test("lets a program pass whose loader is among the files", () => {
    const files = new Map([["/lib/ld.so", { bytes: new Uint8Array(), mode: 0o755 }]]);
    expect(() => requireInterpreter("ls", program, files)).not.toThrow();
  });

  test("leaves damaged files to the guest's kernel", () => {
    for (let length = 0; length < 120; length += 7) {
      const file = { bytes: dynamic("/lib/ld.so").subarray(0, length), mode: 0o755 };
      expect(() => requireInterpreter("x", { path: "/x", file }, new Map())).not.toThrow();
    }
  });
});
