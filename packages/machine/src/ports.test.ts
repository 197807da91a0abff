import { expect, test } from "vitest";
import { PortBus, type AccessBytes, type PortDevice } from "./ports.ts";

/** Remembers what it was asked. */
function recorder(
  base: number,
  count: number,
  widthBytes: AccessBytes,
): PortDevice & { log: string[] } {
  const log: string[] = [];
  return {
    name: `recorder at ${base}`,
    ports: [{ base, count, widthBytes }],
    log,
    readPort(port, sizeBytes) {
      log.push(`read ${port} ${sizeBytes}`);
      return port & 0xff;
    },
    writePort(port, sizeBytes, value) {
      log.push(`write ${port} ${sizeBytes} ${value.toString(16)}`);
    },
  };
}

test("gives all ones where no device answers", () => {
  const bus = new PortBus();
  expect([bus.read(0x10, 1), bus.read(0x10, 2), bus.read(0xffff, 4)]).toEqual([
    0xff, 0xffff, 0xffff_ffff,
  ]);
  expect(() => bus.write(0x10, 4, 1)).not.toThrow();
});

test("splits a wide access to an 8-bit device, lowest port first", () => {
  const bus = new PortBus();
  const device = recorder(0x40, 2, 1);
  bus.attach(device);
  expect(bus.read(0x40, 4)).toBe(0xffff_4140);
  bus.write(0x40, 2, 0xbbaa);
  expect(device.log).toEqual(["read 64 1", "read 65 1", "write 64 1 aa", "write 65 1 bb"]);
});

test("hands a wide access to a device that takes it", () => {
  const bus = new PortBus();
  const device = recorder(0xf4, 4, 4);
  bus.attach(device);
  bus.write(0xf4, 4, 0xffff_ffff);
  expect(device.log).toEqual(["write 244 4 ffffffff"]);
});

test("refuses two devices at one port", () => {
  const bus = new PortBus();
  bus.attach(recorder(0x40, 4, 1));
  expect(() => bus.attach(recorder(0x43, 1, 1))).toThrow(
    "The port 0x43 of recorder at 67 belongs to recorder at 64.",
  );
});

test("cuts values to the size of the access", () => {
  const bus = new PortBus();
  const device = recorder(0x40, 4, 4);
  bus.attach(device);
  bus.write(0x40, 1, 0x1234_5678);
  bus.write(0x40, 2, -1);
  expect(device.log).toEqual(["write 64 1 78", "write 64 2 ffff"]);
});
