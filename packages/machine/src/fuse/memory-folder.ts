/** A folder of files in memory. */
import { joined } from "./request.ts";
import {
  SharedFolderError,
  type FolderChanges,
  type SharedFolder,
  type SharedKind,
  type SharedStatus,
  type WritableFile,
} from "./shared-folder.ts";

interface Node {
  readonly inode: number;
  readonly kind: SharedKind;
  mode: number;
  modifiedSeconds: number;
  /** Of a file, or the target of a link. */
  bytes: Uint8Array;
  /** Of a folder. */
  readonly entries: Map<string, Node>;
}

export interface MemoryFolderOptions {
  /** Whether the machine may change it. Default false. */
  readonly writable?: boolean;
}

export class MemoryFolder implements SharedFolder {
  readonly changes?: FolderChanges;
  readonly #root: Node;
  #nextInode = 1;

  /**
   * @param files By path; folders in between come into being. The bytes are copied before they change.
   * @throws {RangeError} when a path is empty, or goes through a file.
   */
  constructor(files: ReadonlyMap<string, Uint8Array>, options: MemoryFolderOptions = {}) {
    this.#root = this.#make("folder", 0o755);
    for (const [path, bytes] of files) this.#fill(path, bytes);
    if (options.writable === true) this.changes = this.#makeChanges();
  }

  /** A copy of a file's contents. @throws {SharedFolderError} */
  bytesOf(path: string): Uint8Array {
    return this.#file(path).bytes.slice();
  }

  status(path: string): SharedStatus {
    return statusOf(this.#find(path));
  }

  list(path: string): readonly string[] {
    return [...this.#folder(path).entries.keys()];
  }

  readLink(path: string): string {
    const node = this.#find(path);
    if (node.kind !== "link") throw new SharedFolderError("EINVAL", `"${path}" is no link.`);
    return new TextDecoder().decode(node.bytes);
  }

  open(path: string): WritableFile {
    return openNode(this.#file(path));
  }

  #makeChanges(): FolderChanges {
    return {
      // Each file may be that large, whatever the others are.
      space: () => ({ totalBytes: fileBytesMaximum, freeBytes: fileBytesMaximum }),
      openForWriting: (path) => openNode(this.#file(path)),
      create: (path, mode) => openNode(this.#add(path, this.#make("file", mode))),
      makeFolder: (path, mode) => void this.#add(path, this.#make("folder", mode)),
      makeLink: (path, target) => {
        this.#add(path, this.#make("link", 0o777, new TextEncoder().encode(target)));
      },
      remove: (path) => {
        if (this.#find(path).kind === "folder") throw isFolder(path);
        this.#take(path);
      },
      removeFolder: (path) => this.#requireEmpty(path),
      rename: (from, to, replaces) => this.#rename(from, to, replaces),
      setSize: (path, sizeBytes) => resize(this.#file(path), sizeBytes),
      setMode: (path, mode) => (this.#find(path).mode = mode),
      // There is no clock here.
      setModified: (path, when) => {
        const node = this.#find(path);
        if (when !== "now") node.modifiedSeconds = when;
      },
    };
  }

  #requireEmpty(path: string): void {
    if (this.#folder(path).entries.size > 0) {
      throw new SharedFolderError("ENOTEMPTY", `"${path}" is not empty.`);
    }
    this.#take(path);
  }

  #rename(from: string, to: string, replaces: boolean): void {
    const node = this.#find(from);
    const { folder, name } = this.#place(to);
    const present = folder.entries.get(name);
    if (present !== undefined) {
      if (!replaces) throw new SharedFolderError("EEXIST", `"${to}" is there.`);
      if (present.kind === "folder") {
        if (node.kind !== "folder") throw isFolder(to);
        this.#requireEmpty(to);
      } else if (node.kind === "folder") throw isNoFolder(to);
    }
    this.#take(from);
    folder.entries.set(name, node);
  }

  #fill(path: string, bytes: Uint8Array): void {
    const names = path.split("/").filter((name) => name !== "");
    if (names.length === 0 || names.includes(".") || names.includes("..")) {
      throw new RangeError(`"${path}" is no path of a file in a folder.`);
    }
    let folder = this.#root;
    for (const name of names.slice(0, -1)) {
      const present = folder.entries.get(name) ?? this.#make("folder", 0o755);
      if (present.kind !== "folder")
        throw new RangeError(`The path "${path}" goes through a file.`);
      folder.entries.set(name, present);
      folder = present;
    }
    folder.entries.set(names.at(-1) ?? "", this.#make("file", 0o644, bytes));
  }

  #make(kind: SharedKind, mode: number, bytes: Uint8Array = new Uint8Array(0)): Node {
    const inode = this.#nextInode;
    this.#nextInode += 1;
    return { inode, kind, mode, modifiedSeconds: 0, bytes, entries: new Map() };
  }

  #add(path: string, node: Node): Node {
    const { folder, name } = this.#place(path);
    if (folder.entries.has(name)) throw new SharedFolderError("EEXIST", `"${path}" is there.`);
    folder.entries.set(name, node);
    return node;
  }

  #take(path: string): void {
    const { folder, name } = this.#place(path);
    folder.entries.delete(name);
  }

  /** The folder that a path is in, and its name there. */
  #place(path: string): { readonly folder: Node; readonly name: string } {
    const names = path.split("/");
    const name = names.pop() ?? "";
    if (name === "") throw new SharedFolderError("EACCES", "The folder itself stays as it is.");
    return { folder: this.#folder(names.reduce(joined, "")), name };
  }

  #folder(path: string): Node {
    const node = this.#find(path);
    if (node.kind !== "folder") throw isNoFolder(path);
    return node;
  }

  #file(path: string): Node {
    const node = this.#find(path);
    if (node.kind === "folder") throw isFolder(path);
    if (node.kind === "link") throw new SharedFolderError("EACCES", `"${path}" is a link.`);
    return node;
  }

  #find(path: string): Node {
    let node = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (node.kind !== "folder") throw isNoFolder(path);
      const next = node.entries.get(name);
      if (next === undefined) throw new SharedFolderError("ENOENT", `There is no "${path}".`);
      node = next;
    }
    return node;
  }
}

function statusOf({ inode, kind, mode, modifiedSeconds, bytes }: Node): SharedStatus {
  return { kind, sizeBytes: bytes.length, mode, userId: 0, groupId: 0, modifiedSeconds, inode };
}

function openNode(node: Node): WritableFile {
  return {
    status: () => statusOf(node),
    setSize: (sizeBytes) => resize(node, sizeBytes),
    read(offset, bytes) {
      const part = node.bytes.subarray(offset, offset + bytes.length);
      bytes.set(part);
      return part.length;
    },
    write(offset, bytes) {
      // A copy each time: nobody else's bytes change.
      resize(node, Math.max(node.bytes.length, offset + bytes.length));
      node.bytes.set(bytes, offset);
    },
    flush() {},
    close() {},
  };
}

/** A size that the host cannot allot is the machine's error. */
function resize(node: Node, sizeBytes: number): void {
  if (sizeBytes > fileBytesMaximum) {
    throw new SharedFolderError("ENOSPC", `A file of ${sizeBytes} bytes is too large for memory.`);
  }
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(node.bytes.subarray(0, sizeBytes));
  node.bytes = bytes;
}

const fileBytesMaximum = 1 << 30;

function isFolder(path: string): SharedFolderError {
  return new SharedFolderError("EISDIR", `"${path}" is a folder.`);
}

function isNoFolder(path: string): SharedFolderError {
  return new SharedFolderError("ENOTDIR", `"${path}" is no folder.`);
}
