import { describe, expect, test } from "vitest";
import { unpackLz4Legacy } from "./lz4.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A frame of one block. */
function frame(...block: number[]): Uint8Array {
  return Uint8Array.of(0x02, 0x21, 0x4c, 0x18, block.length, 0, 0, 0, ...block);
}

describe("LZ4's legacy frame", () => {
  test("gives literals back", () => {
    expect(text(unpackLz4Legacy(frame(0x20, 0x68, 0x69), 2))).toBe("hi");
  });

  test("copies matches that overlap what they write", () => {
    // One literal "a", then a match of 7 at distance 1, then the literal "b".
    expect(text(unpackLz4Legacy(frame(0x13, 0x61, 1, 0, 0x10, 0x62), 9))).toBe("aaaaaaaab");
  });

  test("reads lengths of more than fifteen", () => {
    // A match of 15 + 255 + 2 + 4 behind one literal.
    expect(text(unpackLz4Legacy(frame(0x1f, 0x61, 1, 0, 255, 2, 0), 277))).toBe("a".repeat(277));
  });

  test("refuses a match before the beginning, a block cut short, and another format", () => {
    expect(() => unpackLz4Legacy(frame(0x13, 0x61, 2, 0), 9)).toThrow("outside");
    expect(() => unpackLz4Legacy(frame(0x30, 0x61), 3)).toThrow("longer than what holds it");
    expect(() => unpackLz4Legacy(Uint8Array.of(0x1f, 0x8b, 8, 0), 1)).toThrow("no LZ4");
  });
});
