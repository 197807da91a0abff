import { HostMemory } from "@ringside/isa";
import { FrameAllotter } from "@ringside/machine";
import { describe, expect, test } from "vitest";
import { GuestMemory } from "./guest-memory.ts";
import { MonitorWork } from "./monitor-work.ts";

const sizeBytes = 0x10_0000;

function setup(): {
  readonly memory: HostMemory;
  readonly work: MonitorWork;
  readonly guest: GuestMemory;
} {
  const memory = HostMemory.create({ physicalBytes: 2 * sizeBytes, codeCacheBytes: 1 << 20 });
  const work = new MonitorWork();
  const frames = new FrameAllotter({ base: 0x2_0000, sizeBytes: sizeBytes + 0x1_0000 });
  return { memory, work, guest: new GuestMemory({ memory, frames, sizeBytes, work }) };
}

describe("guest memory", () => {
  test("gives each guest frame a host frame of its own, and no two neighbours are neighbours there", () => {
    const { guest } = setup();
    const seen = new Set<number>();
    let previous = 0;
    let same = 0;
    for (let gpa = 0; gpa < sizeBytes; gpa += 4096) {
      const host = guest.hostFrame(gpa);
      if (host === gpa) same += 1;
      expect(Math.abs(host - previous)).not.toBe(4096);
      previous = host;
      expect(host % 4096).toBe(0);
      expect(host).toBeGreaterThanOrEqual(0x2_0000);
      expect(host).toBeLessThan(0x2_0000 + sizeBytes + 0x1_0000);
      seen.add(host);
    }
    expect(seen.size).toBe(sizeBytes / 4096);
    expect(guest.residentFrames).toBe(seen.size);
    expect(same).toBeLessThan(4);
  });

  test("keeps bytes across the border of two frames, and counts the words of handlers", () => {
    const { guest, work } = setup();
    const bytes = Uint8Array.from({ length: 20 }, (_, index) => index + 1);
    guest.write(0x1ff8, bytes);
    const back = new Uint8Array(20);
    guest.read(0x1ff8, back);
    expect(back).toEqual(bytes);
    expect(work.flat()).toEqual({ "monitor.guestWords": 6, "monitor.pagesCleared": 2 });
  });

  test("clears what another guest may have left in a frame", () => {
    const { guest, memory } = setup();
    memory.physical.fill(0, 0xcc, 2 * sizeBytes);
    const byte = new Uint8Array(1);
    guest.read(0x5000, byte);
    expect(byte[0]).toBe(0);
    guest.write(0x5000, Uint8Array.of(7));
    guest.clear();
    guest.read(0x5000, byte);
    expect(byte[0]).toBe(0);
  });

  test("lets people look without handing out frames or counting work", () => {
    const { guest, work } = setup();
    guest.bootTarget.write(0x3000, Uint8Array.of(1, 2, 3));
    const before = { work: work.flat(), frames: guest.residentFrames };
    expect(guest.peek(0x2ffe, 5)).toEqual(Uint8Array.of(0, 0, 1, 2, 3));
    expect({ work: work.flat(), frames: guest.residentFrames }).toEqual(before);
  });

  test("refuses addresses where there is no RAM", () => {
    const { guest } = setup();
    for (const gpa of [sizeBytes, -1, 0.5, 2 ** 52]) {
      expect(() => guest.hostFrame(gpa)).toThrow(RangeError);
    }
    expect(() => guest.read(sizeBytes - 4, new Uint8Array(8))).toThrow("no RAM");
  });

  test("says so when the host has too few frames", () => {
    const { memory, work } = setup();
    const frames = new FrameAllotter({ base: 0, sizeBytes: 0x8000 });
    expect(() => new GuestMemory({ memory, frames, sizeBytes, work })).toThrow("256 frames");
  });
});
