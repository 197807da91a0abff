/** What a machine may change in a folder of the host: never through a link. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import {
  SharedFolderError,
  type FolderChanges,
  type SharedFile,
  type WritableFile,
} from "@ringside/machine";
import { attempt } from "./node-error.ts";
import { statusOf } from "./node-status.ts";

/** Not a link, and nothing that opening waits for, such as a pipe. */
const plain = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** @param locate The place of a path in the host, when no link leads there. */
export function nodeChanges(locate: (path: string) => string): FolderChanges {
  const withOpen = (path: string, flags: number, change: (descriptor: number) => void): void => {
    const descriptor = attempt(() => openSync(locate(path), flags | plain));
    try {
      attempt(() => change(descriptor));
    } finally {
      closeSync(descriptor);
    }
  };
  return {
    space() {
      const { bsize, blocks, bavail } = attempt(() => statfsSync(locate("")));
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    },
    openForWriting: (path) =>
      writableFile(attempt(() => openSync(locate(path), constants.O_RDWR | plain))),
    create(path, mode) {
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | plain;
      return writableFile(attempt(() => openSync(locate(path), flags, mode)));
    },
    makeFolder: (path, mode) => attempt(() => mkdirSync(locate(path), mode)),
    makeLink: (path, target) => attempt(() => symlinkSync(target, locate(path))),
    remove: (path) => attempt(() => unlinkSync(locate(path))),
    removeFolder: (path) => attempt(() => rmdirSync(locate(path))),
    rename(from, to, replaces) {
      const [source, target] = [locate(from), locate(to)];
      // A link is there whatever it leads to: what is outside must not show.
      const isThere = attempt(() => lstatSync(target, { throwIfNoEntry: false })) !== undefined;
      if (!replaces && isThere) throw new SharedFolderError("EEXIST", `${to} is there.`);
      attempt(() => renameSync(source, target));
    },
    setSize(path, sizeBytes) {
      withOpen(path, constants.O_WRONLY, (descriptor) => ftruncateSync(descriptor, sizeBytes));
    },
    setMode(path, mode) {
      withOpen(path, constants.O_RDONLY, (descriptor) => fchmodSync(descriptor, mode));
    },
    setModified(path, when) {
      const seconds = when === "now" ? Date.now() / 1000 : when;
      // Of a link itself, too: archives keep the times of links.
      attempt(() => lutimesSync(locate(path), seconds, seconds));
    },
  };
}

function writableFile(descriptor: number): WritableFile {
  return {
    ...readableFile(descriptor),
    setSize: (sizeBytes) => attempt(() => ftruncateSync(descriptor, sizeBytes)),
    write(offset, bytes) {
      for (let done = 0; done < bytes.length;) {
        const left = bytes.length - done;
        done += attempt(() => writeSync(descriptor, bytes, done, left, offset + done));
      }
    },
    flush: () => attempt(() => fsyncSync(descriptor)),
  };
}

export function readableFile(descriptor: number): SharedFile {
  return {
    read: (offset, bytes) => readFully(descriptor, offset, bytes),
    status: () => statusOf(attempt(() => fstatSync(descriptor))),
    close: () => attempt(() => closeSync(descriptor)),
  };
}

/** As far as the file goes; gives how many bytes. */
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
