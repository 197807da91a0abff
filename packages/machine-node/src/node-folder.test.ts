import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SharedFolderError, type FolderChanges, type SharedFolder } from "@ringside/machine";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openFolder } from "./node-folder.ts";

let outside: string;
let folder: SharedFolder;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), "ringside-folder-"));
  const shared = join(outside, "shared");
  mkdirSync(join(shared, "sub"), { recursive: true });
  writeFileSync(join(outside, "secret"), "secret");
  writeFileSync(join(shared, "hello"), "hello", { mode: 0o640 });
  writeFileSync(join(shared, "sub", "inner"), "inner");
  symlinkSync("..", join(shared, "up"));
  symlinkSync("../secret", join(shared, "leak"));
  folder = openFolder(shared);
});
afterEach(() => rmSync(outside, { recursive: true }));

function codeOf(action: () => unknown): string {
  try {
    action();
    return "none";
  } catch (error) {
    return error instanceof SharedFolderError ? error.code : String(error);
  }
}

test("shows files, folders and links as they are", () => {
  expect(folder.list("")).toEqual(["hello", "leak", "sub", "up"]);
  expect(folder.status("hello")).toMatchObject({ kind: "file", sizeBytes: 5, mode: 0o640 });
  expect(folder.status("sub").kind).toBe("folder");
  expect(folder.status("leak").kind).toBe("link");
  expect(folder.readLink("leak")).toBe("../secret");
});

test("reads files from any place", () => {
  const file = folder.open("sub/inner");
  const bytes = new Uint8Array(3);
  expect([file.read(2, bytes), new TextDecoder().decode(bytes), file.read(9, bytes)]).toEqual([
    3,
    "ner",
    0,
  ]);
  file.close();
});

test("follows no link, neither at the end of a path nor on the way", () => {
  expect(codeOf(() => folder.open("leak"))).toBe("EACCES");
  expect(codeOf(() => folder.open("up/secret"))).toBe("EACCES");
  expect(codeOf(() => folder.status("up/secret"))).toBe("EACCES");
  expect(codeOf(() => folder.list("up/shared"))).toBe("EACCES");
});

test("opens nothing that it would wait for", () => {
  execFileSync("mkfifo", [join(outside, "shared", "pipe")]);
  expect(codeOf(() => folder.open("pipe"))).toBe("EACCES");
  expect(codeOf(() => folder.status("pipe"))).toBe("ENOENT");
});

test("says what is missing", () => {
  expect(codeOf(() => folder.status("none"))).toBe("ENOENT");
  expect(codeOf(() => folder.list("hello"))).toBe("ENOTDIR");
  expect(codeOf(() => openFolder(join(outside, "none")))).toBe("ENOENT");
  expect(codeOf(() => openFolder(join(outside, "secret")))).toBe("ENOTDIR");
});

test("changes nothing unless asked", () => {
  expect(folder.changes).toBeUndefined();
});

describe("a folder that may be changed", () => {
  let changes: FolderChanges;
  let shared: string;
  const textOf = (name: string): string => readFileSync(join(shared, name), "utf8");

  beforeEach(() => {
    shared = join(outside, "shared");
    const { changes: possible } = openFolder(shared, { writable: true });
    if (possible === undefined) throw new Error("The folder cannot be changed.");
    changes = possible;
  });

  test("has the room of the host's file system", () => {
    const { bsize, blocks } = statfsSync(outside);
    const { totalBytes, freeBytes } = changes.space();
    expect(totalBytes).toBe(bsize * blocks);
    expect(freeBytes).toBeGreaterThan(0);
    expect(freeBytes).toBeLessThanOrEqual(totalBytes);
  });

  test("gets files, folders and links, and loses them", () => {
    const file = changes.create("new", 0o600);
    file.write(3, new TextEncoder().encode("late"));
    file.write(0, new TextEncoder().encode("a"));
    file.flush();
    file.close();
    expect(textOf("new")).toBe("a\0\0late");
    changes.makeFolder("d", 0o755);
    changes.makeLink("d/l", "../new");
    expect(readlinkSync(join(shared, "d", "l"))).toBe("../new");
    expect(codeOf(() => changes.removeFolder("d"))).toBe("ENOTEMPTY");
    changes.remove("d/l");
    changes.removeFolder("d");
    changes.remove("new");
    expect(folder.list("")).toEqual(["hello", "leak", "sub", "up"]);
  });

  test("moves files, over others only when asked", () => {
    expect(codeOf(() => changes.rename("hello", "sub/inner", false))).toBe("EEXIST");
    changes.rename("hello", "sub/inner", true);
    expect(textOf("sub/inner")).toBe("hello");
  });

  test("takes a link for what is there, whatever it leads to", () => {
    changes.makeLink("dangling", "../nothing");
    for (const link of ["leak", "dangling"])
      expect(codeOf(() => changes.rename("hello", link, false))).toBe("EEXIST");
  });

  test("sets size, mode and time", () => {
    changes.setSize("hello", 2);
    changes.setMode("hello", 0o604);
    changes.setModified("hello", 1_000_000.5);
    expect(folder.status("hello")).toMatchObject({
      sizeBytes: 2,
      mode: 0o604,
      modifiedSeconds: 1_000_000.5,
    });
  });

  test("takes the present time from the host", () => {
    const before = Date.now() / 1000 - 1;
    changes.setModified("hello", 1_000_000);
    changes.setModified("hello", "now");
    expect(folder.status("hello").modifiedSeconds).toBeGreaterThan(before);
  });

  test("sets the time of a link, and not of what it leads to", () => {
    const before = statSync(join(outside, "secret")).mtimeMs;
    changes.setModified("leak", 1_000_000);
    expect(folder.status("leak").modifiedSeconds).toBe(1_000_000);
    expect(statSync(join(outside, "secret")).mtimeMs).toBe(before);
  });

  test("tells of an open file without a name, and how little a file with a hole takes", () => {
    const file = changes.create("hole", 0o600);
    file.setSize(1 << 30);
    changes.remove("hole");
    const { sizeBytes, allottedBytes } = file.status();
    expect(sizeBytes).toBe(1 << 30);
    expect(allottedBytes).toBeLessThan(1 << 20);
    file.close();
  });

  test("never goes through a link", () => {
    for (const [what, action] of [
      ["open", () => changes.openForWriting("leak")],
      ["cut", () => changes.setSize("leak", 0)],
      ["mode", () => changes.setMode("leak", 0)],
      ["create", () => changes.create("up/new", 0o600)],
      ["create over", () => changes.create("leak", 0o600)],
      ["remove", () => changes.remove("up/secret")],
      ["move in", () => changes.rename("up/secret", "mine", true)],
      ["move out", () => changes.rename("hello", "up/taken", true)],
    ] as const) {
      expect(["EACCES", "EEXIST"], what).toContain(codeOf(action));
    }
    expect(readFileSync(join(outside, "secret"), "utf8")).toBe("secret");
  });
});
