/** Intel SDM Vol. 3A §11.5.4.1, "TSC-Deadline Mode". */
import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { LocalApic } from "./local-apic.ts";

const deadlineMsr = 0x6e0;
const lvtTimer = 0x320;
const initialCount = 0x380;
const deadlineMode = 0x4_0000;

let clock: { now: number };
let timeline: Timeline;
let offset: bigint;
let apic: LocalApic;

beforeEach(() => {
  clock = { now: 1000 };
  timeline = new Timeline(clock);
  offset = 500n;
  apic = new LocalApic(timeline, {
    onChange: () => {},
    onNmi: () => {},
    timestampOffset: () => offset,
  });
  apic.features = { x2Apic: false, tscDeadline: true };
  apic.write(0xf0, 4, 0x1ff);
});

function pass(): void {
  clock.now = timeline.nextDeadline;
  timeline.takeDue();
  apic.onEvent();
}

describe("TSC deadline", () => {
  test("fires when the time-stamp counter has the value, once, and reads 0 then", () => {
    apic.write(lvtTimer, 4, deadlineMode | 0x30);
    expect(apic.writeMsr(deadlineMsr, 2500n)).toBe(true);
    expect(apic.readMsr(deadlineMsr)).toBe(2500n);
    expect(timeline.nextDeadline).toBe(2000); // The counter is 500 ahead of machine time.
    pass();
    expect(apic.acknowledge()).toBe(0x30);
    expect(apic.readMsr(deadlineMsr)).toBe(0n);
    expect(timeline.nextDeadline).toBe(Infinity);
  });

  test("fires at once when the value has passed", () => {
    apic.write(lvtTimer, 4, deadlineMode | 0x30);
    apic.writeMsr(deadlineMsr, 1n);
    expect(timeline.nextDeadline).toBe(1000);
  });

  test("is disarmed by 0, and by leaving the mode", () => {
    apic.write(lvtTimer, 4, deadlineMode | 0x30);
    apic.writeMsr(deadlineMsr, 2500n);
    apic.writeMsr(deadlineMsr, 0n);
    expect(timeline.events).toEqual([]);
    apic.writeMsr(deadlineMsr, 2500n);
    apic.write(lvtTimer, 4, 0x30);
    expect(timeline.events).toEqual([]);
    expect(apic.readMsr(deadlineMsr)).toBe(0n);
  });

  test("ignores the count in its mode, and the deadline in the others", () => {
    apic.writeMsr(deadlineMsr, 2500n);
    expect(apic.readMsr(deadlineMsr)).toBe(0n);
    apic.write(lvtTimer, 4, deadlineMode | 0x30);
    apic.write(initialCount, 4, 100);
    expect([apic.read(initialCount, 4), timeline.events.length]).toEqual([0, 0]);
  });

  test("never comes for a value beyond all time", () => {
    apic.write(lvtTimer, 4, deadlineMode | 0x30);
    apic.writeMsr(deadlineMsr, 2n ** 64n - 1n);
    expect(timeline.events).toEqual([]);
  });

  test("does not exist without the feature", () => {
    apic.features = { x2Apic: false, tscDeadline: false };
    expect([apic.readMsr(deadlineMsr), apic.writeMsr(deadlineMsr, 1n)]).toEqual([
      undefined,
      undefined,
    ]);
    apic.write(lvtTimer, 4, deadlineMode | 0x30);
    expect(apic.read(lvtTimer, 4)).toBe(0x30);
  });
});
