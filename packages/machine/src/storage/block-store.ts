/** What a disk's contents are kept in. */

/** The host could not read or write; the guest sees an I/O error of its disk. */
export class BlockStoreError extends Error {
  override readonly name: string = "BlockStoreError";
}

/** Bytes at offsets. All is done when a method returns. */
export interface BlockStore {
  readonly sizeBytes: number;
  /** Fills `bytes`; the range is inside. @throws {BlockStoreError} */
  read(offset: number, bytes: Uint8Array): void;
  /** The range is inside. @throws {BlockStoreError} */
  write(offset: number, bytes: Uint8Array): void;
  /** What was written survives the host's failure. @throws {BlockStoreError} */
  flush(): void;
}

/** Contents in memory. */
export class MemoryStore implements BlockStore {
  readonly #bytes: Uint8Array;

  /** @param bytes Belong to the store from then on. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  read(offset: number, bytes: Uint8Array): void {
    bytes.set(this.#bytes.subarray(offset, offset + bytes.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, offset);
  }

  flush(): void {}
}
