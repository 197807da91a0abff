/**
 * Open file descriptions: what descriptors refer to.
 *
 * Reads and writes never wait. They give {@link WOULD_BLOCK}, and the system call decides whether the thread waits on
 * the queue that the file names, or fails with EAGAIN.
 */
import { EBADF, EINVAL, EISDIR, ENXIO, ESPIPE } from "../abi/errno.ts";
import {
  O_ACCMODE,
  O_PATH,
  O_WRONLY,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from "../abi/files.ts";
import type { WaitQueue } from "../kernel/wait-queue.ts";
import { recordPrice, type ControlGroup } from "../namespaces/control-group.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import type { DirectoryInode, Inode, RegularInode } from "./inode.ts";
import type { Transfer } from "./transfer.ts";

/** Not an error number: nothing can be moved now, and it may be possible later. */
export const WOULD_BLOCK = -0x1_0000;

export abstract class OpenFile {
  abstract readonly inode: Inode;
  /** Where it was opened; undefined for pipes and the like. */
  readonly location: Location | undefined;
  /** Path it was opened by, for /proc; `pipe:[12]` and the like for files without one. */
  readonly path: string;
  /** Access mode and status flags, O_APPEND and O_NONBLOCK among them. */
  flags: number;
  /** Descriptors and system calls in progress that use it. */
  references = 1;
  position = 0;
  #group: ControlGroup | undefined;

  constructor(flags: number, path: string, location: Location | undefined) {
    this.flags = flags;
    this.path = path;
    this.location = location;
  }

  get readable(): boolean {
    return (this.flags & O_ACCMODE) !== O_WRONLY && (this.flags & O_PATH) === 0;
  }

  get writable(): boolean {
    return (this.flags & O_ACCMODE) !== 0 && (this.flags & O_PATH) === 0;
  }

  /** Bytes that the description itself holds. Does not change. */
  protected get heldBytes(): number {
    return 0;
  }

  /** Where threads wait for {@link read} to be able to go on. */
  get readQueue(): WaitQueue | undefined {
    return undefined;
  }

  get writeQueue(): WaitQueue | undefined {
    return undefined;
  }

  /** Bytes moved, 0 at the end of the file, an error number, or {@link WOULD_BLOCK}. */
  abstract read(transfer: Transfer): number;
  abstract write(transfer: Transfer): number;

  readAt(_transfer: Transfer, _position: number): number {
    return ESPIPE;
  }

  writeAt(_transfer: Transfer, _position: number): number {
    return ESPIPE;
  }

  /** New position or an error number. `whence`: 0 set, 1 current, 2 end, 3 data, 4 hole. */
  seek(_offset: number, _whence: number): number {
    return ESPIPE;
  }

  /** POLLIN and its relatives that hold now. */
  poll(): number {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }

  /** Charges the description to `group` until it is closed; false when the memory limit forbids it. */
  charge(group: ControlGroup): boolean {
    if (!group.chargeRecord(recordPrice.openFile + this.heldBytes)) return false;
    this.#group = group;
    return true;
  }

  acquire(): void {
    this.references++;
  }

  release(): void {
    if (--this.references > 0) return;
    this.#group?.unchargeRecord(recordPrice.openFile + this.heldBytes);
    this.closed();
  }

  /** The last reference went. */
  protected closed(): void {
    this.inode.release();
  }
}

/** An open regular file. */
export class RegularFile extends OpenFile {
  readonly inode: RegularInode;

  constructor(inode: RegularInode, flags: number, path: string, location: Location | undefined) {
    super(flags, path, location);
    this.inode = inode;
    inode.acquire();
    if (this.writable) inode.writers++;
  }

  protected override closed(): void {
    if (this.writable) this.inode.writers--;
    super.closed();
  }

  override read(transfer: Transfer): number {
    const moved = this.inode.read(transfer, this.position);
    this.position += moved;
    return moved;
  }

  override write(transfer: Transfer): number {
    const moved = this.inode.write(transfer, this.position);
    this.position += moved;
    return moved;
  }

  override readAt(transfer: Transfer, position: number): number {
    return this.inode.read(transfer, position);
  }

  override writeAt(transfer: Transfer, position: number): number {
    return this.inode.write(transfer, position);
  }

  override seek(offset: number, whence: number): number {
    const size = this.inode.sizeBytes;
    const target = seekTarget(this.position, size, offset, whence);
    if (target >= 0) this.position = target;
    return target;
  }
}

/** An open directory: entries as of the first read after it was opened or rewound. */
export class DirectoryFile extends OpenFile {
  readonly inode: DirectoryInode;
  #entries: ReturnType<DirectoryInode["list"]> | undefined;
  #payer: ControlGroup | undefined;

  constructor(inode: DirectoryInode, flags: number, path: string, location: Location) {
    super(flags, path, location);
    this.inode = inode;
    inode.acquire();
  }

  /**
   * Entries without `.` and `..`; position n + 2 is entry n. Undefined when the group that pays for the list has no
   * room for it.
   */
  entries(group: ControlGroup): ReturnType<DirectoryInode["list"]> | undefined {
    if (this.position !== 0 && this.#entries !== undefined) return this.#entries;
    this.#forgetEntries();
    const entries = this.inode.list();
    if (!group.chargeRecord(entries.length * recordPrice.listedEntry)) return undefined;
    this.#payer = group;
    this.#entries = entries;
    return entries;
  }

  #forgetEntries(): void {
    this.#payer?.unchargeRecord((this.#entries?.length ?? 0) * recordPrice.listedEntry);
    this.#entries = undefined;
  }

  protected override closed(): void {
    this.#forgetEntries();
    super.closed();
  }

  override read(_transfer: Transfer): number {
    return EISDIR;
  }

  override write(_transfer: Transfer): number {
    return EBADF;
  }

  override readAt(_transfer: Transfer, _position: number): number {
    return EISDIR;
  }

  override seek(offset: number, whence: number): number {
    const target = seekTarget(this.position, 0x7fff_ffff, offset, whence);
    if (target >= 0) this.position = target;
    return target;
  }
}

/** A descriptor made with O_PATH: a place, without access to the file. */
export class PathFile extends OpenFile {
  readonly inode: Inode;

  constructor(inode: Inode, flags: number, path: string, location: Location) {
    super(flags, path, location);
    this.inode = inode;
    inode.acquire();
  }

  override read(_transfer: Transfer): number {
    return EBADF;
  }

  override write(_transfer: Transfer): number {
    return EBADF;
  }

  override seek(_offset: number, _whence: number): number {
    return EBADF;
  }
}

/** Where lseek leads in a file without holes, or an error number. */
export function seekTarget(position: number, size: number, offset: number, whence: number): number {
  switch (whence) {
    case 0:
      return offset < 0 ? EINVAL : offset;
    case 1:
      return position + offset < 0 ? EINVAL : position + offset;
    case 2:
      return size + offset < 0 ? EINVAL : size + offset;
    case 3:
      return offset < 0 || offset >= size ? ENXIO : offset;
    case 4:
      return offset < 0 || offset >= size ? ENXIO : size;
    default:
      return EINVAL;
  }
}
