/** IA-PC HPET Specification 1.0a, section 2.3, "Timer Register Space". */
import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { Hpet } from "./hpet.ts";

const configuration = 0x10;
const counter = 0xf0;
const timer = (index: number): number => 0x100 + 0x20 * index;

let clock: { now: number };
let timeline: Timeline;
let pulses: string[];
let isReplaced: boolean;
let hpet: Hpet;

beforeEach(() => {
  clock = { now: 0 };
  timeline = new Timeline(clock);
  pulses = [];
  isReplaced = false;
  hpet = new Hpet(timeline, {
    pulseLine: (line) => pulses.push(`line ${line} at ${clock.now}`),
    pulsePin: (pin) => pulses.push(`pin ${pin} at ${clock.now}`),
    onLegacy: (taken) => (isReplaced = taken),
  });
});

function passTo(now: number): void {
  while (timeline.nextDeadline <= now) {
    clock.now = timeline.nextDeadline;
    const due = timeline.takeDue();
    if (due !== undefined) hpet.onEvent(due.event);
  }
  clock.now = now;
}

describe("HPET", () => {
  test("says that it counts every 10 ns with 64 bits, and has three timers", () => {
    expect(hpet.read(0, 4)).toBe(0x8086_a201);
    expect(hpet.read(4, 4)).toBe(10_000_000);
  });

  test("counts while it is enabled, from what was written", () => {
    hpet.write(counter, 4, 5);
    clock.now = 1000;
    expect(hpet.read(counter, 4)).toBe(5);
    hpet.write(configuration, 4, 1);
    clock.now = 2000;
    expect(hpet.read(counter, 4)).toBe(105);
    hpet.write(configuration, 4, 0);
    clock.now = 3000;
    expect(hpet.read(counter, 4)).toBe(105);
  });

  test("carries into the high half", () => {
    hpet.write(counter, 4, 0xffff_ffff);
    hpet.write(configuration, 4, 1);
    clock.now = 10;
    expect([hpet.read(counter, 4), hpet.read(counter + 4, 4)]).toEqual([0, 1]);
  });

  test("fires once on its pin when the counter reaches the comparator", () => {
    hpet.write(timer(2), 4, 0x4 | (20 << 9));
    hpet.write(timer(2) + 8, 4, 50);
    hpet.write(timer(2) + 12, 4, 0);
    hpet.write(configuration, 4, 1);
    passTo(10_000);
    expect(pulses).toEqual(["pin 20 at 500"]);
  });

  test("fires periodically as Linux programs it, with the line of the 8254", () => {
    hpet.write(configuration, 4, 3);
    expect(isReplaced).toBe(true);
    hpet.write(timer(0), 4, 0x4 | 0x8 | 0x40 | 0x100);
    hpet.write(timer(0) + 8, 4, 100);
    hpet.write(timer(0) + 8, 4, 200);
    passTo(6000);
    expect(pulses).toEqual(["line 0 at 1000", "line 0 at 3000", "line 0 at 5000"]);
  });

  test("makes one interrupt of periods that its owner let pass", () => {
    hpet.write(timer(0), 4, 0x4 | 0x8 | 0x40 | 0x100 | (20 << 9));
    hpet.write(timer(0) + 8, 4, 100);
    hpet.write(timer(0) + 8, 4, 100);
    hpet.write(configuration, 4, 1);
    clock.now = 5_500;
    const due = timeline.takeDue();
    hpet.onEvent(due?.event ?? "");
    expect(pulses).toHaveLength(1);
    expect(timeline.nextDeadline).toBe(6000);
  });

  test("offers periodic mode on timer 0 alone, and neither levels nor messages", () => {
    expect(hpet.read(timer(0), 4) & 0x8030).toBe(0x30);
    expect(hpet.read(timer(1), 4) & 0x8030).toBe(0x20);
    hpet.write(timer(1), 4, 0xffff_ffff);
    expect(hpet.read(timer(1), 4) & 0x400a).toBe(0);
  });

  test("does nothing on a pin that it has no wire to", () => {
    hpet.write(timer(2), 4, 0x4 | (3 << 9));
    hpet.write(timer(2) + 8, 4, 50);
    hpet.write(timer(2) + 12, 4, 0);
    hpet.write(configuration, 4, 1);
    passTo(1000);
    expect(pulses).toEqual([]);
  });
});
