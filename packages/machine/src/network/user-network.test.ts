/** The network as a machine sees it: frames in, frames out. The host's side is played by sockets that the test holds. */
import { beforeEach, describe, expect, test } from "vitest";
import type { HostConnectionEvents, HostDatagram, HostSockets } from "./host-sockets.ts";
import {
  addressFrom,
  checksum,
  fragmentsOf,
  makeFrame,
  makeIpv4,
  makeUdp,
  protocol,
  readFrame,
  readIpv4,
  readUdp,
  transportChecksum,
  viewOf,
  type Ipv4Packet,
} from "./packet.ts";
import { Reassembly } from "./reassembly.ts";
import { makeTcp, readTcp, tcpFlag, type TcpSegment } from "./tcp-segment.ts";
import { UserNetwork } from "./user-network.ts";

const hardware = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);
const machine = 0x0a00_020f;
const gateway = 0x0a00_0202;
const nameServer = 0x0a00_0203;
const { ack, fin, psh, rst, syn } = tcpFlag;
const none = new Uint8Array(0);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (characters: string): Uint8Array => new TextEncoder().encode(characters);

/** One connection of the host, as the test sees it. */
class HostSide {
  readonly address: string;
  readonly events: HostConnectionEvents;
  readonly log: string[] = [];
  bufferedBytes = 0;

  constructor(address: string, events: HostConnectionEvents) {
    this.address = address;
    this.events = events;
  }

  write(bytes: Uint8Array): void {
    this.log.push(text(bytes));
  }
  end(): void {
    this.log.push("<end>");
  }
  abort(): void {
    this.log.push("<abort>");
  }
  setReading(isReading: boolean): void {
    this.log.push(isReading ? "<read>" : "<hold>");
  }
}

let now: number;
let alarm: number;
let frames: Uint8Array[];
let connections: HostSide[];
let datagrams: HostDatagram[];
let receiveDatagram: ((datagram: HostDatagram) => void) | undefined;
let network: UserNetwork;

const sockets: HostSockets = {
  connect(address, port, events) {
    const side = new HostSide(`${address}:${port}`, events);
    connections.push(side);
    return side;
  },
  openDatagrams(onDatagram) {
    receiveDatagram = onDatagram;
    return { send: (datagram) => datagrams.push(datagram), close: () => {} };
  },
  async resolve(name) {
    if (name === "broken.example") throw new Error("The host has no network.");
    return name === "www.example" ? ["192.0.2.1", "192.0.2.2"] : [];
  },
};

function plugInto(link: UserNetwork): void {
  link.attach({
    get now() {
      return now;
    },
    receive: (frame) => frames.push(frame),
    setAlarm: (deadline) => (alarm = deadline),
  });
}

beforeEach(() => {
  now = 0;
  alarm = Infinity;
  frames = [];
  connections = [];
  datagrams = [];
  network = new UserNetwork(sockets);
  plugInto(network);
});

function sendIp(kind: number, destination: number, payload: Uint8Array, source = machine): void {
  const packet = makeIpv4({ protocol: kind, source, destination, payload });
  network.send(makeFrame(new Uint8Array(6).fill(0xff), hardware, 0x0800, packet));
}

/** Time passes until the network's next alarm, and gives how much. */
function ring(): number {
  const passed = alarm - now;
  now = alarm;
  alarm = Infinity;
  network.onAlarm();
  return passed;
}

/** The last packet that came, its checksum proved. */
function lastIp(): { source: number; destination: number; payload: Uint8Array } {
  const frame = readFrame(frames.at(-1) ?? none);
  expect(frames.at(-1)?.subarray(0, 6)).toEqual(hardware);
  const packet = readIpv4(frame?.payload ?? none);
  if (packet === undefined) throw new Error("No packet came.");
  return packet;
}

function sendUdp(destination: number, destinationPort: number, payload: Uint8Array): void {
  sendIp(
    protocol.udp,
    destination,
    makeUdp(machine, destination, { sourcePort: 4000, destinationPort, payload }),
  );
}

test("ARP is answered for the gateway and the name server, and for nobody else", () => {
  const ask = (address: number): number => {
    const request = new Uint8Array(28);
    const view = viewOf(request);
    view.setUint16(0, 1);
    view.setUint16(2, 0x0800);
    view.setUint16(4, 0x0604);
    view.setUint16(6, 1);
    request.set(hardware, 8);
    view.setUint32(14, machine);
    view.setUint32(24, address);
    frames = [];
    network.send(makeFrame(new Uint8Array(6).fill(0xff), hardware, 0x0806, request));
    return frames.length;
  };
  expect([ask(gateway), ask(nameServer), ask(machine), ask(gateway + 40)]).toEqual([1, 1, 0, 0]);
  ask(gateway);
  const reply = readFrame(frames[0] ?? none);
  expect(viewOf(reply?.payload ?? none).getUint16(6)).toBe(2);
  expect(reply?.payload.subarray(18, 24)).toEqual(hardware);
});

test("the gateway answers echo requests with their data", () => {
  const request = new Uint8Array(16).fill(7);
  request.set([8, 0, 0, 0]);
  viewOf(request).setUint16(2, checksum(request));
  sendIp(protocol.icmp, gateway, request);
  const { payload } = lastIp();
  expect([payload[0], checksum(payload)]).toEqual([0, 0]);
  expect(payload.subarray(4)).toEqual(request.subarray(4));
});

describe("packets in fragments", () => {
  const long = Uint8Array.from({ length: 4000 }, (_, at) => (at * 7) & 0xff);
  const parts = (payload: Uint8Array, identification = 9): Ipv4Packet[] => [
    ...fragmentsOf(
      { protocol: protocol.udp, source: machine, destination: gateway, payload },
      identification,
    ),
  ];
  const datagram = makeUdp(machine, gateway, {
    sourcePort: 4000,
    destinationPort: 9,
    payload: long,
  });
  const sendPart = (part: Ipv4Packet | undefined): void => {
    if (part === undefined) throw new Error("There is no such part.");
    network.send(makeFrame(new Uint8Array(6).fill(0xff), hardware, 0x0800, makeIpv4(part)));
  };

  test.each([
    ["in order", [0, 1, 2]],
    ["in any order", [2, 0, 1]],
  ])("arrive whole, when they come %s", (_, order) => {
    const all = parts(datagram);
    expect(all.length).toBe(3);
    for (const index of order) sendPart(all[index]);
    expect(datagrams).toEqual([{ address: "127.0.0.1", port: 9, bytes: long }]);
  });

  test("of two packets are kept apart", () => {
    const [first, second] = [parts(datagram, 1), parts(datagram, 2)];
    for (const index of [0, 1, 2]) {
      sendPart(first[index]);
      if (index > 0) sendPart(second[index]);
    }
    expect(datagrams.length).toBe(1);
    sendPart(second[0]);
    expect(datagrams.length).toBe(2);
  });

  test.each([
    ["overlap", 1480, 1472],
    ["leave a hole", 1480, 1488],
    ["are no multiple of eight bytes", 4, 1480],
    ["reach beyond the longest packet", 8, 65_528],
  ])("that %s are dropped", (_, lengthBytes, offsetBytes) => {
    const [first, , last] = parts(datagram);
    sendPart(first);
    sendPart({
      protocol: protocol.udp,
      source: machine,
      destination: gateway,
      payload: new Uint8Array(lengthBytes),
      fragment: { identification: 9, offsetBytes, hasMore: true },
    });
    sendPart(last);
    expect(datagrams).toEqual([]);
  });

  test("that are never finished are held in small number", () => {
    const first = parts(datagram, 0);
    sendPart(first[0]);
    for (let identification = 1; identification <= 16; identification += 1) {
      sendPart(parts(datagram, identification)[0]);
    }
    sendPart(first[1]);
    sendPart(first[2]);
    expect(datagrams).toEqual([]);
    for (const index of [1, 2]) sendPart(parts(datagram, 16)[index]);
    expect(datagrams.length).toBe(1);
  });

  test("carry long datagrams and echoes to the machine", () => {
    sendUdp(gateway, 9, bytesOf("hi"));
    receiveDatagram?.({ address: "127.0.0.1", port: 9, bytes: long });
    const reassembly = new Reassembly();
    const whole = frames
      .map((frame) => readIpv4(readFrame(frame)?.payload ?? none))
      .map((part) => (part === undefined ? undefined : reassembly.add(part)))
      .at(-1);
    expect(frames.map(({ length }) => length)).toEqual([1514, 1514, 1082]);
    expect(readUdp(whole?.payload ?? none)?.payload).toEqual(long);
  });
});

describe("DHCP", () => {
  function dhcp(type: number, wanted?: number): Uint8Array {
    const message = new Uint8Array(260);
    const view = viewOf(message);
    view.setUint8(0, 1);
    view.setUint32(4, 0x1234_5678);
    message.set(hardware, 28);
    view.setUint32(236, 0x6382_5363);
    message.set([53, 1, type], 240);
    if (wanted !== undefined) {
      message.set([50, 4], 243);
      view.setUint32(245, wanted);
    }
    message[wanted === undefined ? 243 : 249] = 255;
    const payload = makeUdp(0, 0xffff_ffff, {
      sourcePort: 68,
      destinationPort: 67,
      payload: message,
    });
    frames = [];
    sendIp(protocol.udp, 0xffff_ffff, payload, 0);
    const datagram = readUdp(lastIp().payload);
    if (datagram === undefined) throw new Error("No datagram came.");
    expect([datagram.sourcePort, datagram.destinationPort]).toEqual([67, 68]);
    return datagram.payload;
  }

  test.each([
    ["an offer", 1, undefined, 2, machine],
    ["an acknowledgement", 3, machine, 5, machine],
    ["a refusal of another address", 3, 0xc0a8_0001, 6, 0],
  ])("gives %s", (_, type, wanted, answer, address) => {
    const reply = dhcp(type, wanted);
    expect(viewOf(reply).getUint32(4)).toBe(0x1234_5678);
    expect(reply[242]).toBe(answer);
    expect(viewOf(reply).getUint32(16)).toBe(address);
  });
});

describe("names", () => {
  function query(name: string, type = 1): Uint8Array {
    const labels = name.split(".").flatMap((label) => [label.length, ...bytesOf(label)]);
    return Uint8Array.of(0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1);
  }

  async function ask(name: string, type?: number): Promise<DataView> {
    sendUdp(nameServer, 53, query(name, type));
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    const datagram = readUdp(lastIp().payload);
    return viewOf(datagram?.payload ?? none);
  }

  test.each([
    ["www.example", 1, 0, 2],
    ["www.example", 28, 0, 0],
    ["none.example", 1, 3, 0],
    ["broken.example", 1, 2, 0],
  ])("%s of type %i gives status %i and %i addresses", async (name, type, status, count) => {
    const reply = await ask(name, type);
    expect([reply.getUint16(0), reply.getUint16(2) & 0x800f, reply.getUint16(6)]).toEqual([
      0xabcd,
      0x8000 | status,
      count,
    ]);
    expect(network.awaitsHost).toBe(false);
  });

  test("have all their addresses", async () => {
    const reply = await ask("www.example");
    expect([reply.getUint32(reply.byteLength - 20), reply.getUint32(reply.byteLength - 4)]).toEqual(
      [addressFrom("192.0.2.1"), addressFrom("192.0.2.2")],
    );
  });

  test("beyond what the host looks up at once are refused, through every reset", async () => {
    const found: ((addresses: readonly string[]) => void)[] = [];
    network = new UserNetwork({
      ...sockets,
      resolve: () => new Promise((resolve) => void found.push(resolve)),
    });
    plugInto(network);
    for (let index = 0; index < 64; index += 1) sendUdp(nameServer, 53, query("www.example"));
    expect([found.length, frames.length]).toEqual([64, 0]);
    network.reset();
    expect((await ask("www.example")).getUint16(2) & 0xf).toBe(2);
    expect([found.length, network.awaitsHost]).toEqual([64, false]);
    found[0]?.([]);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    sendUdp(nameServer, 53, query("www.example"));
    expect(found.length).toBe(65);
  });

  test("make the machine wait for the host, unless it starts anew", () => {
    sendUdp(nameServer, 53, query("www.example"));
    expect(network.awaitsHost).toBe(true);
    network.reset();
    expect(network.awaitsHost).toBe(false);
  });

  test.each([
    ["a name without an end", query("www.example").subarray(0, 20)],
    ["two questions", query("www.example").map((byte, at) => (at === 5 ? 2 : byte))],
    ["nothing", none],
  ])("%s is not answered", (_, message) => {
    sendUdp(nameServer, 53, message);
    expect(frames).toEqual([]);
  });
});

test("datagrams go out by the host, and answers come back from where they were sent", () => {
  sendUdp(gateway, 9, bytesOf("hi"));
  expect(datagrams).toEqual([{ address: "127.0.0.1", port: 9, bytes: bytesOf("hi") }]);
  expect(network.awaitsHost).toBe(true);
  receiveDatagram?.({ address: "127.0.0.1", port: 9, bytes: bytesOf("ho") });
  const { source, destination, payload } = lastIp();
  expect([source, destination]).toEqual([gateway, machine]);
  expect(readUdp(payload)).toMatchObject({ sourcePort: 9, destinationPort: 4000 });
  expect(network.awaitsHost).toBe(false);
  sendUdp(gateway, 9, bytesOf("hi"));
  now = 3_000_000_000;
  expect(network.awaitsHost).toBe(false);
});

test("a datagram for port 0 goes nowhere", () => {
  sendUdp(gateway, 0, bytesOf("hi"));
  expect([datagrams, network.awaitsHost]).toEqual([[], false]);
});

describe("TCP", () => {
  const remote = 0xc000_0201;
  let sequence: number;
  let expected: number;

  /** Sends a segment, and gives those that came back. */
  function send(
    flags: number,
    payload: Uint8Array = none,
    more: Partial<TcpSegment> = {},
  ): TcpSegment[] {
    const from = frames.length;
    const segment = {
      sourcePort: 5000,
      destinationPort: 80,
      sequence,
      acknowledgement: expected,
      flags,
      window: 8192,
      payload,
      ...more,
    };
    sendIp(protocol.tcp, remote, makeTcp(machine, remote, segment));
    return segmentsFrom(from);
  }

  function segmentsFrom(index: number): TcpSegment[] {
    return frames.slice(index).map((frame) => {
      const packet = readIpv4(readFrame(frame)?.payload ?? none);
      if (packet === undefined) throw new Error("Something else than a packet came.");
      expect(
        transportChecksum(packet.source, packet.destination, protocol.tcp, packet.payload),
      ).toBe(0);
      const segment = readTcp(packet.payload);
      if (segment === undefined) throw new Error("Something else than a segment came.");
      return segment;
    });
  }

  function plusOne(value = 0): number {
    return (value + 1) % 2 ** 32;
  }

  function open(): HostSide {
    sequence = 0xffff_fff0; // It wraps around soon.
    expected = 0;
    expect(send(syn, none, { maximumSegmentBytes: 1000 })).toEqual([]);
    const [host] = connections;
    if (host === undefined) throw new Error("The host was not asked to connect.");
    expect(host.address).toBe("192.0.2.1:80");
    host.events.onOpen();
    const [reply] = segmentsFrom(0);
    expect(reply).toMatchObject({ flags: syn | ack, acknowledgement: sequence + 1 });
    sequence += 1;
    expected = (reply?.sequence ?? 0) + 1;
    expect(send(ack)).toEqual([]);
    frames = [];
    return host;
  }

  test("carries bytes to the host, across the wrap of sequence numbers", () => {
    const host = open();
    const [reply] = send(ack | psh, bytesOf("a".repeat(20)));
    sequence = (sequence + 20) % 2 ** 32;
    expect(reply?.acknowledgement).toBe(sequence);
    send(ack | psh, bytesOf("b"));
    expect(host.log).toEqual(["a".repeat(20), "b"]);
  });

  test("takes what comes twice once, and asks again for what is missing", () => {
    const host = open();
    send(ack | psh, bytesOf("abc"));
    send(ack | psh, bytesOf("abcdef"));
    expect(host.log).toEqual(["abc", "def"]);
    sequence = (sequence + 100) % 2 ** 32;
    expect(send(ack | psh, bytesOf("late"))[0]?.acknowledgement).toBe(
      (sequence - 94 + 2 ** 32) % 2 ** 32,
    );
    expect(host.log).toEqual(["abc", "def"]);
  });

  test("brings bytes of the host in segments that fit, as far as the window goes", () => {
    const host = open();
    send(ack, none, { window: 2500 });
    host.events.onData(new Uint8Array(4000).fill(1));
    expect(segmentsFrom(0).map(({ payload }) => payload.length)).toEqual([1000, 1000]);
    expected += 2000;
    expect(send(ack, none, { window: 8192 }).map(({ payload }) => payload.length)).toEqual([
      1000, 1000,
    ]);
  });

  test("sends again after three repeated acknowledgements", () => {
    const host = open();
    host.events.onData(bytesOf("lost"));
    expect([...send(ack), ...send(ack)]).toEqual([]);
    expect(send(ack).map(({ payload }) => text(payload))).toEqual(["lost"]);
  });

  test("sends again what nobody acknowledges, at longer and longer intervals", () => {
    const host = open();
    host.events.onData(bytesOf("lost"));
    const from = frames.length;
    expect([ring(), ring(), ring()]).toEqual([300_000_000, 600_000_000, 1_200_000_000]);
    expect(segmentsFrom(from).map(({ payload }) => text(payload))).toEqual([
      "lost",
      "lost",
      "lost",
    ]);
    expected += 4;
    send(ack);
    host.events.onData(bytesOf("next"));
    const last = frames.length;
    expect(ring()).toBe(300_000_000);
    expect(segmentsFrom(last).map(({ payload }) => text(payload))).toEqual(["next"]);
  });

  test("opens again for a machine that has not got the answer", () => {
    sequence = 1;
    expected = 0;
    send(syn);
    connections[0]?.events.onOpen();
    const opening = { flags: syn | ack, acknowledgement: 2, maximumSegmentBytes: 1460 };
    expect(send(syn)).toMatchObject([opening]);
    const from = frames.length;
    ring();
    expect(segmentsFrom(from)).toMatchObject([opening]);
  });

  test("keeps bytes of the host until the machine knows of the connection", () => {
    sequence = 1;
    expected = 0;
    send(syn);
    const [host] = connections;
    host?.events.onOpen();
    host?.events.onData(bytesOf("early"));
    expect(segmentsFrom(0).map(({ payload }) => text(payload))).toEqual([""]);
    sequence = 2;
    expected = plusOne(segmentsFrom(0)[0]?.sequence);
    expect(send(ack).map(({ payload }) => text(payload))).toEqual(["early"]);
  });

  test("lets go of the host when the machine says nothing for three minutes", () => {
    const host = open();
    host.events.onData(bytesOf("lost"));
    const start = now;
    for (let count = 0; network.awaitsHost; count += 1) {
      expect(count).toBeLessThan(20);
      ring();
    }
    expect(host.log).toEqual(["<abort>"]);
    expect(segmentsFrom(0).at(-1)?.flags).toBe(rst | ack);
    expect((now - start) / 1e9).toBeGreaterThan(180);
  });

  test("ends each direction on its own", () => {
    const host = open();
    host.events.onEnd();
    expect(segmentsFrom(0)).toMatchObject([{ flags: fin | ack }]);
    expected += 1;
    send(ack);
    send(ack | psh, bytesOf("still here"));
    sequence = (sequence + 10) % 2 ** 32;
    expect(host.log).toEqual(["still here"]);
    expect(network.awaitsHost).toBe(true);
    expect(send(fin | ack)).toMatchObject([
      { flags: ack, acknowledgement: (sequence + 1) % 2 ** 32 },
    ]);
    expect(host.log.at(-1)).toBe("<end>");
    expect(network.awaitsHost).toBe(false);
  });

  test("refuses what the host refuses", () => {
    sequence = 1;
    expected = 0;
    send(syn);
    connections[0]?.events.onClose(true);
    expect(segmentsFrom(0)).toMatchObject([{ flags: rst | ack, acknowledgement: 2 }]);
    expect(network.awaitsHost).toBe(false);
  });

  test("breaks the host's connection off when the machine resets it", () => {
    const host = open();
    send(rst);
    expect(host.log).toEqual(["<abort>"]);
    expect(network.awaitsHost).toBe(false);
  });

  test("closes its window while the host does not take more, and opens it again", () => {
    const host = open();
    host.bufferedBytes = 0xffff;
    expect(send(ack | psh, bytesOf("xyz"))[0]).toMatchObject({
      window: 0,
      acknowledgement: sequence,
    });
    expect(host.log).toEqual([]);
    host.bufferedBytes = 0;
    frames = [];
    host.events.onDrain();
    expect(segmentsFrom(0)[0]?.window).toBe(0xffff);
  });

  test("holds the host back while the machine does not take more", () => {
    const host = open();
    host.events.onData(new Uint8Array(300_000));
    expect(host.log).toEqual(["<hold>"]);
  });

  test("answers what belongs to no connection with a reset, and a reset with nothing", () => {
    sequence = 10;
    expected = 77;
    expect(send(ack)).toMatchObject([{ flags: rst, sequence: 77 }]);
    expect(send(rst)).toEqual([]);
  });

  test("ends at the gateway without sockets", () => {
    network = new UserNetwork();
    plugInto(network);
    sequence = 10;
    expected = 0;
    expect(send(syn)).toMatchObject([{ flags: rst | ack, acknowledgement: 11 }]);
  });
});

test("frames of any bytes do no harm", () => {
  let state = 1;
  const kinds = [1, 6, 17];
  for (let round = 0; round < 2000; round += 1) {
    const frame = new Uint8Array(14 + (round % 120));
    for (let at = 0; at < frame.length; at += 1) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      frame[at] = state >>> 16;
    }
    frame.set([8, round % 2 === 0 ? 0 : 6], 12);
    if (round % 3 === 0 && frame.length > 40) {
      frame.set(
        [0x45, 0, 0, frame.length - 14, 0, 0, 0, 0, 64, kinds[(round / 3) % 3] ?? 6, 0, 0],
        14,
      );
      viewOf(frame).setUint16(24, checksum(frame.subarray(14, 34)));
    }
    expect(() => network.send(frame)).not.toThrow();
  }
});
