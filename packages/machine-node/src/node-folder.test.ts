import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SharedFolderError, type SharedFolder } from "@ringside/machine";
import { afterEach, beforeEach, expect, test } from "vitest";
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
