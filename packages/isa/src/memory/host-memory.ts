/**
 * The memory of a host: one WebAssembly memory that holds processor state, TLBs, decoded code and physical memory.
 *
 * Handlers, routines and TypeScript see the same bytes. It never grows after creation, so views stay valid. TypeScript
 * writes physical memory only through {@link PhysicalMemory}, which tells the code cache.
 */
import {
  FRAME_BYTES,
  FRAME_ENTRY,
  FRAME_ENTRY_BYTES,
  FRAME_IS_RAM,
  PROCESSOR_BLOCK_BYTES,
  WASM_PAGE_BYTES,
} from "../interpreter/layout.ts";

const MEBIBYTE = 0x10_0000;
/** Physical memory ends below 3 GiB, where devices live. */
const PHYSICAL_BYTES_MAXIMUM = 3072 * MEBIBYTE;
const CODE_CACHE_BYTES_DEFAULT = 64 * MEBIBYTE;
const CODE_CACHE_BYTES_MINIMUM = MEBIBYTE;

export interface HostMemoryOptions {
  /** Bytes of physical memory, from physical address 0; a multiple of 4096, at most 3 GiB. */
  readonly physicalBytes: number;
  /** Bytes for decoded code, at least 1 MiB; 64 MiB unless told. When it is full, all of it is decoded again. */
  readonly codeCacheBytes?: number;
}

/** Told about writes to physical memory that handlers do not make themselves. */
export interface WriteListener {
  written(physical: number, lengthBytes: number): void;
}

/**
 * Physical memory as TypeScript sees it. Addresses are safe integers; multi-byte values are little-endian and need no
 * alignment.
 *
 * @throws {RangeError} Any access that is not wholly inside.
 */
export class PhysicalMemory {
  readonly sizeBytes: number;
  /** Offset of physical address 0 in {@link buffer}. For reading without a copy; writes go through the methods. */
  readonly baseOffset: number;
  readonly buffer: ArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #frames: DataView;
  readonly #listeners: WriteListener[];

  constructor(
    buffer: ArrayBuffer,
    baseOffset: number,
    sizeBytes: number,
    frameTable: number,
    listeners: WriteListener[],
  ) {
    this.buffer = buffer;
    this.baseOffset = baseOffset;
    this.sizeBytes = sizeBytes;
    this.#bytes = new Uint8Array(buffer, baseOffset, sizeBytes);
    this.#view = new DataView(buffer, baseOffset, sizeBytes);
    this.#frames = new DataView(buffer, frameTable, (sizeBytes / FRAME_BYTES) * FRAME_ENTRY_BYTES);
    this.#listeners = listeners;
  }

  #check(physical: number, lengthBytes: number): void {
    if (
      !Number.isSafeInteger(physical) ||
      physical < 0 ||
      lengthBytes < 0 ||
      physical + lengthBytes > this.sizeBytes
    ) {
      throw new RangeError(
        `Physical address 0x${physical.toString(16)} with ${lengthBytes} bytes is outside memory. Physical memory has ${this.sizeBytes} bytes.`,
      );
    }
  }

  readU8(physical: number): number {
    this.#check(physical, 1);
    return this.#view.getUint8(physical);
  }

  readU16(physical: number): number {
    this.#check(physical, 2);
    return this.#view.getUint16(physical, true);
  }

  readU32(physical: number): number {
    this.#check(physical, 4);
    return this.#view.getUint32(physical, true);
  }

  readU64(physical: number): bigint {
    this.#check(physical, 8);
    return this.#view.getBigUint64(physical, true);
  }

  /** A copy. */
  read(physical: number, lengthBytes: number): Uint8Array {
    this.#check(physical, lengthBytes);
    return this.#bytes.slice(physical, physical + lengthBytes);
  }

  writeU8(physical: number, value: number): void {
    this.#check(physical, 1);
    this.#view.setUint8(physical, value);
    this.#written(physical, 1);
  }

  writeU16(physical: number, value: number): void {
    this.#check(physical, 2);
    this.#view.setUint16(physical, value, true);
    this.#written(physical, 2);
  }

  writeU32(physical: number, value: number): void {
    this.#check(physical, 4);
    this.#view.setUint32(physical, value, true);
    this.#written(physical, 4);
  }

  writeU64(physical: number, value: bigint): void {
    this.#check(physical, 8);
    this.#view.setBigUint64(physical, value, true);
    this.#written(physical, 8);
  }

  write(physical: number, bytes: Uint8Array): void {
    this.#check(physical, bytes.length);
    this.#bytes.set(bytes, physical);
    this.#written(physical, bytes.length);
  }

  fill(physical: number, value: number, lengthBytes: number): void {
    this.#check(physical, lengthBytes);
    this.#bytes.fill(value, physical, physical + lengthBytes);
    this.#written(physical, lengthBytes);
  }

  /** Copies inside physical memory; the ranges may overlap. */
  copy(from: number, to: number, lengthBytes: number): void {
    this.#check(from, lengthBytes);
    this.#check(to, lengthBytes);
    this.#bytes.copyWithin(to, from, from + lengthBytes);
    this.#written(to, lengthBytes);
  }

  /** Takes frames out of RAM: a device answers there, or nobody. */
  excludeRam(physical: number, lengthBytes: number): void {
    const last = Math.min(physical + lengthBytes, this.sizeBytes);
    for (let at = physical - (physical % FRAME_BYTES); at < last; at += FRAME_BYTES) {
      const entry = (at / FRAME_BYTES) * FRAME_ENTRY_BYTES;
      this.#frames.setUint8(
        entry + FRAME_ENTRY.flags.offset,
        this.#frames.getUint8(entry + FRAME_ENTRY.flags.offset) & ~FRAME_IS_RAM,
      );
    }
  }

  #written(physical: number, lengthBytes: number): void {
    if (lengthBytes === 0) return;
    const last = Math.floor((physical + lengthBytes - 1) / FRAME_BYTES);
    for (let frame = Math.floor(physical / FRAME_BYTES); frame <= last; frame += 1) {
      const lines = frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.codeLines.offset;
      if (
        this.#frames.getUint32(lines, true) === 0 &&
        this.#frames.getUint32(lines + 4, true) === 0
      )
        continue;
      const from = Math.max(physical, frame * FRAME_BYTES);
      const to = Math.min(physical + lengthBytes, (frame + 1) * FRAME_BYTES);
      for (const listener of this.#listeners) listener.written(from, to - from);
    }
  }
}

/** One host's memory. */
export class HostMemory {
  readonly wasm: WebAssembly.Memory;
  readonly physical: PhysicalMemory;
  /** Where things lie; for the processor. */
  readonly layout: {
    readonly processorBlock: number;
    readonly frameTable: number;
    readonly codeCache: number;
    readonly codeCacheBytes: number;
    readonly physicalBase: number;
  };
  readonly #listeners: WriteListener[] = [];
  #claimed = false;

  private constructor(options: HostMemoryOptions) {
    const { physicalBytes, codeCacheBytes = CODE_CACHE_BYTES_DEFAULT } = options;
    if (
      !Number.isInteger(physicalBytes) ||
      physicalBytes <= 0 ||
      physicalBytes % FRAME_BYTES !== 0 ||
      physicalBytes > PHYSICAL_BYTES_MAXIMUM
    ) {
      throw new RangeError(
        `Physical memory of ${physicalBytes} bytes cannot be made. Ask for a multiple of ${FRAME_BYTES} of at most ${PHYSICAL_BYTES_MAXIMUM} bytes.`,
      );
    }
    if (!Number.isInteger(codeCacheBytes) || codeCacheBytes < CODE_CACHE_BYTES_MINIMUM) {
      throw new RangeError(
        `A code cache of ${codeCacheBytes} bytes is too small. Give at least ${CODE_CACHE_BYTES_MINIMUM} bytes.`,
      );
    }
    const processorBlock = WASM_PAGE_BYTES;
    const frameTable = pageAligned(processorBlock + PROCESSOR_BLOCK_BYTES);
    const frames = physicalBytes / FRAME_BYTES;
    const codeCache = pageAligned(frameTable + frames * FRAME_ENTRY_BYTES);
    const physicalBase = pageAligned(codeCache + codeCacheBytes);
    const pages = pageAligned(physicalBase + physicalBytes) / WASM_PAGE_BYTES;
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.layout = {
      processorBlock,
      frameTable,
      codeCache,
      codeCacheBytes: physicalBase - codeCache,
      physicalBase,
    };
    const table = new Uint8Array(this.wasm.buffer, frameTable, frames * FRAME_ENTRY_BYTES);
    for (let frame = 0; frame < frames; frame += 1)
      table[frame * FRAME_ENTRY_BYTES + FRAME_ENTRY.flags.offset] = FRAME_IS_RAM;
    this.physical = new PhysicalMemory(
      this.wasm.buffer,
      physicalBase,
      physicalBytes,
      frameTable,
      this.#listeners,
    );
  }

  /** @throws {RangeError} Sizes that cannot be had. */
  static create(options: HostMemoryOptions): HostMemory {
    return new HostMemory(options);
  }

  /**
   * Gives the processor block and the code cache to one processor.
   *
   * @throws {RangeError} The memory has a processor already: a host has one until hosts have several.
   */
  claim(listener: WriteListener): void {
    if (this.#claimed)
      throw new RangeError(
        "This HostMemory has a processor already. Create a HostMemory for each processor.",
      );
    this.#claimed = true;
    this.#listeners.push(listener);
  }
}

function pageAligned(offset: number): number {
  return Math.ceil(offset / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
}
