/** IBM Personal Computer AT Technical Reference, "Keyboard Controller". */
import { beforeEach, describe, expect, test } from "vitest";
import { KeyboardController } from "./keyboard-controller.ts";

let resets: number;
let controller: KeyboardController;

beforeEach(() => {
  resets = 0;
  controller = new KeyboardController(() => (resets += 1));
});

const status = (): number => controller.readPort(0x64, 1);
const command = (value: number): void => controller.writePort(0x64, 1, value);
const data = (value: number): void => controller.writePort(0x60, 1, value);
const read = (): number => controller.readPort(0x60, 1);

describe("8042", () => {
  test("passes its self-test, and then shows the system flag", () => {
    expect(status() & 0x05).toBe(0);
    command(0xaa);
    expect(status() & 0x05).toBe(0x05);
    expect(read()).toBe(0x55);
    expect(status() & 0x01).toBe(0);
  });

  test("keeps the command byte", () => {
    command(0x60);
    data(0x43);
    command(0xad);
    command(0x20);
    expect(read()).toBe(0x53);
  });

  test("answers in the keyboard's place that nothing came: resend, with a timeout", () => {
    data(0xff);
    expect(status() & 0x21).toBe(0x21);
    expect(read()).toBe(0xfe);
  });

  test("says that the auxiliary port is not wired", () => {
    command(0xa9);
    expect(read()).toBe(1);
    command(0xd3);
    data(0x5a);
    expect(read()).toBe(0xff);
  });

  test.each([
    ["a pulse of the reset line", () => command(0xfe), 1],
    ["a pulse of no line", () => command(0xff), 0],
    ["the output port with reset low", () => (command(0xd1), data(0x02)), 1],
    ["the output port with reset high", () => (command(0xd1), data(0x03)), 0],
  ])("%s resets %#", (_, act, expected) => {
    act();
    expect(resets).toBe(expected);
  });
});
