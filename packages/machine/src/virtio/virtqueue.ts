/**
 * A split virtqueue, from the device's side.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 2.7, "Split Virtqueues". The driver may write anything: what breaks the
 * rules is a {@link VirtqueueError}, and the transport then asks for a reset.
 */
import type { DmaMemory } from "../dma.ts";

/** What the driver has put into memory is no virtqueue. */
export class VirtqueueError extends Error {
  override readonly name: string = "VirtqueueError";
}

/** Descriptor flags. */
const hasNext = 1;
const isWritable = 2;
const isIndirect = 4;
/** Flag of the available ring: the driver wants no interrupt. */
const noInterrupt = 1;

const descriptorBytes = 16;
/**
 * The longest chain, in bytes: a queue of such chains, all of one buffer, is what a driver can make the host copy at once.
 * Devices whose requests could be longer tell their drivers less.
 */
export const chainBytesMaximum: number = 8 << 20;

interface Segment {
  readonly physical: number;
  readonly lengthBytes: number;
}

export class Virtqueue {
  readonly maximumSize: number;
  readonly #memory: DmaMemory;
  readonly #onUsed: () => void;
  readonly #scratch = new Uint8Array(descriptorBytes);
  readonly #view = new DataView(this.#scratch.buffer);
  size: number;
  isEnabled = false;
  descriptors = 0;
  driverArea = 0;
  deviceArea = 0;
  /** Vector that announces used buffers. */
  vector = 0xffff;
  /** Whether both sides say at which buffer they want to hear of the other one, section 2.7.10. */
  usesEventIndex = false;
  #nextAvailable = 0;
  #nextUsed = 0;

  /** @param onUsed A buffer was used, and the driver wants to know. */
  constructor(memory: DmaMemory, maximumSize: number, onUsed: () => void) {
    this.#memory = memory;
    this.maximumSize = maximumSize;
    this.size = maximumSize;
    this.#onUsed = onUsed;
  }

  reset(): void {
    this.size = this.maximumSize;
    this.isEnabled = false;
    this.descriptors = 0;
    this.driverArea = 0;
    this.deviceArea = 0;
    this.vector = 0xffff;
    this.usesEventIndex = false;
    this.#nextAvailable = 0;
    this.#nextUsed = 0;
  }

  /** True when the driver has made a buffer available that was not taken. */
  get hasAvailable(): boolean {
    return this.isEnabled && this.#u16(this.driverArea + 2) !== this.#nextAvailable;
  }

  /** @throws {VirtqueueError} */
  take(): Chain | undefined {
    if (!this.hasAvailable) return undefined;
    const waiting = (this.#u16(this.driverArea + 2) - this.#nextAvailable) & 0xffff;
    if (waiting > this.size)
      throw new VirtqueueError(`${waiting} buffers wait in a queue of ${this.size}.`);
    const head = this.#u16(this.driverArea + 4 + 2 * (this.#nextAvailable % this.size));
    this.#nextAvailable = (this.#nextAvailable + 1) & 0xffff;
    if (this.usesEventIndex) {
      // avail_event: the driver tells of the next buffer that is not known here.
      this.#view.setUint16(0, this.#nextAvailable, true);
      this.#write(this.deviceArea + 4 + 8 * this.size, 2);
    }
    return this.#chainFrom(head);
  }

  /**
   * What is available now, one chain after the other. A driver cannot add any meanwhile, so more than the queue's size
   * can only come from rings that overlap, and are left.
   *
   * @throws {VirtqueueError}
   */
  *chains(): Generator<Chain> {
    for (let count = 0; count < this.size; count += 1) {
      const chain = this.take();
      if (chain === undefined) return;
      yield chain;
    }
  }

  /** Gives a chain back, with the number of bytes written to it. @throws {VirtqueueError} */
  use(chain: Chain): void {
    const element = this.deviceArea + 4 + 8 * (this.#nextUsed % this.size);
    this.#view.setUint32(0, chain.head, true);
    this.#view.setUint32(4, chain.writtenBytes, true);
    this.#write(element, 8);
    this.#nextUsed = (this.#nextUsed + 1) & 0xffff;
    this.#view.setUint16(0, this.#nextUsed, true);
    this.#write(this.deviceArea + 2, 2);
    if (this.#wantsInterrupt()) this.#onUsed();
  }

  /** Section 2.7.7, "Used Buffer Notification Suppression": by a flag, or when the buffer is the one of used_event. */
  #wantsInterrupt(): boolean {
    if (!this.usesEventIndex) return (this.#u16(this.driverArea) & noInterrupt) === 0;
    const wanted = this.#u16(this.driverArea + 4 + 2 * this.size);
    return wanted === ((this.#nextUsed - 1) & 0xffff);
  }

  #chainFrom(head: number): Chain {
    const readable: Segment[] = [];
    const writable: Segment[] = [];
    let table = this.descriptors;
    let tableSize = this.size;
    let index = head;
    let bytes = 0;
    for (let count = 0; ; count += 1) {
      if (index >= tableSize || count > this.size) {
        throw new VirtqueueError(
          `Descriptor ${index} of ${tableSize}, after ${count}, is outside the queue or a loop.`,
        );
      }
      this.#read(table + descriptorBytes * index, descriptorBytes);
      const physical = this.#address(0);
      const lengthBytes = this.#view.getUint32(8, true);
      const flags = this.#view.getUint16(12, true);
      const next = this.#view.getUint16(14, true);
      if ((flags & isIndirect) !== 0) {
        if (
          table !== this.descriptors ||
          lengthBytes % descriptorBytes !== 0 ||
          (flags & hasNext) !== 0
        ) {
          throw new VirtqueueError(
            "An indirect descriptor is nested, chained, or of no whole number of descriptors.",
          );
        }
        table = physical;
        tableSize = Math.min(lengthBytes / descriptorBytes, this.size);
        index = 0;
        continue;
      }
      bytes += lengthBytes;
      if (physical + lengthBytes > this.#memory.sizeBytes || bytes > chainBytesMaximum) {
        throw new VirtqueueError(
          `A buffer of ${lengthBytes} bytes at 0x${physical.toString(16)} is not in memory, or too long.`,
        );
      }
      if ((flags & isWritable) !== 0) writable.push({ physical, lengthBytes });
      else if (writable.length > 0)
        throw new VirtqueueError("A readable descriptor comes behind a writable one.");
      else readable.push({ physical, lengthBytes });
      if ((flags & hasNext) === 0) return new Chain(this.#memory, head, readable, writable);
      index = next;
    }
  }

  #address(offset: number): number {
    return this.#view.getUint32(offset + 4, true) * 2 ** 32 + this.#view.getUint32(offset, true);
  }

  #u16(physical: number): number {
    this.#read(physical, 2);
    return this.#view.getUint16(0, true);
  }

  #read(physical: number, lengthBytes: number): void {
    this.#check(physical, lengthBytes);
    this.#memory.read(physical, this.#scratch.subarray(0, lengthBytes));
  }

  #write(physical: number, lengthBytes: number): void {
    this.#check(physical, lengthBytes);
    this.#memory.write(physical, this.#scratch.subarray(0, lengthBytes));
  }

  #check(physical: number, lengthBytes: number): void {
    if (physical + lengthBytes <= this.#memory.sizeBytes) return;
    throw new VirtqueueError(`A ring or table at 0x${physical.toString(16)} is not in memory.`);
  }
}

/** One buffer of a queue: bytes that the device reads, then bytes that it writes. Both sides go from front to back. */
export class Chain {
  /** Index of the first descriptor. */
  readonly head: number;
  readonly #memory: DmaMemory;
  readonly #readable: Side;
  readonly #writable: Side;
  #writtenBytes = 0;

  constructor(
    memory: DmaMemory,
    head: number,
    readable: readonly Segment[],
    writable: readonly Segment[],
  ) {
    this.#memory = memory;
    this.head = head;
    this.#readable = new Side(readable);
    this.#writable = new Side(writable);
  }

  /** Bytes that are left to read. */
  get readableBytes(): number {
    return this.#readable.leftBytes;
  }

  /** Bytes that are left to write. */
  get writableBytes(): number {
    return this.#writable.leftBytes;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** The next bytes to read: as many as asked for, or as there are. */
  read(lengthBytes: number = this.readableBytes): Uint8Array {
    const bytes = new Uint8Array(Math.min(lengthBytes, this.readableBytes));
    let done = 0;
    for (const { physical, lengthBytes: part } of this.#readable.advance(bytes.length)) {
      this.#memory.read(physical, bytes.subarray(done, done + part));
      done += part;
    }
    return bytes;
  }

  /** Writes as much of `bytes` as there is room for, and gives that number. */
  write(bytes: Uint8Array): number {
    let done = 0;
    for (const { physical, lengthBytes: part } of this.#writable.advance(
      Math.min(bytes.length, this.writableBytes),
    )) {
      this.#memory.write(physical, bytes.subarray(done, done + part));
      done += part;
    }
    this.#writtenBytes += done;
    return done;
  }

  /** Leaves the next bytes of the writable side as they are. They count as written. */
  skip(lengthBytes: number): void {
    for (const { lengthBytes: part } of this.#writable.advance(lengthBytes)) {
      this.#writtenBytes += part;
    }
  }
}

class Side {
  readonly #segments: readonly Segment[];
  #index = 0;
  #offset = 0;
  leftBytes: number;

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
    this.leftBytes = segments.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  }

  /** The pieces of the next bytes, of which there are enough. */
  *advance(lengthBytes: number): Generator<Segment> {
    let left = lengthBytes;
    while (left > 0) {
      const segment = this.#segments[this.#index];
      if (segment === undefined) return;
      const part = Math.min(left, segment.lengthBytes - this.#offset);
      if (part > 0) yield { physical: segment.physical + this.#offset, lengthBytes: part };
      this.#offset += part;
      left -= part;
      this.leftBytes -= part;
      if (this.#offset === segment.lengthBytes) {
        this.#index += 1;
        this.#offset = 0;
      }
    }
  }
}
