/**
 * A network card.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 5.1, "Network Device": one pair of queues, no offloads.
 */
import type { Timeline } from "../timeline.ts";
import { frameBytesMaximum, type EthernetLink } from "../network/ethernet-link.ts";
import type { VirtioDevice, VirtioPort } from "./virtio-device.ts";
import { VirtqueueError } from "./virtqueue.ts";

const receiveQueue = 0;
const transmitQueue = 1;
const queueSize = 256;
/** In front of every frame: no offload is asked for, and the frame is in one buffer. */
const headerBytes = 12;
/** Frames that wait for buffers of the driver; more are lost, as on a real card. */
const backlogMaximum = 512;

const hasAddress = 1n << 5n;
const hasStatus = 1n << 16n;
const linkUp = 1;

export interface NetworkCard {
  readonly link: EthernetLink;
  /** Six bytes, of a locally administered address. Default 52:54:00:12:34:56. */
  readonly address?: readonly number[];
}

export class NetworkDevice implements VirtioDevice {
  readonly name: string;
  readonly deviceType = 1;
  /** Network controller, Ethernet. */
  readonly pciClass = 0x02_0000;
  readonly features: bigint = hasAddress | hasStatus;
  readonly queueSizes: readonly number[] = [queueSize, queueSize];
  readonly configuration: Uint8Array;
  readonly #link: EthernetLink;
  readonly #backlog: Uint8Array[] = [];
  #port: VirtioPort | undefined;

  /**
   * @param name Unique in its machine: the card's on the timeline.
   * @throws {RangeError} when the address is none of a card.
   */
  constructor(
    { link, address = [0x52, 0x54, 0, 0x12, 0x34, 0x56] }: NetworkCard,
    timeline: Timeline,
    name: string,
  ) {
    this.name = name;
    const isByte = (byte: number): boolean => Number.isInteger(byte) && byte >= 0 && byte <= 255;
    if (address.length !== 6 || !address.every(isByte) || ((address[0] ?? 0) & 1) !== 0) {
      throw new RangeError(
        `A network card with the address ${address.join(":")} was asked for; expected six bytes, the first one even.`,
      );
    }
    this.configuration = Uint8Array.of(...address, linkUp, 0);
    this.#link = link;
    link.attach({
      get now() {
        return timeline.now;
      },
      receive: (frame) => this.#receive(frame),
      setAlarm: (deadline) => timeline.schedule(name, "alarm", deadline),
    });
  }

  /** See {@link EthernetLink.awaitsHost}. */
  get awaitsHost(): boolean {
    return this.#link.awaitsHost;
  }

  /** The link's alarm is due. */
  onEvent(): void {
    this.#link.onAlarm();
  }

  connect(port: VirtioPort): void {
    this.#port = port;
  }

  reset(): void {
    this.#backlog.length = 0;
  }

  /** The machine starts anew. */
  restart(): void {
    this.#link.reset();
  }

  onNotify(index: number): void {
    if (index === receiveQueue) this.#deliver();
    else if (index === transmitQueue) this.#transmit();
  }

  #transmit(): void {
    const queue = this.#port?.queues[transmitQueue];
    for (const chain of queue?.chains() ?? []) {
      const bytes = chain.readableBytes;
      if (bytes < headerBytes) throw new VirtqueueError("A frame comes without its header.");
      chain.read(headerBytes);
      // Longer ones do not fit the cable, and are lost on it.
      const frame = bytes - headerBytes <= frameBytesMaximum ? chain.read() : undefined;
      queue?.use(chain);
      if (frame !== undefined && frame.length > 0) this.#link.send(frame);
    }
  }

  #receive(frame: Uint8Array): void {
    const port = this.#port;
    if (port?.isLive !== true || this.#backlog.length >= backlogMaximum) return;
    this.#backlog.push(frame);
    port.guard(() => this.#deliver());
  }

  #deliver(): void {
    const queue = this.#port?.queues[receiveQueue];
    if (queue === undefined) return;
    while (this.#backlog.length > 0) {
      const chain = queue.take();
      if (chain === undefined) return;
      const frame = this.#backlog.shift() ?? new Uint8Array();
      if (chain.writableBytes < headerBytes + frame.length) {
        throw new VirtqueueError("A receive buffer is smaller than a frame.");
      }
      const header = new Uint8Array(headerBytes);
      header[10] = 1; // num_buffers
      chain.write(header);
      chain.write(frame);
      queue.use(chain);
    }
  }
}
