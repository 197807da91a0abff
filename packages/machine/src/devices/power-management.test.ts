/** ACPI 6.5, section 4.8.3, "Fixed Hardware Registers". */
import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { PowerManagement } from "./power-management.ts";

let clock: { now: number };
let happened: string[];
let power: PowerManagement;

beforeEach(() => {
  clock = { now: 0 };
  happened = [];
  power = new PowerManagement(new Timeline(clock), {
    setLine: (level) => happened.push(level ? "high" : "low"),
    onPowerOff: () => happened.push("off"),
    onReset: () => happened.push("reset"),
  });
});

describe("power management", () => {
  test("switches off for S5, and for no other sleep state", () => {
    power.writePort(0x604, 2, (1 << 10) | 0x2000);
    power.writePort(0x604, 2, 5 << 10);
    expect(happened).not.toContain("off");
    power.writePort(0x604, 2, (5 << 10) | 0x2000);
    expect(happened).toContain("off");
  });

  test("has ACPI enabled, and never reads SLP_EN back", () => {
    power.writePort(0x604, 2, (1 << 10) | 0x2000);
    expect(power.readPort(0x604, 2)).toBe((1 << 10) | 1);
  });

  test("raises its line for the power button while that is enabled, until the status is cleared", () => {
    power.pressPowerButton();
    expect(happened.at(-1)).toBe("low");
    power.writePort(0x602, 2, 0x100);
    expect(happened.at(-1)).toBe("high");
    expect(power.readPort(0x600, 2)).toBe(0x100);
    power.writePort(0x600, 2, 0x100);
    expect(happened.at(-1)).toBe("low");
  });

  test.each([
    [1_000_000_000, 3_579_545],
    [1_000_000, 3579],
    [1200 * 1_000_000_000, (1200 * 3_579_545) % 2 ** 32],
  ])("counts 3.579545 MHz in 32 bits: at %i ns %i", (now, ticks) => {
    clock.now = now;
    expect(power.readPort(0x608, 4)).toBe(ticks);
  });

  test("resets by the reset register with 6, and not with 2", () => {
    power.writePort(0xcf9, 1, 2);
    expect(happened).not.toContain("reset");
    power.writePort(0xcf9, 1, 6);
    expect(happened).toContain("reset");
    expect(power.readPort(0xcf9, 1)).toBe(6);
  });
});
