/**
 * A virtio device on the PCI bus.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 4.1, "Virtio Over PCI Bus"; the legacy interface does not exist. One
 * range of memory holds what four capabilities point at: common configuration, interrupt status, device configuration,
 * notifications.
 */
import type { DmaMemory } from "../dma.ts";
import type { PciFunction, PciRange } from "../pci/pci-function.ts";
import type { PciHost } from "../pci/pci-host.ts";
import type { AccessBytes } from "../ports.ts";
import type { VirtioDevice, VirtioPort } from "./virtio-device.ts";
import { Virtqueue, VirtqueueError } from "./virtqueue.ts";

const vendor = 0x1af4;
const firstModernDevice = 0x1040;
const noVector = 0xffff;

/** Parts of the range, 4 KiB each. */
const part = { common: 0, status: 0x1000, device: 0x2000, notify: 0x3000 } as const;
const rangeBytes = 0x4000;
const partBytes = 0x1000;
const commonBytes = 56;
const notifyMultiplier = 4;

/** cfg_type of the capabilities. */
const capability = { common: 1, notify: 2, status: 3, device: 4, window: 5 } as const;

/** Section 6, "Reserved Feature Bits". */
const indirectDescriptors = 1n << 28n;
const eventIndex = 1n << 29n;
const version1 = 1n << 32n;

/** Section 2.1, "Device Status Field". */
const driverOk = 4;
const featuresOk = 8;
const needsReset = 64;

/** Interrupt status: a queue, or the configuration. */
const queueInterrupt = 1;
const configurationInterrupt = 2;

export class VirtioPci implements PciRange, VirtioPort {
  readonly sizeBytes: number = rangeBytes;
  readonly queues: readonly Virtqueue[];
  readonly #device: VirtioDevice;
  readonly #function: PciFunction;
  readonly #features: bigint;
  #status = 0;
  #accepted = 0n;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #queueSelect = 0;
  #configurationVector = noVector;
  #generation = 0;
  #interruptStatus = 0;

  constructor(host: PciHost, memory: DmaMemory, device: VirtioDevice) {
    this.#device = device;
    this.#features = device.features | version1 | indirectDescriptors | eventIndex;
    this.queues = device.queueSizes.map((size) => {
      const queue: Virtqueue = new Virtqueue(memory, size, () => this.#interrupt(queue.vector));
      return queue;
    });
    const identity = {
      vendor,
      device: firstModernDevice + device.deviceType,
      subsystemVendor: vendor,
      subsystem: device.deviceType,
      classCode: device.pciClass,
      revision: 1,
    };
    // One vector for each queue, and one for the configuration.
    this.#function = host.plug(identity, [this], this.queues.length + 1);
    this.#addCapabilities();
    device.connect(this);
  }

  get isLive(): boolean {
    // A function that is not bus master reaches no memory: there is no queue to work on.
    const isStarted = (this.#status & (driverOk | needsReset)) === driverOk;
    return isStarted && this.#function.isBusMaster;
  }

  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof VirtqueueError)) throw error;
      this.#status |= needsReset;
      this.#notifyConfiguration();
    }
  }

  /** The fields of the device's configuration have changed. */
  configurationChanged(): void {
    this.#generation = (this.#generation + 1) & 0xff;
    this.#notifyConfiguration();
  }

  reset(): void {
    this.#status = 0;
    this.#accepted = 0n;
    this.#deviceFeatureSelect = 0;
    this.#driverFeatureSelect = 0;
    this.#queueSelect = 0;
    this.#configurationVector = noVector;
    this.#setInterruptStatus(0);
    for (const queue of this.queues) queue.reset();
    this.#device.reset();
  }

  read(offset: number, sizeBytes: AccessBytes): number {
    const at = offset % partBytes;
    switch (offset - at) {
      case part.common:
        return this.#readCommon(at, sizeBytes);
      case part.status: {
        // Reading clears, and takes the interrupt back.
        const value = this.#interruptStatus;
        this.#setInterruptStatus(0);
        return value;
      }
      case part.device: {
        const { configuration } = this.#device;
        let value = 0;
        for (let byte = sizeBytes - 1; byte >= 0; byte -= 1) {
          value = value * 256 + (configuration[at + byte] ?? 0);
        }
        return value;
      }
      default:
        return 0;
    }
  }

  write(offset: number, sizeBytes: AccessBytes, value: number): void {
    const at = offset % partBytes;
    if (offset - at === part.notify) this.#notified(at / notifyMultiplier);
    else if (offset - at === part.common) this.#writeCommon(at, sizeBytes, value);
  }

  #notified(index: number): void {
    if (!this.isLive || this.queues[index]?.isEnabled !== true) return;
    this.guard(() => this.#device.onNotify(index));
  }

  /** Section 4.1.4, "Virtio Structure PCI Capabilities". */
  #addCapabilities(): void {
    const add = (type: number, offset: number, lengthBytes: number, more?: number): number => {
      const body = new DataView(new ArrayBuffer(more === undefined ? 13 : 17));
      body.setUint8(0, type);
      body.setUint32(5, offset, true);
      body.setUint32(9, lengthBytes, true);
      if (more !== undefined) body.setUint32(13, more, true);
      return this.#function.addVendorCapability(new Uint8Array(body.buffer));
    };
    add(capability.common, part.common, commonBytes);
    add(capability.notify, part.notify, notifyMultiplier * this.queues.length, notifyMultiplier);
    add(capability.status, part.status, 1);
    add(capability.device, part.device, Math.max(this.#device.configuration.length, 4));
    this.#function.setWindow(add(capability.window, 0, 0, 0));
  }

  /** Section 4.1.4.3, "Common configuration structure layout". Fields are read in their own size. */
  #readCommon(offset: number, sizeBytes: AccessBytes): number {
    const aligned = offset & ~3;
    const word = this.#commonWord(aligned);
    return sizeBytes === 4 ? word : (word >>> (8 * (offset & 3))) & (2 ** (8 * sizeBytes) - 1);
  }

  #commonWord(offset: number): number {
    const queue = this.queues[this.#queueSelect];
    switch (offset) {
      case 0x00:
        return this.#deviceFeatureSelect;
      case 0x04:
        return word(this.#features, this.#deviceFeatureSelect);
      case 0x08:
        return this.#driverFeatureSelect;
      case 0x0c:
        return word(this.#accepted, this.#driverFeatureSelect);
      case 0x10:
        return (this.#configurationVector | (this.queues.length << 16)) >>> 0;
      case 0x14:
        return (this.#status | (this.#generation << 8) | (this.#queueSelect << 16)) >>> 0;
      case 0x18:
        return queue === undefined ? 0 : (queue.size | (queue.vector << 16)) >>> 0;
      case 0x1c: // queue_enable, queue_notify_off
        return queue === undefined
          ? 0
          : (Number(queue.isEnabled) | (this.#queueSelect << 16)) >>> 0;
      case 0x20:
      case 0x24:
        return half(queue?.descriptors, offset);
      case 0x28:
      case 0x2c:
        return half(queue?.driverArea, offset);
      case 0x30:
      case 0x34:
        return half(queue?.deviceArea, offset);
      default:
        return 0;
    }
  }

  #writeCommon(offset: number, sizeBytes: AccessBytes, value: number): void {
    const queue = this.queues[this.#queueSelect];
    switch (offset) {
      case 0x00:
        this.#deviceFeatureSelect = value;
        return;
      case 0x08:
        this.#driverFeatureSelect = value;
        return;
      case 0x0c:
        if ((this.#status & featuresOk) === 0) this.#accept(value);
        return;
      case 0x10:
        this.#configurationVector = this.#existing(value & 0xffff);
        return;
      case 0x14:
        this.#writeStatus(value & 0xff);
        return;
      case 0x16:
        this.#queueSelect = value & 0xffff;
        return;
      case 0x1a:
        if (queue !== undefined) queue.vector = this.#existing(value & 0xffff);
        return;
    }
    if (queue === undefined || queue.isEnabled) return;
    switch (offset) {
      case 0x18: {
        const isPowerOfTwo = value > 0 && (value & (value - 1)) === 0;
        if (isPowerOfTwo && value <= queue.maximumSize) queue.size = value;
        break;
      }
      case 0x1c:
        queue.isEnabled = (value & 1) !== 0;
        break;
      default:
        if (sizeBytes === 4) writeAddress(queue, offset, value);
    }
  }

  /** A vector that there is, or none, which tells the driver that there is no such. */
  #existing(vector: number): number {
    return vector <= this.queues.length ? vector : noVector;
  }

  #accept(value: number): void {
    const shift = BigInt(32 * this.#driverFeatureSelect);
    if (this.#driverFeatureSelect > 1) return;
    const others = this.#accepted & ~(0xffff_ffffn << shift);
    this.#accepted = others | (BigInt(value >>> 0) << shift);
  }

  #writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let next = value;
    // What was not offered, or the legacy interface, is refused: the driver finds FEATURES_OK clear.
    const isAcceptable =
      (this.#accepted & ~this.#features) === 0n && (this.#accepted & version1) !== 0n;
    if (!isAcceptable) next &= ~featuresOk;
    this.#status = next | (this.#status & needsReset);
    for (const queue of this.queues) queue.usesEventIndex = (this.#accepted & eventIndex) !== 0n;
  }

  #notifyConfiguration(): void {
    if ((this.#status & driverOk) === 0) return;
    if (this.#function.msiX.isEnabled) this.#function.msiX.fire(this.#configurationVector);
    else this.#setInterruptStatus(this.#interruptStatus | configurationInterrupt);
  }

  #interrupt(vector: number): void {
    if (this.#function.msiX.isEnabled) this.#function.msiX.fire(vector);
    else this.#setInterruptStatus(this.#interruptStatus | queueInterrupt);
  }

  #setInterruptStatus(value: number): void {
    this.#interruptStatus = value;
    this.#function.setInterrupt(value !== 0);
  }
}

function word(bits: bigint, select: number): number {
  return select > 1 ? 0 : Number((bits >> BigInt(32 * select)) & 0xffff_ffffn);
}

function half(address: number | undefined, offset: number): number {
  if (address === undefined) return 0;
  return (offset & 4) === 0 ? address % 2 ** 32 : Math.floor(address / 2 ** 32);
}

function writeAddress(queue: Virtqueue, offset: number, value: number): void {
  const isHigh = (offset & 4) !== 0;
  const replaced = (address: number): number =>
    isHigh
      ? (address % 2 ** 32) + value * 2 ** 32
      : Math.floor(address / 2 ** 32) * 2 ** 32 + value;
  switch (offset & ~7) {
    case 0x20:
      queue.descriptors = replaced(queue.descriptors);
      break;
    case 0x28:
      queue.driverArea = replaced(queue.driverArea);
      break;
    case 0x30:
      queue.deviceArea = replaced(queue.deviceArea);
  }
}
