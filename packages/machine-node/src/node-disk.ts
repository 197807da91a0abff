/** A raw image file as the store of a disk. */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { BlockStoreError, ImageError, OverlayStore, type BlockStore } from "@ringside/machine";

const sectorBytes = 512;

/** Closes its file when it is disposed. */
export interface FileDisk extends BlockStore, Disposable {}

export interface DiskFileOptions {
  /** Whether what the guest writes goes to the file. Default false: it is kept in memory and lost in the end. */
  readonly writable?: boolean;
}

/**
 * Opens a raw image. Nobody else may write to it meanwhile.
 *
 * @throws {ImageError} when it is no file, empty, or not of whole sectors.
 * @throws An error of Node's file system when it cannot be opened; its `code` says why.
 */
export function openDisk(path: string, options: DiskFileOptions = {}): FileDisk {
  const { writable = false } = options;
  const descriptor = openSync(path, writable ? "r+" : "r");
  try {
    const status = fstatSync(descriptor);
    const kind = `disk image ${path}`;
    if (!status.isFile()) throw new ImageError(kind, 0, "a file", "something else");
    if (status.size === 0 || status.size % sectorBytes !== 0) {
      const expected = `a multiple of ${sectorBytes} bytes, and more than 0`;
      throw new ImageError(kind, status.size, expected, `${status.size} bytes`);
    }
    const file = new FileStore(descriptor, status.size);
    if (writable) return file;
    const overlay = new OverlayStore(file);
    return Object.assign(overlay, { [Symbol.dispose]: () => file[Symbol.dispose]() });
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

class FileStore implements FileDisk {
  readonly sizeBytes: number;
  readonly #descriptor: number;
  #isOpen = true;

  constructor(descriptor: number, sizeBytes: number) {
    this.#descriptor = descriptor;
    this.sizeBytes = sizeBytes;
  }

  read(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const count = attempt(() =>
        readSync(this.#descriptor, bytes, done, bytes.length - done, offset + done),
      );
      if (count === 0)
        throw new BlockStoreError(`The image ends before offset ${offset + bytes.length}.`);
      done += count;
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += attempt(() =>
        writeSync(this.#descriptor, bytes, done, bytes.length - done, offset + done),
      );
    }
  }

  flush(): void {
    attempt(() => fsyncSync(this.#descriptor));
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#descriptor);
  }
}

function attempt<T>(operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    throw new BlockStoreError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
