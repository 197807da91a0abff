/**
 * Virtual I/O Device (VIRTIO) Version 1.2, played by a small driver that finds its device through the configuration
 * ports, as a kernel does.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { InterruptController } from "../interrupts/interrupt-controller.ts";
import { PciHost } from "../pci/pci-host.ts";
import { pciWindowBase } from "../platform.ts";
import { BlockStoreError, MemoryStore, type BlockStore } from "../storage/block-store.ts";
import { Timeline } from "../timeline.ts";
import { BlockDevice } from "./block-device.ts";
import { ConsoleDevice, ConsoleLine } from "./console-device.ts";
import { EntropyDevice } from "./entropy-device.ts";
import type { VirtioDevice } from "./virtio-device.ts";
import { VirtioPci } from "./virtio-pci.ts";
import { chainBytesMaximum } from "./virtqueue.ts";

const memoryBytes = 1 << 20;
const slot = 1;
const vector = 0x51;
/** Where the driver has its queue. */
const [descriptors, available, used] = [0x1000, 0x2000, 0x3000];

type Buffer = readonly [physical: number, lengthBytes: number, access: "read" | "write"];

/** A driver with one queue of four, and a memory of its own. */
class Driver {
  readonly memory = new Uint8Array(memoryBytes);
  readonly view = new DataView(this.memory.buffer);
  readonly interrupts = new InterruptController(new Timeline({ now: 0 }), true);
  readonly host = new PciHost(this.interrupts);
  readonly virtio: VirtioPci;
  #common = 0;
  #notify = 0;
  configuration = 0;
  status = 0;
  /** The queue that the driver uses. */
  queue = 0;

  constructor(device: VirtioDevice) {
    this.interrupts.apic.write(0xf0, 4, 0x1ff);
    const dma = {
      sizeBytes: memoryBytes,
      read: (at: number, bytes: Uint8Array) =>
        bytes.set(this.memory.subarray(at, at + bytes.length)),
      write: (at: number, bytes: Uint8Array) => this.memory.set(bytes, at),
    };
    this.virtio = new VirtioPci(this.host, dma, device);
  }

  readPci(offset: number, sizeBytes: 1 | 2 | 4): number {
    this.host.writePort(0xcf8, 4, 0x8000_0000 + slot * 0x800 + (offset & 0xfc));
    return this.host.readPort(0xcfc + (offset & 3), sizeBytes);
  }

  writePci(offset: number, sizeBytes: 1 | 2 | 4, value: number): void {
    this.host.writePort(0xcf8, 4, 0x8000_0000 + slot * 0x800 + (offset & 0xfc));
    this.host.writePort(0xcfc + (offset & 3), sizeBytes, value);
  }

  /** Offsets in configuration space of the capabilities of one kind. */
  capabilities(id: number): number[] {
    const found: number[] = [];
    for (let at = this.readPci(0x34, 1); at !== 0; at = this.readPci(at + 1, 1)) {
      if (this.readPci(at, 1) === id) found.push(at);
    }
    return found;
  }

  read(physical: number, sizeBytes: 1 | 2 | 4): number {
    return this.host.read(physical - pciWindowBase, sizeBytes);
  }

  write(physical: number, sizeBytes: 1 | 2 | 4, value: number): void {
    this.host.write(physical - pciWindowBase, sizeBytes, value);
  }

  /** Section 3.1, "Device Initialization". `features` are those that the driver accepts of the low 32. */
  start(features = 0, useMsiX = true): void {
    this.writePci(0x04, 2, 0x0006);
    const bases = [this.readPci(0x10, 4), this.readPci(0x14, 4)];
    const partOf = (type: number): number => {
      const at = this.capabilities(9).find((offset) => this.readPci(offset + 3, 1) === type) ?? 0;
      return (bases[this.readPci(at + 4, 1)] ?? 0) + this.readPci(at + 8, 4);
    };
    this.#common = partOf(1);
    this.#notify = partOf(2);
    this.status = partOf(3);
    this.configuration = partOf(4);
    if (useMsiX) {
      const [capability = 0] = this.capabilities(0x11);
      this.writePci(capability + 2, 2, 0x8000);
      const table = bases[1] ?? 0;
      this.write(table, 4, 0xfee0_0000);
      this.write(table + 8, 4, vector);
      this.write(table + 12, 4, 0);
    }
    const { common } = this;
    this.write(common + 0x14, 1, 0);
    this.write(common + 0x14, 1, 3);
    this.write(common + 0x08, 4, 0);
    this.write(common + 0x0c, 4, features);
    this.write(common + 0x08, 4, 1);
    this.write(common + 0x0c, 4, 1);
    this.write(common + 0x14, 1, 11);
    this.write(common + 0x16, 2, this.queue);
    this.write(common + 0x18, 2, 4);
    if (useMsiX) this.write(common + 0x1a, 2, 0);
    for (const [offset, base] of [
      [0x20, descriptors],
      [0x28, available],
      [0x30, used],
    ] as const) {
      this.write(common + offset, 4, base);
      this.write(common + offset + 4, 4, 0);
    }
    this.write(common + 0x1c, 2, 1);
    this.write(common + 0x14, 1, 15);
  }

  get common(): number {
    return this.#common;
  }

  get deviceStatus(): number {
    return this.read(this.#common + 0x14, 1);
  }

  descriptor(index: number, physical: number, length: number, flags: number, next: number): void {
    const at = descriptors + 16 * index;
    this.view.setBigUint64(at, BigInt(physical), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  offer(head = 0): void {
    const index = this.view.getUint16(available + 2, true);
    this.view.setUint16(available + 4 + 2 * (index % 4), head, true);
    this.view.setUint16(available + 2, (index + 1) & 0xffff, true);
    this.write(this.#notify + 4 * this.queue, 2, this.queue);
  }

  /** Sends one chain, and gives how many bytes the device says it wrote; undefined when it did not answer. */
  send(...buffers: readonly Buffer[]): number | undefined {
    buffers.forEach(([physical, length, access], index) => {
      const flags = (access === "write" ? 2 : 0) | (index + 1 < buffers.length ? 1 : 0);
      this.descriptor(index, physical, length, flags, index + 1);
    });
    const before = this.view.getUint16(used + 2, true);
    this.offer();
    if (this.view.getUint16(used + 2, true) === before) return undefined;
    return this.view.getUint32(used + 4 + 8 * (before % 4) + 4, true);
  }
}

describe("a virtio disk", () => {
  const [header, data, status] = [0x8000, 0x9000, 0x7000];
  let contents: Uint8Array;
  let driver: Driver;

  beforeEach(() => {
    contents = Uint8Array.from({ length: 8 * 512 }, (_, at) => at >> 9);
    driver = new Driver(new BlockDevice({ store: new MemoryStore(contents), serial: "abc" }));
  });

  function request(
    type: number,
    sector: number,
    ...buffers: readonly Buffer[]
  ): number | undefined {
    driver.view.setUint32(header, type, true);
    driver.view.setBigUint64(header + 8, BigInt(sector), true);
    driver.memory[status] = 0xee;
    return driver.send([header, 16, "read"], ...buffers, [status, 1, "write"]);
  }

  test("is found as a modern device, with its capacity", () => {
    expect([driver.readPci(0, 2), driver.readPci(2, 2)]).toEqual([0x1af4, 0x1042]);
    expect(driver.virtio.isLive).toBe(false);
    driver.start();
    expect(driver.virtio.isLive).toBe(true);
    expect(driver.deviceStatus).toBe(15);
    expect(driver.read(driver.configuration, 4)).toBe(8);
  });

  test("shows its registers through configuration space, too", () => {
    const window = driver.capabilities(9).find((at) => driver.readPci(at + 3, 1) === 5) ?? 0;
    const look = (offset: number, size: 1 | 2 | 4): number => {
      driver.writePci(window + 4, 1, 0);
      driver.writePci(window + 8, 4, offset);
      driver.writePci(window + 12, 4, size);
      return driver.readPci(window + 16, size);
    };
    expect(look(0x2000, 4)).toBe(8); // the capacity
    expect(look(0x12, 2)).toBe(1); // the number of queues
    look(0x14, 1);
    driver.writePci(window + 16, 1, 3);
    expect(look(0x14, 1)).toBe(3);
    expect(look(0x3fff, 4)).toBe(0); // Not aligned: there is nothing to see.
    expect(look(0x10_0000, 4)).toBe(0);
  });

  test("reads sectors and interrupts by message", () => {
    driver.start();
    expect(request(0, 3, [data, 1024, "write"])).toBe(1025);
    expect([driver.memory[status], driver.memory[data], driver.memory[data + 1023]]).toEqual([
      0, 3, 4,
    ]);
    expect(driver.interrupts.acknowledge()).toBe(vector);
  });

  test("reaches no memory while it is not bus master", () => {
    driver.start();
    driver.writePci(0x04, 2, 0x0002);
    expect(driver.virtio.isLive).toBe(false);
    expect(request(0, 3, [data, 512, "write"])).toBeUndefined();
    expect([driver.memory[status], driver.memory[data]]).toEqual([0xee, 0]);
    driver.writePci(0x04, 2, 0x0006);
    expect(request(0, 3, [data, 512, "write"])).toBe(513);
  });

  test("writes sectors", () => {
    driver.start();
    driver.memory.fill(0x77, data, data + 512);
    expect(request(1, 7, [data, 512, "read"])).toBe(1);
    expect(driver.memory[status]).toBe(0);
    expect([contents[7 * 512 - 1], contents[7 * 512], contents[8 * 512 - 1]]).toEqual([
      6, 0x77, 0x77,
    ]);
  });

  test("gives its serial number, and does what is unsupported not at all", () => {
    driver.start();
    request(8, 0, [data, 20, "write"]);
    expect(new TextDecoder().decode(driver.memory.subarray(data, data + 3))).toBe("abc");
    request(99, 0);
    expect(driver.memory[status]).toBe(2);
  });

  test.each([
    ["beyond the end", 8, 512],
    ["across the end", 7, 1024],
    ["of half a sector", 0, 256],
    ["far beyond what numbers hold", 2 ** 52, 512],
  ])("a request %s is an I/O error", (_, sector, length) => {
    driver.start();
    request(0, sector, [data, length, "write"]);
    expect(driver.memory[status]).toBe(1);
    request(1, sector, [data, length, "read"]);
    expect(driver.memory[status]).toBe(1);
  });

  test("a store that fails is an I/O error", () => {
    const broken: BlockStore = {
      sizeBytes: 4096,
      read() {
        throw new BlockStoreError("The medium is gone.");
      },
      write() {},
      flush() {},
    };
    driver = new Driver(new BlockDevice({ store: broken }));
    driver.start();
    request(0, 0, [data, 512, "write"]);
    expect(driver.memory[status]).toBe(1);
  });

  test("that is read-only says so and takes no writes", () => {
    driver = new Driver(new BlockDevice({ store: new MemoryStore(contents), readOnly: true }));
    driver.start(1 << 5);
    expect(driver.deviceStatus).toBe(15);
    request(1, 0, [data, 512, "read"]);
    expect(driver.memory[status]).toBe(1);
    expect(contents[0]).toBe(0);
  });

  test("interrupts by its line without MSI-X, until the status is read", () => {
    driver.start(0, false);
    request(0, 0, [data, 512, "write"]);
    expect(driver.interrupts.pic.isOpen(11)).toBe(true);
    expect(driver.readPci(0x06, 2) & 8).toBe(8);
    expect(driver.read(driver.status, 1)).toBe(1);
    expect(driver.readPci(0x06, 2) & 8).toBe(0);
    expect(driver.read(driver.status, 1)).toBe(0);
  });

  test("follows indirect descriptors", () => {
    driver.start();
    driver.view.setUint32(header, 0, true);
    driver.view.setBigUint64(header + 8, 2n, true);
    driver.descriptor(0, header, 16, 1, 1);
    driver.descriptor(1, data, 512, 3, 2);
    driver.descriptor(2, status, 1, 2, 0);
    driver.memory.copyWithin(0x6000, descriptors, descriptors + 48);
    driver.descriptor(0, 0x6000, 48, 4, 0);
    driver.offer();
    expect([driver.memory[data], driver.memory[status]]).toEqual([2, 0]);
  });

  test.each([
    ["a descriptor outside the table", () => driver.offer(4)],
    ["a loop", () => (driver.descriptor(0, data, 16, 1, 0), driver.offer())],
    [
      "a buffer outside memory",
      () => (driver.descriptor(0, memoryBytes - 8, 16, 0, 0), driver.offer()),
    ],
    [
      "a buffer at the end of all addresses",
      () => (driver.descriptor(0, 2 ** 53, 16, 0, 0), driver.offer()),
    ],
    [
      "a nested indirect table",
      () => {
        driver.descriptor(0, descriptors + 16, 16, 4, 0);
        driver.descriptor(1, descriptors + 16, 16, 4, 0);
        driver.offer();
      },
    ],
    ["a request without a header", () => (driver.descriptor(0, data, 4, 0, 0), driver.offer())],
    [
      "an available index far ahead",
      () => {
        driver.view.setUint16(available + 2, 1000, true);
        driver.offer();
      },
    ],
  ])("%s makes it ask for a reset, and a reset helps", (_, breakIt) => {
    driver.start();
    breakIt();
    expect(driver.deviceStatus & 64).toBe(64);
    expect(request(0, 0, [data, 512, "write"])).toBeUndefined();
    driver.memory.fill(0, available, available + 0x2000);
    driver.start();
    expect(request(0, 5, [data, 512, "write"])).toBe(513);
    expect(driver.memory[data]).toBe(5);
  });

  test("interrupts at the buffer that the driver names, and names the next that it wants to hear of", () => {
    driver.start(1 << 29);
    const [usedEvent, availableEvent] = [available + 4 + 2 * 4, used + 4 + 8 * 4];
    driver.view.setUint16(usedEvent, 2, true);
    const interrupted = [0, 1, 2, 3].map((sector) => {
      request(0, sector, [data, 512, "write"]);
      expect(driver.view.getUint16(availableEvent, true)).toBe(sector + 1);
      const { isPending } = driver.interrupts;
      if (isPending) driver.interrupts.acknowledge();
      return isPending;
    });
    expect(interrupted).toEqual([false, false, true, false]);
  });

  test("interrupts for each buffer, unless the driver says no, when nobody names any", () => {
    driver.start();
    driver.view.setUint16(available, 1, true);
    request(0, 0, [data, 512, "write"]);
    expect(driver.interrupts.isPending).toBe(false);
    driver.view.setUint16(available, 0, true);
    request(0, 0, [data, 512, "write"]);
    expect(driver.interrupts.isPending).toBe(true);
  });

  test("lets no request be longer than a chain may be", () => {
    driver.start();
    const [segmentBytes, segments] = [8, 12].map((at) => driver.read(driver.configuration + at, 4));
    expect((segmentBytes ?? 0) * (segments ?? 0)).toBeLessThan(chainBytesMaximum);
  });

  test("refuses features that it has not offered", () => {
    driver.start(1 << 5); // read-only, which this disk is not
    expect(driver.deviceStatus & 8).toBe(0);
  });
});

test("an entropy device repeats for one seed and differs for another", () => {
  const bytesFrom = (seed: number): string => {
    const driver = new Driver(new EntropyDevice(seed));
    driver.start();
    expect(driver.send([0x9000, 32, "write"])).toBe(32);
    return driver.memory.subarray(0x9000, 0x9020).join(" ");
  };
  expect(bytesFrom(1)).toBe(bytesFrom(1));
  expect(bytesFrom(1)).not.toBe(bytesFrom(2));
});

describe("a virtio console", () => {
  const written: string[] = [];
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  let line: ConsoleLine;
  let driver: Driver;

  beforeEach(() => {
    written.length = 0;
    line = new ConsoleLine((bytes) => written.push(text(bytes)));
    driver = new Driver(new ConsoleDevice(line));
  });

  test("hands on what the driver writes", () => {
    driver.queue = 1;
    driver.start();
    driver.memory.set(new TextEncoder().encode("hello"), 0x9000);
    driver.send([0x9000, 2, "read"], [0x9002, 3, "read"]);
    expect(written).toEqual(["hello"]);
  });

  test("keeps what is written to it until the driver takes it, piece by piece", () => {
    driver.start();
    line.write(new TextEncoder().encode("abcdef"));
    expect(driver.send([0x9000, 4, "write"])).toBe(4);
    expect(driver.send([0x9004, 4, "write"])).toBe(2);
    expect(text(driver.memory.subarray(0x9000, 0x9006))).toBe("abcdef");
    expect(driver.send([0x9000, 4, "write"])).toBeUndefined();
    line.write(new TextEncoder().encode("g"));
    expect(driver.memory[0x9000]).toBe(0x67);
  });
});
