/** Intel 82093AA data sheet, "IOAPIC Redirection Table", played against a recorder of messages. */
import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import type { InterruptMessage } from "./interrupt-message.ts";
import { InterruptController } from "./interrupt-controller.ts";
import { IoApic } from "./io-apic.ts";

const level = 0x8000;
const masked = 0x1_0000;

let sent: InterruptMessage[];
let ioApic: IoApic;

beforeEach(() => {
  sent = [];
  ioApic = new IoApic((message) => sent.push(message));
});

function readRegister(index: number): number {
  ioApic.write(0, 4, index);
  return ioApic.read(0x10, 4);
}

function writeRegister(index: number, value: number): void {
  ioApic.write(0, 4, index);
  ioApic.write(0x10, 4, value);
}

function program(pin: number, low: number, destination = 0): void {
  writeRegister(0x11 + 2 * pin, destination << 24);
  writeRegister(0x10 + 2 * pin, low);
}

describe("I/O APIC", () => {
  test("has 24 pins, all masked after reset, and says so", () => {
    expect(readRegister(1)).toBe(0x17_0011);
    for (let pin = 0; pin < 24; pin += 1) expect(readRegister(0x10 + 2 * pin)).toBe(masked);
    expect(readRegister(0x40)).toBe(0);
  });

  test("sends an edge once per rise, to the destination of the entry", () => {
    program(4, 0x831, 0x0f);
    ioApic.setPin(4, true);
    ioApic.setPin(4, true);
    expect(sent).toEqual([
      { destination: 0x0f, isLogical: true, mode: 0, vector: 0x31, isLevel: false },
    ]);
    ioApic.setPin(4, false);
    ioApic.setPin(4, true);
    expect(sent).toHaveLength(2);
  });

  test("loses an edge that comes while the entry is masked", () => {
    program(4, masked | 0x31);
    ioApic.setPin(4, true);
    program(4, 0x31);
    expect(sent).toEqual([]);
  });

  test("sends a level again after the end of interrupt, for as long as it is asserted", () => {
    program(10, level | 0x41);
    ioApic.setPin(10, true);
    expect(sent).toHaveLength(1);
    expect(readRegister(0x10 + 20)).toBe(level | 0x4000 | 0x41); // Remote IRR.
    ioApic.setPin(10, true);
    expect(sent).toHaveLength(1);
    ioApic.endOfInterrupt(0x41);
    expect(sent).toHaveLength(2);
    ioApic.setPin(10, false);
    ioApic.endOfInterrupt(0x41);
    expect(sent).toHaveLength(2);
    expect(readRegister(0x10 + 20)).toBe(level | 0x41);
  });

  test("sends a level that was asserted while masked when it is unmasked", () => {
    program(10, masked | level | 0x41);
    ioApic.setPin(10, true);
    expect(sent).toEqual([]);
    program(10, level | 0x41);
    expect(sent).toHaveLength(1);
  });

  test("keeps its read-only bits", () => {
    program(3, 0xffff_ffff & ~(level | masked));
    expect(readRegister(0x16) & 0x5000).toBe(0);
  });
});

test("a level-triggered interrupt goes from line to processor and back", () => {
  const interrupts = new InterruptController(new Timeline({ now: 0 }), true);
  interrupts.apic.write(0xf0, 4, 0x1ff);
  interrupts.apic.write(0x350, 4, 0x1_0700); // The 8259 pair is not passed on.
  const { ioApic: controller } = interrupts;
  if (controller === undefined) throw new Error("There is no I/O APIC.");
  controller.write(0, 4, 0x10 + 20);
  controller.write(0x10, 4, level | 0x41);

  interrupts.setLine(10, true);
  expect(interrupts.acknowledge()).toBe(0x41);
  expect(interrupts.apic.read(0x1a0, 4)).toBe(2); // TMR
  expect(interrupts.isPending).toBe(false);
  interrupts.apic.write(0xb0, 4, 0);
  expect(interrupts.isPending).toBe(true);
  interrupts.setLine(10, false);
  expect(interrupts.acknowledge()).toBe(0x41); // Accepted already.
  interrupts.apic.write(0xb0, 4, 0);
  expect(interrupts.isPending).toBe(false);
});

test("a message of a device reaches the local APIC that it names, and no other", () => {
  const interrupts = new InterruptController(new Timeline({ now: 0 }), true);
  interrupts.apic.write(0xf0, 4, 0x1ff);
  interrupts.sendMessage(0xfee0_1000, 0x51);
  expect(interrupts.apic.isPending).toBe(false);
  interrupts.sendMessage(0xfee0_0000, 0x51);
  expect(interrupts.acknowledge()).toBe(0x51);
});
