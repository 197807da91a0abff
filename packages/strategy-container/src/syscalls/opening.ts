/** open and its relatives, and what opening means for each kind of file. open(2). */
import {
  EACCES,
  EEXIST,
  EFAULT,
  EINVAL,
  EISDIR,
  ELOOP,
  EMFILE,
  ENFILE,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTDIR,
  ENXIO,
  EROFS,
  ETXTBSY,
} from "../abi/errno.ts";
import {
  AT_FDCWD,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
} from "../abi/files.ts";
import { DEVICE_CONSOLE, MemoryDeviceFile } from "../files/devices.ts";
import { GeneratedFile, GeneratedInode } from "../files/generated-file.ts";
import { HostInput, HostInputFile, HostOutput, HostOutputFile } from "../files/host-stream.ts";
import {
  chargeInode,
  DeviceInode,
  DirectoryInode,
  FifoInode,
  MemoryDirectory,
  RegularInode,
  SymlinkInode,
  type Inode,
} from "../files/inode.ts";
import {
  DirectoryFile,
  PathFile,
  RegularFile,
  WOULD_BLOCK,
  type OpenFile,
} from "../files/open-file.ts";
import { pathOf } from "../files/path-walk.ts";
import { PipeEnd } from "../files/pipe-end.ts";
import type { Call } from "../kernel/call.ts";
import { mayAccess } from "../kernel/credentials.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import { find, writableDirectory } from "./paths.ts";

/** Flags that stay with the description. */
const KEPT_FLAGS = ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);

/** Full path of a place for /proc, as far as it can be told. */
export function describePath(call: Call, location: Location, name: string): string {
  const { root } = call.parts.paths;
  if (location.inode instanceof DirectoryInode) return pathOf(location, root) ?? name;
  return name;
}

/** Opens what is at `location`. Gives WOULD_BLOCK for a FIFO whose other end is missing. */
function openLocation(
  call: Call,
  location: Location,
  flags: number,
  path: string,
): OpenFile | number {
  const { inode } = location;
  const kept = flags & KEPT_FLAGS;
  if ((flags & O_PATH) !== 0) return new PathFile(inode, kept, path, location);
  const mode = flags & O_ACCMODE;
  const writes = mode === O_WRONLY || mode === O_RDWR;
  const need = (mode === O_WRONLY ? 0 : 4) | (writes ? 2 : 0);
  if (!mayAccess(call.process.credentials, inode, need)) return EACCES;
  if (inode instanceof DirectoryInode) {
    if (writes || (flags & O_CREAT) !== 0) return EISDIR;
    return new DirectoryFile(inode, kept, path, location);
  }
  if ((flags & O_DIRECTORY) !== 0) return ENOTDIR;
  if (writes && location.mount.readOnly && !(inode instanceof DeviceInode)) return EROFS;
  if (inode instanceof RegularInode) {
    if (writes && inode.executions > 0) return ETXTBSY;
    if ((flags & O_TRUNC) !== 0 && writes && inode.sizeBytes > 0) inode.truncate(0);
    return new RegularFile(inode, kept, path, location);
  }
  if (inode instanceof FifoInode) return openFifo(call, inode, kept, path, location);
  if (inode instanceof HostInput) return writes ? EACCES : new HostInputFile(inode, kept);
  if (inode instanceof HostOutput) return new HostOutputFile(inode, kept);
  if (inode instanceof GeneratedInode) {
    const text = inode.generate();
    return text === undefined ? ENOENT : new GeneratedFile(inode, text, kept, path, location);
  }
  if (inode instanceof DeviceInode) return openDevice(call, inode, kept, path, location);
  return ENXIO;
}

function openDevice(
  call: Call,
  inode: DeviceInode,
  flags: number,
  path: string,
  location: Location,
): OpenFile | number {
  const device = inode.representedDevice;
  if (MemoryDeviceFile.serves(device)) {
    return new MemoryDeviceFile(inode, flags, path, location, call.kernel.random);
  }
  const { input, output } = call.kernel.console;
  if (device === DEVICE_CONSOLE) {
    return (flags & O_ACCMODE) === 0
      ? new HostInputFile(input, flags)
      : new HostOutputFile(output, flags);
  }
  // /dev/tty among them: no process has a controlling terminal.
  return ENXIO;
}

/** fifo(7): each side waits for the other, unless it says O_NONBLOCK. */
function openFifo(
  call: Call,
  inode: FifoInode,
  flags: number,
  path: string,
  location: Location,
): OpenFile | number {
  const { pipe } = inode;
  const mode = flags & O_ACCMODE;
  const nonBlocking = (flags & O_NONBLOCK) !== 0;
  if (mode === O_WRONLY && nonBlocking && pipe.readers === 0) return ENXIO;
  const opens = mode === O_WRONLY ? pipe.readerOpens : pipe.writerOpens;
  const waiting = call.thread.progress?.held;
  if (waiting instanceof PipeEnd && waiting.inode === inode) {
    if (call.progress.opens === opens) return WOULD_BLOCK;
    // The other side opened it, and may have closed it again since.
    delete call.progress.held;
    return waiting;
  }
  const end = new PipeEnd(inode, flags, path, location);
  const otherIsOpen = mode === O_WRONLY ? pipe.readers > 0 : pipe.writers > 0;
  if (mode === O_RDWR || nonBlocking || otherIsOpen) return end;
  // The end stays open while the call waits: that is what lets the other side through.
  call.progress.opens = opens;
  call.progress.held = end;
  return WOULD_BLOCK;
}

/** Creates a regular file, as open does with O_CREAT. */
function create(call: Call, parent: Location, name: string, mode: number): RegularInode | number {
  const directory = writableDirectory(call, parent);
  if (typeof directory === "number") return directory;
  if (!chargeInode(directory.fileSystem)) return ENOSPC;
  const inode = new RegularInode(directory.fileSystem, mode & 0o7777 & ~call.parts.paths.umask);
  own(call, inode, directory);
  directory.add(name, inode);
  return inode;
}

/** Gives a new inode to the process that made it. */
export function own(call: Call, inode: Inode, directory: MemoryDirectory): void {
  const { credentials } = call.process;
  inode.user = credentials.effectiveUser;
  inode.group = (directory.mode & 0o2000) === 0 ? credentials.effectiveGroup : directory.group;
  if (inode instanceof MemoryDirectory) inode.mode |= directory.mode & 0o2000;
}

/** Puts an open file, whose reference passes on, into the descriptor table. */
export function install(call: Call, file: OpenFile, closeOnExec: boolean): number {
  if (!file.charge(call.process.group)) {
    file.release();
    return ENFILE;
  }
  const descriptor = call.parts.descriptors.add(file, closeOnExec, call.process.descriptorLimit);
  if (descriptor === EMFILE) file.release();
  return descriptor;
}

function openAt(
  call: Call,
  descriptor: number,
  path: string | number,
  flags: number,
  mode: number,
): number {
  if (typeof path === "number") return path;
  if ((flags & O_TMPFILE_BIT) !== 0) return openUnnamed(call, descriptor, path, flags, mode);
  const creates = (flags & O_CREAT) !== 0 && (flags & O_PATH) === 0;
  if (creates && path.endsWith("/")) {
    const parent = find(call, descriptor, path, "parent");
    return typeof parent === "number" ? parent : EISDIR;
  }
  const exclusive = creates && (flags & O_EXCL) !== 0;
  const follow = (flags & O_NOFOLLOW) === 0 && !exclusive;
  const found = find(call, descriptor, path, follow);
  if (typeof found === "number") return found;
  let { location } = found;
  let openFlags = flags & ~O_CREAT;
  if (location === undefined) {
    if (!creates) return ENOENT;
    const inode = create(call, found.parent, found.name, mode);
    if (typeof inode === "number") return inode;
    location = { mount: found.parent.mount, inode };
    return install(
      call,
      new RegularFile(
        inode,
        flags & KEPT_FLAGS,
        absolute(call, location, path, found.parent, found.name),
        location,
      ),
      (flags & O_CLOEXEC) !== 0,
    );
  }
  if (exclusive) return EEXIST;
  if (creates && location.inode instanceof DirectoryInode) return EISDIR;
  if (location.inode instanceof SymlinkInode && (flags & O_PATH) === 0) return ELOOP;
  if ((flags & O_DIRECTORY) !== 0 && !(location.inode instanceof DirectoryInode)) return ENOTDIR;
  openFlags &= KEPT_FLAGS | O_TRUNC | O_DIRECTORY;
  const name = absolute(call, location, path, found.parent, found.name);
  const file = openLocation(call, location, openFlags, name);
  if (file === WOULD_BLOCK) {
    const { pipe } = location.inode as FifoInode;
    return call.wait([pipe.readable, pipe.writable], "restartable");
  }
  if (typeof file === "number") return file;
  return install(call, file, (flags & O_CLOEXEC) !== 0);
}

function absolute(
  call: Call,
  location: Location,
  path: string,
  parent: Location,
  name: string,
): string {
  if (location.inode instanceof DirectoryInode) return describePath(call, location, path);
  const directory = pathOf(parent, call.parts.paths.root);
  if (directory === undefined) return path;
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

/** O_TMPFILE: a file without a name in the directory's file system. */
function openUnnamed(
  call: Call,
  descriptor: number,
  path: string,
  flags: number,
  mode: number,
): number {
  const found = find(call, descriptor, path, true);
  if (typeof found === "number") return found;
  if (found.location === undefined) return ENOENT;
  if ((flags & O_ACCMODE) === 0) return EINVAL;
  const directory = writableDirectory(call, found.location);
  if (typeof directory === "number") return directory;
  if (!chargeInode(directory.fileSystem)) return ENOMEM;
  const inode = new RegularInode(directory.fileSystem, mode & 0o7777 & ~call.parts.paths.umask);
  own(call, inode, directory);
  const location = { mount: found.location.mount, inode };
  const file = new RegularFile(
    inode,
    flags & KEPT_FLAGS,
    `${path}/#${inode.number} (deleted)`,
    location,
  );
  return install(call, file, (flags & O_CLOEXEC) !== 0);
}

/** openat2: struct open_how is flags, mode and resolve, 8 bytes each. */
function openAt2(call: Call): number {
  const how = call.size(2);
  if (call.size(3) < 24) return EINVAL;
  const flags = call.space.getU32(how);
  const mode = call.space.getU32(how + 8);
  const resolve = call.space.getU64(how + 16);
  if (flags < 0 || mode < 0 || resolve < 0) return EFAULT;
  if (resolve !== 0) return EINVAL;
  return openAt(call, call.int(0), call.path(1), flags, mode);
}

export const openingCalls: readonly SystemCall[] = [
  row(2, "open", (call) => openAt(call, AT_FDCWD, call.path(0), call.int(1), call.int(2))),
  row(85, "creat", (call) =>
    openAt(call, AT_FDCWD, call.path(0), O_CREAT | O_WRONLY | O_TRUNC, call.int(1)),
  ),
  row(257, "openat", (call) => openAt(call, call.int(0), call.path(1), call.int(2), call.int(3))),
  row(437, "openat2", openAt2, "partial", "RESOLVE_ flags are EINVAL"),
];
