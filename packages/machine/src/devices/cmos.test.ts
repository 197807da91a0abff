import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { Cmos } from "./cmos.ts";

const second = 1_000_000_000;

describe("CMOS clock", () => {
  let clock: { now: number };
  let cmos: Cmos;

  function at(epochSeconds: number): void {
    clock = { now: 0 };
    cmos = new Cmos(new Timeline(clock), { epochSeconds, memoryBytes: 64 * 1024 * 1024 });
  }

  beforeEach(() => at(1_136_073_600)); // 2006-01-01T00:00:00Z, a Sunday

  function read(index: number): number {
    cmos.writePort(0x70, 1, index);
    return cmos.readPort(0x71, 1);
  }

  function write(index: number, value: number): void {
    cmos.writePort(0x70, 1, index);
    cmos.writePort(0x71, 1, value);
  }

  /** Century, year, month, day, hour, minute, second as read, in hexadecimal. */
  function calendar(): string {
    return [0x32, 0x09, 0x08, 0x07, 0x04, 0x02, 0x00]
      .map((index) => read(index).toString(16).padStart(2, "0"))
      .join(" ");
  }

  test.each([
    [1_136_073_600, "20 06 01 01 00 00 00"],
    [951_782_400, "20 00 02 29 00 00 00"],
    [4_107_542_399, "21 00 02 28 23 59 59"],
    [-1, "19 69 12 31 23 59 59"],
  ])("shows %i seconds since 1970 as %s, in BCD", (epoch, shown) => {
    at(epoch);
    expect(calendar()).toBe(shown);
  });

  test("goes with machine time", () => {
    clock.now = 3_661 * second;
    expect(calendar()).toBe("20 06 01 01 01 01 01");
  });

  test("gives the weekday, 1 for Sunday", () => {
    expect(read(6)).toBe(1);
    clock.now = 6 * 86_400 * second;
    expect(read(6)).toBe(7);
  });

  test("shows binary and 12-hour values when register B says so", () => {
    clock.now = (13 * 3600 + 45 * 60) * second;
    write(0x0b, 0x04);
    expect([read(4), read(2)]).toEqual([0x81, 45]);
    write(0x0b, 0x02);
    expect([read(4), read(2)]).toEqual([0x13, 0x45]);
  });

  test("raises UIP only shortly before a second ends", () => {
    expect(read(0x0a) & 0x80).toBe(0);
    clock.now = second - 1;
    expect(read(0x0a) & 0x80).toBe(0x80);
    clock.now = second;
    expect(read(0x0a) & 0x80).toBe(0);
  });

  test("can be set, and goes on from there", () => {
    write(0x0b, 0x82);
    for (const [index, value] of [
      [0x32, 0x20],
      [0x09, 0x26],
      [0x08, 0x11],
      [0x07, 0x20],
      [0x04, 0x13],
      [0x02, 0x59],
      [0x00, 0x58],
    ] as const) {
      write(index, value);
    }
    clock.now = 100 * second; // Frozen while SET.
    expect(calendar()).toBe("20 26 11 20 13 59 58");
    write(0x0b, 0x02);
    clock.now += 3 * second;
    expect(calendar()).toBe("20 26 11 20 14 00 01");
  });

  test("reports memory and keeps the bytes that are free", () => {
    expect(read(0x17) | (read(0x18) << 8)).toBe(63 * 1024);
    expect(read(0x34) | (read(0x35) << 8)).toBe((48 * 1024) / 64);
    write(0x50, 0x77);
    expect(read(0x50)).toBe(0x77);
    expect(read(0x0d)).toBe(0x80);
  });
});
