/**
 * One function of a PCI device: its configuration space, base addresses, and how it interrupts.
 *
 * PCI Local Bus Specification 3.0, section 6.1, "Configuration Space Organization"; 6.2.5, "Base Addresses"; 6.8.2, "MSI-X
 * Capability and Table Structures".
 */
import type { AccessBytes } from "../ports.ts";
import { MsiX } from "./msi-x.ts";

/** Registers of the header. */
const commandRegister = 0x04;
const statusRegister = 0x06;
const firstBar = 0x10;
const capabilityPointer = 0x34;
const interruptLine = 0x3c;
const interruptPin = 0x3d;
const firstCapability = 0x40;

/** Command bits: memory space, bus master, INTx disable. */
const memorySpace = 0x0002;
const busMaster = 0x0004;
const interruptDisable = 0x0400;
const commandWritable = memorySpace | busMaster | interruptDisable | 0x0101;
/** Status bits. */
const interruptStatus = 0x08;
const hasCapabilities = 0x10;

const configurationBytes = 256;
const vendorCapability = 0x09;
/** Offset of the data in the window's capability. */
const windowData = 16;

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
  /** 24 bits: class, subclass, programming interface. */
  readonly classCode: number;
  readonly revision?: number;
}

/** A range of memory in which the function answers, at the place that its base address register says. */
export interface PciRange {
  /** A power of two, at least 4096. */
  readonly sizeBytes: number;
  read(offset: number, sizeBytes: AccessBytes): number;
  write(offset: number, sizeBytes: AccessBytes, value: number): void;
}

/** How a function reaches the rest of the machine. */
export interface PciWires {
  /** Writes an interrupt message. */
  readonly sendMessage: (physical: number, data: number) => void;
  /** Level of the function's INTA pin. */
  readonly setPin: (asserted: boolean) => void;
}

export class PciFunction {
  readonly msiX: MsiX;
  readonly #wires: PciWires;
  readonly #ranges: readonly PciRange[];
  readonly #space = new Uint8Array(configurationBytes);
  readonly #view = new DataView(this.#space.buffer);
  #nextCapability = firstCapability;
  #lastLink = capabilityPointer;
  /** Base addresses as firmware has set them. */
  readonly #firmwareBases: readonly number[];
  #interrupts = false;
  /** Offset of the capability that is a window on the ranges. */
  #window: number | undefined;

  /**
   * @param ranges One for each base address register, the first one first; MSI-X gets the one behind.
   * @param bases Where firmware has put them, and MSI-X's range.
   * @param line What firmware has routed INTA to; undefined when the function has no interrupt.
   */
  constructor(
    identity: PciIdentity,
    wires: PciWires,
    ranges: readonly PciRange[],
    bases: readonly number[],
    line: number | undefined,
    vectors: number,
  ) {
    this.#wires = wires;
    this.msiX = new MsiX(vectors, (physical, data) => {
      // A function that is not bus master writes no messages either.
      if (this.isBusMaster) wires.sendMessage(physical, data);
    });
    this.#ranges = vectors === 0 ? ranges : [...ranges, this.msiX];
    this.#firmwareBases = bases;
    this.#view.setUint16(0x00, identity.vendor, true);
    this.#view.setUint16(0x02, identity.device, true);
    this.#view.setUint32(0x08, (identity.classCode * 256 + (identity.revision ?? 0)) >>> 0, true);
    this.#view.setUint16(0x2c, identity.subsystemVendor ?? 0, true);
    this.#view.setUint16(0x2e, identity.subsystem ?? 0, true);
    this.#space[interruptLine] = line ?? 0;
    this.#space[interruptPin] = line === undefined ? 0 : 1;
    if (vectors > 0) {
      const at = this.addCapability(0x11, this.msiX.capability(ranges.length));
      this.msiX.controlOffset = at + 2;
    }
    this.reset();
  }

  /** Gives its offset in configuration space. `body` is what follows the id and the link. */
  addCapability(id: number, body: Uint8Array): number {
    const at = this.#nextCapability;
    this.#space[this.#lastLink] = at;
    this.#space[at] = id;
    this.#space.set(body, at + 2);
    this.#lastLink = at + 1;
    this.#nextCapability = Math.ceil((at + 2 + body.length) / 4) * 4;
    this.#space[statusRegister] = hasCapabilities;
    return at;
  }

  /** A vendor-specific capability, whose first byte is its length. */
  addVendorCapability(body: Uint8Array): number {
    return this.addCapability(vendorCapability, Uint8Array.of(body.length + 3, ...body));
  }

  /**
   * Lets software reach the ranges through configuration space: VIRTIO 1.2, section 4.1.4.9, "PCI configuration access
   * capability". The capability at `at` has the range's number at 4, an offset at 8, a length at 12, and data at 16.
   */
  setWindow(at: number): void {
    this.#window = at;
  }

  get isBusMaster(): boolean {
    return (this.#command & busMaster) !== 0;
  }

  reset(): void {
    this.#view.setUint16(commandRegister, 0, true);
    this.#firmwareBases.forEach((base, index) => {
      this.#view.setUint32(firstBar + 4 * index, base, true);
    });
    this.msiX.reset();
    this.setInterrupt(false);
  }

  /** Whether the function asks for an interrupt by its pin; MSI-X silences the pin. */
  setInterrupt(asserted: boolean): void {
    this.#interrupts = asserted;
    this.#updatePin();
  }

  readConfiguration(offset: number, sizeBytes: AccessBytes): number {
    if (offset + sizeBytes > configurationBytes) return 2 ** (8 * sizeBytes) - 1;
    const throughWindow = this.#accessWindow(offset, (range, at, size) => range.read(at, size));
    if (throughWindow !== undefined) return throughWindow % 2 ** (8 * sizeBytes);
    let value = 0;
    for (let byte = sizeBytes - 1; byte >= 0; byte -= 1)
      value = value * 256 + this.#byteAt(offset + byte);
    return value;
  }

  writeConfiguration(offset: number, sizeBytes: AccessBytes, value: number): void {
    if (offset + sizeBytes > configurationBytes) return;
    for (let byte = 0; byte < sizeBytes; byte += 1) {
      this.#writeByte(offset + byte, Math.floor(value / 256 ** byte) & 0xff);
    }
    this.#updatePin();
    this.#accessWindow(offset, (range, at, size) => {
      range.write(at, size, value % 2 ** (8 * size));
      return 0;
    });
  }

  /** Undefined when `offset` is not that of the window's data, or the window shows nothing. */
  #accessWindow(
    offset: number,
    access: (range: PciRange, at: number, sizeBytes: AccessBytes) => number,
  ): number | undefined {
    const at = this.#window;
    if (at === undefined || offset !== at + windowData) return undefined;
    const range = this.#ranges[this.#space[at + 4] ?? 0];
    const place = this.#view.getUint32(at + 8, true);
    const size = this.#view.getUint32(at + 12, true);
    const isSize = size === 1 || size === 2 || size === 4;
    if (range === undefined || !isSize || place % size !== 0) return undefined;
    return place + size <= range.sizeBytes ? access(range, place, size) : undefined;
  }

  /** The range that answers at a physical address, and the offset in it. */
  rangeAt(physical: number): { readonly range: PciRange; readonly offset: number } | undefined {
    if ((this.#command & memorySpace) === 0) return undefined;
    for (const [index, range] of this.#ranges.entries()) {
      const offset = physical - this.#view.getUint32(firstBar + 4 * index, true);
      if (offset >= 0 && offset < range.sizeBytes) return { range, offset };
    }
    return undefined;
  }

  /** A range by the number of its base address register, wherever it is mapped. */
  range(index: number): PciRange | undefined {
    return this.#ranges[index];
  }

  get #command(): number {
    return this.#view.getUint16(commandRegister, true);
  }

  #byteAt(offset: number): number {
    const stored = this.#space[offset] ?? 0;
    if (offset === statusRegister) return stored | (this.#interrupts ? interruptStatus : 0);
    if (offset === this.msiX.controlOffset + 1) return this.msiX.readControlHigh(stored);
    return stored;
  }

  #writeByte(offset: number, value: number): void {
    if (offset === commandRegister || offset === commandRegister + 1) {
      const shift = 8 * (offset - commandRegister);
      this.#space[offset] = value & (commandWritable >> shift);
    } else if (offset === interruptLine) {
      this.#space[offset] = value;
    } else if (offset >= firstBar && offset < firstBar + 4 * this.#ranges.length) {
      const index = (offset - firstBar) >> 2;
      const shift = 8 * (offset & 3);
      const mask = -(this.#ranges[index]?.sizeBytes ?? 0) >>> shift;
      this.#space[offset] = value & mask;
    } else if (offset === this.msiX.controlOffset + 1) {
      this.msiX.writeControlHigh(value);
    } else if (this.#window !== undefined) {
      const field = offset - this.#window;
      if (field === 4 || (field >= 8 && field < windowData)) this.#space[offset] = value;
    }
  }

  #updatePin(): void {
    const isSilent = this.msiX.isEnabled || (this.#command & interruptDisable) !== 0;
    this.#wires.setPin(this.#interrupts && !isSilent);
  }
}
