/** QEMU, docs/specs/fw_cfg.rst, read as a guest reads it. */
import { beforeEach, describe, expect, test } from "vitest";
import { PortBus } from "../ports.ts";
import { FirmwareConfiguration } from "./firmware-configuration.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const memoryBytes = 0x2_0000;
let memory: Uint8Array;
let view: DataView;

beforeEach(() => {
  memory = new Uint8Array(memoryBytes).fill(0xcc);
  view = new DataView(memory.buffer);
});

function busWith(files?: ReadonlyMap<string, Uint8Array>): PortBus {
  const ports = new PortBus();
  const dma = {
    sizeBytes: memoryBytes,
    read: (at: number, bytes: Uint8Array) => bytes.set(memory.subarray(at, at + bytes.length)),
    write: (at: number, bytes: Uint8Array) => memory.set(bytes, at),
  };
  ports.attach(new FirmwareConfiguration(dma, files));
  return ports;
}

function read(ports: PortBus, key: number, lengthBytes: number): Uint8Array {
  ports.write(0x510, 2, key);
  return Uint8Array.from({ length: lengthBytes }, () => ports.read(0x511, 1));
}

describe("firmware configuration", () => {
  test("shows its signature, and that it has ports and DMA", () => {
    const ports = busWith();
    expect(text(read(ports, 0, 4))).toBe("QEMU");
    expect([...read(ports, 1, 4)]).toEqual([3, 0, 0, 0]);
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

/** "Guest-side DMA Interface". */
describe("firmware configuration by DMA", () => {
  const files = new Map([["opt/long", Uint8Array.from({ length: 70_000 }, (_, at) => at % 251)]]);
  const [at, target] = [0x100, 0x200];
  const swapped = (word: number): number => {
    const words = new DataView(new ArrayBuffer(4));
    words.setUint32(0, word);
    return words.getUint32(0, true);
  };

  /** Gives the control word that is left. */
  function request(ports: PortBus, control: number, lengthBytes: number, address: number): number {
    view.setUint32(at, control);
    view.setUint32(at + 4, lengthBytes);
    view.setBigUint64(at + 8, BigInt(address));
    ports.write(0x514, 4, 0);
    ports.write(0x518, 4, swapped(at));
    return view.getUint32(at);
  }

  test("names itself where requests go", () => {
    const ports = busWith();
    const bytes = Array.from({ length: 8 }, (_, index) => ports.read(0x514 + index, 1));
    expect(text(Uint8Array.from(bytes))).toBe("QEMU CFG");
    expect(ports.read(0x518, 4)).toBe(swapped(0x2043_4647));
  });

  test("selects, skips and reads, with zeros behind the end", () => {
    const ports = busWith(files);
    expect(request(ports, (0x20 << 16) | 0x8 | 0x2, 65_535, target)).toBe(0);
    expect([...memory.subarray(target + 65_533, target + 65_536)]).toEqual([22, 23, 0xcc]);
    expect(request(ports, 0x4, 4_463, 0)).toBe(0);
    expect(request(ports, 0x2, 4, target)).toBe(0);
    expect([...memory.subarray(target, target + 5)]).toEqual([69_998 % 251, 69_999 % 251, 0, 0, 4]);
  });

  test.each([
    ["reaches beyond memory", 0x2, 16, memoryBytes - 8],
    ["reaches beyond all addresses", 0x2, 16, 2 ** 62],
    ["writes", 0x10, 4, target],
  ])("a request that %s is an error and changes nothing", (_, control, lengthBytes, address) => {
    const ports = busWith(files);
    const before = memory.slice();
    expect(request(ports, (0x20 << 16) | 0x8 | control, lengthBytes, address)).toBe(1);
    expect(memory.subarray(target)).toEqual(before.subarray(target));
  });

  test("a request that is not in memory is not served", () => {
    const ports = busWith(files);
    for (const high of [0, 1]) {
      ports.write(0x514, 4, high);
      expect(() => ports.write(0x518, 4, swapped(memoryBytes - 8))).not.toThrow();
    }
    expect(memory.every((byte) => byte === 0xcc)).toBe(true);
  });
});
