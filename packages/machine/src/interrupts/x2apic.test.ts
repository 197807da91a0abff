/** Intel SDM Vol. 3A §11.12, "Extended XAPIC (x2APIC)". */
import { beforeEach, describe, expect, test } from "vitest";
import { Timeline } from "../timeline.ts";
import { LocalApic } from "./local-apic.ts";

const base = 0xfee0_0100n;
const enabled = 0x800n;
const extended = 0x400n;

let nmis: number;
let apic: LocalApic;

beforeEach(() => {
  nmis = 0;
  apic = new LocalApic(new Timeline({ now: 0 }), { onChange: () => {}, onNmi: () => (nmis += 1) });
  apic.features = { x2Apic: true, tscDeadline: false };
});

function enter(): void {
  expect(apic.writeMsr(0x1b, base | enabled | extended)).toBe(true);
  expect(apic.writeMsr(0x80f, 0x1ffn)).toBe(true);
}

describe("x2APIC mode", () => {
  test("is entered from xAPIC mode, and left by disabling", () => {
    expect(apic.writeMsr(0x1b, base | extended)).toBe(false);
    expect(apic.writeMsr(0x1b, base | enabled | extended)).toBe(true);
    expect(apic.readMsr(0x1b)).toBe(base | enabled | extended);
    expect(apic.writeMsr(0x1b, base | enabled)).toBe(false);
    expect(apic.writeMsr(0x1b, base)).toBe(true);
    expect(apic.writeMsr(0x1b, base | enabled | extended)).toBe(false);
    expect(apic.writeMsr(0x1b, base | enabled)).toBe(true);
  });

  test("does not exist without the feature", () => {
    apic.features = { x2Apic: false, tscDeadline: false };
    expect(apic.writeMsr(0x1b, base | enabled | extended)).toBe(false);
  });

  test("has its registers among the MSRs, and not in memory", () => {
    expect(apic.readMsr(0x802)).toBeUndefined();
    enter();
    expect([apic.readMsr(0x802), apic.readMsr(0x803), apic.readMsr(0x80d)]).toEqual([
      0n,
      0x5_0014n,
      1n,
    ]);
    expect(apic.read(0x30, 4)).toBe(0xffff_ffff);
    apic.request(0x41);
    expect(apic.readMsr(0x822)).toBe(2n);
    expect(apic.acknowledge()).toBe(0x41);
    expect(apic.readMsr(0x812)).toBe(2n);
    expect(apic.writeMsr(0x80b, 0n)).toBe(true);
    expect(apic.readMsr(0x812)).toBe(0n);
  });

  test.each([
    ["a register that is only read", 0x802, 0n],
    ["an end of interrupt with a value", 0x80b, 1n],
    ["reserved bits", 0x80f, 0x1_0000n],
    ["an error status that is not 0", 0x828, 1n],
    ["a vector of more than 8 bits", 0x83f, 0x100n],
    ["the destination format, which there is not", 0x80e, 0n],
    ["the high half of the command, which there is not", 0x831, 0n],
  ])("refuses to write %s", (_, msr, value) => {
    enter();
    expect(apic.writeMsr(msr, value)).toBe(false);
  });

  test("cannot read what is only written", () => {
    enter();
    expect([apic.readMsr(0x80b), apic.readMsr(0x83f)]).toEqual([undefined, undefined]);
  });

  test.each([
    ["its own id", 0x0000_0000_0000_0051n, true],
    ["another id", 0x0000_0001_0000_0051n, false],
    ["all", 0xffff_ffff_0000_0051n, true],
    ["its own logical id", 0x0000_0001_0000_0851n, true],
    ["another cluster", 0x0001_0001_0000_0851n, false],
    ["itself, by shorthand", 0x0000_0009_0004_0051n, true],
  ])("sends a command of 64 bits to %s", (_, command, isHere) => {
    enter();
    expect(apic.writeMsr(0x830, command)).toBe(true);
    expect(apic.isPending).toBe(isHere);
    expect(apic.readMsr(0x830)).toBe(command);
  });

  test("interrupts itself by one register, and by NMI", () => {
    enter();
    apic.writeMsr(0x83f, 0x61n);
    expect(apic.acknowledge()).toBe(0x61);
    apic.writeMsr(0x830, 0x4_0400n);
    expect(nmis).toBe(1);
  });
});
