/**
 * The program's standard streams: bytes to and from the host.
 *
 * They look like pipes to the program (S_IFIFO, not seekable, no terminal), as under every other strategy.
 */
import { EBADF, EFAULT } from "../abi/errno.ts";
import { POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, S_IFIFO } from "../abi/files.ts";
import { WaitQueue } from "../kernel/wait-queue.ts";
import type { FileSystem } from "./file-system.ts";
import { Inode } from "./inode.ts";
import { OpenFile, WOULD_BLOCK } from "./open-file.ts";
import type { Transfer } from "./transfer.ts";

/** Standard input: bytes that the host wrote and the program has not read. */
export class HostInput extends Inode {
  readonly readable: WaitQueue = new WaitQueue();
  readonly #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were read. */
  #offset = 0;
  #buffered = 0;
  #ended = false;
  #opened = false;

  constructor(fileSystem: FileSystem) {
    super(fileSystem, S_IFIFO | 0o600);
    this.links = 1;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** True when no descriptor is left that could read it. */
  get closed(): boolean {
    return this.#opened && this.references === 0;
  }

  override acquire(): void {
    this.#opened = true;
    super.acquire();
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#buffered += bytes.length;
    this.readable.wakeAll();
  }

  end(): void {
    this.#ended = true;
    this.readable.wakeAll();
  }

  read(transfer: Transfer): number {
    if (transfer.remaining === 0) return 0;
    if (this.#buffered === 0) return this.#ended ? 0 : WOULD_BLOCK;
    let moved = 0;
    for (;;) {
      const chunk = this.#chunks[0];
      if (chunk === undefined || transfer.remaining === 0) break;
      const count = transfer.putBytes(
        chunk.subarray(this.#offset, this.#offset + transfer.remaining),
      );
      this.#offset += count;
      this.#buffered -= count;
      moved += count;
      if (this.#offset < chunk.length) break;
      this.#chunks.shift();
      this.#offset = 0;
    }
    return moved === 0 && transfer.faulted ? EFAULT : moved;
  }
}

/** Standard output or error: what the program writes goes to the host's listener at once. */
export class HostOutput extends Inode {
  readonly #listener: ((bytes: Uint8Array) => void) | undefined;
  /** Bytes written so far. */
  writtenBytes = 0;

  constructor(fileSystem: FileSystem, listener: ((bytes: Uint8Array) => void) | undefined) {
    super(fileSystem, S_IFIFO | 0o600);
    this.#listener = listener;
    this.links = 1;
  }

  write(transfer: Transfer): number {
    let moved = 0;
    while (transfer.remaining > 0) {
      const bytes = transfer.takeBytes(Math.min(transfer.remaining, 65_536));
      if (bytes.length === 0) break;
      moved += bytes.length;
      this.writtenBytes += bytes.length;
      this.#listener?.(bytes);
    }
    return moved === 0 && transfer.faulted ? EFAULT : moved;
  }
}

export class HostInputFile extends OpenFile {
  readonly inode: HostInput;

  constructor(inode: HostInput, flags: number) {
    super(flags, `pipe:[${inode.number}]`, undefined);
    this.inode = inode;
    inode.acquire();
  }

  override get readQueue(): WaitQueue {
    return this.inode.readable;
  }

  override read(transfer: Transfer): number {
    return this.inode.read(transfer);
  }

  override write(_transfer: Transfer): number {
    return EBADF;
  }

  override poll(): number {
    if (this.inode.bufferedBytes > 0) return POLLIN | POLLRDNORM;
    return this.inode.ended ? POLLHUP : 0;
  }
}

export class HostOutputFile extends OpenFile {
  readonly inode: HostOutput;

  constructor(inode: HostOutput, flags: number) {
    super(flags, `pipe:[${inode.number}]`, undefined);
    this.inode = inode;
    inode.acquire();
  }

  override read(_transfer: Transfer): number {
    return EBADF;
  }

  override write(transfer: Transfer): number {
    return this.inode.write(transfer);
  }

  override poll(): number {
    return POLLOUT | POLLWRNORM;
  }
}
