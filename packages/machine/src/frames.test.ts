import { expect, test } from "vitest";
import { FrameAllotter } from "./frames.ts";

test("allots every frame of its range once, lowest first", () => {
  const frames = new FrameAllotter({ base: 0x10000, sizeBytes: 3 * 4096 });
  expect([frames.allot(), frames.allot(), frames.allot(), frames.allot()]).toEqual([
    0x10000,
    0x11000,
    0x12000,
    undefined,
  ]);
});

test("allots a run at its alignment and what lies before it afterwards", () => {
  const frames = new FrameAllotter({ base: 0x1000, sizeBytes: 16 * 4096 });
  expect(frames.allotRun(2, 0x4000)).toBe(0x4000);
  expect(frames.allot()).toBe(0x1000);
  expect(frames.allotRun(16)).toBeUndefined();
  expect(frames.free).toBe(13);
});

test("takes frames back, and only those that it gave", () => {
  const frames = new FrameAllotter({ base: 0, sizeBytes: 2 * 4096 });
  frames.allotRun(2);
  frames.release(0x1000);
  expect(() => frames.release(0x1000)).toThrow("not allotted");
  expect(() => frames.release(0x9000)).toThrow("not allotted");
  expect(frames.allot()).toBe(0x1000);
});

test("refuses ranges that are not whole frames", () => {
  expect(() => new FrameAllotter({ base: 1, sizeBytes: 4096 })).toThrow(RangeError);
});
