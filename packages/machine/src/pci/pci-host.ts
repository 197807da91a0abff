/**
 * The PCI bus of a PC: the host bridge, its configuration ports, and the window for memory of devices.
 *
 * PCI Local Bus Specification 3.0, section 3.2.2.3.2, "Software Generation of Configuration Transactions" (0xcf8 is the
 * address, 0xcfc the data). One bus, functions 0 only; slot 0 is the bridge.
 */
import type { MmioRegion } from "@ringside/isa";
import type { InterruptController } from "../interrupts/interrupt-controller.ts";
import { pciLines, pciWindowBase, pciWindowBytes } from "../platform.ts";
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";
import { PciFunction, type PciIdentity, type PciRange } from "./pci-function.ts";

const addressPort = 0xcf8;
const dataPort = 0xcfc;
const configurationEnabled = 0x8000_0000;
const slots = 32;
/** Intel's 440FX, the bridge that software knows best. */
const bridge: PciIdentity = { vendor: 0x8086, device: 0x1237, classCode: 0x06_0000, revision: 2 };
const msiXBytes = 0x1000;

export class PciHost implements PortDevice, MmioRegion {
  readonly name = "pci-host";
  readonly ports: readonly PortRange[] = [
    { base: addressPort, count: 1, widthBytes: 4 },
    { base: dataPort, count: 4, widthBytes: 4 },
  ];
  readonly base: number = pciWindowBase;
  readonly sizeBytes: number = pciWindowBytes;
  readonly #interrupts: InterruptController;
  /** By slot. */
  readonly #functions: PciFunction[] = [];
  /** By slot: level of the pin. */
  readonly #pins: boolean[] = [];
  #address = 0;
  #nextBase = pciWindowBase;

  constructor(interrupts: InterruptController) {
    this.#interrupts = interrupts;
    this.#functions.push(
      new PciFunction(bridge, { sendMessage: () => {}, setPin: () => {} }, [], [], undefined, 0),
    );
  }

  /**
   * Puts a function into the next slot and gives it places in the window.
   *
   * @throws {RangeError} when all slots are taken.
   */
  plug(identity: PciIdentity, ranges: readonly PciRange[], vectors: number): PciFunction {
    const slot = this.#functions.length;
    if (slot >= slots) throw new RangeError(`The PCI bus has ${slots} slots, and all are taken.`);
    const line = pciLines[slot % pciLines.length] ?? pciLines[0];
    const sizes = [
      ...ranges.map(({ sizeBytes }) => sizeBytes),
      ...(vectors > 0 ? [msiXBytes] : []),
    ];
    const bases = sizes.map((sizeBytes) => this.#allot(sizeBytes));
    const wires = {
      sendMessage: (physical: number, data: number) => this.#interrupts.sendMessage(physical, data),
      setPin: (asserted: boolean) => this.#setPin(slot, line, asserted),
    };
    const added = new PciFunction(identity, wires, ranges, bases, line, vectors);
    this.#functions.push(added);
    return added;
  }

  reset(): void {
    this.#address = 0;
    for (const part of this.#functions) part.reset();
  }

  readPort(port: number, sizeBytes: AccessBytes): number {
    if (port === addressPort) return this.#address % 2 ** (8 * sizeBytes);
    const target = this.#target();
    const offset = (this.#address & 0xfc) + (port - dataPort);
    return target?.readConfiguration(offset, sizeBytes) ?? 2 ** (8 * sizeBytes) - 1;
  }

  writePort(port: number, sizeBytes: AccessBytes, value: number): void {
    if (port === addressPort) {
      // Accesses of other sizes are not for the bridge.
      if (sizeBytes === 4) this.#address = (value & 0x80ff_fffc) >>> 0;
      return;
    }
    this.#target()?.writeConfiguration(
      (this.#address & 0xfc) + (port - dataPort),
      sizeBytes,
      value,
    );
  }

  read(offset: number, sizeBytes: AccessBytes): number {
    const found = this.#rangeAt(pciWindowBase + offset);
    return found?.range.read(found.offset, sizeBytes) ?? 2 ** (8 * sizeBytes) - 1;
  }

  write(offset: number, sizeBytes: AccessBytes, value: number): void {
    const found = this.#rangeAt(pciWindowBase + offset);
    found?.range.write(found.offset, sizeBytes, value);
  }

  #rangeAt(physical: number): ReturnType<PciFunction["rangeAt"]> {
    for (const part of this.#functions) {
      const found = part.rangeAt(physical);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Bus 0, function 0 of the slot in the address. */
  #target(): PciFunction | undefined {
    const isHere = this.#address >= configurationEnabled && (this.#address & 0x00ff_0700) === 0;
    return isHere ? this.#functions[(this.#address >>> 11) & 31] : undefined;
  }

  #allot(sizeBytes: number): number {
    const base = Math.ceil(this.#nextBase / sizeBytes) * sizeBytes;
    this.#nextBase = base + sizeBytes;
    return base;
  }

  /** Pins of several slots share a line. */
  #setPin(slot: number, line: number, asserted: boolean): void {
    this.#pins[slot] = asserted;
    const level = this.#pins.some(
      (pin, index) => pin && pciLines[index % pciLines.length] === line,
    );
    this.#interrupts.setLine(line, level);
  }
}
