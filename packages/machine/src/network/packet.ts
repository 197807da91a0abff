/**
 * Ethernet, ARP, IPv4, ICMP and UDP: reading what a machine sends, and making what it gets.
 *
 * RFC 826, "An Ethernet Address Resolution Protocol"; RFC 791, "Internet Protocol", section 3.1, "Internet Header Format";
 * RFC 768, "User Datagram Protocol". Addresses are numbers of 32 bits.
 */

export const etherType = { ipv4: 0x0800, arp: 0x0806 } as const;
export const protocol = { icmp: 1, tcp: 6, udp: 17 } as const;

const ethernetBytes = 14;
const ipBytes = 20;

export interface EthernetFrame {
  readonly source: Uint8Array;
  readonly type: number;
  readonly payload: Uint8Array;
}

export interface Ipv4Packet {
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
  readonly payload: Uint8Array;
  /** When this is a part of a packet. */
  readonly fragment?: Fragment;
}

export interface Fragment {
  /** The same in all parts of a packet. */
  readonly identification: number;
  /** Of the payload in that of the packet. */
  readonly offsetBytes: number;
  readonly hasMore: boolean;
}

/** Largest payload of a packet on an Ethernet. */
const payloadBytesMaximum = 1480;
const moreFragments = 0x2000;
const doNotFragment = 0x4000;
const fragmentUnitBytes = 8;

export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** Undefined when it is cut short. */
export function readFrame(frame: Uint8Array): EthernetFrame | undefined {
  if (frame.length < ethernetBytes) return undefined;
  return {
    source: frame.subarray(6, 12),
    type: viewOf(frame).getUint16(12),
    payload: frame.subarray(ethernetBytes),
  };
}

export function makeFrame(
  destination: Uint8Array,
  source: Uint8Array,
  type: number,
  payload: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(ethernetBytes + payload.length);
  frame.set(destination, 0);
  frame.set(source, 6);
  viewOf(frame).setUint16(12, type);
  frame.set(payload, ethernetBytes);
  return frame;
}

/** Undefined for what is damaged, or another version. */
export function readIpv4(bytes: Uint8Array): Ipv4Packet | undefined {
  if (bytes.length < ipBytes) return undefined;
  const view = viewOf(bytes);
  const headerBytes = (view.getUint8(0) & 0xf) * 4;
  const totalBytes = view.getUint16(2);
  const flags = view.getUint16(6);
  if (view.getUint8(0) >> 4 !== 4 || headerBytes < ipBytes) return undefined;
  if (totalBytes < headerBytes || totalBytes > bytes.length) return undefined;
  if (checksum(bytes.subarray(0, headerBytes)) !== 0) return undefined;
  return {
    protocol: view.getUint8(9),
    source: view.getUint32(12),
    destination: view.getUint32(16),
    payload: bytes.subarray(headerBytes, totalBytes),
    ...((flags & ~doNotFragment) === 0 ? {} : { fragment: fragmentOf(view.getUint16(4), flags) }),
  };
}

function fragmentOf(identification: number, flags: number): Fragment {
  return {
    identification,
    offsetBytes: (flags & 0x1fff) * fragmentUnitBytes,
    hasMore: (flags & moreFragments) !== 0,
  };
}

/** A packet in as many parts as an Ethernet needs. @param identification For the parts of a long one. */
export function fragmentsOf(packet: Ipv4Packet, identification: number): readonly Ipv4Packet[] {
  const { payload } = packet;
  if (payload.length <= payloadBytesMaximum) return [packet];
  const parts: Ipv4Packet[] = [];
  for (let offsetBytes = 0; offsetBytes < payload.length; offsetBytes += payloadBytesMaximum) {
    const end = offsetBytes + payloadBytesMaximum;
    parts.push({
      ...packet,
      payload: payload.subarray(offsetBytes, end),
      fragment: { identification, offsetBytes, hasMore: end < payload.length },
    });
  }
  return parts;
}

export function makeIpv4(packet: Ipv4Packet): Uint8Array {
  const { protocol: kind, source, destination, payload, fragment } = packet;
  const bytes = new Uint8Array(ipBytes + payload.length);
  const view = viewOf(bytes);
  view.setUint8(0, 0x45);
  view.setUint16(2, bytes.length);
  if (fragment === undefined) view.setUint16(6, doNotFragment);
  else {
    const { identification, offsetBytes, hasMore } = fragment;
    view.setUint16(4, identification);
    view.setUint16(6, (hasMore ? moreFragments : 0) | (offsetBytes / fragmentUnitBytes));
  }
  view.setUint8(8, 64); // time to live
  view.setUint8(9, kind);
  view.setUint32(12, source);
  view.setUint32(16, destination);
  view.setUint16(10, checksum(bytes.subarray(0, ipBytes)));
  bytes.set(payload, ipBytes);
  return bytes;
}

/** Undefined when it is cut short. Its checksum is the cable's affair, and that loses nothing. */
export function readUdp(bytes: Uint8Array): UdpDatagram | undefined {
  if (bytes.length < 8) return undefined;
  const view = viewOf(bytes);
  const lengthBytes = view.getUint16(4);
  if (lengthBytes < 8 || lengthBytes > bytes.length) return undefined;
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    payload: bytes.subarray(8, lengthBytes),
  };
}

/** As the payload of an IPv4 packet. */
export function makeUdp(source: number, destination: number, datagram: UdpDatagram): Uint8Array {
  const bytes = new Uint8Array(8 + datagram.payload.length);
  const view = viewOf(bytes);
  view.setUint16(0, datagram.sourcePort);
  view.setUint16(2, datagram.destinationPort);
  view.setUint16(4, bytes.length);
  bytes.set(datagram.payload, 8);
  const sum = transportChecksum(source, destination, protocol.udp, bytes);
  view.setUint16(6, sum === 0 ? 0xffff : sum);
  return bytes;
}

/** RFC 1071, "Computing the Internet Checksum". 0 for data that include their own right checksum. */
export function checksum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let at = 0; at < bytes.length; at += 2)
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

/** The checksum of UDP and TCP, which includes a pseudo header. */
export function transportChecksum(
  source: number,
  destination: number,
  kind: number,
  bytes: Uint8Array,
): number {
  const halves = [source, destination].reduce(
    (sum, part) => sum + (part >>> 16) + (part & 0xffff),
    0,
  );
  return checksum(bytes, halves + kind + bytes.length);
}

/** An address in dotted form. */
export function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** Undefined when `text` is no IPv4 address in dotted form. */
export function addressFrom(text: string): number | undefined {
  const parts = text.split(".").map(Number);
  const isByte = (part: number): boolean => Number.isInteger(part) && part >= 0 && part <= 255;
  if (parts.length !== 4 || !parts.every(isByte)) return undefined;
  return parts.reduce((address, part) => address * 256 + part, 0);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
