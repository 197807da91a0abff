/**
 * MSI-X: a table of interrupt messages in the memory of a PCI function.
 *
 * PCI Local Bus Specification 3.0, section 6.8.2, "MSI-X Capability and Table Structures": entries of message address
 * (8 bytes), data and vector control, then one pending bit for each.
 */
import type { AccessBytes } from "../ports.ts";
import type { PciRange } from "./pci-function.ts";

const entryBytes = 16;
const pendingOffset = 0x800;
const rangeBytes = 0x1000;
const maximumVectors = pendingOffset / entryBytes;
/** High byte of message control. */
const enabled = 0x80;
const functionMasked = 0x40;
/** Vector control. */
const masked = 1;

export class MsiX implements PciRange {
  readonly sizeBytes: number = rangeBytes;
  /** Where message control lies in configuration space; out of it while there is none. */
  controlOffset = 0x1000;
  readonly #vectors: number;
  readonly #send: (physical: number, data: number) => void;
  readonly #table: DataView;
  readonly #pending: boolean[] = [];
  #control = 0;

  /** @param vectors At most 128. */
  constructor(vectors: number, send: (physical: number, data: number) => void) {
    if (vectors > maximumVectors) {
      throw new RangeError(
        `Bug in ringside: a PCI function with ${vectors} vectors, please report.`,
      );
    }
    this.#vectors = vectors;
    this.#send = send;
    this.#table = new DataView(new ArrayBuffer(entryBytes * vectors));
    this.reset();
  }

  /** Body of the capability: message control, and where table and pending bits lie. */
  capability(barIndex: number): Uint8Array {
    const body = new DataView(new ArrayBuffer(10));
    body.setUint16(0, this.#vectors - 1, true);
    body.setUint32(2, barIndex, true);
    body.setUint32(6, pendingOffset | barIndex, true);
    return new Uint8Array(body.buffer);
  }

  get isEnabled(): boolean {
    return (this.#control & enabled) !== 0;
  }

  reset(): void {
    this.#control = 0;
    for (let vector = 0; vector < this.#vectors; vector += 1) {
      for (let offset = 0; offset < entryBytes; offset += 4) {
        this.#table.setUint32(entryBytes * vector + offset, offset === 12 ? masked : 0, true);
      }
      this.#pending[vector] = false;
    }
  }

  readControlHigh(stored: number): number {
    return (stored & ~(enabled | functionMasked)) | this.#control;
  }

  writeControlHigh(value: number): void {
    this.#control = value & (enabled | functionMasked);
    this.#sendPending();
  }

  /** Sends a vector's message, or keeps it while masked. Vectors that do not exist say nothing. */
  fire(vector: number): void {
    if (!this.isEnabled || vector >= this.#vectors) return;
    this.#pending[vector] = true;
    this.#sendPending();
  }

  read(offset: number, sizeBytes: AccessBytes): number {
    const word = this.#readWord(offset & ~3);
    return sizeBytes === 4 ? word : (word >>> (8 * (offset & 3))) & (2 ** (8 * sizeBytes) - 1);
  }

  /** Aligned accesses of 4 bytes, as the specification asks for; others are lost. */
  write(offset: number, sizeBytes: AccessBytes, value: number): void {
    if (sizeBytes !== 4 || (offset & 3) !== 0 || offset >= this.#table.byteLength) return;
    this.#table.setUint32(offset, value, true);
    this.#sendPending();
  }

  #readWord(offset: number): number {
    if (offset < this.#table.byteLength) return this.#table.getUint32(offset, true);
    const first = (offset - pendingOffset) * 8;
    let word = 0;
    for (let bit = 0; bit < 32; bit += 1) {
      if (this.#pending[first + bit] === true) word |= 1 << bit;
    }
    return word >>> 0;
  }

  #sendPending(): void {
    if (this.#control !== enabled) return;
    for (let vector = 0; vector < this.#vectors; vector += 1) {
      const entry = entryBytes * vector;
      const isMasked = (this.#table.getUint32(entry + 12, true) & masked) !== 0;
      if (this.#pending[vector] !== true || isMasked) continue;
      this.#pending[vector] = false;
      this.#send(this.#table.getUint32(entry, true), this.#table.getUint32(entry + 8, true));
    }
  }
}
