import { describe, expect, test } from "vitest";
import { frameTypes } from "./abi.ts";
import { encodeFrame, frameReader, type Frame } from "./console-frame.ts";

/** Reads `bytes` in pieces of `pieceBytes`; text is joined, because its cuts depend on the pieces. */
function read(bytes: readonly number[], pieceBytes: number): { frames: Frame[]; text: number[] } {
  const frames: Frame[] = [];
  const text: number[] = [];
  const reader = frameReader({
    frame: (frame) => frames.push(frame),
    text: (part) => text.push(...part),
  });
  const all = Uint8Array.from(bytes);
  for (let at = 0; at < all.length; at += pieceBytes)
    reader.push(all.subarray(at, at + pieceBytes));
  return { frames, text };
}

const stream = [
  ...[0x68, 0x69],
  ...[0xf5, 1, 3, 0, 0x61, 0xf5, 0x63],
  ...[0xf5, 2, 0, 0],
  ...[0x0a],
  ...[0xf5, 5, 2, 0, 0xc3, 0xa9],
  ...[0xf5, 4, 0, 0],
  ...[0xf5, 3, 4, 0, 0x00, 0x7f, 0x00, 0x80],
];

describe("a frame reader", () => {
  test.each([1, 2, 3, 5, 7, 100])("finds frames and text in pieces of %i bytes", (pieceBytes) => {
    expect(read(stream, pieceBytes)).toEqual({
      frames: [
        { type: "stdout", bytes: Uint8Array.of(0x61, 0xf5, 0x63) },
        { type: "stderr", bytes: new Uint8Array() },
        { type: "message", text: "é" },
        { type: "stdin-closed" },
        { type: "exit", waitStatus: 0x8000_7f00 },
      ],
      text: [0x68, 0x69, 0x0a],
    });
  });

  test.each([
    ["an unknown type", [0xf5, 9, 0, 0]],
    ["a type of the host", [0xf5, 0x81, 0, 0]],
    ["a payload of 4097 bytes", [0xf5, 1, 0x01, 0x10]],
    ["an exit status of 3 bytes", [0xf5, 3, 3, 0, 1, 2, 3]],
    ["a second magic", [0xf5, 0xf5, 0, 0]],
  ])("takes %s for text and finds the frame behind it", (_, junk) => {
    const { frames, text } = read([...junk, 0xf5, 1, 1, 0, 0x61], 1);
    expect(frames).toEqual([{ type: "stdout", bytes: Uint8Array.of(0x61) }]);
    expect(text).toEqual(junk);
  });

  test("finds a frame whose magic follows a magic that was none", () => {
    const { frames, text } = read([0xf5, 0xf5, 1, 1, 0, 0x61], 1);
    expect(frames).toEqual([{ type: "stdout", bytes: Uint8Array.of(0x61) }]);
    expect(text).toEqual([0xf5]);
  });

  test("takes the longest payload and the bytes right behind it", () => {
    const payload = Array.from({ length: 4096 }, (_, index) => index & 0xff);
    const { frames, text } = read([0xf5, 2, 0x00, 0x10, ...payload, 0x21], 1000);
    expect(frames).toEqual([{ type: "stderr", bytes: Uint8Array.from(payload) }]);
    expect(text).toEqual([0x21]);
  });

  test("survives a stream of nothing but magic bytes", () => {
    const { frames, text } = read(
      Array.from({ length: 20_000 }, () => 0xf5),
      4096,
    );
    expect(frames).toEqual([]);
    expect(text.length).toBeGreaterThan(19_990);
  });
});

describe("encodeFrame", () => {
  test("makes one frame of a short payload", () => {
    expect(encodeFrame(frameTypes.stdin, Uint8Array.of(7, 8))).toEqual([
      Uint8Array.of(0xf5, 0x81, 2, 0, 7, 8),
    ]);
  });

  test("makes one frame of no payload", () => {
    expect(encodeFrame(frameTypes.stdinEnd, new Uint8Array())).toEqual([
      Uint8Array.of(0xf5, 0x82, 0, 0),
    ]);
  });

  test("splits a payload of 4097 bytes", () => {
    const frames = encodeFrame(frameTypes.stdin, new Uint8Array(4097).fill(1));
    expect(frames.map((frame) => frame.length)).toEqual([4100, 5]);
    expect(frames[0]?.subarray(0, 4)).toEqual(Uint8Array.of(0xf5, 0x81, 0x00, 0x10));
    expect(frames[1]).toEqual(Uint8Array.of(0xf5, 0x81, 1, 0, 1));
  });
});
