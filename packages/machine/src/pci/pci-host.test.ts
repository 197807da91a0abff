/** PCI Local Bus Specification 3.0, chapter 6, "Configuration Space". */
import { beforeEach, describe, expect, test } from "vitest";
import { InterruptController } from "../interrupts/interrupt-controller.ts";
import { pciWindowBase } from "../platform.ts";
import { PortBus } from "../ports.ts";
import { Timeline } from "../timeline.ts";
import type { PciFunction } from "./pci-function.ts";
import { PciHost } from "./pci-host.ts";

let interrupts: InterruptController;
let host: PciHost;
let ports: PortBus;
let part: PciFunction;
let writes: string[];

beforeEach(() => {
  interrupts = new InterruptController(new Timeline({ now: 0 }), true);
  interrupts.apic.write(0xf0, 4, 0x1ff);
  host = new PciHost(interrupts);
  ports = new PortBus();
  ports.attach(host);
  writes = [];
  const range = {
    sizeBytes: 0x2000,
    read: (offset: number) => offset,
    write: (offset: number, _: number, value: number) => writes.push(`${offset}=${value}`),
  };
  part = host.plug({ vendor: 0x1234, device: 0x5678, classCode: 0x01_0203 }, [range], 2);
});

function address(slot: number, offset: number): void {
  ports.write(0xcf8, 4, 0x8000_0000 + slot * 0x800 + (offset & 0xfc));
}

function read(slot: number, offset: number, sizeBytes: 1 | 2 | 4 = 4): number {
  address(slot, offset);
  return ports.read(0xcfc + (offset & 3), sizeBytes);
}

function write(slot: number, offset: number, value: number, sizeBytes: 1 | 2 | 4 = 4): void {
  address(slot, offset);
  ports.write(0xcfc + (offset & 3), sizeBytes, value);
}

describe("PCI configuration", () => {
  test("has a host bridge in slot 0, the device in slot 1, and nothing in slot 2", () => {
    expect(read(0, 0)).toBe(0x1237_8086);
    expect(read(1, 0)).toBe(0x5678_1234);
    expect(read(1, 8)).toBe(0x0102_0300);
    expect(read(2, 0)).toBe(0xffff_ffff);
  });

  test("keeps the address that Linux writes to find mechanism 1", () => {
    ports.write(0xcf8, 4, 0x8000_0000);
    expect(ports.read(0xcf8, 4)).toBe(0x8000_0000);
  });

  test("answers for bus 0 and function 0 only", () => {
    ports.write(0xcf8, 4, 0x8001_0800);
    expect(ports.read(0xcfc, 4)).toBe(0xffff_ffff);
    ports.write(0xcf8, 4, 0x8000_0900);
    expect(ports.read(0xcfc, 4)).toBe(0xffff_ffff);
  });

  test("sizes base addresses", () => {
    const before = read(1, 0x10);
    expect(before).toBe(pciWindowBase);
    write(1, 0x10, 0xffff_ffff);
    expect(read(1, 0x10)).toBe(0xffff_e000);
    write(1, 0x14, 0xffff_ffff);
    expect(read(1, 0x14)).toBe(0xffff_f000);
    write(1, 0x18, 0xffff_ffff);
    expect(read(1, 0x18)).toBe(0);
  });

  test("routes memory to the device once that is enabled, wherever it is put", () => {
    expect(host.read(0x10, 4)).toBe(0xffff_ffff);
    write(1, 0x04, 2, 2);
    expect(host.read(0x10, 4)).toBe(0x10);
    write(1, 0x10, pciWindowBase + 0x10_0000);
    expect(host.read(0x10, 4)).toBe(0xffff_ffff);
    host.write(0x10_0004, 4, 7);
    expect(writes).toEqual(["4=7"]);
  });

  test("identity cannot be written", () => {
    write(1, 0, 0xaaaa_aaaa);
    write(1, 8, 0xaaaa_aaaa);
    expect([read(1, 0), read(1, 8)]).toEqual([0x5678_1234, 0x0102_0300]);
  });
});

describe("interrupts of a PCI function", () => {
  const msiX = (): number => read(1, 0x34, 1);

  function programMsiX(control: number): void {
    write(1, 0x04, 6, 2);
    host.write(0x2000, 4, 0xfee0_0000);
    host.write(0x2008, 4, 0x61);
    host.write(0x200c, 4, control);
    write(1, msiX() + 2, 0x8000, 2);
  }

  test("have a table of two entries, and say so", () => {
    expect(read(1, msiX(), 1)).toBe(0x11);
    expect(read(1, msiX() + 2, 2)).toBe(1);
  });

  test("go by message", () => {
    programMsiX(0);
    part.msiX.fire(0);
    expect(interrupts.acknowledge()).toBe(0x61);
  });

  test("wait while the vector is masked, and go when it is not", () => {
    programMsiX(1);
    part.msiX.fire(0);
    expect(interrupts.apic.isPending).toBe(false);
    expect(host.read(0x2800, 4)).toBe(1);
    host.write(0x200c, 4, 0);
    expect(interrupts.acknowledge()).toBe(0x61);
    expect(host.read(0x2800, 4)).toBe(0);
  });

  test("are not sent by a function that is not bus master", () => {
    programMsiX(0);
    write(1, 0x04, 2, 2);
    part.msiX.fire(0);
    expect(interrupts.apic.isPending).toBe(false);
  });

  test("go by a shared line, which is low when nobody asks any more", () => {
    const other = host.plug({ vendor: 1, device: 1, classCode: 0 }, [], 0);
    const third = host.plug({ vendor: 1, device: 2, classCode: 0 }, [], 0);
    expect([read(1, 0x3c, 1), read(2, 0x3c, 1), read(3, 0x3c, 1)]).toEqual([11, 10, 11]);
    const levels: boolean[] = [];
    const { ioApic } = interrupts;
    if (ioApic === undefined) throw new Error("There is no I/O APIC.");
    const look = (): void => {
      ioApic.write(0, 4, 0x10 + 22);
      ioApic.write(0x10, 4, 0x8000 | 0x71); // Level-triggered, unmasked: sends while asserted.
      levels.push(interrupts.apic.isPending);
      ioApic.write(0x10, 4, 0x1_0000);
    };
    other.setInterrupt(true);
    look();
    part.setInterrupt(true);
    third.setInterrupt(true);
    part.setInterrupt(false);
    look();
    expect(levels).toEqual([false, true]);
    expect(interrupts.acknowledge()).toBe(0x71);
    interrupts.apic.write(0xb0, 4, 0);
    third.setInterrupt(false);
    look();
    expect(levels).toEqual([false, true, false]);
  });
});
