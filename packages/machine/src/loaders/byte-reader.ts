/** Little-endian fields of a file that may be shorter than it says. */
import { ImageError } from "./image-error.ts";

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly #file: string;
  readonly #view: DataView;

  /** @param file Kind of file, for errors. */
  constructor(file: string, bytes: Uint8Array) {
    this.bytes = bytes;
    this.#file = file;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16(offset: number, what: string): number {
    this.require(offset, 2, what);
    return this.#view.getUint16(offset, true);
  }

  u32(offset: number, what: string): number {
    this.require(offset, 4, what);
    return this.#view.getUint32(offset, true);
  }

  u64(offset: number, what: string): bigint {
    this.require(offset, 8, what);
    return this.#view.getBigUint64(offset, true);
  }

  /** A 64-bit field that must be usable as a size or an offset. */
  size64(offset: number, what: string): number {
    const value = this.u64(offset, what);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.error(offset, `${what} below 2^53`, `0x${value.toString(16)}`);
    }
    return Number(value);
  }

  slice(offset: number, lengthBytes: number, what: string): Uint8Array {
    this.require(offset, lengthBytes, what);
    return this.bytes.subarray(offset, offset + lengthBytes);
  }

  require(offset: number, lengthBytes: number, what: string): void {
    if (offset >= 0 && lengthBytes >= 0 && offset + lengthBytes <= this.bytes.length) return;
    throw this.error(
      offset,
      `${what} (${lengthBytes} bytes)`,
      `the end of the file at 0x${this.bytes.length.toString(16)}`,
    );
  }

  error(offset: number, expected: string, found: string): ImageError {
    return new ImageError(this.#file, offset, expected, found);
  }
}
