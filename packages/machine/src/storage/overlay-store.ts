/** Copy on write: what is written stays in memory, over a store that is only read. */
import { BlockStoreError, type BlockStore } from "./block-store.ts";

const clusterBytes = 4096;
const defaultLimitBytes = 4 * 2 ** 30;

export interface OverlayOptions {
  /** Memory that changes may take, in bytes; what goes beyond is an error of the disk. Default 4 GiB. */
  readonly limitBytes?: number;
}

export class OverlayStore implements BlockStore {
  readonly #base: BlockStore;
  readonly #limitBytes: number;
  /** Written clusters, by number. */
  readonly #clusters = new Map<number, Uint8Array>();

  constructor(base: BlockStore, options: OverlayOptions = {}) {
    this.#base = base;
    this.#limitBytes = options.limitBytes ?? defaultLimitBytes;
  }

  get sizeBytes(): number {
    return this.#base.sizeBytes;
  }

  /** Bytes of memory that the changes take. */
  get changedBytes(): number {
    return this.#clusters.size * clusterBytes;
  }

  read(offset: number, bytes: Uint8Array): void {
    // Runs that nobody wrote are read at once.
    let unwritten = 0;
    const flushUnwritten = (end: number): void => {
      if (unwritten < end) this.#base.read(offset + unwritten, bytes.subarray(unwritten, end));
    };
    for (const { cluster, from, at, lengthBytes } of pieces(offset, bytes.length)) {
      const written = this.#clusters.get(cluster);
      if (written === undefined) continue;
      flushUnwritten(at);
      bytes.set(written.subarray(from, from + lengthBytes), at);
      unwritten = at + lengthBytes;
    }
    flushUnwritten(bytes.length);
  }

  write(offset: number, bytes: Uint8Array): void {
    for (const { cluster, from, at, lengthBytes } of pieces(offset, bytes.length)) {
      this.#cluster(cluster, lengthBytes).set(bytes.subarray(at, at + lengthBytes), from);
    }
  }

  flush(): void {}

  /** Forgets all changes. */
  clear(): void {
    this.#clusters.clear();
  }

  /** The cluster as it was, unless all of it is about to be written. */
  #cluster(number: number, writtenBytes: number): Uint8Array {
    const present = this.#clusters.get(number);
    if (present !== undefined) return present;
    if (this.changedBytes + clusterBytes > this.#limitBytes) {
      throw new BlockStoreError(
        `What was written takes ${this.changedBytes} bytes of memory, and may take ${this.#limitBytes}.`,
      );
    }
    const cluster = new Uint8Array(clusterBytes);
    const start = number * clusterBytes;
    const lengthBytes = Math.min(clusterBytes, this.sizeBytes - start);
    if (writtenBytes < lengthBytes) this.#base.read(start, cluster.subarray(0, lengthBytes));
    this.#clusters.set(number, cluster);
    return cluster;
  }
}

/** A range by clusters: which one, where in it, where in the range, how much. */
function* pieces(
  offset: number,
  lengthBytes: number,
): Generator<{ cluster: number; from: number; at: number; lengthBytes: number }> {
  for (let at = 0; at < lengthBytes;) {
    const from = (offset + at) % clusterBytes;
    const part = Math.min(lengthBytes - at, clusterBytes - from);
    yield { cluster: Math.floor((offset + at) / clusterBytes), from, at, lengthBytes: part };
    at += part;
  }
}
