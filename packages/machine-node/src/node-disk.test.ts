import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockStoreError, ImageError } from "@ringside/machine";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDisk } from "./node-disk.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ringside-disk-"));
  path = join(folder, "disk.img");
  writeFileSync(
    path,
    Uint8Array.from({ length: 8192 }, (_, at) => at >> 9),
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (bytes: Uint8Array, offset: number): number | undefined => bytes[offset];

describe("an image file", () => {
  test("is not changed unless asked", () => {
    const before = readFileSync(path);
    using disk = openDisk(path);
    disk.write(512, new Uint8Array(512).fill(0xee));
    disk.flush();
    const read = new Uint8Array(1536);
    disk.read(0, read);
    expect([at(read, 0), at(read, 512), at(read, 1024)]).toEqual([0, 0xee, 2]);
    expect(readFileSync(path)).toEqual(before);
  });

  test("is changed when asked", () => {
    using disk = openDisk(path, { writable: true });
    disk.write(512, new Uint8Array(512).fill(0xee));
    disk.flush();
    const file = readFileSync(path);
    expect([at(file, 511), at(file, 512), at(file, 1023), at(file, 1024)]).toEqual([
      0, 0xee, 0xee, 2,
    ]);
  });

  test("that shrinks under the machine is an error of its store", () => {
    using disk = openDisk(path);
    truncateSync(path, 512);
    expect(() => disk.read(4096, new Uint8Array(512))).toThrow(BlockStoreError);
  });
});

test.each([
  ["an empty file", 0],
  ["a file with half a sector", 700],
])("%s is no disk", (_, size) => {
  writeFileSync(path, new Uint8Array(size));
  expect(() => openDisk(path)).toThrow(ImageError);
  expect(() => openDisk(path)).toThrow("expected a multiple of 512 bytes");
});

test("a folder is no disk, and a file that is not there says so", () => {
  expect(() => openDisk(folder)).toThrow("expected a file");
  expect(() => openDisk(join(folder, "none"))).toThrow("ENOENT");
});
