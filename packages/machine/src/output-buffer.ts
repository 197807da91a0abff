/** Gathers single bytes of a device, so that a listener is called per run and not per byte. */

const capacityBytes = 4096;

export class OutputBuffer {
  readonly #onBytes: ((bytes: Uint8Array) => void) | undefined;
  readonly #bytes = new Uint8Array(capacityBytes);
  #length = 0;

  /** @param onBytes Gets a copy of its own. Without a listener the bytes are dropped. */
  constructor(onBytes: ((bytes: Uint8Array) => void) | undefined) {
    this.#onBytes = onBytes;
  }

  push(byte: number): void {
    if (this.#onBytes === undefined) return;
    this.#bytes[this.#length] = byte;
    this.#length += 1;
    if (this.#length === capacityBytes) this.flush();
  }

  flush(): void {
    if (this.#length === 0) return;
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    this.#onBytes?.(bytes);
  }
}
