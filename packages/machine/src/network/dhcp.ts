/**
 * A DHCP server with one address to give.
 *
 * RFC 2131, "Dynamic Host Configuration Protocol", section 2, "Protocol Summary"; RFC 2132, "DHCP Options".
 */
import { viewOf } from "./packet.ts";

const fixedBytes = 236;
const magic = 0x6382_5363;
const request = 1;
const reply = 2;
const messageType = {
  discover: 1,
  offer: 2,
  request: 3,
  acknowledge: 5,
  refuse: 6,
  inform: 8,
} as const;
const leaseSeconds = 86_400;

export interface Lease {
  readonly client: number;
  readonly server: number;
  readonly netmask: number;
  readonly router: number;
  readonly nameServer: number;
}

/** The answer to a message of a client; undefined when there is none to give. */
export function answerDhcp(message: Uint8Array, lease: Lease): Uint8Array | undefined {
  if (message.length < fixedBytes + 4) return undefined;
  const view = viewOf(message);
  if (view.getUint8(0) !== request || view.getUint32(fixedBytes) !== magic) return undefined;
  const options = readOptions(message.subarray(fixedBytes + 4));
  const type = options.get(53)?.[0];
  const wanted = options.get(50);
  const isOurs = wanted?.length === 4 ? viewOf(wanted).getUint32(0) === lease.client : true;
  switch (type) {
    case messageType.discover:
      return answer(message, messageType.offer, lease);
    case messageType.request:
      return answer(message, isOurs ? messageType.acknowledge : messageType.refuse, lease);
    case messageType.inform:
      return answer(message, messageType.acknowledge, lease);
    default:
      return undefined;
  }
}

function readOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const code = bytes[at] ?? 255;
    if (code === 255) break;
    if (code === 0) {
      at += 1;
      continue;
    }
    const lengthBytes = bytes[at + 1] ?? 0;
    options.set(code, bytes.subarray(at + 2, at + 2 + lengthBytes));
    at += 2 + lengthBytes;
  }
  return options;
}

function answer(message: Uint8Array, type: number, lease: Lease): Uint8Array {
  const word = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
  const options = [
    ...[53, 1, type],
    ...[54, 4, ...word(lease.server)],
    ...(type === messageType.refuse
      ? []
      : [
          ...[51, 4, ...word(leaseSeconds)],
          ...[1, 4, ...word(lease.netmask)],
          ...[3, 4, ...word(lease.router)],
          ...[6, 4, ...word(lease.nameServer)],
        ]),
    255,
  ];
  const bytes = new Uint8Array(Math.max(300, fixedBytes + 4 + options.length));
  bytes.set(message.subarray(0, 44)); // op to chaddr, with the client's transaction
  const view = viewOf(bytes);
  view.setUint8(0, reply);
  view.setUint32(16, type === messageType.refuse ? 0 : lease.client);
  view.setUint32(20, lease.server);
  view.setUint32(fixedBytes, magic);
  bytes.set(options, fixedBytes + 4);
  return bytes;
}
