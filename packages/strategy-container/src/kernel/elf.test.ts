import { describe, expect, test } from "vitest";
import { parseHeader, parseProgram } from "./elf.ts";

/** A static program with one segment of 0x200 bytes at 0x40_0000, entered behind its headers. */
function program(): Uint8Array {
  const file = new Uint8Array(120);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, 0x40_0078n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(80, 0x40_0000n, true);
  view.setBigUint64(96, 0x78n, true);
  view.setBigUint64(104, 0x200n, true);
  return file;
}

function patched(offset: number, ...bytes: number[]): Uint8Array {
  const file = program();
  file.set(bytes, offset);
  return file;
}

describe("the ELF header", () => {
  test("tells entry and program headers of a static program", () => {
    expect(parseHeader(program())).toEqual({
      relocatable: false,
      entry: 0x40_0078,
      programHeaderOffset: 64,
      programHeaderCount: 1,
      programHeaderBytes: 56,
    });
  });

  test.each([
    ["a file of 63 bytes", program().subarray(0, 63)],
    ["another magic number", patched(0, 0x7e)],
    ["a 32-bit file", patched(4, 1)],
    ["a big-endian file", patched(5, 2)],
    ["a relocatable object", patched(16, 1)],
    ["another processor", patched(18, 3)],
    ["program headers of another size", patched(54, 57)],
    ["no program headers", patched(56, 0)],
    ["more program headers than fit 64 KiB", patched(56, 0xff, 0xff)],
  ])("is refused with a reason: %s", (_what, file) => {
    expect(typeof parseHeader(file)).toBe("string");
  });
});

describe("program headers", () => {
  const parse = (file: Uint8Array) => {
    const header = parseHeader(file);
    if (typeof header === "string") throw new Error(header);
    return parseProgram(header, file.subarray(64));
  };

  test("give the segments to load", () => {
    expect(parse(program())).toEqual({
      segments: [{ flags: 5, offset: 0, linear: 0x40_0000, fileBytes: 0x78, memoryBytes: 0x200 }],
      interpreter: undefined,
      executableStack: false,
    });
  });

  const ones = Array.from({ length: 8 }, () => 0xff);
  test.each([
    ["headers that are cut off", program().subarray(0, 119)],
    ["nothing to load", patched(64, 6)],
    ["more bytes in the file than in memory", patched(96, 1, 2)],
    ["a place in the page that differs between file and memory", patched(72, 1)],
    ["an address in the upper half", patched(80, ...ones)],
    ["a size of all memory", patched(104, ...ones)],
    ["an end in the page that programs cannot have", patched(80, 0, 0xf0, 0xff, 0xff, 0xff, 0x7f)],
  ])("are refused with a reason: %s", (_what, file) => {
    expect(typeof parse(file)).toBe("string");
  });
});
