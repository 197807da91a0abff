/**
 * Where boot loaders put things: guest-physical memory with a record of what is taken.
 *
 * The layout is that of a PC: conventional memory below 640 KiB, the firmware's hole up to 1 MiB, memory above.
 * What the loader itself writes lies in conventional memory, kernels load where they say, initrds at the top.
 */
import { biosData, biosDataBase } from "./bios-data.ts";
import { ImageError } from "./image-error.ts";

/** What loaders write to; the physical memory of a host is one, a guest's mapped view another. */
export interface BootTarget {
  write(physical: number, bytes: Uint8Array): void;
  fill(physical: number, value: number, lengthBytes: number): void;
}

/** A range as firmware reports it (ACPI 6.5, section 15, "System Address Map Interfaces"). */
export interface MemoryMapEntry {
  readonly base: number;
  readonly sizeBytes: number;
  /** 1 usable, 2 reserved. */
  readonly type: 1 | 2;
}

const pageBytes = 4096;
const conventionalEnd = 0x9_fc00;
/** The firmware's own memory, where its tables begin. */
export const firmwareBase = 0xf_0000;
const highBase = 0x10_0000;
/** Loader data begin above the interrupt vectors and firmware data of a PC. */
const loaderBase = 0x1000;

/** Memory stays below the hole in which PCI devices and interrupt controllers answer. */
export const maximumMemoryBytes = 0xc000_0000;
/** The smallest machine: 1 MiB of low memory and something to load a kernel into. */
export const minimumMemoryBytes = 0x20_0000;

interface Taken {
  readonly what: string;
  readonly base: number;
  readonly end: number;
}

export class BootMemory {
  readonly memoryBytes: number;
  readonly #target: BootTarget;
  readonly #taken: Taken[] = [];

  /** @throws {RangeError} when the size is not between {@link minimumMemoryBytes} and {@link maximumMemoryBytes}. */
  constructor(target: BootTarget, memoryBytes: number) {
    if (!(memoryBytes >= minimumMemoryBytes && memoryBytes <= maximumMemoryBytes)) {
      throw new RangeError(
        `A machine of ${memoryBytes} bytes was asked for; expected ${minimumMemoryBytes} to ${maximumMemoryBytes}.`,
      );
    }
    this.#target = target;
    this.memoryBytes = memoryBytes;
  }

  /** What the guest is told: conventional memory, the firmware's hole, the rest. */
  get map(): readonly MemoryMapEntry[] {
    return [
      { base: 0, sizeBytes: conventionalEnd, type: 1 },
      { base: conventionalEnd, sizeBytes: 0xa_0000 - conventionalEnd, type: 2 },
      { base: firmwareBase, sizeBytes: highBase - firmwareBase, type: 2 },
      { base: highBase, sizeBytes: this.memoryBytes - highBase, type: 1 },
    ];
  }

  /**
   * Writes `bytes` at a fixed place, with zeros behind them up to `memoryBytes`.
   *
   * @throws {ImageError} when the place is not usable memory or overlaps something loaded before.
   */
  place(
    what: string,
    physical: number,
    bytes: Uint8Array,
    memoryBytes: number = bytes.length,
  ): void {
    const end = physical + memoryBytes;
    const usable = this.map.some(
      (entry) => entry.type === 1 && physical >= entry.base && end <= entry.base + entry.sizeBytes,
    );
    if (!usable) {
      const inLargest = physical >= highBase && end <= maximumMemoryBytes;
      throw new ImageError(
        what,
        0,
        inLargest
          ? `a place in the machine's ${this.memoryBytes} bytes of memory`
          : `a place in usable memory, below 0x${conventionalEnd.toString(16)} or from 0x${highBase.toString(16)} to 0x${maximumMemoryBytes.toString(16)}`,
        `0x${physical.toString(16)} to 0x${end.toString(16)}`,
      );
    }
    const other = this.#taken.find((taken) => physical < taken.end && taken.base < end);
    if (other !== undefined) {
      throw new ImageError(
        what,
        0,
        "a place of its own",
        `0x${physical.toString(16)} to 0x${end.toString(16)}, which overlaps ${other.what}`,
      );
    }
    this.#put(what, physical, bytes, memoryBytes);
  }

  /** Puts what a PC's firmware leaves in low memory, which is below everything that loaders place. */
  placeBiosData(): void {
    this.#target.write(biosDataBase, biosData(conventionalEnd));
  }

  /**
   * Puts the firmware's tables at {@link firmwareBase}. Once per memory.
   */
  placeFirmware(bytes: Uint8Array): void {
    if (bytes.length > highBase - firmwareBase) {
      throw new RangeError(
        `Bug in ringside: ${bytes.length} bytes of firmware tables, please report.`,
      );
    }
    this.#put("firmware tables", firmwareBase, bytes, bytes.length);
  }

  /** Puts loader data into conventional memory and gives their physical address, a multiple of 4096. */
  placeLow(what: string, bytes: Uint8Array): number {
    const size = pagesOf(bytes.length);
    for (let base = loaderBase; base + size <= conventionalEnd; base += pageBytes) {
      if (!this.#overlaps(base, base + size)) {
        this.#put(what, base, bytes, size);
        return base;
      }
    }
    throw new ImageError(what, 0, "room in conventional memory", `${bytes.length} bytes`);
  }

  /**
   * Puts a file at the highest page-aligned place that is free and ends by `limit`, and gives its physical address.
   *
   * @throws {ImageError} when there is no such place.
   */
  placeHigh(what: string, bytes: Uint8Array, limit: number = this.memoryBytes): number {
    const size = pagesOf(bytes.length);
    const top = Math.floor(Math.min(this.memoryBytes, limit) / pageBytes) * pageBytes;
    for (let base = top - size; base >= highBase; base -= pageBytes) {
      if (!this.#overlaps(base, base + size)) {
        this.#put(what, base, bytes, size);
        return base;
      }
    }
    throw new ImageError(
      what,
      0,
      `room in the machine's ${this.memoryBytes} bytes of memory`,
      `a file of ${bytes.length} bytes`,
    );
  }

  #overlaps(base: number, end: number): boolean {
    return this.#taken.some((taken) => base < taken.end && taken.base < end);
  }

  #put(what: string, base: number, bytes: Uint8Array, sizeBytes: number): void {
    this.#taken.push({ what, base, end: base + sizeBytes });
    this.#target.write(base, bytes);
    if (sizeBytes > bytes.length) {
      this.#target.fill(base + bytes.length, 0, sizeBytes - bytes.length);
    }
  }
}

function pagesOf(lengthBytes: number): number {
  return Math.ceil(lengthBytes / pageBytes) * pageBytes;
}
