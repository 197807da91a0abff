/** Open ends of pipes and FIFOs. */
import { EPIPE } from "../abi/errno.ts";
import {
  O_ACCMODE,
  O_RDWR,
  O_WRONLY,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  PIPE_BUF,
} from "../abi/files.ts";
import type { WaitQueue } from "../kernel/wait-queue.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import type { FifoInode } from "./inode.ts";
import { OpenFile, WOULD_BLOCK } from "./open-file.ts";
import type { Transfer } from "./transfer.ts";

export class PipeEnd extends OpenFile {
  readonly inode: FifoInode;
  readonly #reads: boolean;
  readonly #writes: boolean;

  constructor(inode: FifoInode, flags: number, path: string, location: Location | undefined) {
    super(flags, path, location);
    this.inode = inode;
    const mode = flags & O_ACCMODE;
    this.#reads = mode !== O_WRONLY;
    this.#writes = mode === O_WRONLY || mode === O_RDWR;
    inode.acquire();
    if (this.#reads) inode.pipe.openEnd("read");
    if (this.#writes) inode.pipe.openEnd("write");
  }

  override get readQueue(): WaitQueue {
    return this.inode.pipe.readable;
  }

  override get writeQueue(): WaitQueue {
    return this.inode.pipe.writable;
  }

  override read(transfer: Transfer): number {
    const { pipe } = this.inode;
    if (transfer.remaining === 0) return 0;
    if (pipe.lengthBytes === 0) return pipe.writers === 0 ? 0 : WOULD_BLOCK;
    return pipe.read(transfer);
  }

  override write(transfer: Transfer): number {
    const { pipe } = this.inode;
    if (pipe.readers === 0) return EPIPE;
    if (transfer.remaining === 0) return 0;
    if (!pipe.hasRoomFor(transfer.remaining)) return WOULD_BLOCK;
    return pipe.write(transfer);
  }

  override poll(): number {
    const { pipe } = this.inode;
    let events = 0;
    if (this.#reads) {
      if (pipe.lengthBytes > 0) events |= POLLIN | POLLRDNORM;
      if (pipe.writers === 0) events |= POLLHUP;
    }
    if (this.#writes) {
      if (pipe.hasRoomFor(PIPE_BUF)) events |= POLLOUT | POLLWRNORM;
      if (pipe.readers === 0) events |= POLLERR;
    }
    return events;
  }

  protected override closed(): void {
    if (this.#reads) this.inode.pipe.closeEnd("read");
    if (this.#writes) this.inode.pipe.closeEnd("write");
    super.closed();
  }
}
