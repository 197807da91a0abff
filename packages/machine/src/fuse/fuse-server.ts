/**
 * Serves a folder by the FUSE protocol, for reading.
 *
 * Linux, include/uapi/linux/fuse.h and Documentation/filesystems/fuse.rst. The machine names files by parent and name and
 * gets numbers for them; it cannot name anything outside the folder.
 */
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
import { SharedFolderError, type SharedFile, type SharedFolder } from "./shared-folder.ts";

const rootNode = 1;
/** Files that the machine may hold on to, and have open. */
const nodesMaximum = 1 << 20;
const handlesMaximum = 1 << 16;
const nameBytesMaximum = 255;
const readBytesMaximum = 1 << 20;
const readAheadBytes = 128 << 10;
const pagesMaximum = 256;

interface Node {
  readonly path: string;
  /** How often the machine was told of it. */
  lookups: number;
}

/** An answer that is an error number. */
class FuseError extends Error {
  readonly number: number;

  constructor(number: number) {
    super(`FUSE error ${number}`);
    this.number = number;
  }
}

export class FuseServer {
  readonly #folder: SharedFolder;
  readonly #nodes = new Map<number, Node>();
  readonly #numbers = new Map<string, number>();
  readonly #files = new Map<number, SharedFile>();
  /** Folders being read: what was in them when reading began. */
  readonly #listings = new Map<number, readonly string[]>();
  #nextNode = rootNode + 1;
  #nextHandle = 1;

  constructor(folder: SharedFolder) {
    this.#folder = folder;
    this.reset();
  }

  /** Closes everything; the machine knows nothing any more. */
  reset(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
    this.#listings.clear();
    this.#nodes.clear();
    this.#numbers.clear();
    this.#nodes.set(rootNode, { path: "", lookups: 1 });
    this.#numbers.set("", rootNode);
    this.#nextNode = rootNode + 1;
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
        this.#forget(node, size64(body, 0));
        return undefined;
      case opcode.batchForget:
        this.#forgetAll(body);
        return undefined;
      case opcode.interrupt: // Requests are served at once, so there is nothing to interrupt.
        return undefined;
      case opcode.getattr:
        return attributesOut(this.#folder.status(this.#path(node)));
      case opcode.readlink:
        return new TextEncoder().encode(this.#folder.readLink(this.#path(node)));
      case opcode.open:
        return openOut(this.#open(node, body));
      case opcode.read:
        return this.#read(body);
      case opcode.release:
        this.#files.get(size64(body, 0))?.close();
        this.#files.delete(size64(body, 0));
        return none;
      case opcode.opendir:
        return openOut(this.#openFolder(node));
      case opcode.readdir:
        return this.#readFolder(node, body);
      case opcode.releasedir:
        this.#listings.delete(size64(body, 0));
        return none;
      case opcode.statfs:
        return statfsOut();
      case opcode.flush:
        return none;
      case opcode.destroy:
        this.reset();
        return none;
      default:
        throw new FuseError(
          changingOpcodes.has(operation) ? errorNumber.EROFS : errorNumber.ENOSYS,
        );
    }
  }

  #init(body: Uint8Array): Uint8Array {
    const [major, minor] = [word(body, 0), word(body, 4)];
    // An older driver than this speaks another dialect.
    if (major !== 7 || minor < 31) throw new FuseError(errorNumber.EINVAL);
    return initOut(Math.min(word(body, 8), readAheadBytes), pagesMaximum);
  }

  #lookup(parent: number, body: Uint8Array): Uint8Array {
    const folder = this.#path(parent);
    const name = nameFrom(body);
    if (this.#folder.status(folder).kind !== "folder") throw new FuseError(errorNumber.ENOTDIR);
    const path = folder === "" ? name : `${folder}/${name}`;
    const status = this.#folder.status(path);
    let number = this.#numbers.get(path);
    if (number === undefined) {
      if (this.#nodes.size >= nodesMaximum) throw new FuseError(errorNumber.ENOMEM);
      number = this.#nextNode;
      this.#nextNode += 1;
      this.#nodes.set(number, { path, lookups: 0 });
      this.#numbers.set(path, number);
    }
    const node = this.#nodes.get(number);
    if (node !== undefined) node.lookups += 1;
    return entryOut(number, status);
  }

  #forget(number: number, lookups: number): void {
    const node = this.#nodes.get(number);
    if (node === undefined || number === rootNode) return;
    node.lookups -= lookups;
    if (node.lookups > 0) return;
    this.#nodes.delete(number);
    this.#numbers.delete(node.path);
  }

  #forgetAll(body: Uint8Array): void {
    const count = word(body, 0);
    for (let index = 0; index < count && 8 + 16 * (index + 1) <= body.length; index += 1) {
      this.#forget(size64(body, 8 + 16 * index), size64(body, 16 + 16 * index));
    }
  }

  #open(node: number, body: Uint8Array): number {
    const accessMode = word(body, 0) & 3;
    if (accessMode !== 0) throw new FuseError(errorNumber.EROFS);
    const handle = this.#newHandle();
    this.#files.set(handle, this.#folder.open(this.#path(node)));
    return handle;
  }

  #read(body: Uint8Array): Uint8Array {
    const file = this.#files.get(size64(body, 0));
    if (file === undefined) throw new FuseError(errorNumber.EBADF);
    const bytes = new Uint8Array(Math.min(word(body, 16), readBytesMaximum));
    return bytes.subarray(0, file.read(size64(body, 8), bytes));
  }

  #openFolder(node: number): number {
    const names = this.#folder.list(this.#path(node));
    const handle = this.#newHandle();
    this.#listings.set(handle, names);
    return handle;
  }

  /** Entries from an index on, as many as there is room for. */
  #readFolder(node: number, body: Uint8Array): Uint8Array {
    const names = this.#listings.get(size64(body, 0));
    if (names === undefined) throw new FuseError(errorNumber.EBADF);
    const room = Math.min(word(body, 16), readBytesMaximum);
    const folder = this.#path(node);
    const bytes = new Uint8Array(room);
    let length = 0;
    for (let index = size64(body, 8); index < names.length; index += 1) {
      const name = names[index] ?? "";
      const entry = this.#entry(folder, name, index + 1);
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
      const status = this.#folder.status(folder === "" ? name : `${folder}/${name}`);
      return directoryEntry(new TextEncoder().encode(name), status, next);
    } catch (error) {
      if (error instanceof SharedFolderError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  #newHandle(): number {
    if (this.#files.size + this.#listings.size >= handlesMaximum) {
      throw new FuseError(errorNumber.ENOMEM);
    }
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    return handle;
  }

  #path(number: number): string {
    const node = this.#nodes.get(number);
    if (node === undefined) throw new FuseError(errorNumber.ENOENT);
    return node.path;
  }
}

/** A name with its terminator, as the machine sends it. */
function nameFrom(body: Uint8Array): string {
  const end = body.indexOf(0);
  const bytes = body.subarray(0, end < 0 ? body.length : end);
  if (bytes.length > nameBytesMaximum) throw new FuseError(errorNumber.ENAMETOOLONG);
  const name = new TextDecoder().decode(bytes);
  if (name === "" || name === "." || name === ".." || name.includes("/")) {
    throw new FuseError(errorNumber.EINVAL);
  }
  return name;
}

function numberOf(error: unknown): number {
  if (error instanceof FuseError) return error.number;
  if (error instanceof SharedFolderError) return errorNumber[error.code];
  throw error;
}

function word(body: Uint8Array, offset: number): number {
  if (offset + 4 > body.length) throw new FuseError(errorNumber.EINVAL);
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(offset, true);
}

/** 64 bits; what no file has, for numbers beyond 2^53. */
function size64(body: Uint8Array, offset: number): number {
  const value = word(body, offset + 4) * 2 ** 32 + word(body, offset);
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}
