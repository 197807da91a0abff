/** The operations of FUSE that change a folder. Linux, include/uapi/linux/fuse.h, names the structures. */
import { FuseError } from "./fuse-error.ts";
import { attributesOut, entryOut, errorNumber, openOut, opcode, writeOut } from "./messages.ts";
import type { NodeTable } from "./node-table.ts";
import { joined, nameFrom, size64, textFrom, word } from "./request.ts";
import type { FolderChanges, SharedFolder, WritableFile } from "./shared-folder.ts";

/** fuse_setattr_in.valid. */
const sets = {
  mode: 0x1,
  user: 0x2,
  group: 0x4,
  size: 0x8,
  modified: 0x20,
  modifiedNow: 0x100,
} as const;
const regularFile = 0o100_000;
const typeMask = 0o170_000;
const permissions = 0o777;
const noReplace = 1;
const writeHeaderBytes = 40;

/** A file that was opened for writing, and the number that the machine knows it by. */
export interface OpenedFile {
  readonly node: number;
  readonly file: WritableFile;
}

/** The files that the machine has open for writing. */
export interface WritableFiles {
  get(handle: number): WritableFile | undefined;
  /** One that is open by this number. */
  ofNode(node: number): WritableFile | undefined;
  /** Gives the handle. @throws {FuseError} ENFILE when there are too many. */
  add(open: () => OpenedFile): number;
}

export class FuseChanges {
  readonly #folder: SharedFolder;
  readonly #changes: FolderChanges;
  readonly #nodes: NodeTable;
  readonly #files: WritableFiles;

  constructor(
    folder: SharedFolder,
    changes: FolderChanges,
    nodes: NodeTable,
    files: WritableFiles,
  ) {
    this.#folder = folder;
    this.#changes = changes;
    this.#nodes = nodes;
    this.#files = files;
  }

  /** The body of the reply. @throws {FuseError} EPERM for hard links, which there are not; ENOSYS for what is unknown. */
  perform(operation: number, node: number, body: Uint8Array): Uint8Array {
    const none = new Uint8Array(0);
    switch (operation) {
      case opcode.write:
        return this.#write(body);
      case opcode.setattr:
        return this.#setAttributes(node, body);
      case opcode.create:
        return this.#create(node, body);
      case opcode.mknod:
        return this.#makeNode(node, body);
      case opcode.mkdir: {
        const path = this.#new(node, body, 8);
        this.#changes.makeFolder(path, word(body, 0) & ~word(body, 4) & permissions);
        return this.#entry(path);
      }
      case opcode.symlink: {
        const { name, end } = nameFrom(body);
        const path = joined(this.#nodes.path(node), name);
        this.#changes.makeLink(path, textFrom(body, end).text);
        return this.#entry(path);
      }
      case opcode.unlink:
      case opcode.rmdir: {
        const path = this.#new(node, body, 0);
        if (operation === opcode.unlink) this.#changes.remove(path);
        else this.#changes.removeFolder(path);
        this.#nodes.removed(path);
        return none;
      }
      case opcode.rename:
        this.#rename(node, body, 8, 0);
        return none;
      case opcode.rename2:
        this.#rename(node, body, 16, word(body, 8));
        return none;
      case opcode.link:
        throw new FuseError(errorNumber.EPERM);
      default:
        throw new FuseError(errorNumber.ENOSYS);
    }
  }

  #write(body: Uint8Array): Uint8Array {
    const file = this.#writable(size64(body, 0));
    const bytes = body.subarray(writeHeaderBytes, writeHeaderBytes + word(body, 16));
    file.write(size64(body, 8), bytes);
    return writeOut(bytes.length);
  }

  #setAttributes(node: number, body: Uint8Array): Uint8Array {
    const valid = word(body, 0);
    const open = this.#nodes.isGone(node) ? this.#files.ofNode(node) : undefined;
    if (open !== undefined) {
      // A file without a name has nothing else that could be set.
      if ((valid & sets.size) !== 0) open.setSize(size64(body, 16));
      return attributesOut(open.status());
    }
    const path = this.#nodes.path(node);
    if ((valid & (sets.user | sets.group)) !== 0) this.#keepOwner(path, valid, body);
    if ((valid & sets.size) !== 0) this.#changes.setSize(path, size64(body, 16));
    if ((valid & sets.mode) !== 0) this.#changes.setMode(path, word(body, 68) & permissions);
    if ((valid & sets.modified) !== 0) {
      const isNow = (valid & sets.modifiedNow) !== 0;
      const seconds = size64(body, 40) + word(body, 60) / 1e9;
      this.#changes.setModified(path, isNow ? "now" : seconds);
    }
    return attributesOut(this.#folder.status(path));
  }

  /** What a machine makes belongs to whoever runs it: an owner can be set to what it is. @throws {FuseError} EPERM */
  #keepOwner(path: string, valid: number, body: Uint8Array): void {
    const { userId, groupId } = this.#folder.status(path);
    const isUserKept = (valid & sets.user) === 0 || word(body, 76) === userId;
    const isGroupKept = (valid & sets.group) === 0 || word(body, 80) === groupId;
    if (!isUserKept || !isGroupKept) throw new FuseError(errorNumber.EPERM);
  }

  #create(node: number, body: Uint8Array): Uint8Array {
    const path = this.#new(node, body, 16);
    const mode = word(body, 4) & ~word(body, 8) & permissions;
    let entry: Uint8Array = new Uint8Array(0);
    const handle = this.#files.add(() => {
      const file = this.#changes.create(path, mode);
      try {
        const number = this.#nodes.tell(path);
        entry = entryOut(number, file.status());
        return { node: number, file };
      } catch (error) {
        file.close();
        throw error;
      }
    });
    const opened = openOut(handle);
    const reply = new Uint8Array(entry.length + opened.length);
    reply.set(entry);
    reply.set(opened, entry.length);
    return reply;
  }

  #makeNode(node: number, body: Uint8Array): Uint8Array {
    const mode = word(body, 0);
    // Devices, pipes and sockets are not for a shared folder.
    if ((mode & typeMask) !== regularFile) throw new FuseError(errorNumber.EPERM);
    const path = this.#new(node, body, 16);
    this.#changes.create(path, mode & ~word(body, 8) & permissions).close();
    return this.#entry(path);
  }

  #rename(node: number, body: Uint8Array, offset: number, flags: number): void {
    if ((flags & ~noReplace) !== 0) throw new FuseError(errorNumber.EINVAL);
    const { name, end } = nameFrom(body, offset);
    const from = joined(this.#nodes.path(node), name);
    const to = joined(this.#nodes.path(size64(body, 0)), nameFrom(body, end).name);
    if (to === from || to.startsWith(`${from}/`)) {
      if (to === from) return;
      throw new FuseError(errorNumber.EINVAL);
    }
    this.#changes.rename(from, to, (flags & noReplace) === 0);
    this.#nodes.renamed(from, to);
  }

  #new(parent: number, body: Uint8Array, offset: number): string {
    return joined(this.#nodes.path(parent), nameFrom(body, offset).name);
  }

  #entry(path: string): Uint8Array {
    const status = this.#folder.status(path);
    return entryOut(this.#nodes.tell(path), status);
  }

  #writable(handle: number): WritableFile {
    const file = this.#files.get(handle);
    if (file === undefined) throw new FuseError(errorNumber.EBADF);
    return file;
  }
}
