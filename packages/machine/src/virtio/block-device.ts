/**
 * A disk.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 5.2, "Block Device". Requests are done at once and in order.
 */
import { BlockStoreError, type BlockStore } from "../storage/block-store.ts";
import type { VirtioDevice, VirtioPort } from "./virtio-device.ts";
import { VirtqueueError, type Chain } from "./virtqueue.ts";

const sectorBytes = 512;
const headerBytes = 16;
const idBytes = 20;
const queueSize = 256;
/** Most data descriptors in a request: a header and a status are the others. */
const segmentsMaximum = queueSize - 2;
/** Most bytes in each, so that no request is longer than a chain may be. */
const segmentBytesMaximum = 32 << 10;
/** Read or written in pieces, so that a request costs the host little memory. */
const pieceBytes = 1 << 20;

/** Feature bits. */
const segmentBytesLimit = 1n << 1n;
const segmentLimit = 1n << 2n;
const readOnlyDevice = 1n << 5n;
const blockSize = 1n << 6n;
const flushCommand = 1n << 9n;

const request = { in: 0, out: 1, flush: 4, getId: 8 } as const;
const status = { ok: 0, ioError: 1, unsupported: 2 } as const;

export interface Disk {
  /** Its size is a multiple of 512. */
  readonly store: BlockStore;
  /** The guest is told, and its writes are refused. Default false. */
  readonly readOnly?: boolean;
  /** At most 20 ASCII characters. */
  readonly serial?: string;
}

export class BlockDevice implements VirtioDevice {
  readonly deviceType = 2;
  /** Mass storage, other. */
  readonly pciClass = 0x01_8000;
  readonly features: bigint;
  readonly queueSizes: readonly number[] = [queueSize];
  readonly configuration: Uint8Array;
  readonly #disk: Disk;
  #port: VirtioPort | undefined;

  /** @throws {RangeError} when the store is no whole number of sectors. */
  constructor(disk: Disk) {
    const { sizeBytes } = disk.store;
    if (sizeBytes === 0 || sizeBytes % sectorBytes !== 0) {
      throw new RangeError(
        `A disk of ${sizeBytes} bytes was given; expected a multiple of ${sectorBytes}, and more than 0.`,
      );
    }
    this.#disk = disk;
    this.features =
      segmentBytesLimit |
      segmentLimit |
      blockSize |
      flushCommand |
      (disk.readOnly === true ? readOnlyDevice : 0n);
    const fields = new DataView(new ArrayBuffer(60));
    fields.setBigUint64(0, BigInt(sizeBytes / sectorBytes), true);
    fields.setUint32(8, segmentBytesMaximum, true);
    fields.setUint32(12, segmentsMaximum, true);
    fields.setUint32(20, sectorBytes, true);
    this.configuration = new Uint8Array(fields.buffer);
  }

  connect(port: VirtioPort): void {
    this.#port = port;
  }

  reset(): void {}

  onNotify(index: number): void {
    const queue = this.#port?.queues[index];
    for (const chain of queue?.chains() ?? []) {
      this.#serve(chain);
      queue?.use(chain);
    }
  }

  /** Section 5.2.6, "Device Operation". The last byte of the writable side is the status. */
  #serve(chain: Chain): void {
    if (chain.readableBytes < headerBytes || chain.writableBytes < 1) {
      throw new VirtqueueError("A block request has no header, or no room for its status.");
    }
    const header = chain.read(headerBytes);
    const view = new DataView(header.buffer);
    const type = view.getUint32(0, true);
    const sector = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
    let result: number;
    try {
      result = this.#perform(type, sector * sectorBytes, chain);
    } catch (error) {
      if (!(error instanceof BlockStoreError)) throw error;
      result = status.ioError;
    }
    // What a request that failed left of its buffer stays as it was: the status lies at the very end.
    chain.skip(chain.writableBytes - 1);
    chain.write(Uint8Array.of(result));
  }

  #perform(type: number, offset: number, chain: Chain): number {
    const { store, readOnly = false, serial = "" } = this.#disk;
    const isInside = (lengthBytes: number): boolean =>
      lengthBytes % sectorBytes === 0 && offset + lengthBytes <= store.sizeBytes;
    switch (type) {
      case request.in: {
        const lengthBytes = chain.writableBytes - 1;
        if (!isInside(lengthBytes)) return status.ioError;
        for (let done = 0; done < lengthBytes; done += pieceBytes) {
          const piece = new Uint8Array(Math.min(pieceBytes, lengthBytes - done));
          store.read(offset + done, piece);
          chain.write(piece);
        }
        return status.ok;
      }
      case request.out: {
        const lengthBytes = chain.readableBytes;
        if (readOnly || !isInside(lengthBytes)) return status.ioError;
        for (let done = 0; done < lengthBytes; done += pieceBytes) {
          store.write(offset + done, chain.read(pieceBytes));
        }
        return status.ok;
      }
      case request.flush:
        store.flush();
        return status.ok;
      case request.getId: {
        const id = new Uint8Array(idBytes);
        id.set(new TextEncoder().encode(serial).subarray(0, idBytes));
        chain.write(id.subarray(0, chain.writableBytes - 1));
        return status.ok;
      }
      default:
        return status.unsupported;
    }
  }
}
