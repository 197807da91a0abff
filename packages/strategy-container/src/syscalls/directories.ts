/** Names: directories, links, renaming, mounts of names. mkdir(2), rename(2), unlink(2), getdents(2). */
import {
  EACCES,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EISDIR,
  EMLINK,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  ERANGE,
  EXDEV,
} from "../abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  PATH_MAX,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISVTX,
} from "../abi/files.ts";
import { encodeName } from "../files/file-name.ts";
import {
  chargeInode,
  DeviceInode,
  DirectoryInode,
  FifoInode,
  MemoryDirectory,
  RegularInode,
  SocketInode,
  SymlinkInode,
  type Inode,
} from "../files/inode.ts";
import { DirectoryFile } from "../files/open-file.ts";
import { Pipe } from "../files/pipe.ts";
import { parentOf, pathOf } from "../files/path-walk.ts";
import type { Call } from "../kernel/call.ts";
import { mayAccess, owns } from "../kernel/credentials.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { recordPrice } from "../namespaces/control-group.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import { own } from "./opening.ts";
import { find, locate, vacancy, writableDirectory } from "./paths.ts";

/** Most links of one inode. */
const LINK_MAX = 32_000;

// getdents

/** struct linux_dirent64 and its 32-bit-name ancestor differ in where the type stands. */
function getdents(call: Call, wide: boolean): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  if (!(file instanceof DirectoryFile)) return ENOTDIR;
  if (file.inode.links === 0) return ENOENT;
  const room = Math.min(call.unsigned(2), 1 << 20);
  const entries = file.entries(call.process.group);
  if (entries === undefined) return ENOMEM;
  const { inode, location } = file;
  const { mounts, paths } = call.parts;
  const above = location === undefined ? inode : parentOf(location, paths.root, mounts).inode;
  const bytes = new Uint8Array(room);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const count = entries.length + 2;
  for (; file.position < count; file.position++) {
    const index = file.position;
    const entry =
      index === 0
        ? { name: ".", inode: inode.number, type: inode.type }
        : index === 1
          ? { name: "..", inode: above.number, type: inode.type }
          : entries[index - 2];
    if (entry === undefined) break;
    const header = wide ? 19 : 18;
    const length = Math.ceil((header + entry.name.length + (wide ? 1 : 2)) / 8) * 8;
    if (at + length > room) {
      if (at === 0) return EINVAL;
      break;
    }
    view.setUint32(at, entry.inode, true);
    view.setUint32(at + 8, index + 1, true);
    view.setUint16(at + 16, length, true);
    const type = entry.type >>> 12;
    if (wide) view.setUint8(at + 18, type);
    else view.setUint8(at + length - 1, type);
    bytes.set(encodeName(entry.name), at + header);
    at += length;
  }
  return call.space.put(call.size(1), bytes.subarray(0, at)) ? at : EFAULT;
}

// Making names.

function mkdirAt(call: Call, descriptor: number, path: string | number, mode: number): number {
  const place = vacancy(call, descriptor, path, true);
  if (typeof place === "number") return place;
  const { directory, name } = place;
  const { fileSystem } = directory;
  if (directory.links >= LINK_MAX) return EMLINK;
  if (!chargeInode(fileSystem)) return ENOSPC;
  const permissions = mode & 0o1777 & ~call.parts.paths.umask;
  const made = new MemoryDirectory(fileSystem, permissions, directory);
  own(call, made, directory);
  directory.add(name, made);
  return 0;
}

function mknodAt(
  call: Call,
  descriptor: number,
  path: string | number,
  mode: number,
  device: number,
): number {
  const place = vacancy(call, descriptor, path, false);
  if (typeof place === "number") return place;
  const { directory, name } = place;
  const { fileSystem } = directory;
  const { process, kernel } = call;
  const permissions = mode & 0o7777 & ~call.parts.paths.umask;
  const type = mode & S_IFMT;
  if ((type === S_IFCHR || type === S_IFBLK) && process.credentials.effectiveUser !== 0) {
    return EPERM;
  }
  if (!chargeInode(fileSystem)) return ENOSPC;
  let made: Inode;
  switch (type) {
    case 0:
    case S_IFREG:
      made = new RegularInode(fileSystem, permissions);
      break;
    case S_IFIFO:
      made = new FifoInode(fileSystem, permissions, new Pipe(kernel.frames, process.group));
      break;
    case S_IFSOCK:
      made = new SocketInode(fileSystem, permissions);
      break;
    case S_IFCHR:
    case S_IFBLK:
      made = new DeviceInode(fileSystem, permissions, device, type);
      break;
    default:
      return EINVAL;
  }
  own(call, made, directory);
  directory.add(name, made);
  return 0;
}

function symlinkAt(
  call: Call,
  target: string | number,
  descriptor: number,
  path: string | number,
): number {
  if (typeof target === "number") return target;
  if (target === "") return ENOENT;
  const place = vacancy(call, descriptor, path, false);
  if (typeof place === "number") return place;
  const { directory, name } = place;
  if (!chargeInode(directory.fileSystem, target.length)) return ENOSPC;
  const made = new SymlinkInode(directory.fileSystem, target);
  own(call, made, directory);
  directory.add(name, made);
  return 0;
}

function linkAt(
  call: Call,
  from: Location | number,
  descriptor: number,
  path: string | number,
): number {
  if (typeof from === "number") return from;
  const place = vacancy(call, descriptor, path, false);
  if (typeof place === "number") return place;
  const { inode } = from;
  if (inode instanceof DirectoryInode) return EPERM;
  if (inode.fileSystem !== place.directory.fileSystem) return EXDEV;
  if (from.mount !== place.parent.mount) return EXDEV;
  if (inode.links >= LINK_MAX) return EMLINK;
  if (inode.links === 0 && !(inode instanceof RegularInode)) return ENOENT;
  if (!inode.fileSystem.group.hasRoomFor(recordPrice.name)) return ENOSPC;
  place.directory.add(place.name, inode);
  inode.touchChanged();
  return 0;
}

function plainLinkAt(call: Call): number {
  const flags = call.int(4);
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return EINVAL;
  const path = call.path(1);
  let from: Location | number;
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) {
    const file = call.file(0);
    from = typeof file === "number" ? file : (file.location ?? ENOENT);
  } else {
    from = locate(call, call.int(0), path, (flags & AT_SYMLINK_FOLLOW) !== 0);
  }
  return linkAt(call, from, call.int(2), call.path(3));
}

// Removing names.

/** In a sticky directory only the owners of file and directory may remove. */
function mayRemove(call: Call, directory: MemoryDirectory, inode: Inode): boolean {
  const { credentials } = call.process;
  return (
    (directory.mode & S_ISVTX) === 0 || owns(credentials, inode) || owns(credentials, directory)
  );
}

function remove(
  call: Call,
  descriptor: number,
  path: string | number,
  asDirectory: boolean,
): number {
  const found = find(call, descriptor, path, false);
  if (typeof found === "number") return found;
  if (asDirectory && found.name === ".") return EINVAL;
  if (asDirectory && found.name === "..") return ENOTEMPTY;
  if (found.name === "") return EBUSY;
  if (found.name === "." || found.name === "..") return EISDIR;
  const { location } = found;
  if (location === undefined) return ENOENT;
  const directory = writableDirectory(call, found.parent);
  if (typeof directory === "number") return directory;
  const { inode } = location;
  const isDirectory = inode instanceof DirectoryInode;
  if (!asDirectory && isDirectory) return EISDIR;
  if (!asDirectory && found.trailingSlash) return ENOTDIR;
  if (asDirectory && !isDirectory) return ENOTDIR;
  if (location.mount !== found.parent.mount || call.parts.mounts.isMountPoint(inode)) return EBUSY;
  if (!mayRemove(call, directory, inode)) return EPERM;
  if (inode instanceof MemoryDirectory && inode.entries.size > 0) return ENOTEMPTY;
  directory.remove(found.name);
  return 0;
}

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

function renameAt(
  call: Call,
  from: { descriptor: number; path: string | number },
  to: { descriptor: number; path: string | number },
  flags: number,
): number {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE)) !== 0 || flags === 3) return EINVAL;
  const source = find(call, from.descriptor, from.path, false);
  if (typeof source === "number") return source;
  const target = find(call, to.descriptor, to.path, false);
  if (typeof target === "number") return target;
  if (["", ".", ".."].includes(source.name) || ["", ".", ".."].includes(target.name)) return EBUSY;
  if (source.location === undefined) return ENOENT;
  if (source.parent.mount !== target.parent.mount) return EXDEV;
  const sourceDirectory = writableDirectory(call, source.parent);
  if (typeof sourceDirectory === "number") return sourceDirectory;
  const targetDirectory = writableDirectory(call, target.parent);
  if (typeof targetDirectory === "number") return targetDirectory;
  const moved = source.location.inode;
  const replaced = target.location?.inode;
  const { mounts } = call.parts;
  if (mounts.isMountPoint(moved)) return EBUSY;
  if (replaced !== undefined && mounts.isMountPoint(replaced)) return EBUSY;
  if (!mayRemove(call, sourceDirectory, moved)) return EPERM;
  if (moved instanceof MemoryDirectory && isInside(targetDirectory, moved)) return EINVAL;
  if (replaced instanceof MemoryDirectory && isInside(sourceDirectory, replaced)) {
    return flags === RENAME_EXCHANGE ? EINVAL : ENOTEMPTY;
  }
  if (flags === RENAME_EXCHANGE) {
    if (replaced === undefined) return ENOENT;
    exchange(sourceDirectory, source.name, moved, targetDirectory, target.name, replaced);
    return 0;
  }
  const isDirectory = moved instanceof DirectoryInode;
  if (!isDirectory && (source.trailingSlash || target.trailingSlash)) return ENOTDIR;
  if (replaced !== undefined) {
    if (flags === RENAME_NOREPLACE) return EEXIST;
    if (replaced === moved) return 0;
    if (isDirectory && !(replaced instanceof DirectoryInode)) return ENOTDIR;
    if (!isDirectory && replaced instanceof DirectoryInode) return EISDIR;
    if (replaced instanceof MemoryDirectory && replaced.entries.size > 0) return ENOTEMPTY;
    if (!mayRemove(call, targetDirectory, replaced)) return EPERM;
    targetDirectory.remove(target.name);
  }
  // The link count never reaches 0 on the way, so the inode stays.
  moved.links++;
  sourceDirectory.detach(source.name, moved);
  targetDirectory.add(target.name, moved);
  moved.links--;
  moved.touchChanged();
  return 0;
}

function exchange(
  first: MemoryDirectory,
  firstName: string,
  firstInode: Inode,
  second: MemoryDirectory,
  secondName: string,
  secondInode: Inode,
): void {
  first.detach(firstName, firstInode);
  second.detach(secondName, secondInode);
  first.add(firstName, secondInode);
  second.add(secondName, firstInode);
  firstInode.touchChanged();
  secondInode.touchChanged();
}

/** Whether `directory` is `ancestor` or lies below it. */
function isInside(directory: DirectoryInode, ancestor: DirectoryInode): boolean {
  for (let at = directory; ; at = at.parent) {
    if (at === ancestor) return true;
    if (at.parent === at) return false;
  }
}

// Where a process is.

function chdir(call: Call, location: Location | number): number {
  if (typeof location === "number") return location;
  const { inode } = location;
  if (!(inode instanceof DirectoryInode)) return ENOTDIR;
  if (!mayAccess(call.process.credentials, inode, 1)) return EACCES;
  call.parts.paths.setCurrent(location);
  return 0;
}

function fchdir(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  return chdir(call, file.location ?? ENOTDIR);
}

function chroot(call: Call): number {
  const location = locate(call, AT_FDCWD, call.path(0), true);
  if (typeof location === "number") return location;
  if (!(location.inode instanceof DirectoryInode)) return ENOTDIR;
  if (call.process.credentials.effectiveUser !== 0) return EPERM;
  call.parts.paths.setRoot(location);
  return 0;
}

function getcwd(call: Call): number {
  const { current, root } = call.parts.paths;
  const path = pathOf(current, root);
  if (current.inode.links === 0) return ENOENT;
  const bytes = encodeName(`${path ?? "(unreachable)"}\0`);
  if (bytes.length > PATH_MAX) return ENAMETOOLONG;
  if (bytes.length > call.size(1)) return ERANGE;
  return call.space.put(call.size(0), bytes) ? bytes.length : EFAULT;
}

function umask(call: Call): number {
  const { paths } = call.parts;
  const old = paths.umask;
  paths.umask = call.int(0) & 0o777;
  return old;
}

const CWD = AT_FDCWD;

export const directoryCalls: readonly SystemCall[] = [
  row(78, "getdents", (call) => getdents(call, false)),
  row(79, "getcwd", getcwd),
  row(80, "chdir", (call) => chdir(call, locate(call, CWD, call.path(0), true))),
  row(81, "fchdir", fchdir),
  row(82, "rename", (call) =>
    renameAt(
      call,
      { descriptor: CWD, path: call.path(0) },
      { descriptor: CWD, path: call.path(1) },
      0,
    ),
  ),
  row(83, "mkdir", (call) => mkdirAt(call, CWD, call.path(0), call.int(1))),
  row(84, "rmdir", (call) => remove(call, CWD, call.path(0), true)),
  row(86, "link", (call) =>
    linkAt(call, locate(call, CWD, call.path(0), false), CWD, call.path(1)),
  ),
  row(87, "unlink", (call) => remove(call, CWD, call.path(0), false)),
  row(88, "symlink", (call) => symlinkAt(call, call.path(0), CWD, call.path(1))),
  row(95, "umask", umask),
  row(133, "mknod", (call) => mknodAt(call, CWD, call.path(0), call.int(1), call.unsigned(2))),
  row(161, "chroot", chroot),
  row(217, "getdents64", (call) => getdents(call, true)),
  row(258, "mkdirat", (call) => mkdirAt(call, call.int(0), call.path(1), call.int(2))),
  row(259, "mknodat", (call) =>
    mknodAt(call, call.int(0), call.path(1), call.int(2), call.unsigned(3)),
  ),
  row(263, "unlinkat", (call) => {
    const flags = call.int(2);
    if ((flags & ~AT_REMOVEDIR) !== 0) return EINVAL;
    return remove(call, call.int(0), call.path(1), flags !== 0);
  }),
  row(264, "renameat", (call) =>
    renameAt(
      call,
      { descriptor: call.int(0), path: call.path(1) },
      { descriptor: call.int(2), path: call.path(3) },
      0,
    ),
  ),
  row(265, "linkat", plainLinkAt),
  row(266, "symlinkat", (call) => symlinkAt(call, call.path(0), call.int(1), call.path(2))),
  row(316, "renameat2", (call) =>
    renameAt(
      call,
      { descriptor: call.int(0), path: call.path(1) },
      { descriptor: call.int(2), path: call.path(3) },
      call.int(4),
    ),
  ),
];
