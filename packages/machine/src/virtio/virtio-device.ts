/** What a kind of virtio device is, apart from how it is attached. */
import type { Virtqueue } from "./virtqueue.ts";

/** How a device reaches its driver. */
export interface VirtioPort {
  readonly queues: readonly Virtqueue[];
  /** True once the driver has said that it drives the device. */
  readonly isLive: boolean;
  /** Runs `work`, which uses the queues; what the driver breaks there makes the device ask for a reset. */
  guard(work: () => void): void;
}

export interface VirtioDevice {
  /** Virtual I/O Device (VIRTIO) Version 1.2, chapter 5, "Device Types". */
  readonly deviceType: number;
  /** Class of the PCI function: 24 bits. */
  readonly pciClass: number;
  /** Bits that this kind of device offers, beside those of all devices. */
  readonly features: bigint;
  /** Largest size of each queue: powers of two. */
  readonly queueSizes: readonly number[];
  /** The device's own configuration fields, as the driver reads them now. */
  readonly configuration: Uint8Array;
  /** Given once. */
  connect(port: VirtioPort): void;
  /** The driver has made buffers available. Called inside {@link VirtioPort.guard}. */
  onNotify(queue: number): void;
  /** The driver resets the device. */
  reset(): void;
}
