/** A folder of files in memory, read-only. */
import {
  SharedFolderError,
  type SharedFile,
  type SharedFolder,
  type SharedStatus,
} from "./shared-folder.ts";

interface Folder {
  readonly inode: number;
  readonly entries: Map<string, Node>;
}

interface File {
  readonly inode: number;
  readonly bytes: Uint8Array;
}

type Node = Folder | File;

export class MemoryFolder implements SharedFolder {
  readonly #root: Folder = { inode: 1, entries: new Map() };
  #nextInode = 2;

  /**
   * @param files By path; folders in between come into being. The bytes are not copied.
   * @throws {RangeError} when a path is empty, or goes through a file.
   */
  constructor(files: ReadonlyMap<string, Uint8Array>) {
    for (const [path, bytes] of files) {
      const names = path.split("/").filter((name) => name !== "");
      const last = names.pop();
      const isPlain = names.every((name) => name !== "." && name !== "..");
      if (last === undefined || last === "." || last === ".." || !isPlain) {
        throw new RangeError(`"${path}" is no path of a file in a folder.`);
      }
      let folder = this.#root;
      for (const name of names) folder = this.#folderIn(folder, name, path);
      folder.entries.set(last, { inode: this.#nextInode++, bytes });
    }
  }

  status(path: string): SharedStatus {
    const node = this.#find(path);
    const isFolder = "entries" in node;
    return {
      kind: isFolder ? "folder" : "file",
      sizeBytes: isFolder ? 0 : node.bytes.length,
      mode: isFolder ? 0o755 : 0o644,
      userId: 0,
      groupId: 0,
      modifiedSeconds: 0,
      inode: node.inode,
    };
  }

  list(path: string): readonly string[] {
    const node = this.#find(path);
    if (!("entries" in node)) throw new SharedFolderError("ENOTDIR", `"${path}" is no folder.`);
    return [...node.entries.keys()];
  }

  readLink(path: string): string {
    throw new SharedFolderError("EINVAL", `"${path}" is no link.`);
  }

  open(path: string): SharedFile {
    const node = this.#find(path);
    if ("entries" in node) throw new SharedFolderError("EISDIR", `"${path}" is a folder.`);
    return {
      read(offset, bytes) {
        const part = node.bytes.subarray(offset, offset + bytes.length);
        bytes.set(part);
        return part.length;
      },
      close() {},
    };
  }

  #find(path: string): Node {
    let node: Node = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (!("entries" in node))
        throw new SharedFolderError("ENOTDIR", `"${path}" goes through a file.`);
      const next: Node | undefined = node.entries.get(name);
      if (next === undefined) throw new SharedFolderError("ENOENT", `There is no "${path}".`);
      node = next;
    }
    return node;
  }

  #folderIn(folder: Folder, name: string, path: string): Folder {
    const present = folder.entries.get(name);
    if (present === undefined) {
      const added: Folder = { inode: this.#nextInode++, entries: new Map() };
      folder.entries.set(name, added);
      return added;
    }
    if (!("entries" in present)) throw new RangeError(`The path "${path}" goes through a file.`);
    return present;
  }
}
