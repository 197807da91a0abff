/** Motorola MC146818A data sheet, "Interrupts" and "Register C". */
import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { Cmos } from "./cmos.ts";

const second = 1_000_000_000;

let clock: { now: number };
let timeline: Timeline;
let line: boolean;
let cmos: Cmos;

beforeEach(() => {
  clock = { now: 0 };
  timeline = new Timeline(clock);
  line = false;
  const options = { epochSeconds: 1_136_073_600, memoryBytes: 1 << 26 }; // 2006-01-01T00:00:00Z
  cmos = new Cmos(timeline, options, (level) => (line = level));
});

function write(index: number, value: number): void {
  cmos.writePort(0x70, 1, index);
  cmos.writePort(0x71, 1, value);
}

function read(index: number): number {
  cmos.writePort(0x70, 1, index);
  return cmos.readPort(0x71, 1);
}

/** Goes to the next event, and gives its time. */
function next(): number {
  clock.now = timeline.nextDeadline;
  cmos.onEvent(timeline.takeDue()?.event ?? "");
  return clock.now;
}

describe("interrupts of the clock", () => {
  test("are scheduled only when they are enabled", () => {
    expect(timeline.events).toEqual([]);
    write(0x0b, 0x72);
    expect(timeline.events).toHaveLength(3);
    write(0x0b, 0x02);
    expect(timeline.events).toEqual([]);
  });

  test("come after each update, once the last one was read", () => {
    clock.now = second / 2;
    write(0x0b, 0x12);
    expect(next()).toBe(second);
    expect(line).toBe(true);
    expect(timeline.events).toEqual([]);
    expect(read(0x0c) & 0x90).toBe(0x90);
    expect(line).toBe(false);
    expect(next()).toBe(2 * second);
  });

  test.each([
    [0x6, 1024],
    [0xf, 2],
    [0x3, 8192],
    [0x1, 256],
  ])("come periodically at rate %i, %i times a second", (rate, perSecond) => {
    write(0x0a, 0x20 | rate);
    write(0x0b, 0x42);
    for (let count = 1; count <= 3; count += 1) {
      expect(next()).toBe(Math.ceil((count * second) / perSecond));
      expect(read(0x0c) & 0xc0).toBe(0xc0);
    }
  });

  test.each([
    ["a time of the day", [0x05, 0x30, 0x02], 2 * 3600 + 30 * 60 + 5],
    ["every minute at a second", [0x07, 0xff, 0xff], 7],
    ["every hour at a minute", [0x00, 0x01, 0xc0], 60],
    ["every second", [0xff, 0xff, 0xff], 1],
    ["the present moment, tomorrow", [0x00, 0x00, 0x00], 86_400],
  ])("come at the alarm: %s", (_, [seconds = 0, minutes = 0, hours = 0], expected) => {
    write(0x01, seconds);
    write(0x03, minutes);
    write(0x05, hours);
    write(0x0b, 0x22);
    expect(next()).toBe(expected * second);
    expect(read(0x0c) & 0xa0).toBe(0xa0);
  });

  test("never come at a time that no clock shows", () => {
    write(0x05, 0x25);
    write(0x0b, 0x22);
    expect(timeline.events).toEqual([]);
  });

  test("show in register C without being enabled, and do not interrupt then", () => {
    clock.now = second + 1;
    expect(read(0x0c)).toBe(0x50);
    expect(read(0x0c)).toBe(0);
    expect(line).toBe(false);
  });

  test("stop while the clock is set", () => {
    write(0x0b, 0x32);
    write(0x0b, 0xb2);
    expect(timeline.events).toEqual([]);
    expect(read(0x0b) & 0x10).toBe(0);
  });
});
