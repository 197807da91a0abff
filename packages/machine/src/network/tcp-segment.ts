/** TCP segments. RFC 9293, "Transmission Control Protocol (TCP)", section 3.1, "Header Format". */
import { protocol, transportChecksum, viewOf } from "./packet.ts";

const headerBytes = 20;
export const tcpFlag = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 } as const;
const maximumSegmentSize = 2;

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly payload: Uint8Array;
  /** Of the option, when there is one. */
  readonly maximumSegmentBytes?: number;
}

/** Undefined when it is cut short. */
export function readTcp(bytes: Uint8Array): TcpSegment | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = viewOf(bytes);
  const dataOffset = (view.getUint8(12) >> 4) * 4;
  if (dataOffset < headerBytes || dataOffset > bytes.length) return undefined;
  const maximumSegmentBytes = readMaximumSegment(bytes.subarray(headerBytes, dataOffset));
  return {
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgement: view.getUint32(8),
    flags: view.getUint8(13),
    window: view.getUint16(14),
    payload: bytes.subarray(dataOffset),
    ...(maximumSegmentBytes === undefined ? {} : { maximumSegmentBytes }),
  };
}

function readMaximumSegment(options: Uint8Array): number | undefined {
  for (let at = 0; at < options.length;) {
    const kind = options[at];
    if (kind === 0) return undefined;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const lengthBytes = options[at + 1] ?? 0;
    if (lengthBytes < 2) return undefined;
    if (kind === maximumSegmentSize && lengthBytes === 4 && at + 4 <= options.length) {
      return viewOf(options).getUint16(at + 2);
    }
    at += lengthBytes;
  }
  return undefined;
}

/** As the payload of an IPv4 packet. */
export function makeTcp(source: number, destination: number, segment: TcpSegment): Uint8Array {
  const optionBytes = segment.maximumSegmentBytes === undefined ? 0 : 4;
  const bytes = new Uint8Array(headerBytes + optionBytes + segment.payload.length);
  const view = viewOf(bytes);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgement);
  view.setUint8(12, ((headerBytes + optionBytes) / 4) << 4);
  view.setUint8(13, segment.flags);
  view.setUint16(14, segment.window);
  if (segment.maximumSegmentBytes !== undefined) {
    view.setUint16(20, (maximumSegmentSize << 8) | 4);
    view.setUint16(22, segment.maximumSegmentBytes);
  }
  bytes.set(segment.payload, headerBytes + optionBytes);
  view.setUint16(16, transportChecksum(source, destination, protocol.tcp, bytes));
  return bytes;
}
