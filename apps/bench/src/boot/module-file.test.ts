import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { named, parseModule, readModules } from "./module-file.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-modules-"));
  await writeFile(join(folder, "dom0"), "bytes");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("A module", () => {
  test.each([
    ["dom0", { path: "dom0", words: "" }],
    ["dom0 ", { path: "dom0", words: "" }],
    ["dir/dom0  console=hvc0 quiet", { path: "dir/dom0", words: "console=hvc0 quiet" }],
  ])("%j is a file and its words", (text, parts) => {
    expect(parseModule(text)).toEqual(parts);
  });

  test.each(["", " words"])("%j names no file", (text) => {
    expect(() => parseModule(text)).toThrow("Give a file");
  });

  test("is read, and begins with its file's name for Multiboot alone", async () => {
    const files = [{ path: join(folder, "dom0"), words: "quiet" }];
    const bytes = new TextEncoder().encode("bytes");
    const [first] = await readModules(files, "multiboot");
    expect(first?.commandLine).toBe("dom0 quiet");
    expect(new Uint8Array(first?.bytes ?? [])).toEqual(bytes);
    expect(await readModules(files, "pvh")).toMatchObject([{ commandLine: "quiet" }]);
    expect(named("a/xen", "", "multiboot")).toBe("xen");
  });

  test("is refused where a kernel takes none, or when it is not there", async () => {
    const files = [{ path: join(folder, "none"), words: "" }];
    await expect(readModules(files, "bzimage")).rejects.toThrow("takes no --module");
    await expect(readModules(files, "pvh")).rejects.toThrow("none cannot be read (ENOENT).");
    expect(await readModules([], "bzimage")).toEqual([]);
  });
});
