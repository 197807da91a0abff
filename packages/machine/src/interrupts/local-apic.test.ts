import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { LocalApic } from "./local-apic.ts";

const taskPriority = 0x80;
const endOfInterrupt = 0xb0;
const spurious = 0xf0;
const commandLow = 0x300;
const lvtTimer = 0x320;
const lvtLint0 = 0x350;
const initialCount = 0x380;
const currentCount = 0x390;
const divide = 0x3e0;

describe("local APIC", () => {
  let clock: { now: number };
  let timeline: Timeline;
  let nmis: number;
  let apic: LocalApic;

  beforeEach(() => {
    clock = { now: 0 };
    timeline = new Timeline(clock);
    nmis = 0;
    apic = new LocalApic(timeline, { onChange: () => {}, onNmi: () => (nmis += 1) });
    apic.write(spurious, 4, 0x1ff);
  });

  /** Lets machine time pass, serving the timer. */
  function passTo(now: number): void {
    while (timeline.nextDeadline <= now) {
      clock.now = timeline.nextDeadline;
      timeline.takeDue();
      apic.onEvent();
    }
    clock.now = now;
  }

  test("delivers the highest vector first and nests by class", () => {
    apic.request(0x41);
    apic.request(0x52);
    expect(apic.acknowledge()).toBe(0x52);
    expect(apic.isPending).toBe(false);
    apic.request(0x53);
    expect(apic.isPending).toBe(false); // The same class does not nest.
    apic.request(0x61);
    expect(apic.acknowledge()).toBe(0x61);
    apic.write(endOfInterrupt, 4, 0);
    apic.write(endOfInterrupt, 4, 0);
    expect(apic.acknowledge()).toBe(0x53);
    apic.write(endOfInterrupt, 4, 0);
    expect(apic.acknowledge()).toBe(0x41);
  });

  test("shows requests and services in its registers, 32 vectors each", () => {
    apic.request(0x41);
    expect(apic.read(0x220, 4)).toBe(0x2);
    apic.acknowledge();
    expect(apic.read(0x220, 4)).toBe(0);
    expect(apic.read(0x120, 4)).toBe(0x2);
    expect(apic.read(0xa0, 4)).toBe(0x40);
  });

  test("holds back what the task priority outranks, through MMIO and CR8 alike", () => {
    apic.write(taskPriority, 4, 0x40);
    apic.request(0x4f);
    expect(apic.isPending).toBe(false);
    apic.writeTaskPriority(3);
    expect(apic.read(taskPriority, 4)).toBe(0x30);
    expect(apic.isPending).toBe(true);
    expect(apic.readTaskPriority()).toBe(3);
  });

  test("gives the spurious vector when nothing is deliverable", () => {
    expect(apic.acknowledge()).toBe(0xff);
    expect(apic.read(0x1f0, 4)).toBe(0);
  });

  test("accepts nothing while software disabled, and masks its entries", () => {
    apic.write(lvtTimer, 4, 0x30);
    apic.write(spurious, 4, 0xff);
    apic.request(0x41);
    expect(apic.isPending).toBe(false);
    expect(apic.read(lvtTimer, 4)).toBe(0x1_0030);
  });

  test("fires a one-shot timer once, after the count times the divisor", () => {
    apic.write(divide, 4, 0x3); // 16
    apic.write(lvtTimer, 4, 0x30);
    apic.write(initialCount, 4, 100);
    passTo(800);
    expect(apic.read(currentCount, 4)).toBe(50);
    passTo(1599);
    expect(apic.isPending).toBe(false);
    passTo(1600);
    expect(apic.acknowledge()).toBe(0x30);
    expect(apic.read(currentCount, 4)).toBe(0);
    expect(timeline.nextDeadline).toBe(Infinity);
  });

  test("fires a periodic timer without drift", () => {
    apic.write(divide, 4, 0xb); // 1
    apic.write(lvtTimer, 4, 0x2_0030);
    apic.write(initialCount, 4, 1000);
    for (const at of [1000, 2000, 3000]) {
      passTo(at);
      expect(apic.acknowledge()).toBe(0x30);
      apic.write(endOfInterrupt, 4, 0);
    }
    passTo(3400);
    expect(apic.read(currentCount, 4)).toBe(600);
  });

  test("stops the timer when the initial count becomes 0", () => {
    apic.write(lvtTimer, 4, 0x30);
    apic.write(initialCount, 4, 100);
    apic.write(initialCount, 4, 0);
    expect(timeline.events).toEqual([]);
  });

  test("says whether the timer can interrupt", () => {
    expect(apic.timerIsOpen).toBe(false);
    apic.write(lvtTimer, 4, 0x30);
    expect(apic.timerIsOpen).toBe(true);
  });

  test("sends itself interrupts and NMIs by the command register", () => {
    apic.write(commandLow, 4, 0x4_0055); // self, fixed
    expect(apic.acknowledge()).toBe(0x55);
    apic.write(commandLow, 4, 0x4_0400); // self, NMI
    expect(nmis).toBe(1);
    apic.write(commandLow, 4, 0xc_0055); // all but self
    expect(apic.isPending).toBe(false);
  });

  test("passes the 8259 on while LINT0 is in ExtINT mode and unmasked", () => {
    expect(apic.passesExternal).toBe(true);
    apic.write(lvtLint0, 4, 0x1_0700);
    expect(apic.passesExternal).toBe(false);
  });

  test("reports illegal vectors in the error status, which a write latches", () => {
    apic.write(commandLow, 4, 0x4_0005);
    apic.write(0x280, 4, 0);
    expect(apic.read(0x280, 4)).toBe(0x20);
    apic.write(0x280, 4, 0);
    expect(apic.read(0x280, 4)).toBe(0);
  });

  test("disappears when IA32_APIC_BASE disables it, and refuses another base", () => {
    expect(apic.readBaseMsr()).toBe(0xfee0_0900n);
    expect(apic.writeBaseMsr(0xfee0_1900n)).toBe(false);
    expect(apic.writeBaseMsr(0xfee0_0d00n)).toBe(false); // x2APIC
    expect(apic.writeBaseMsr(0xfee0_0100n)).toBe(true);
    expect(apic.read(0x30, 4)).toBe(0xffff_ffff);
    expect(apic.passesExternal).toBe(true);
  });
});
