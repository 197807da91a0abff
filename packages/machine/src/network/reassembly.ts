/**
 * Puts the fragments of packets together again.
 *
 * RFC 791, "Internet Protocol", section 3.2, "Discussion" (fragmentation and reassembly). What overlaps is dropped, and so is
 * the packet longest unfinished when there are too many: RFC 791 lets time decide, which nothing here depends on.
 */
import type { Ipv4Packet } from "./packet.ts";

/** Packets that may be unfinished at once. */
const unfinishedMaximum = 16;
/** Of a packet's payload. */
const payloadBytesMaximum = 0xffff - 20;
const fragmentUnitBytes = 8;

interface Unfinished {
  /** By their offsets. */
  readonly parts: Map<number, Uint8Array>;
  heldBytes: number;
  /** Known once the last fragment has come. */
  totalBytes: number | undefined;
}

export class Reassembly {
  /** By addresses, protocol and identification, the one longest unfinished first. */
  readonly #unfinished = new Map<string, Unfinished>();

  clear(): void {
    this.#unfinished.clear();
  }

  /** The whole packet, if there is one now. */
  add(packet: Ipv4Packet): Ipv4Packet | undefined {
    const { fragment, payload } = packet;
    if (fragment === undefined) return packet;
    const { identification, offsetBytes, hasMore } = fragment;
    const key = [packet.source, packet.destination, packet.protocol, identification].join(" ");
    const unfinished = this.#get(key);
    const end = offsetBytes + payload.length;
    const isWhole = !hasMore || (payload.length > 0 && payload.length % fragmentUnitBytes === 0);
    if (!isWhole || end > payloadBytesMaximum || unfinished.parts.has(offsetBytes)) {
      this.#unfinished.delete(key);
      return undefined;
    }
    unfinished.parts.set(offsetBytes, payload.slice());
    unfinished.heldBytes += payload.length;
    if (!hasMore) unfinished.totalBytes = end;
    if (unfinished.heldBytes !== unfinished.totalBytes) return undefined;
    this.#unfinished.delete(key);
    const joined = join(unfinished.parts, unfinished.totalBytes);
    if (joined === undefined) return undefined;
    const { protocol, source, destination } = packet;
    return { protocol, source, destination, payload: joined };
  }

  #get(key: string): Unfinished {
    const present = this.#unfinished.get(key);
    if (present !== undefined) return present;
    const [oldest] = this.#unfinished.keys();
    if (this.#unfinished.size >= unfinishedMaximum && oldest !== undefined) {
      this.#unfinished.delete(oldest);
    }
    const added = { parts: new Map<number, Uint8Array>(), heldBytes: 0, totalBytes: undefined };
    this.#unfinished.set(key, added);
    return added;
  }
}

/** Undefined when the parts do not join. */
function join(parts: ReadonlyMap<number, Uint8Array>, totalBytes: number): Uint8Array | undefined {
  const joined = new Uint8Array(totalBytes);
  let end = 0;
  for (const [offset, bytes] of [...parts].toSorted(([first], [second]) => first - second)) {
    if (offset !== end) return undefined;
    joined.set(bytes, offset);
    end += bytes.length;
  }
  return joined;
}
