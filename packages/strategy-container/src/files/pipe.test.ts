import { HostMemory } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { ENOMEM } from "../abi/errno.ts";
import { Frames } from "../kernel/frames.ts";
import { ControlGroup } from "../namespaces/control-group.ts";
import { KernelBuffer } from "./kernel-buffer.ts";
import { Pipe, PIPE_BYTES } from "./pipe.ts";

function makePipe(limitBytes = 1 << 20) {
  const { physical } = HostMemory.create({ physicalBytes: 1 << 20 });
  const group = new ControlGroup({ memoryBytes: limitBytes, pids: 1 });
  const pipe = new Pipe(new Frames(physical, 4096, (1 << 20) - 4096), group);
  const write = (bytes: Uint8Array) => pipe.write(new KernelBuffer(physical, bytes));
  const read = (lengthBytes: number) => {
    const buffer = new KernelBuffer(physical, new Uint8Array(lengthBytes));
    return buffer.bytes.subarray(0, pipe.read(buffer));
  };
  return { pipe, group, write, read };
}

function counting(lengthBytes: number, first = 0): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, index) => (first + index) % 251);
}

describe("a pipe", () => {
  test("takes 64 KiB and gives them back in order", () => {
    const { pipe, write, read } = makePipe();
    expect(write(counting(PIPE_BYTES + 100))).toBe(PIPE_BYTES);
    expect(pipe.roomBytes).toBe(0);
    expect(read(PIPE_BYTES + 1)).toEqual(counting(PIPE_BYTES));
    expect(pipe.lengthBytes).toBe(0);
  });

  test("goes round its ring without losing its place", () => {
    const { write, read } = makePipe();
    write(counting(60_000));
    read(50_000);
    expect(write(counting(40_000, 7))).toBe(40_000);
    expect(read(10_000)).toEqual(counting(60_000).subarray(50_000));
    expect(read(40_000)).toEqual(counting(40_000, 7));
  });

  test("starts a write of up to 4096 bytes only when all of it fits", () => {
    const { pipe, write } = makePipe();
    write(counting(PIPE_BYTES - 4095));
    expect(pipe.hasRoomFor(4095)).toBe(true);
    expect(pipe.hasRoomFor(4096)).toBe(false);
    expect(pipe.hasRoomFor(4097)).toBe(true);
  });

  test("is charged for the pages that hold something, and keeps one while empty", () => {
    const { pipe, group, write, read } = makePipe();
    write(counting(10_000));
    expect(group.frames).toBe(3);
    read(10_000);
    expect(group.frames).toBe(1);
    pipe.dispose();
    expect(group.frames).toBe(0);
  });

  test("refuses bytes when the group's memory is used up", () => {
    const { write } = makePipe(2 * 4096);
    expect(write(counting(20_000))).toBe(8192);
    expect(write(counting(1))).toBe(ENOMEM);
  });
});
