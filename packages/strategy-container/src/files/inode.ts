/**
 * Inodes: files apart from their names.
 *
 * An inode lives while a directory entry, an open file or a memory area refers to it; the last reference frees its
 * pages and returns what its control group paid.
 */
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../abi/files.ts";
import { PAGE_BYTES } from "../abi/memory.ts";
import { NO_FRAME } from "../kernel/frames.ts";
import { recordPrice } from "../namespaces/control-group.ts";
import type { FileSystem, Timestamp } from "./file-system.ts";
import type { Pipe } from "./pipe.ts";
import type { Transfer } from "./transfer.ts";

export abstract class Inode {
  readonly fileSystem: FileSystem;
  readonly number: number;
  /** Type and permission bits, as st_mode. */
  mode: number;
  user = 0;
  group = 0;
  /** Directory entries that name this inode. */
  links = 0;
  /** Open files, memory areas and working directories that use it. */
  references = 0;
  accessed: Timestamp;
  modified: Timestamp;
  changed: Timestamp;
  #released = false;

  /** @param number Inode number of a computed file; stored files get the next free one. */
  constructor(fileSystem: FileSystem, mode: number, number?: number) {
    this.fileSystem = fileSystem;
    this.number = number ?? fileSystem.nextInodeNumber();
    this.mode = mode;
    const now = fileSystem.now();
    this.accessed = now;
    this.modified = now;
    this.changed = now;
  }

  get type(): number {
    return this.mode & S_IFMT;
  }

  get sizeBytes(): number {
    return 0;
  }

  /** 512-byte units that stat reports. */
  get blocks(): number {
    return 0;
  }

  /** Device number of a device file. */
  get representedDevice(): number {
    return 0;
  }

  touchModified(): void {
    const now = this.fileSystem.now();
    this.modified = now;
    this.changed = now;
  }

  touchChanged(): void {
    this.changed = this.fileSystem.now();
  }

  acquire(): void {
    this.references++;
  }

  release(): void {
    this.references--;
    this.freeWhenUnused();
  }

  freeWhenUnused(): void {
    if (this.links > 0 || this.references > 0 || this.#released) return;
    this.#released = true;
    this.fileSystem.inodes--;
    this.freeContents();
    this.fileSystem.group.unchargeRecord(recordPrice.inode);
  }

  protected freeContents(): void {}
}

/**
 * Charges one inode to a file system's control group; callers do it before they construct one. Names are charged when
 * they are added, so there must be room for one too.
 *
 * @param extraBytes What the inode will charge by itself beyond its record: a symbolic link's target.
 * @returns False when the memory limit forbids it.
 */
export function chargeInode(fileSystem: FileSystem, extraBytes = 0): boolean {
  const { group } = fileSystem;
  if (!group.hasRoomFor(recordPrice.inode + recordPrice.name + extraBytes)) return false;
  if (!group.chargeRecord(recordPrice.inode)) return false;
  fileSystem.inodes++;
  return true;
}

/** A regular file. Its pages are page frames of the machine; pages that were never written are holes. */
export class RegularInode extends Inode {
  /** Processes that execute it. While there are any, nobody opens it for writing. */
  executions = 0;
  /** Descriptions open for writing. While there are any, nobody executes it. */
  writers = 0;
  #size = 0;
  readonly #pages = new Map<number, number>();

  constructor(fileSystem: FileSystem, permissions: number) {
    super(fileSystem, S_IFREG | permissions);
  }

  override get sizeBytes(): number {
    return this.#size;
  }

  override get blocks(): number {
    return this.#pages.size * (PAGE_BYTES / 512);
  }

  /**
   * Frame of page `index`, or 0: a hole, or (with `create`) no memory left. The caller takes its own reference.
   */
  page(index: number, create: boolean): number {
    const present = this.#pages.get(index);
    if (present !== undefined || !create) return present ?? NO_FRAME;
    const frame = this.fileSystem.frames.allot(this.fileSystem.group);
    if (frame !== NO_FRAME) this.#pages.set(index, frame);
    return frame;
  }

  /** Moves bytes at `position` out, up to the end of the file; gives how many. */
  read(transfer: Transfer, position: number): number {
    let at = position;
    const end = Math.min(this.#size, position + transfer.remaining);
    while (at < end) {
      const within = at % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - within, end - at);
      const frame = this.#pages.get(Math.floor(at / PAGE_BYTES));
      const moved =
        frame === undefined
          ? transfer.putZeros(length)
          : transfer.putPhysical(frame + within, length);
      at += moved;
      if (moved < length) break;
    }
    return Math.max(0, at - position);
  }

  /** Moves bytes in at `position`; gives how many: fewer than asked when memory is used up or the source faults. */
  write(transfer: Transfer, position: number): number {
    let at = position;
    while (transfer.remaining > 0) {
      const within = at % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - within, transfer.remaining);
      const frame = this.page(Math.floor(at / PAGE_BYTES), true);
      if (frame === NO_FRAME) break;
      const moved = transfer.takePhysical(frame + within, length);
      at += moved;
      if (at > this.#size) this.#size = at;
      if (moved < length) break;
    }
    if (at > position) this.touchModified();
    return at - position;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#size) {
      const keep = Math.ceil(sizeBytes / PAGE_BYTES);
      const { frames } = this.fileSystem;
      for (const [index, frame] of this.#pages) {
        if (index >= keep) {
          frames.release(frame);
          this.#pages.delete(index);
        }
      }
      const within = sizeBytes % PAGE_BYTES;
      const last = this.#pages.get(keep - 1);
      if (within !== 0 && last !== undefined) {
        frames.memory.fill(last + within, 0, PAGE_BYTES - within);
      }
    }
    this.#size = sizeBytes;
    this.touchModified();
  }

  protected override freeContents(): void {
    for (const frame of this.#pages.values()) this.fileSystem.frames.release(frame);
    this.#pages.clear();
  }
}

export interface DirectoryEntry {
  readonly name: string;
  readonly inode: number;
  /** File type bits of st_mode. */
  readonly type: number;
}

/** A directory, stored or computed. */
export abstract class DirectoryInode extends Inode {
  abstract readonly parent: DirectoryInode;
  /** Entry `name`, not `.` or `..`; a computed directory may make the inode now. */
  abstract lookup(name: string): Inode | undefined;
  /** Entries but `.` and `..`, in a stable order. */
  abstract list(): readonly DirectoryEntry[];
  /** The name under which a directory `child` is found here. */
  abstract nameOf(child: Inode): string | undefined;
}

/** A directory of a file system in memory. */
export class MemoryDirectory extends DirectoryInode {
  parent: DirectoryInode;
  /** Name in {@link parent}. */
  name = "";
  readonly entries: Map<string, Inode> = new Map();

  /** @param parent Undefined for a root, which is its own parent. */
  constructor(fileSystem: FileSystem, permissions: number, parent: DirectoryInode | undefined) {
    super(fileSystem, S_IFDIR | permissions);
    this.parent = parent ?? this;
    this.links = 1;
  }

  override get sizeBytes(): number {
    return (this.entries.size + 2) * 20;
  }

  override lookup(name: string): Inode | undefined {
    return this.entries.get(name);
  }

  override list(): readonly DirectoryEntry[] {
    return Array.from(this.entries, ([name, inode]) => ({
      name,
      inode: inode.number,
      type: inode.type,
    }));
  }

  override nameOf(child: Inode): string | undefined {
    if (!(child instanceof MemoryDirectory)) return undefined;
    return this.entries.get(child.name) === child ? child.name : undefined;
  }

  /** Adds an entry, which must not exist and for which the group has room. */
  add(name: string, inode: Inode): void {
    this.fileSystem.group.chargeRecord(recordPrice.name);
    this.entries.set(name, inode);
    inode.links++;
    if (inode instanceof MemoryDirectory) {
      inode.parent = this;
      inode.name = name;
      this.links++;
    }
    this.touchModified();
  }

  /** Removes an entry, which must exist, and frees its inode when nothing else uses it. */
  remove(name: string): void {
    const inode = this.entries.get(name);
    if (inode === undefined) return;
    this.detach(name, inode);
    // A directory has a second link, its own ".".
    if (inode instanceof MemoryDirectory) inode.links--;
    inode.touchChanged();
    inode.freeWhenUnused();
  }

  /** Removes an entry without freeing its inode: half of a rename. */
  detach(name: string, inode: Inode): void {
    this.fileSystem.group.unchargeRecord(recordPrice.name);
    this.entries.delete(name);
    inode.links--;
    if (inode instanceof MemoryDirectory) this.links--;
    this.touchModified();
  }
}

/** A symbolic link. A stored one, which has no number of its own, charges its target. */
export class SymlinkInode extends Inode {
  readonly target: string;

  constructor(fileSystem: FileSystem, target: string, number?: number) {
    super(fileSystem, S_IFLNK | 0o777, number);
    this.target = target;
    if (number === undefined) fileSystem.group.chargeRecord(target.length);
  }

  protected override freeContents(): void {
    this.fileSystem.group.unchargeRecord(this.target.length);
  }

  override get sizeBytes(): number {
    return this.target.length;
  }
}

/** A character device; the kernel finds its driver by number. */
export class DeviceInode extends Inode {
  readonly #device: number;

  constructor(fileSystem: FileSystem, permissions: number, device: number, type: number = S_IFCHR) {
    super(fileSystem, type | permissions);
    this.#device = device;
  }

  override get representedDevice(): number {
    return this.#device;
  }
}

/** A FIFO, named or not. */
export class FifoInode extends Inode {
  readonly pipe: Pipe;

  constructor(fileSystem: FileSystem, permissions: number, pipe: Pipe) {
    super(fileSystem, S_IFIFO | permissions);
    this.pipe = pipe;
  }

  protected override freeContents(): void {
    this.pipe.dispose();
  }
}

/** The name of a socket, or a socket without one. Carries no data. */
export class SocketInode extends Inode {
  constructor(fileSystem: FileSystem, permissions: number) {
    super(fileSystem, S_IFSOCK | permissions);
  }
}
