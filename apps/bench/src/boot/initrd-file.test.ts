import { gzipSync } from "node:zlib";
import { initrd } from "@ringside/guest";
import { describe, expect, test } from "vitest";
import { checkInitrd } from "./initrd-file.ts";

const archive = initrd([
  { path: "/init", mode: 0o755, data: new TextEncoder().encode("#!/bin/sh\n") },
]);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe("a look at an initrd", () => {
  test.each([
    ["one archive", archive],
    ["two archives with zeros between", joined(archive, new Uint8Array(512), archive)],
    ["a compressed one", gzipSync(archive)],
    ["a compressed one behind another", joined(archive, gzipSync(archive))],
  ])("finds nothing wrong with %s", (_what, bytes) => {
    expect(() => checkInitrd("initrd", bytes)).not.toThrow();
  });

  test("tells where an archive is cut short", () => {
    expect(() => checkInitrd("initrd", archive.subarray(0, 130))).toThrow(
      "initrd is cut short: the cpio member at offset 0x80 ends behind the file's 130 bytes.",
    );
  });

  test("tells where a member begins that is none", () => {
    const bytes = archive.slice();
    bytes[0x80] = 0x41;
    expect(() => checkInitrd("initrd", bytes)).toThrow(
      "initrd is damaged: at offset 0x80 expected",
    );
  });

  test("tells of digits that are none", () => {
    const bytes = archive.slice();
    bytes[6 + 6 * 8] = 0x7a;
    expect(() => checkInitrd("initrd", bytes)).toThrow(
      'at offset 0x36 expected eight hexadecimal digits, found "z000000a"',
    );
  });

  test("refuses what is no initrd, and an empty file", () => {
    expect(() => checkInitrd("notes", new TextEncoder().encode("hello"))).toThrow(
      "notes is no initrd",
    );
    expect(() => checkInitrd("none", new Uint8Array(8))).toThrow("none is empty");
  });
});
