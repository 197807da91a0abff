/** Builds little-endian structures. */
export class ByteWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(lengthBytes: number) {
    this.bytes = new Uint8Array(lengthBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  u16(offset: number, value: number): this {
    this.#view.setUint16(offset, value, true);
    return this;
  }

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true);
    return this;
  }

  u64(offset: number, value: number | bigint): this {
    this.#view.setBigUint64(offset, BigInt(value), true);
    return this;
  }

  /** ASCII, without a terminator. */
  text(offset: number, characters: string): this {
    this.bytes.set(terminated(characters).subarray(0, -1), offset);
    return this;
  }
}

/** ASCII with a terminator. Characters beyond 0x7e and control characters become `?`. */
export function terminated(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length + 1);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    bytes[at] = code >= 0x20 && code <= 0x7e ? code : 0x3f;
  }
  return bytes;
}
