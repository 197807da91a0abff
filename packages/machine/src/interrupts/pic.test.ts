import { beforeEach, describe, expect, test } from "vitest";
import { Pic } from "./pic.ts";

/** As kernels do: vectors 0x20 and 0x28, all lines open. */
function initialize(pic: Pic, icw4 = 0x01): void {
  for (const [port, icw3, base] of [
    [0x20, 0x04, 0x20],
    [0xa0, 0x02, 0x28],
  ] as const) {
    pic.writePort(port, 1, 0x11);
    pic.writePort(port + 1, 1, base);
    pic.writePort(port + 1, 1, icw3);
    pic.writePort(port + 1, 1, icw4);
    pic.writePort(port + 1, 1, 0x00);
  }
}

describe("8259 pair", () => {
  let outputs: boolean[];
  let pic: Pic;

  beforeEach(() => {
    outputs = [];
    pic = new Pic((asserted) => outputs.push(asserted));
    initialize(pic);
  });

  test("gives the vector of a line and holds lower priorities back until the end of interrupt", () => {
    pic.setLine(4, true);
    pic.setLine(5, true);
    expect(pic.acknowledge()).toBe(0x24);
    expect(pic.output).toBe(false);
    pic.setLine(1, true);
    expect(pic.output).toBe(true); // A higher priority nests.
    expect(pic.acknowledge()).toBe(0x21);
    pic.writePort(0x20, 1, 0x20);
    expect(pic.output).toBe(false);
    pic.writePort(0x20, 1, 0x20);
    expect(pic.acknowledge()).toBe(0x25);
  });

  test("reports each change of its output once", () => {
    pic.setLine(4, true);
    pic.setLine(4, true);
    pic.acknowledge();
    expect(outputs).toEqual([true, false]);
  });

  test("reaches the slave through line 2 and gives the slave's vector", () => {
    pic.setLine(8, true);
    pic.setLine(12, true);
    expect(pic.acknowledge()).toBe(0x28);
    expect(pic.output).toBe(false);
    pic.writePort(0xa0, 1, 0x20);
    pic.writePort(0x20, 1, 0x20);
    expect(pic.acknowledge()).toBe(0x2c);
  });

  test("takes an edge only once while the line stays high", () => {
    pic.setLine(4, true);
    pic.acknowledge();
    pic.writePort(0x20, 1, 0x20);
    expect(pic.output).toBe(false);
    pic.setLine(4, false);
    pic.setLine(4, true);
    expect(pic.acknowledge()).toBe(0x24);
  });

  test("repeats a level-triggered line until it falls", () => {
    pic.writePort(0x4d0, 1, 0x20);
    pic.setLine(5, true);
    pic.acknowledge();
    pic.writePort(0x20, 1, 0x20);
    expect(pic.acknowledge()).toBe(0x25);
    pic.setLine(5, false);
    pic.writePort(0x20, 1, 0x20);
    expect(pic.output).toBe(false);
  });

  test("gives the spurious vector when the request went away", () => {
    pic.setLine(4, true);
    pic.setLine(4, false);
    expect(pic.acknowledge()).toBe(0x27);
    pic.writePort(0x20, 1, 0x0b);
    expect(pic.readPort(0x20, 1)).toBe(0); // Nothing is in service.
  });

  test("does not interrupt for a masked line, but remembers it", () => {
    pic.writePort(0x21, 1, 0x10);
    pic.setLine(4, true);
    expect(pic.output).toBe(false);
    expect(pic.isOpen(4)).toBe(false);
    expect(pic.readPort(0x21, 1)).toBe(0x10);
    pic.writePort(0x21, 1, 0x00);
    expect(pic.acknowledge()).toBe(0x24);
  });

  test("ends a specific interrupt and rotates priorities", () => {
    pic.setLine(3, true);
    pic.acknowledge();
    pic.writePort(0x20, 1, 0xe3); // rotate on specific EOI: line 4 is now the highest
    pic.setLine(0, true);
    pic.setLine(4, true);
    expect(pic.acknowledge()).toBe(0x24);
  });

  test("ends interrupts by itself in automatic mode", () => {
    initialize(pic, 0x03);
    pic.setLine(4, true);
    pic.acknowledge();
    pic.setLine(6, true);
    expect(pic.acknowledge()).toBe(0x26);
  });

  test("acknowledges by poll", () => {
    pic.setLine(6, true);
    pic.writePort(0x20, 1, 0x0c);
    expect(pic.readPort(0x20, 1)).toBe(0x86);
    expect(pic.output).toBe(false);
  });

  test("lets lower priorities through in special mask mode while the line in service is masked", () => {
    pic.setLine(3, true);
    pic.acknowledge();
    pic.writePort(0x21, 1, 0x08);
    pic.writePort(0x20, 1, 0x68);
    pic.setLine(6, true);
    expect(pic.acknowledge()).toBe(0x26);
  });
});
