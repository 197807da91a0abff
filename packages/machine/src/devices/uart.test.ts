import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { Uart } from "./uart.ts";

describe("16550", () => {
  let clock: { now: number };
  let timeline: Timeline;
  let line: boolean;
  let sent: number[];
  let uart: Uart;

  beforeEach(() => {
    clock = { now: 0 };
    timeline = new Timeline(clock);
    line = false;
    sent = [];
    uart = new Uart(timeline, {
      name: "com1",
      base: 0x3f8,
      byteNanoseconds: 1_000,
      setLine: (level) => {
        line = level;
      },
      onTransmit: (byte) => sent.push(byte),
    });
  });

  const read = (register: number): number => uart.readPort(0x3f8 + register, 1);
  const write = (register: number, value: number): void =>
    uart.writePort(0x3f8 + register, 1, value);

  function pass(nanoseconds: number): void {
    const end = clock.now + nanoseconds;
    while (timeline.nextDeadline <= end) {
      clock.now = timeline.nextDeadline;
      uart.onEvent(timeline.takeDue()?.event ?? "");
    }
    clock.now = end;
  }

  function drain(): number[] {
    const bytes: number[] = [];
    while ((read(5) & 1) !== 0) bytes.push(read(0));
    return bytes;
  }

  test("sends at once and is always ready for more", () => {
    write(0, 0x41);
    write(0, 0x42);
    expect(sent).toEqual([0x41, 0x42]);
    expect(read(5)).toBe(0x60);
  });

  test("keeps the divisor behind DLAB", () => {
    write(3, 0x83);
    write(0, 0x0c);
    write(1, 0x01);
    expect([read(0), read(1)]).toEqual([0x0c, 0x01]);
    write(3, 0x03);
    expect(sent).toEqual([]);
    expect(read(1)).toBe(0);
  });

  test("identifies as a 16550 once its FIFOs are on", () => {
    expect(read(2)).toBe(0x01);
    write(2, 0x01);
    expect(read(2)).toBe(0xc1);
  });

  test("interrupts at the trigger level and refills only an empty FIFO", () => {
    write(4, 0x0b);
    write(2, 0xc7); // FIFO on, cleared, trigger at 14
    write(1, 0x01);
    uart.receive(Uint8Array.from({ length: 40 }, (_, index) => index));
    expect(line).toBe(false);
    pass(16_000);
    expect(line).toBe(true);
    expect(read(2)).toBe(0xc4);
    expect(drain()).toHaveLength(16);
    expect(line).toBe(false);
    expect(uart.unreadBytes).toBe(24);
    pass(16_000);
    expect(drain()).toEqual(Array.from({ length: 16 }, (_, index) => 16 + index));
    pass(100_000);
    expect(uart.unreadBytes).toBe(8);
    pass(100_000); // Nothing is overrun while the guest does not read.
    expect(drain()).toHaveLength(8);
  });

  test("reports bytes below the trigger level after four byte times", () => {
    write(4, 0x0b);
    write(2, 0xc7);
    write(1, 0x01);
    uart.receive(new Uint8Array([7]));
    pass(1_000);
    expect(line).toBe(false);
    pass(4_000);
    expect(line).toBe(true);
    expect(read(2)).toBe(0xcc);
    expect(read(0)).toBe(7);
    expect(line).toBe(false);
  });

  test("takes one byte at a time without FIFOs", () => {
    write(4, 0x0b);
    write(1, 0x01);
    uart.receive(new Uint8Array([1, 2]));
    pass(1_000);
    expect(line).toBe(true);
    expect(drain()).toEqual([1]);
    pass(1_000);
    expect(drain()).toEqual([2]);
  });

  test("receives only while RTS is asserted, so that what comes before the port is set up is kept", () => {
    uart.receive(new Uint8Array([1, 2, 3]));
    pass(1_000_000);
    expect(read(5) & 1).toBe(0);
    write(2, 0x07);
    write(4, 0x02);
    pass(3_000);
    expect(drain()).toEqual([1, 2, 3]);
    write(4, 0x00);
    uart.receive(new Uint8Array([4]));
    pass(1_000_000);
    expect(drain()).toEqual([]);
    write(4, 0x02);
    pass(1_000);
    expect(drain()).toEqual([4]);
  });

  test("gates its interrupt with OUT2, and says so", () => {
    write(4, 0x02);
    write(1, 0x01);
    uart.receive(new Uint8Array([1]));
    pass(1_000);
    expect(line).toBe(false);
    expect(uart.listens).toBe(false);
    write(4, 0x0a);
    expect(line).toBe(true);
    expect(uart.listens).toBe(true);
  });

  test("interrupts for the empty transmitter until the cause was read", () => {
    write(4, 0x08);
    write(1, 0x02);
    expect(line).toBe(true);
    expect(read(2)).toBe(0x02);
    expect(line).toBe(false);
    write(0, 0x41);
    expect(line).toBe(true);
  });

  test("loops back data and modem lines, and keeps them from the outside", () => {
    write(4, 0x1a); // loopback, OUT2, RTS
    write(0, 0x55);
    expect(sent).toEqual([]);
    expect(drain()).toEqual([0x55]);
    expect(read(6) & 0xf0).toBe(0x90); // DCD, CTS
    expect(line).toBe(false);
  });

  test("reports an overrun in loopback", () => {
    write(4, 0x10);
    write(0, 1);
    write(0, 2);
    expect(read(5) & 0x03).toBe(0x03);
    expect(read(5) & 0x02).toBe(0);
    expect(drain()).toEqual([1]);
  });

  test("shows a modem that is there, and its changes once", () => {
    expect(read(6)).toBe(0xb0);
    write(4, 0x10);
    expect(read(6)).toBe(0x0b); // DSR, CTS and DCD fell
    expect(read(6)).toBe(0);
  });

  test("keeps the scratch register", () => {
    write(7, 0xa5);
    expect(read(7)).toBe(0xa5);
  });
});
