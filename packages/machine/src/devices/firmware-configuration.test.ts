/** QEMU, docs/specs/fw_cfg.rst, read as a guest reads it. */
import { describe, expect, test } from "vitest";
import { PortBus } from "../ports.ts";
import { FirmwareConfiguration } from "./firmware-configuration.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function busWith(files?: ReadonlyMap<string, Uint8Array>): PortBus {
  const ports = new PortBus();
  ports.attach(new FirmwareConfiguration(files));
  return ports;
}

function read(ports: PortBus, key: number, lengthBytes: number): Uint8Array {
  ports.write(0x510, 2, key);
  return Uint8Array.from({ length: lengthBytes }, () => ports.read(0x511, 1));
}

describe("firmware configuration", () => {
  test("shows its signature, and that it has ports and no DMA", () => {
    const ports = busWith();
    expect(text(read(ports, 0, 4))).toBe("QEMU");
    expect([...read(ports, 1, 4)]).toEqual([1, 0, 0, 0]);
    expect([...read(ports, 0x19, 5)]).toEqual([0, 0, 0, 0, 0]);
  });

  test("lists its files and gives their contents, with zeros behind", () => {
    const files = new Map([
      ["opt/a", Uint8Array.of(1, 2)],
      ["opt/b", Uint8Array.of(3)],
    ]);
    const ports = busWith(files);
    const directory = read(ports, 0x19, 4 + 128);
    const view = new DataView(directory.buffer);
    expect([view.getUint32(0), view.getUint32(68), view.getUint16(72)]).toEqual([2, 1, 0x21]);
    expect(text(directory.subarray(76, 82))).toBe("opt/b\0");
    expect([...read(ports, 0x20, 4)]).toEqual([1, 2, 0, 0]);
    expect([...read(ports, 0x21, 2)]).toEqual([3, 0]);
    expect([...read(ports, 0x22, 2)]).toEqual([0, 0]);
  });

  test.each(["", "x".repeat(56), "sp ace", "ä"])("refuses the name %j", (name) => {
    expect(() => busWith(new Map([[name, new Uint8Array(1)]]))).toThrow(RangeError);
  });
});
