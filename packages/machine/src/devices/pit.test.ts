import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { Pit, pitNanoseconds, pitTicks } from "./pit.ts";

describe("8254", () => {
  let clock: { now: number };
  let timeline: Timeline;
  let edges: number[];
  let level: boolean;
  let pit: Pit;

  beforeEach(() => {
    clock = { now: 0 };
    timeline = new Timeline(clock);
    edges = [];
    level = false;
    pit = new Pit(timeline, (next) => {
      if (next && !level) edges.push(pitTicks(clock.now));
      level = next;
    });
  });

  function passTo(ticks: number): void {
    const now = pitNanoseconds(ticks);
    while (timeline.nextDeadline <= now) {
      clock.now = timeline.nextDeadline;
      timeline.takeDue();
      pit.onEvent();
    }
    clock.now = now;
  }

  function program(counter: number, mode: number, count: number): void {
    pit.writePort(0x43, 1, (counter << 6) | 0x30 | (mode << 1));
    pit.writePort(0x40 + counter, 1, count & 0xff);
    pit.writePort(0x40 + counter, 1, count >> 8);
  }

  function readCount(counter: number): number {
    pit.writePort(0x43, 1, counter << 6); // latch
    const low = pit.readPort(0x40 + counter, 1);
    return low | (pit.readPort(0x40 + counter, 1) << 8);
  }

  test.each([1, 1_193_181, 1_193_182, 12_345_678_901])(
    "converts %i cycles to the first nanosecond at which they have passed",
    (ticks) => {
      expect(pitTicks(pitNanoseconds(ticks))).toBe(ticks);
      expect(pitTicks(pitNanoseconds(ticks) - 1)).toBe(ticks - 1);
    },
  );

  test("mode 0 raises the line once, at the end of the count", () => {
    program(0, 0, 1000);
    passTo(999);
    expect(edges).toEqual([]);
    expect(readCount(0)).toBe(1);
    passTo(3000);
    expect(edges).toEqual([1000]);
  });

  test("mode 2 raises the line once per period, without drift", () => {
    program(0, 2, 1000);
    edges.length = 0; // Programming the mode raises the output.
    passTo(3500);
    expect(edges).toEqual([1000, 2000, 3000]);
    expect(readCount(0)).toBe(500);
  });

  test("mode 3 is high for the first half of the period", () => {
    program(0, 3, 1001);
    edges.length = 0;
    passTo(2002);
    expect(edges).toEqual([1001, 2002]);
    passTo(2002 + 500);
    expect(level).toBe(true);
    passTo(2002 + 501);
    expect(level).toBe(false);
  });

  test("mode 4 strobes low for one cycle at the end", () => {
    program(0, 4, 50);
    edges.length = 0;
    passTo(500);
    expect(edges).toEqual([51]);
  });

  test("a count of 0 means 65536", () => {
    program(0, 2, 0);
    passTo(1);
    expect(readCount(0)).toBe(65535);
  });

  test("counts in BCD when told to", () => {
    pit.writePort(0x43, 1, 0x31); // counter 0, both bytes, mode 0, BCD
    pit.writePort(0x40, 1, 0x34);
    pit.writePort(0x40, 1, 0x12);
    passTo(235);
    pit.writePort(0x43, 1, 0x01);
    expect(pit.readPort(0x40, 1)).toBe(0x99);
    expect(pit.readPort(0x40, 1)).toBe(0x09);
  });

  test("read-back latches status and count of several counters", () => {
    program(0, 2, 100);
    program(2, 0, 200);
    passTo(10);
    pit.writePort(0x43, 1, 0xc0 | 0x02 | 0x08); // both, counters 0 and 2
    passTo(20);
    expect(pit.readPort(0x40, 1)).toBe(0xb4); // output high, both bytes, mode 2
    expect(pit.readPort(0x40, 1) | (pit.readPort(0x40, 1) << 8)).toBe(90);
    expect(pit.readPort(0x42, 1)).toBe(0x30); // output low, mode 0
  });

  test("counter 2 counts while port 0x61 opens its gate, and shows its output there", () => {
    program(2, 0, 100);
    passTo(500);
    expect(pit.readPort(0x61, 1) & 0x20).toBe(0);
    pit.writePort(0x61, 1, 0x01);
    passTo(599);
    expect(pit.readPort(0x61, 1) & 0x20).toBe(0);
    passTo(600);
    expect(pit.readPort(0x61, 1) & 0x21).toBe(0x21);
  });

  test("port 0x61 toggles the refresh bit", () => {
    const bits = [0, 20, 40, 60].map((ticks) => {
      passTo(ticks);
      return (pit.readPort(0x61, 1) >> 4) & 1;
    });
    expect(bits).toEqual([0, 1, 0, 1]);
  });
});
