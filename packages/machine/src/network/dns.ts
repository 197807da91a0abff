/**
 * What a name server needs that asks the host: a query's question, and an answer with addresses.
 *
 * RFC 1035, "Domain Names - Implementation and Specification", section 4.1, "Format".
 */
import { viewOf } from "./packet.ts";

const headerBytes = 12;
const typeAddress = 1;
const classInternet = 1;
const isResponse = 0x8000;
const recursionDesired = 0x0100;
const recursionAvailable = 0x0080;
const timeToLiveSeconds = 60;

/** RCODE. */
export const dnsStatus = { ok: 0, serverFailure: 2, nameError: 3, notImplemented: 4 } as const;

export interface DnsQuestion {
  readonly name: string;
  /** True when it asks for IPv4 addresses. */
  readonly isAddress: boolean;
  /** Bytes of the header and the question. */
  readonly lengthBytes: number;
}

/** Undefined when the message is no query with one question. */
export function readQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < headerBytes) return undefined;
  const view = viewOf(message);
  if ((view.getUint16(2) & 0xf800) !== 0 || view.getUint16(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const lengthBytes = message[at];
    if (lengthBytes === undefined || lengthBytes > 63 || labels.length > 127) return undefined;
    at += 1;
    if (lengthBytes === 0) break;
    labels.push(new TextDecoder("latin1").decode(message.subarray(at, at + lengthBytes)));
    at += lengthBytes;
  }
  if (at + 4 > message.length) return undefined;
  const isAddress = view.getUint16(at) === typeAddress && view.getUint16(at + 2) === classInternet;
  return { name: labels.join("."), isAddress, lengthBytes: at + 4 };
}

/** @param addresses As many as there are of the question's type; with a status other than ok, none. */
export function makeAnswer(
  message: Uint8Array,
  question: DnsQuestion,
  status: number,
  addresses: readonly number[],
): Uint8Array {
  const recordBytes = 16;
  const bytes = new Uint8Array(question.lengthBytes + recordBytes * addresses.length);
  bytes.set(message.subarray(0, question.lengthBytes));
  const view = viewOf(bytes);
  const desired = viewOf(message).getUint16(2) & recursionDesired;
  view.setUint16(2, isResponse | desired | recursionAvailable | status);
  view.setUint16(4, 1);
  view.setUint16(6, addresses.length);
  view.setUint32(8, 0);
  addresses.forEach((address, index) => {
    const at = question.lengthBytes + recordBytes * index;
    view.setUint16(at, 0xc000 | headerBytes); // the name of the question
    view.setUint16(at + 2, typeAddress);
    view.setUint16(at + 4, classInternet);
    view.setUint32(at + 6, timeToLiveSeconds);
    view.setUint16(at + 10, 4);
    view.setUint32(at + 12, address);
  });
  return bytes;
}
