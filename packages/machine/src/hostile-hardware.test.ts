/** A whole PC programmed at random, as a hostile guest would: nothing is thrown, nothing hangs, and answers are in range. */
import { beforeEach, expect, test } from "vitest";
import { Board } from "./board.ts";
import { MemoryFolder } from "./fuse/memory-folder.ts";
import type { HostDatagrams, HostSockets } from "./network/host-sockets.ts";
import { makeFrame, makeIpv4, makeUdp, protocol } from "./network/packet.ts";
import { makeTcp } from "./network/tcp-segment.ts";
import { UserNetwork } from "./network/user-network.ts";
import { MemoryStore } from "./storage/block-store.ts";
import { ConsoleLine } from "./virtio/console-device.ts";

const memoryBytes = 1 << 20;
const steps = 20_000;
const ports = [
  0x60, 0x64, 0x510, 0x511, 0x514, 0x518, 0x600, 0x602, 0x604, 0x608, 0xcf8, 0xcf9, 0xcfc, 0xcfe,
];
/** Where the firmware puts the first devices' registers: common configuration, status, notifications, MSI-X. */
const interesting = [
  0x0, 0x4, 0x8, 0xc, 0x14, 0x16, 0x18, 0x1c, 0x20, 0x28, 0x30, 0x1000, 0x3000, 0x3004,
];
const stride = 0x8000;
const devices = 5;

function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Throw at what Node's sockets throw at. */
const strictSockets: HostSockets = {
  connect: (_, port) => {
    requirePort(port, 0);
    return { bufferedBytes: 0, write() {}, end() {}, abort() {}, setReading() {} };
  },
  openDatagrams(): HostDatagrams {
    let isClosed = false;
    return {
      send({ port }) {
        requirePort(port, 1);
        if (isClosed) throw new Error("The socket is closed.");
        sent += 1;
      },
      close() {
        if (isClosed) throw new Error("The socket is closed already.");
        isClosed = true;
      },
    };
  },
  resolve: () => Promise.reject(new Error("There is no network.")),
};

function requirePort(port: number, least: number): void {
  if (!Number.isInteger(port) || port < least || port > 0xffff) {
    throw new RangeError(`${port} is no port.`);
  }
}

/** Datagrams that reached the host. */
let sent: number;
let network: UserNetwork;
let clock: { now: number };
let memory: Uint8Array;
/** By devices, into memory. */
let writes: number;
let line: ConsoleLine;
let board: Board;

beforeEach(() => {
  clock = { now: 0 };
  sent = 0;
  network = new UserNetwork(strictSockets);
  writes = 0;
  memory = new Uint8Array(memoryBytes);
  line = new ConsoleLine(() => {});
  board = new Board({
    clock,
    memoryBytes,
    epochSeconds: 0,
    dma: {
      sizeBytes: memoryBytes,
      read: (at, bytes) => bytes.set(memory.subarray(at, at + bytes.length)),
      write(at, bytes) {
        writes += 1;
        memory.set(bytes, at);
      },
    },
    hardware: {
      disks: [{ store: new MemoryStore(new Uint8Array(8192)) }],
      entropySeed: 1,
      networks: [{ link: network }],
      shares: [{ tag: "x", folder: new MemoryFolder(new Map([["a", new Uint8Array(10)]])) }],
      consoles: [line],
    },
    onExit: () => {},
  });
});

/** All functions on, at the places where the firmware has put them. */
function switchOn(): void {
  for (let slot = 1; slot <= devices; slot += 1) {
    board.ports.write(0xcf8, 4, 0x8000_0004 + slot * 0x800);
    board.ports.write(0xcfc, 2, 6);
  }
}

test.each([1, 2, 3, 4, 5, 6])("random programming with the seed %i breaks nothing", (seed) => {
  const random = randomNumbers(seed * 0x9e37_79b1);
  const problems: string[] = [];
  const window = board.mmio.find(({ base }) => base === 0xe000_0000);
  switchOn();
  for (let index = 0; index < steps; index += 1) {
    const size = ([1, 2, 4] as const)[random(3)] ?? 4;
    const value = [random(16), random(memoryBytes), random(0x1_0000_0000)][random(3)] ?? 0;
    const port = ports[random(ports.length)] ?? 0;
    const region = board.mmio[random(board.mmio.length)];
    const offset = random(region?.sizeBytes ?? 1);
    const register = stride * random(devices) + (interesting[random(interesting.length)] ?? 0);
    const check = (read: number, from: string): void => {
      if (!(read >= 0 && read < 2 ** (8 * size)))
        problems.push(`${read} of ${size} bytes from ${from}`);
    };
    switch (random(9)) {
      case 0:
        // Not the address of PCI registers, or the devices would soon be gone from where they are.
        if (port !== 0xcfc && port !== 0xcfe) board.ports.write(port, size, value);
        break;
      case 1:
        check(board.ports.read(port, size), `port ${port}`);
        break;
      case 2:
        region?.write(offset, size, value);
        break;
      case 3:
        check(region?.read(offset, size) ?? 0, `memory ${region?.base} + ${offset}`);
        break;
      case 4:
        window?.write(register, size, value);
        break;
      case 5: {
        // A driver that knows how to begin, and has its rings anywhere.
        const device = register - (register % stride);
        const at = (): number => 16 * random(0x800);
        for (const [field, bytes, content] of [
          [0x14, 1, 0],
          [0x14, 1, 3],
          [0x08, 4, 1],
          [0x0c, 4, 1],
          [0x14, 1, 11],
          [0x16, 2, random(2)],
          [0x20, 4, at()],
          [0x28, 4, at()],
          [0x30, 4, at()],
          [0x1c, 2, 1],
          [0x14, 1, 15],
          [0x3000, 2, 0],
          [0x3004, 2, 1],
        ] as const) {
          window?.write(device + field, bytes, content);
        }
        break;
      }
      case 6:
        // Mostly zeros and small numbers, so that some descriptors make sense.
        for (let count = 0; count < 2000; count += 1) {
          memory[random(0x8000)] = random(4) === 0 ? random(256) : random(3) * random(2);
        }
        break;
      case 7:
        clock.now += random(100_000);
        board.dispatchDue();
        break;
      default:
        line.write(Uint8Array.of(value));
    }
  }
  expect(problems).toEqual([]);
  expect(writes).toBeGreaterThan(10); // Else the devices were never reached.
  board.reset();
  expect(board.end).toBeUndefined();
});

test.each([1, 2, 3])("frames at random, with the seed %i, break nothing", (seed) => {
  const random = randomNumbers(seed * 0x9e37_79b1);
  const of = (...choices: readonly number[]): number => choices[random(choices.length)] ?? 0;
  const port = (): number => of(0, 9, 53, 67, random(0x1_0000));
  const source = 0x0a00_020f;
  for (let index = 0; index < steps; index += 1) {
    const destination = of(0x0a00_0202, 0x0a00_0203, 0xc000_0201, 0, random(0x1_0000_0000));
    const content = Uint8Array.from({ length: random(64) }, () => random(256));
    const ports = { sourcePort: port(), destinationPort: port(), payload: content };
    const numbers = { sequence: random(0x1_0000_0000), acknowledgement: random(0x1_0000_0000) };
    const kind = of(protocol.udp, protocol.tcp, protocol.icmp);
    const payload =
      kind === protocol.udp
        ? makeUdp(source, destination, ports)
        : kind === protocol.tcp
          ? makeTcp(source, destination, { ...ports, ...numbers, flags: random(64), window: 512 })
          : content;
    const packet = makeIpv4({ protocol: kind, source, destination, payload });
    const frame = makeFrame(content, content, of(0x0800, 0x0806), packet);
    if (random(4) === 0) frame[random(frame.length)] = random(256);
    network.send(frame.subarray(0, random(8) === 0 ? random(frame.length) : frame.length));
    if (random(1000) === 0) network.reset();
  }
  expect(sent).toBeGreaterThan(100);
});

test("rings that overlap, so that using a buffer makes another available, come to an end", () => {
  switchOn();
  const window = board.mmio.find(({ base }) => base === 0xe000_0000);
  const entropy = stride; // the second device
  const set = (offset: number, size: 1 | 2 | 4, value: number): void =>
    window?.write(entropy + offset, size, value);
  set(0x14, 1, 3);
  set(0x08, 4, 1);
  set(0x0c, 4, 1);
  set(0x14, 1, 11);
  set(0x20, 4, 0x1000);
  set(0x28, 4, 0x2000); // the driver's ring
  set(0x30, 4, 0x2000); // and the device's on top of it: its index is the driver's
  set(0x1c, 2, 1);
  set(0x14, 1, 15);
  memory.set([0, 0x40, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0], 0x1000);
  memory.set([1, 0, 1, 0], 0x2000);
  set(0x3000, 2, 0);
  expect(memory[0x2002]).toBeGreaterThan(0);
});
