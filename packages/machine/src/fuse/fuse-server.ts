/**
 * Serves a folder by the FUSE protocol, for reading, and for writing where the folder may be changed.
 *
 * Linux, include/uapi/linux/fuse.h and Documentation/filesystems/fuse.rst. The machine names files by parent and name and
 * gets numbers for them; it cannot name anything outside the folder.
 */
import { FuseChanges, type OpenedFile } from "./fuse-changes.ts";
import { FuseError } from "./fuse-error.ts";
import {
  attributesOut,
  changingOpcodes,
  directoryEntry,
  entryOut,
  errorNumber,
  inHeaderBytes,
  initOut,
  makeReply,
  opcode,
  openOut,
  readInHeader,
  statfsOut,
} from "./messages.ts";
import { NodeTable } from "./node-table.ts";
import { joined, nameFrom, size64, word } from "./request.ts";
import {
  SharedFolderError,
  type SharedFile,
  type SharedFolder,
  type SharedStatus,
  type WritableFile,
} from "./shared-folder.ts";

/** Files and folders that the machine may have open. */
const handlesMaximum = 4096;
/** Names in all folders that the machine is reading, which the server holds until it has read them. */
const namesMaximum = 1 << 20;
const readBytesMaximum = 1 << 20;
const readAheadBytes = 128 << 10;
const pagesMaximum = 256;

interface OpenFile {
  readonly node: number;
  readonly file: SharedFile;
  /** The same, when it was opened for writing. */
  readonly writable: WritableFile | undefined;
}

/** open(2): the file is emptied first. */
const truncates = 0o1000;

/** What a folder has beside what is in it: readdir(3) gives them first. */
const dots: readonly string[] = [".", ".."];

export class FuseServer {
  readonly #folder: SharedFolder;
  readonly #nodes = new NodeTable();
  readonly #changes: FuseChanges | undefined;
  readonly #files = new Map<number, OpenFile>();
  /** Folders being read: what was in them when reading began. */
  readonly #listings = new Map<number, readonly string[]>();
  #namesHeld = 0;
  #nextHandle = 1;

  constructor(folder: SharedFolder) {
    this.#folder = folder;
    const { changes } = folder;
    if (changes === undefined) return;
    this.#changes = new FuseChanges(folder, changes, this.#nodes, {
      get: (handle) => this.#files.get(handle)?.writable,
      ofNode: (node) => this.#openFileOf(node, ({ writable }) => writable),
      add: (open) => this.#openWritable(open),
    });
  }

  /** Closes everything; the machine knows nothing any more. */
  reset(): void {
    for (const { file } of this.#files.values()) file.close();
    this.#files.clear();
    this.#listings.clear();
    this.#namesHeld = 0;
    this.#nodes.clear();
    this.#nextHandle = 1;
  }

  /** Gives the reply to a request, or undefined when it has none. */
  answer(message: Uint8Array): Uint8Array | undefined {
    const header = readInHeader(message);
    if (header === undefined) return makeReply(0n, errorNumber.EINVAL, new Uint8Array(0));
    const body = message.subarray(inHeaderBytes);
    try {
      const reply = this.#perform(header.opcode, header.node, body);
      return reply === undefined ? undefined : makeReply(header.unique, 0, reply);
    } catch (error) {
      return makeReply(header.unique, numberOf(error), new Uint8Array(0));
    }
  }

  #perform(operation: number, node: number, body: Uint8Array): Uint8Array | undefined {
    const none = new Uint8Array(0);
    switch (operation) {
      case opcode.init:
        return this.#init(body);
      case opcode.lookup:
        return this.#lookup(node, body);
      case opcode.forget:
        this.#nodes.forget(node, size64(body, 0));
        return undefined;
      case opcode.batchForget:
        this.#forgetAll(body);
        return undefined;
      case opcode.interrupt: // Requests are served at once, so there is nothing to interrupt.
        return undefined;
      case opcode.getattr:
        return attributesOut(this.#status(node));
      case opcode.readlink:
        return new TextEncoder().encode(this.#folder.readLink(this.#nodes.path(node)));
      case opcode.open:
        return openOut(this.#open(node, body));
      case opcode.read:
        return this.#read(body);
      case opcode.release:
        this.#close(size64(body, 0));
        return none;
      case opcode.opendir:
        return openOut(this.#openFolder(node));
      case opcode.readdir:
        return this.#readFolder(node, body);
      case opcode.releasedir:
        this.#closeFolder(size64(body, 0));
        return none;
      case opcode.statfs:
        return statfsOut(this.#folder.changes?.space());
      case opcode.fsync:
        this.#files.get(size64(body, 0))?.writable?.flush();
        return none;
      case opcode.flush:
      case opcode.fsyncdir:
        return none;
      case opcode.destroy:
        this.reset();
        return none;
      default:
        if (!changingOpcodes.has(operation)) throw new FuseError(errorNumber.ENOSYS);
        if (this.#changes === undefined) throw new FuseError(errorNumber.EROFS);
        return this.#changes.perform(operation, node, body);
    }
  }

  #init(body: Uint8Array): Uint8Array {
    const [major, minor] = [word(body, 0), word(body, 4)];
    // An older driver than this speaks another dialect.
    if (major !== 7 || minor < 31) throw new FuseError(errorNumber.EINVAL);
    return initOut(Math.min(word(body, 8), readAheadBytes), pagesMaximum);
  }

  #lookup(parent: number, body: Uint8Array): Uint8Array {
    const folder = this.#nodes.path(parent);
    const { name } = nameFrom(body);
    if (this.#folder.status(folder).kind !== "folder") throw new FuseError(errorNumber.ENOTDIR);
    const path = joined(folder, name);
    const status = this.#folder.status(path);
    return entryOut(this.#nodes.tell(path), status);
  }

  #forgetAll(body: Uint8Array): void {
    const count = word(body, 0);
    for (let index = 0; index < count && 8 + 16 * (index + 1) <= body.length; index += 1) {
      this.#nodes.forget(size64(body, 8 + 16 * index), size64(body, 16 + 16 * index));
    }
  }

  /** Of what a number means; of the open file, when its name is gone. */
  #status(node: number): SharedStatus {
    const file = this.#nodes.isGone(node) ? this.#openFileOf(node, (open) => open.file) : undefined;
    return file?.status() ?? this.#folder.status(this.#nodes.path(node));
  }

  /** The first file of this number that is open in a way that is asked for. */
  #openFileOf<T>(node: number, way: (open: OpenFile) => T | undefined): T | undefined {
    for (const open of this.#files.values()) {
      const found = open.node === node ? way(open) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #open(node: number, body: Uint8Array): number {
    const path = this.#nodes.path(node);
    const flags = word(body, 0);
    if ((flags & 3) === 0) {
      const handle = this.#newHandle();
      this.#files.set(handle, { node, file: this.#folder.open(path), writable: undefined });
      return handle;
    }
    const { changes } = this.#folder;
    if (changes === undefined) throw new FuseError(errorNumber.EROFS);
    return this.#openWritable(() => {
      if ((flags & truncates) !== 0) changes.setSize(path, 0);
      return { node, file: changes.openForWriting(path) };
    });
  }

  #openWritable(open: () => OpenedFile): number {
    const handle = this.#newHandle();
    const { node, file } = open();
    this.#files.set(handle, { node, file, writable: file });
    return handle;
  }

  #read(body: Uint8Array): Uint8Array {
    const file = this.#files.get(size64(body, 0))?.file;
    if (file === undefined) throw new FuseError(errorNumber.EBADF);
    const bytes = new Uint8Array(Math.min(word(body, 16), readBytesMaximum));
    return bytes.subarray(0, file.read(size64(body, 8), bytes));
  }

  #close(handle: number): void {
    const open = this.#files.get(handle);
    // Gone even when closing fails, as close(2) has it.
    this.#files.delete(handle);
    open?.file.close();
  }

  #openFolder(node: number): number {
    const handle = this.#newHandle();
    const names = this.#folder.list(this.#nodes.path(node));
    if (this.#namesHeld + names.length > namesMaximum) throw new FuseError(errorNumber.ENOMEM);
    this.#namesHeld += names.length;
    this.#listings.set(handle, names);
    return handle;
  }

  #closeFolder(handle: number): void {
    this.#namesHeld -= this.#listings.get(handle)?.length ?? 0;
    this.#listings.delete(handle);
  }

  /** Entries from an index on, as many as there is room for. */
  #readFolder(node: number, body: Uint8Array): Uint8Array {
    const names = this.#listings.get(size64(body, 0));
    if (names === undefined) throw new FuseError(errorNumber.EBADF);
    const room = Math.min(word(body, 16), readBytesMaximum);
    const folder = this.#nodes.path(node);
    const bytes = new Uint8Array(room);
    let length = 0;
    for (let index = size64(body, 8); index < names.length + dots.length; index += 1) {
      const entry = this.#entry(folder, dots[index] ?? names[index - dots.length] ?? "", index + 1);
      if (entry === undefined) continue;
      if (length + entry.length > room) break;
      bytes.set(entry, length);
      length += entry.length;
    }
    return bytes.subarray(0, length);
  }

  /** Undefined when it has gone since reading began. */
  #entry(folder: string, name: string, next: number): Uint8Array | undefined {
    try {
      // Nobody looks up the parent here: the machine knows it.
      const status = this.#folder.status(dots.includes(name) ? folder : joined(folder, name));
      return directoryEntry(new TextEncoder().encode(name), status, next);
    } catch (error) {
      if (error instanceof SharedFolderError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  #newHandle(): number {
    if (this.#files.size + this.#listings.size >= handlesMaximum) {
      throw new FuseError(errorNumber.ENFILE);
    }
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    return handle;
  }
}

function numberOf(error: unknown): number {
  if (error instanceof FuseError) return error.number;
  if (error instanceof SharedFolderError) return errorNumber[error.code];
  throw error;
}
