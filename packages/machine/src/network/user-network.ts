/**
 * A network of one machine's own, with the host's sockets behind it: what programs without privileges can give a machine.
 *
 * The machine gets its address by DHCP; the gateway answers ARP and echo requests, the name server asks the host for
 * names, and TCP and UDP go out by sockets of the host (RFC 3022, "Traditional IP Network Address Translator"). The
 * gateway's own address stands for the host. Without sockets the network ends at the gateway. Nothing comes in that was
 * not asked for.
 */
import { answerDhcp } from "./dhcp.ts";
import { dnsStatus, makeAnswer, readQuestion } from "./dns.ts";
import type { EthernetLink, EthernetPort } from "./ethernet-link.ts";
import type { HostDatagram, HostDatagrams, HostSockets } from "./host-sockets.ts";
import {
  addressFrom,
  checksum,
  dotted,
  etherType,
  fragmentsOf,
  makeFrame,
  makeIpv4,
  makeUdp,
  protocol,
  readFrame,
  readIpv4,
  readUdp,
  viewOf,
  type UdpDatagram,
} from "./packet.ts";
import { Reassembly } from "./reassembly.ts";
import { TcpConnection } from "./tcp-connection.ts";
import { makeTcp, readTcp, tcpFlag, type TcpSegment } from "./tcp-segment.ts";

/** 10.0.2.0/24, as in other emulators, so that people find what they expect. */
const network = 0x0a00_0200;
const netmask = 0xffff_ff00;
const gateway = network + 2;
const nameServer = network + 3;
const machineAddress = network + 15;
const broadcast = 0xffff_ffff;
const gatewayHardware = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);
const hostLoopback = "127.0.0.1";

const dhcpPort = { server: 67, client: 68 } as const;
const dnsPort = 53;
/** The host's sockets that one machine may hold. */
const connectionsMaximum = 256;
const datagramSocketsMaximum = 64;
/** Names that the host is asked for at once. */
const namesMaximum = 64;
/** How long an answer to a datagram is waited for. */
const datagramPatience = 2_000_000_000;
/** Sequence numbers of connections begin here, and go on by a step: runs repeat. */
const firstSequence = 0x1000_0000;
const sequenceStep = 0x0001_0000;

interface DatagramSocket {
  readonly socket: HostDatagrams;
  readonly machinePort: number;
}

export class UserNetwork implements EthernetLink {
  readonly #sockets: HostSockets | undefined;
  #port: EthernetPort | undefined;
  /** Where the machine's frames come from. */
  #machineHardware = new Uint8Array(6).fill(0xff);
  #machine = machineAddress;
  /** By the machine's port and the other side. */
  readonly #connections = new Map<string, TcpConnection>();
  /** By the machine's port, the one longest unused first. */
  readonly #datagramSockets = new Map<number, DatagramSocket>();
  #nextSequence = firstSequence;
  readonly #reassembly = new Reassembly();
  #nextIdentification = 0;
  /** Names whose addresses the machine awaits. */
  #namesAsked = 0;
  /** Names that the host looks up: those, and what was asked before a reset. */
  #namesPending = 0;
  #patienceEnds = 0;
  /** Machine time at which the card calls {@link onAlarm}. */
  #alarm = Infinity;
  /** Changes when the machine starts anew: answers to what was asked before are dropped. */
  #era = 0;

  /** @param sockets Those of the host; without them only the gateway and the name server's refusals answer. */
  constructor(sockets?: HostSockets) {
    this.#sockets = sockets;
  }

  get awaitsHost(): boolean {
    return this.#connections.size > 0 || this.#namesAsked > 0 || this.#now < this.#patienceEnds;
  }

  attach(port: EthernetPort): void {
    this.#port = port;
  }

  reset(): void {
    this.#era += 1;
    for (const connection of this.#connections.values()) connection.abort();
    this.#connections.clear();
    for (const { socket } of this.#datagramSockets.values()) socket.close();
    this.#datagramSockets.clear();
    this.#nextSequence = firstSequence;
    this.#reassembly.clear();
    this.#nextIdentification = 0;
    this.#namesAsked = 0;
    this.#patienceEnds = 0;
    this.#alarm = Infinity;
  }

  /** Connections whose machine has not answered send again. */
  onAlarm(): void {
    this.#alarm = Infinity;
    const now = this.#now;
    for (const connection of [...this.#connections.values()]) {
      if (connection.deadline <= now) connection.onTimeout();
    }
    this.#setAlarm(
      [...this.#connections.values()].reduce(
        (least, { deadline }) => Math.min(least, deadline),
        Infinity,
      ),
    );
  }

  send(bytes: Uint8Array): void {
    const frame = readFrame(bytes);
    if (frame === undefined) return;
    this.#machineHardware = frame.source.slice();
    if (frame.type === etherType.arp) this.#onArp(frame.payload);
    else if (frame.type === etherType.ipv4) this.#onIpv4(frame.payload);
  }

  /** RFC 826: who asks for an address of the network's own is told the gateway's. */
  #onArp(payload: Uint8Array): void {
    if (payload.length < 28) return;
    const view = viewOf(payload);
    const wanted = view.getUint32(24);
    const isRequest = view.getUint16(6) === 1 && view.getUint16(2) === etherType.ipv4;
    if (!isRequest || (wanted !== gateway && wanted !== nameServer)) return;
    const reply = payload.slice(0, 28);
    viewOf(reply).setUint16(6, 2);
    reply.set(gatewayHardware, 8);
    viewOf(reply).setUint32(14, wanted);
    reply.set(payload.subarray(8, 18), 18);
    this.#sendFrame(etherType.arp, reply);
  }

  #onIpv4(bytes: Uint8Array): void {
    const part = readIpv4(bytes);
    const packet = part === undefined ? undefined : this.#reassembly.add(part);
    if (packet === undefined) return;
    const { source, destination, payload } = packet;
    if (source !== 0) this.#machine = source;
    switch (packet.protocol) {
      case protocol.icmp:
        if (destination === gateway || destination === nameServer)
          this.#onEcho(destination, payload);
        break;
      case protocol.udp: {
        const datagram = readUdp(payload);
        if (datagram !== undefined) this.#onUdp(destination, datagram);
        break;
      }
      case protocol.tcp: {
        const segment = readTcp(payload);
        if (segment !== undefined) this.#onTcp(destination, segment);
      }
    }
  }

  /** RFC 792, "Echo or Echo Reply Message". */
  #onEcho(address: number, payload: Uint8Array): void {
    if (payload.length < 8 || payload[0] !== 8) return;
    const reply = payload.slice();
    reply.set([0, 0, 0, 0]);
    viewOf(reply).setUint16(2, checksum(reply));
    this.#sendPacket(protocol.icmp, address, this.#machine, reply);
  }

  #onUdp(destination: number, datagram: UdpDatagram): void {
    if (datagram.destinationPort === dhcpPort.server) this.#onDhcp(datagram.payload);
    else if (destination === nameServer && datagram.destinationPort === dnsPort) {
      this.#onName(datagram);
    } else this.#sendToHost(destination, datagram);
  }

  #onDhcp(message: Uint8Array): void {
    const answer = answerDhcp(message, {
      client: machineAddress,
      server: gateway,
      netmask,
      router: gateway,
      nameServer,
    });
    if (answer === undefined) return;
    const ports = { sourcePort: dhcpPort.server, destinationPort: dhcpPort.client };
    const payload = makeUdp(gateway, broadcast, { ...ports, payload: answer });
    this.#sendPacket(protocol.udp, gateway, broadcast, payload);
  }

  #onName({ sourcePort, payload }: UdpDatagram): void {
    const question = readQuestion(payload);
    if (question === undefined) return;
    const answer = (status: number, addresses: readonly number[] = []): void => {
      const reply = makeAnswer(payload, question, status, addresses);
      this.#sendUdp(nameServer, dnsPort, sourcePort, reply);
    };
    const sockets = this.#sockets;
    if (sockets === undefined) {
      answer(dnsStatus.serverFailure);
    } else if (!question.isAddress) {
      answer(dnsStatus.ok); // There is such a name perhaps, but no such record.
    } else if (this.#namesPending >= namesMaximum) {
      answer(dnsStatus.serverFailure);
    } else {
      const era = this.#era;
      const settle = (status: number, addresses?: readonly number[]): void => {
        this.#namesPending -= 1;
        if (era !== this.#era) return;
        this.#namesAsked -= 1;
        answer(status, addresses);
      };
      this.#namesAsked += 1;
      this.#namesPending += 1;
      sockets.resolve(question.name).then(
        (found) => {
          const addresses = found.map(addressFrom).filter((address) => address !== undefined);
          settle(addresses.length === 0 ? dnsStatus.nameError : dnsStatus.ok, addresses);
        },
        // What the host cannot do is the machine's to know, in the protocol's own words.
        () => settle(dnsStatus.serverFailure),
      );
    }
  }

  #sendToHost(destination: number, datagram: UdpDatagram): void {
    const address = hostAddress(destination);
    // Port 0 is nobody's (RFC 768), and hosts refuse to send there.
    const isSomewhere = address !== undefined && datagram.destinationPort !== 0;
    if (this.#sockets === undefined || !isSomewhere) return;
    const { socket } = this.#datagramSocket(this.#sockets, datagram.sourcePort);
    this.#patienceEnds = this.#now + datagramPatience;
    socket.send({ address, port: datagram.destinationPort, bytes: datagram.payload.slice() });
  }

  #datagramSocket(sockets: HostSockets, machinePort: number): DatagramSocket {
    const present = this.#datagramSockets.get(machinePort);
    this.#datagramSockets.delete(machinePort);
    const used = present ?? {
      machinePort,
      socket: sockets.openDatagrams((datagram) => this.#onDatagram(machinePort, datagram)),
    };
    this.#datagramSockets.set(machinePort, used);
    const [oldest] = this.#datagramSockets.values();
    if (this.#datagramSockets.size > datagramSocketsMaximum && oldest !== undefined) {
      oldest.socket.close();
      this.#datagramSockets.delete(oldest.machinePort);
    }
    return used;
  }

  #onDatagram(machinePort: number, { address, port, bytes }: HostDatagram): void {
    const from = address === hostLoopback ? gateway : addressFrom(address);
    if (from === undefined) return;
    this.#patienceEnds = 0;
    this.#sendUdp(from, port, machinePort, bytes);
  }

  #onTcp(destination: number, segment: TcpSegment): void {
    const key = `${segment.sourcePort} ${destination}:${segment.destinationPort}`;
    const present = this.#connections.get(key);
    if (present !== undefined) {
      present.receive(segment);
      return;
    }
    if ((segment.flags & tcpFlag.rst) !== 0) return;
    const sockets = this.#sockets;
    const address = hostAddress(destination);
    const isOpening = (segment.flags & (tcpFlag.syn | tcpFlag.ack)) === tcpFlag.syn;
    const hasRoom = this.#connections.size < connectionsMaximum;
    if (!isOpening || !hasRoom || sockets === undefined || address === undefined) {
      this.#refuse(destination, segment);
      return;
    }
    const reply = (answer: Omit<TcpSegment, "sourcePort" | "destinationPort">): void => {
      this.#sendTcp(destination, segment.destinationPort, segment.sourcePort, answer);
    };
    const sequence = this.#nextSequence;
    this.#nextSequence = (sequence + sequenceStep) % 2 ** 32;
    const connection = new TcpConnection(segment, sequence, {
      now: () => this.#now,
      send: reply,
      onDeadline: () => this.#setAlarm(connection.deadline),
      connect: (events) => sockets.connect(address, segment.destinationPort, events),
      onClosed: () => this.#connections.delete(key),
    });
    this.#connections.set(key, connection);
  }

  get #now(): number {
    return this.#port?.now ?? 0;
  }

  /** An alarm that comes too early finds nothing to do, so that deadlines which move need not be followed. */
  #setAlarm(deadline: number): void {
    if (deadline >= this.#alarm) return;
    this.#alarm = deadline;
    this.#port?.setAlarm(deadline);
  }

  /** RFC 9293, section 3.5.2, "Reset Generation". */
  #refuse(destination: number, segment: TcpSegment): void {
    const hasAck = (segment.flags & tcpFlag.ack) !== 0;
    const length =
      segment.payload.length + ((segment.flags & (tcpFlag.syn | tcpFlag.fin)) === 0 ? 0 : 1);
    this.#sendTcp(destination, segment.destinationPort, segment.sourcePort, {
      sequence: hasAck ? segment.acknowledgement : 0,
      acknowledgement: hasAck ? 0 : (segment.sequence + length) % 2 ** 32,
      flags: hasAck ? tcpFlag.rst : tcpFlag.rst | tcpFlag.ack,
      window: 0,
      payload: new Uint8Array(0),
    });
  }

  #sendTcp(
    from: number,
    sourcePort: number,
    destinationPort: number,
    segment: Omit<TcpSegment, "sourcePort" | "destinationPort">,
  ): void {
    const payload = makeTcp(from, this.#machine, { ...segment, sourcePort, destinationPort });
    this.#sendPacket(protocol.tcp, from, this.#machine, payload);
  }

  #sendUdp(from: number, sourcePort: number, destinationPort: number, payload: Uint8Array): void {
    const datagram = makeUdp(from, this.#machine, { sourcePort, destinationPort, payload });
    this.#sendPacket(protocol.udp, from, this.#machine, datagram);
  }

  #sendPacket(kind: number, source: number, destination: number, payload: Uint8Array): void {
    const packet = { protocol: kind, source, destination, payload };
    this.#nextIdentification = (this.#nextIdentification + 1) & 0xffff;
    for (const part of fragmentsOf(packet, this.#nextIdentification)) {
      this.#sendFrame(etherType.ipv4, makeIpv4(part));
    }
  }

  #sendFrame(type: number, payload: Uint8Array): void {
    this.#port?.receive(makeFrame(this.#machineHardware, gatewayHardware, type, payload));
  }
}

/** Where the host finds an address: itself for the gateway; nowhere for the rest of this network and for groups. */
function hostAddress(address: number): string | undefined {
  if (address === gateway) return hostLoopback;
  const isHere = (address & netmask) >>> 0 === network;
  const isGroup = address >= 0xe000_0000 || address === 0;
  return isHere || isGroup ? undefined : dotted(address);
}
