/** The operations of FUSE that change a folder. Linux, include/uapi/linux/fuse.h, names the structures. */
import { FuseError } from "./fuse-error.ts";
import { attributesOut, entryOut, errorNumber, openOut, opcode, writeOut } from "./messages.ts";
import type { NodeTable } from "./node-table.ts";
import { joined, nameFrom, size64, textFrom, word } from "./request.ts";
import type { FolderChanges, SharedFolder, WritableFile } from "./shared-folder.ts";

/** fuse_setattr_in.valid. */
const sets = { mode: 0x1, size: 0x8, modified: 0x20, modifiedNow: 0x100 } as const;
const regularFile = 0o100_000;
const typeMask = 0o170_000;
const permissions = 0o777;
const noReplace = 1;
const writeHeaderBytes = 40;

/** The files that the machine has open for writing. */
export interface WritableFiles {
  get(handle: number): WritableFile | undefined;
  /** Gives the handle. @throws {FuseError} ENFILE when there are too many. */
  add(open: () => WritableFile): number;
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

  /** The body of the reply. @throws {FuseError} ENOSYS for what there is not, such as hard links. */
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
    const path = this.#nodes.path(node);
    const valid = word(body, 0);
    if ((valid & sets.size) !== 0) this.#changes.setSize(path, size64(body, 16));
    if ((valid & sets.mode) !== 0) this.#changes.setMode(path, word(body, 68) & permissions);
    // "Now" is the host's affair, which sets it with every change.
    if ((valid & sets.modified) !== 0 && (valid & sets.modifiedNow) === 0) {
      this.#changes.setModified(path, size64(body, 40) + word(body, 60) / 1e9);
    }
    return attributesOut(this.#folder.status(path));
  }

  #create(node: number, body: Uint8Array): Uint8Array {
    const path = this.#new(node, body, 16);
    const mode = word(body, 4) & ~word(body, 8) & permissions;
    const handle = this.#files.add(() => this.#changes.create(path, mode));
    const [entry, opened] = [this.#entry(path), openOut(handle)];
    const reply = new Uint8Array(entry.length + opened.length);
    reply.set(entry);
    reply.set(opened, entry.length);
    return reply;
  }

  #makeNode(node: number, body: Uint8Array): Uint8Array {
    const mode = word(body, 0);
    // Devices, pipes and sockets are not for a shared folder.
    if ((mode & typeMask) !== regularFile) throw new FuseError(errorNumber.EACCES);
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
