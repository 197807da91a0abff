import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseHostPath, parseSeed, plugIn, shareTag } from "./plugged-in.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ringside-plugged-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const nothing = { disk: [], share: [], net: "none" } as const;

describe("what is plugged into a machine", () => {
  test.each([
    [false, "before"],
    [true, "after!"],
  ])("is a disk whose file the guest changes: %j", (writable, expected) => {
    const path = join(folder, `disk-${writable}`);
    writeFileSync(path, Buffer.alloc(1024, "before"));
    {
      using pluggedIn = plugIn({ ...nothing, disk: [{ path, writable }] });
      const [disk] = pluggedIn.hardware.disks ?? [];
      disk?.store.write(0, new TextEncoder().encode("after!"));
    }
    expect(readFileSync(path, "latin1").slice(0, 6)).toBe(expected);
  });

  test("is a folder by its tag", () => {
    using pluggedIn = plugIn({ ...nothing, share: [{ path: folder, writable: false }] });
    expect(pluggedIn.hardware.shares?.map(({ tag }) => tag)).toEqual(["share"]);
    expect([shareTag(0), shareTag(1)]).toEqual(["share", "share1"]);
  });

  test.each([false, true])("is a folder that the guest changes: %j", (writable) => {
    const path = mkdtempSync(join(folder, "share-"));
    using pluggedIn = plugIn({ ...nothing, share: [{ path, writable }] });
    const [share] = pluggedIn.hardware.shares ?? [];
    share?.folder.changes?.create("made", 0o600).close();
    expect(existsSync(join(path, "made"))).toBe(writable);
  });

  test("is a source of entropy when it has a seed", () => {
    using without = plugIn(nothing);
    using pluggedIn = plugIn({ ...nothing, entropy: 0 });
    expect([without.hardware.entropySeed, pluggedIn.hardware.entropySeed]).toEqual([undefined, 0]);
  });

  test("is told by its name when it is not there, or something else", () => {
    const odd = join(folder, "odd");
    writeFileSync(odd, "x".repeat(513));
    const cases = [
      [
        { disk: [{ path: "none.img", writable: false }] },
        "none.img cannot be opened as a disk image (ENOENT)",
      ],
      [
        { disk: [{ path: odd, writable: false }] },
        `${odd} is no disk image: at offset 0x201 expected a multiple of 512`,
      ],
      [
        { disk: [{ path: folder, writable: false }] },
        `${folder} is no disk image: at offset 0x0 expected a file`,
      ],
      [
        { share: [{ path: "nowhere", writable: false }] },
        "nowhere cannot be opened as a folder to share (ENOENT)",
      ],
      [
        { share: [{ path: odd, writable: false }] },
        `${odd} cannot be opened as a folder to share (ENOTDIR)`,
      ],
      [
        { share: [{ path: odd, writable: true }] },
        `${odd} cannot be opened as a folder to share (ENOTDIR)`,
      ],
    ] as const;
    for (const [options, message] of cases)
      expect(() => plugIn({ ...nothing, ...options })).toThrow(message);
  });
});

test.each([
  ["disk.img", { path: "disk.img", writable: false }],
  ["disk.img,writable", { path: "disk.img", writable: true }],
  ["a,b", { path: "a,b", writable: false }],
])("%s is a path", (text, path) => {
  expect(parseHostPath(text)).toEqual(path);
});

test("a path must not be empty", () => {
  expect(() => parseHostPath(",writable")).toThrow("Give a path");
});

test.each([
  ["0", 0],
  ["7", 7],
  ["0xFFffFFff", 0xffff_ffff],
])("%s is a seed", (text, seed) => {
  expect(parseSeed(text)).toBe(seed);
});

test.each(["", "-1", "1.5", "4294967296", "0x", "seven", "Infinity"])("%j is no seed", (text) => {
  expect(() => parseSeed(text)).toThrow("Give a whole number from 0 to 4294967295.");
});
