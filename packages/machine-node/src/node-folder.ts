/** A folder of the host's file system. */
import { constants, lstatSync, openSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  SharedFolderError,
  type FolderChanges,
  type SharedFile,
  type SharedFolder,
  type SharedStatus,
} from "@ringside/machine";
import { attempt } from "./node-error.ts";
import { nodeChanges, readableFile } from "./node-folder-changes.ts";
import { statusOf } from "./node-status.ts";

export interface FolderOptions {
  /** Whether the machine may change what is in it, with the rights of this process. Default false. */
  readonly writable?: boolean;
}

/**
 * Opens a folder. Files are as they are at the moment at which the machine looks.
 *
 * @throws {SharedFolderError} when there is no such folder, or it is none.
 */
export function openFolder(path: string, options: FolderOptions = {}): SharedFolder {
  const root = attempt(() => realpathSync(path));
  if (!attempt(() => lstatSync(root)).isDirectory()) {
    throw new SharedFolderError("ENOTDIR", `${path} is no folder.`);
  }
  return new NodeFolder(root, options.writable ?? false);
}

class NodeFolder implements SharedFolder {
  readonly changes?: FolderChanges;
  readonly #root: string;

  constructor(root: string, isWritable: boolean) {
    this.#root = root;
    if (isWritable) this.changes = nodeChanges((path) => this.#locate(path));
  }

  status(path: string): SharedStatus {
    return statusOf(attempt(() => lstatSync(this.#locate(path))));
  }

  list(path: string): readonly string[] {
    // By code units: the same on every host.
    return attempt(() => readdirSync(this.#locate(path))).toSorted();
  }

  readLink(path: string): string {
    return attempt(() => readlinkSync(this.#locate(path)));
  }

  open(path: string): SharedFile {
    const place = this.#locate(path);
    // Not a link, and nothing that opening waits for, such as a pipe.
    if (!attempt(() => lstatSync(place)).isFile()) {
      throw new SharedFolderError("EACCES", `${path} is no plain file.`);
    }
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const descriptor = attempt(() => openSync(place, flags));
    return readableFile(descriptor);
  }

  /** The place in the host, when no link leads there: a link on the way could lead out of the folder. */
  #locate(path: string): string {
    if (path === "") return this.#root;
    const place = join(this.#root, path);
    const parent = dirname(place);
    if (attempt(() => realpathSync(parent)) !== parent) {
      throw new SharedFolderError("EACCES", `${path} goes through a link.`);
    }
    return place;
  }
}
