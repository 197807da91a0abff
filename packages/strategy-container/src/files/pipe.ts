/**
 * Pipes: a ring of bytes in page frames, with blocking ends.
 *
 * Capacity is Linux's 64 KiB in 16 pages, allotted as they are needed and charged to the control group. When the pipe
 * runs empty it starts again at its first page and gives the others back, so a ping-pong of single bytes touches one.
 */
import { PIPE_BUF } from "../abi/files.ts";
import { EFAULT, ENOMEM } from "../abi/errno.ts";
import { PAGE_BYTES } from "../abi/memory.ts";
import { NO_FRAME, type Frames } from "../kernel/frames.ts";
import { WaitQueue } from "../kernel/wait-queue.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import type { Transfer } from "./transfer.ts";

export const PIPE_BYTES = 65_536;
const PIPE_PAGES = PIPE_BYTES / PAGE_BYTES;

export class Pipe {
  /** Threads that wait for data or the end of file. */
  readonly readable: WaitQueue = new WaitQueue();
  /** Threads that wait for room or the end of the readers. */
  readonly writable: WaitQueue = new WaitQueue();
  readers = 0;
  writers = 0;
  /** Times each end was opened; a FIFO's open waits for a change of the other's. */
  readerOpens = 0;
  writerOpens = 0;
  readonly #frames: Frames;
  readonly #group: ControlGroup;
  readonly #pages: number[] = Array.from({ length: PIPE_PAGES }, () => NO_FRAME);
  /** Position of the first byte, 0 to PIPE_BYTES - 1. */
  #start = 0;
  #length = 0;

  constructor(frames: Frames, group: ControlGroup) {
    this.#frames = frames;
    this.#group = group;
  }

  /** Bytes that can be read now. */
  get lengthBytes(): number {
    return this.#length;
  }

  get roomBytes(): number {
    return PIPE_BYTES - this.#length;
  }

  /** Whether a write of `lengthBytes` may start: all of it fits when it must be atomic, else one byte. */
  hasRoomFor(lengthBytes: number): boolean {
    return this.roomBytes >= (lengthBytes <= PIPE_BUF ? lengthBytes : 1);
  }

  /** Moves bytes out; gives how many, 0 when empty, EFAULT when none could be moved. */
  read(transfer: Transfer): number {
    let moved = 0;
    while (this.#length > 0 && transfer.remaining > 0) {
      const within = this.#start % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - within, this.#length, transfer.remaining);
      const page = this.#pages[Math.floor(this.#start / PAGE_BYTES)] ?? NO_FRAME;
      const count = transfer.putPhysical(page + within, length);
      this.#start = (this.#start + count) % PIPE_BYTES;
      this.#length -= count;
      moved += count;
      if (count < length) break;
    }
    if (this.#length === 0) this.#restart();
    if (moved > 0) this.writable.wakeAll();
    return moved === 0 && transfer.faulted ? EFAULT : moved;
  }

  /** Moves bytes in as far as there is room; gives how many, EFAULT or ENOMEM when none could be moved. */
  write(transfer: Transfer): number {
    let moved = 0;
    let failure = 0;
    while (this.#length < PIPE_BYTES && transfer.remaining > 0) {
      const end = (this.#start + this.#length) % PIPE_BYTES;
      const within = end % PAGE_BYTES;
      const index = Math.floor(end / PAGE_BYTES);
      if (this.#pages[index] === NO_FRAME) {
        this.#pages[index] = this.#frames.allotUncleared(this.#group);
      }
      const page = this.#pages[index] ?? NO_FRAME;
      if (page === NO_FRAME) {
        failure = ENOMEM;
        break;
      }
      const length = Math.min(PAGE_BYTES - within, PIPE_BYTES - this.#length, transfer.remaining);
      const count = transfer.takePhysical(page + within, length);
      this.#length += count;
      moved += count;
      if (count < length) {
        failure = EFAULT;
        break;
      }
    }
    if (moved > 0) this.readable.wakeAll();
    return moved > 0 ? moved : failure;
  }

  openEnd(end: "read" | "write"): void {
    if (end === "read") {
      this.readers++;
      this.readerOpens++;
      this.writable.wakeAll();
    } else {
      this.writers++;
      this.writerOpens++;
      this.readable.wakeAll();
    }
  }

  closeEnd(end: "read" | "write"): void {
    if (end === "read") {
      this.readers--;
      if (this.readers === 0) this.writable.wakeAll();
    } else {
      this.writers--;
      if (this.writers === 0) this.readable.wakeAll();
    }
    if (this.readers === 0 && this.writers === 0) this.dispose();
  }

  /** Gives all pages back; what was unread is lost. */
  dispose(): void {
    this.#length = 0;
    this.#start = 0;
    this.#releaseFrom(0);
  }

  #restart(): void {
    this.#start = 0;
    this.#releaseFrom(1);
  }

  #releaseFrom(first: number): void {
    for (let index = first; index < PIPE_PAGES; index++) {
      const page = this.#pages[index] ?? NO_FRAME;
      if (page === NO_FRAME) continue;
      this.#frames.release(page);
      this.#pages[index] = NO_FRAME;
    }
  }
}
