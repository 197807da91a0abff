import { describe, expect, test } from "vitest";
import { initrd, type InitrdEntry } from "./initrd.ts";

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly data: string;
}

/** A reader of its own, after Linux's "initramfs buffer format", so that the writer is not its own judge. */
function unpack(archive: Uint8Array): Entry[] {
  const text = new TextDecoder();
  const entries: Entry[] = [];
  for (let at = 0; at < archive.length;) {
    expect(at % 4).toBe(0);
    const header = text.decode(archive.subarray(at, at + 110));
    expect(header).toMatch(/^070701[0-9a-f]{104}$/u);
    const field = (index: number): number =>
      Number.parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16);
    const nameEnd = at + 110 + field(11);
    expect(archive[nameEnd - 1]).toBe(0);
    const data = (nameEnd + 3) & ~3;
    const end = data + field(6);
    entries.push({
      name: text.decode(archive.subarray(at + 110, nameEnd - 1)),
      mode: field(1),
      data: text.decode(archive.subarray(data, end)),
    });
    at = (end + 3) & ~3;
  }
  return entries;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("initrd", () => {
  test("writes files, links and directories, parents first, and the trailer last", () => {
    const archive = initrd([
      { path: "/etc/greeting", data: bytes("hello"), mode: 0o600 },
      { path: "bin/sh", symlink: "/bin/busybox" },
      { path: "/empty", directory: true, mode: 0o1777 },
    ]);
    expect(unpack(archive)).toEqual([
      { name: "bin", mode: 0o040755, data: "" },
      { name: "bin/sh", mode: 0o120777, data: "/bin/busybox" },
      { name: "empty", mode: 0o041777, data: "" },
      { name: "etc", mode: 0o040755, data: "" },
      { name: "etc/greeting", mode: 0o100600, data: "hello" },
      { name: "TRAILER!!!", mode: 0, data: "" },
    ]);
  });

  test.each([0, 1, 2, 3, 4, 5])("pads names and contents of %i more bytes", (more) => {
    const path = `a${"b".repeat(more)}`;
    const archive = initrd([{ path, data: bytes("x".repeat(more)) }]);
    expect(unpack(archive)[0]).toEqual({ name: path, mode: 0o100644, data: "x".repeat(more) });
  });

  test("gives the same bytes whatever the order of its entries", () => {
    const entries: InitrdEntry[] = [
      { path: "/b/c", data: bytes("1") },
      { path: "/a", data: bytes("2") },
    ];
    expect(initrd(entries)).toEqual(initrd(entries.toReversed()));
  });

  test("keeps the mode of a directory that is named after something in it", () => {
    const archive = initrd([
      { path: "/d/f", data: bytes("") },
      { path: "/d", directory: true, mode: 0o700 },
    ]);
    expect(unpack(archive)[0]?.mode).toBe(0o040700);
  });

  test.each<[string, InitrdEntry[]]>([
    ["an empty path", [{ path: "/", data: bytes("") }]],
    ["a double slash", [{ path: "/a//b", data: bytes("") }]],
    ["a way up", [{ path: "/a/../b", data: bytes("") }]],
    ["a NUL in a name", [{ path: "/a\0b", data: bytes("") }]],
    ["a name of 256 bytes", [{ path: `/${"é".repeat(128)}`, data: bytes("") }]],
    ["a mode with a type", [{ path: "/a", data: bytes(""), mode: 0o100644 }]],
    ["an empty link", [{ path: "/a", symlink: "" }]],
    [
      "the same path twice",
      [
        { path: "/a", data: bytes("") },
        { path: "a", data: bytes("") },
      ],
    ],
    [
      "a file below a file",
      [
        { path: "/a", data: bytes("") },
        { path: "/a/b", data: bytes("") },
      ],
    ],
  ])("refuses %s", (_, entries) => {
    expect(() => initrd(entries)).toThrow(RangeError);
  });
});
