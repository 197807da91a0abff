/** A folder of the host's file system, for reading. */
import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  SharedFolderError,
  type SharedFile,
  type SharedFolder,
  type SharedFolderErrorCode,
  type SharedStatus,
} from "@ringside/machine";

/**
 * Opens a folder. Files are as they are at the moment at which the machine looks.
 *
 * @throws {SharedFolderError} when there is no such folder, or it is none.
 */
export function openFolder(path: string): SharedFolder {
  const root = attempt(() => realpathSync(path));
  if (!attempt(() => lstatSync(root)).isDirectory()) {
    throw new SharedFolderError("ENOTDIR", `${path} is no folder.`);
  }
  return new NodeFolder(root);
}

class NodeFolder implements SharedFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  status(path: string): SharedStatus {
    return statusOf(
      path,
      attempt(() => lstatSync(this.#locate(path))),
    );
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
    return {
      read: (offset, bytes) => readFully(descriptor, offset, bytes),
      close: () => closeSync(descriptor),
    };
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

function readFully(descriptor: number, offset: number, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.length) {
    const count = attempt(() =>
      readSync(descriptor, bytes, done, bytes.length - done, offset + done),
    );
    if (count === 0) break;
    done += count;
  }
  return done;
}

function statusOf(path: string, stats: Stats): SharedStatus {
  const kind = stats.isDirectory()
    ? "folder"
    : stats.isSymbolicLink()
      ? "link"
      : stats.isFile()
        ? "file"
        : undefined;
  // Devices, pipes and sockets of the host are nobody else's business.
  if (kind === undefined)
    throw new SharedFolderError("ENOENT", `${path} is no file, folder or link.`);
  return {
    kind,
    sizeBytes: kind === "folder" ? 0 : stats.size,
    mode: stats.mode & 0o7777,
    userId: stats.uid,
    groupId: stats.gid,
    modifiedSeconds: stats.mtimeMs / 1000,
    inode: stats.ino,
  };
}

const codes: Readonly<Record<string, SharedFolderErrorCode>> = {
  ENOENT: "ENOENT",
  EACCES: "EACCES",
  EPERM: "EACCES",
  ELOOP: "EACCES",
  ENOTDIR: "ENOTDIR",
  EISDIR: "EISDIR",
  EINVAL: "EINVAL",
};

function attempt<T>(operation: () => T): T {
  try {
    return operation();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const code = "code" in cause && typeof cause.code === "string" ? codes[cause.code] : undefined;
    throw new SharedFolderError(code ?? "EIO", cause.message, { cause });
  }
}
