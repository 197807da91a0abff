/** What files are: stat and its relatives, access, statfs, and what chmod and its relatives change. stat(2), statx(2). */
import {
  EACCES,
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  ENODATA,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ETXTBSY,
} from "../abi/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  S_IFLNK,
  S_ISGID,
  S_ISUID,
} from "../abi/files.ts";
import { PAGE_BYTES } from "../abi/memory.ts";
import type { Timestamp } from "../files/file-system.ts";
import { DirectoryInode, RegularInode, SymlinkInode, type Inode } from "../files/inode.ts";
import { encodeName } from "../files/file-name.ts";
import type { Call } from "../kernel/call.ts";
import { mayAccess, owns } from "../kernel/credentials.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import type { Mount } from "../namespaces/mount-namespace.ts";
import { truncateFile } from "./copying.ts";
import { locate } from "./paths.ts";

class Block {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(lengthBytes: number) {
    this.bytes = new Uint8Array(lengthBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  u16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }

  u32(offset: number, value: number): void {
    this.#view.setUint32(offset, value >>> 0, true);
  }

  u64(offset: number, value: number): void {
    this.u32(offset, value);
    this.u32(offset + 4, Math.floor(value / 0x1_0000_0000));
  }
}

/** struct stat. Linux, arch/x86/include/uapi/asm/stat.h. */
function encodeStat(inode: Inode): Uint8Array {
  const block = new Block(144);
  block.u64(0, inode.fileSystem.device);
  block.u64(8, inode.number);
  block.u64(16, inode.links);
  block.u32(24, inode.mode);
  block.u32(28, inode.user);
  block.u32(32, inode.group);
  block.u64(40, inode.representedDevice);
  block.u64(48, inode.sizeBytes);
  block.u64(56, PAGE_BYTES);
  block.u64(64, inode.blocks);
  for (const [index, time] of [inode.accessed, inode.modified, inode.changed].entries()) {
    block.u64(72 + index * 16, time.seconds);
    block.u64(80 + index * 16, time.nanoseconds);
  }
  return block.bytes;
}

const STATX_BASIC_STATS = 0x7ff;

/** struct statx. Linux, include/uapi/linux/stat.h. */
function encodeStatx(inode: Inode): Uint8Array {
  const block = new Block(256);
  block.u32(0, STATX_BASIC_STATS);
  block.u32(4, PAGE_BYTES);
  block.u32(16, inode.links);
  block.u32(20, inode.user);
  block.u32(24, inode.group);
  block.u16(28, inode.mode);
  block.u64(32, inode.number);
  block.u64(40, inode.sizeBytes);
  block.u64(48, inode.blocks);
  const time = (offset: number, { seconds, nanoseconds }: Timestamp) => {
    block.u64(offset, seconds);
    block.u32(offset + 8, nanoseconds);
  };
  time(64, inode.accessed);
  time(96, inode.changed);
  time(112, inode.modified);
  block.u32(128, inode.representedDevice >>> 8);
  block.u32(132, inode.representedDevice & 0xff);
  block.u32(136, inode.fileSystem.device >>> 8);
  block.u32(140, inode.fileSystem.device & 0xff);
  return block.bytes;
}

function statPath(call: Call, follow: boolean): number {
  const location = locate(call, AT_FDCWD, call.path(0), follow);
  if (typeof location === "number") return location;
  return call.put(call.size(1), encodeStat(location.inode));
}

function statFile(call: Call): number {
  const file = call.file(0);
  return typeof file === "number" ? file : call.put(call.size(1), encodeStat(file.inode));
}

/** What a path, or with AT_EMPTY_PATH a descriptor, names. */
function subject(call: Call, flags: number): { inode: Inode; mount: Mount | undefined } | number {
  const path = call.path(1);
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) {
    if (call.int(0) === AT_FDCWD) return call.parts.paths.current;
    const file = call.file(0);
    return typeof file === "number" ? file : { inode: file.inode, mount: file.location?.mount };
  }
  return locate(call, call.int(0), path, (flags & AT_SYMLINK_NOFOLLOW) === 0);
}

function statAt(call: Call): number {
  const flags = call.int(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800)) !== 0) return EINVAL;
  const found = subject(call, flags);
  return typeof found === "number" ? found : call.put(call.size(2), encodeStat(found.inode));
}

function statx(call: Call): number {
  const flags = call.int(2);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800 | 0x6000)) !== 0) return EINVAL;
  const found = subject(call, flags);
  return typeof found === "number" ? found : call.put(call.size(4), encodeStatx(found.inode));
}

/** access uses the real identity, unless AT_EACCESS asks for the effective one. */
function accessAt(
  call: Call,
  descriptor: number,
  path: string | number,
  mode: number,
  flags: number,
): number {
  if ((mode & ~7) !== 0) return EINVAL;
  const location = locate(call, descriptor, path, (flags & AT_SYMLINK_NOFOLLOW) === 0);
  if (typeof location === "number") return location;
  const { credentials } = call.process;
  const who =
    (flags & 0x200) === 0
      ? { ...credentials, effectiveUser: credentials.user, effectiveGroup: credentials.group }
      : credentials;
  if ((mode & 2) !== 0 && location.mount.readOnly) return EROFS;
  return mayAccess(who, location.inode, mode) ? 0 : EACCES;
}

/** struct statfs. Linux, include/uapi/asm-generic/statfs.h. */
function encodeStatfs(inode: Inode, readOnly: boolean): Uint8Array {
  const { fileSystem } = inode;
  const { group } = fileSystem;
  const block = new Block(120);
  const total = Math.floor(group.limits.memoryBytes / PAGE_BYTES);
  const free = Math.max(0, total - Math.ceil(group.usedBytes / PAGE_BYTES));
  block.u64(0, fileSystem.magic);
  block.u64(8, PAGE_BYTES);
  block.u64(16, total);
  block.u64(24, free);
  block.u64(32, free);
  block.u64(40, total);
  block.u64(48, free);
  block.u64(64, 255);
  block.u64(72, PAGE_BYTES);
  block.u64(80, 0x20 | (readOnly ? 1 : 0));
  return block.bytes;
}

function statfs(call: Call): number {
  const location = locate(call, AT_FDCWD, call.path(0), true);
  if (typeof location === "number") return location;
  return call.put(call.size(1), encodeStatfs(location.inode, location.mount.readOnly));
}

function fstatfs(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  const readOnly = file.location?.mount.readOnly ?? false;
  return call.put(call.size(1), encodeStatfs(file.inode, readOnly));
}

function readlinkAt(
  call: Call,
  descriptor: number,
  path: string | number,
  linear: number,
  size: number,
): number {
  if (size <= 0) return EINVAL;
  let inode: Inode;
  if (path === "") {
    if (descriptor === AT_FDCWD) return ENOENT;
    const file = call.parts.descriptors.get(descriptor);
    if (file === undefined) return EBADF;
    ({ inode } = file);
  } else {
    const location = locate(call, descriptor, path, false);
    if (typeof location === "number") return location;
    ({ inode } = location);
  }
  if (!(inode instanceof SymlinkInode)) return EINVAL;
  const bytes = encodeName(inode.target).subarray(0, size);
  return call.space.put(linear, bytes) ? bytes.length : EFAULT;
}

// Changes.

/** Checks that the process may change what it found; gives the inode or an error number. */
function changeable(
  call: Call,
  found: { inode: Inode; mount: Mount | undefined } | number,
): Inode | number {
  if (typeof found === "number") return found;
  if (found.mount?.readOnly === true) return EROFS;
  return owns(call.process.credentials, found.inode) ? found.inode : EPERM;
}

function chmod(call: Call, inode: Inode | number, mode: number): number {
  if (typeof inode === "number") return inode;
  if (inode.type === S_IFLNK) return EOPNOTSUPP;
  inode.mode = (inode.mode & ~0o7777) | (mode & 0o7777);
  const { credentials } = call.process;
  const inGroup =
    credentials.effectiveGroup === inode.group || credentials.supplementary.includes(inode.group);
  if (credentials.effectiveUser !== 0 && !inGroup) inode.mode &= ~S_ISGID;
  inode.touchChanged();
  return 0;
}

function chown(call: Call, inode: Inode | number, user: number, group: number): number {
  if (typeof inode === "number") return inode;
  const { credentials } = call.process;
  if (credentials.effectiveUser !== 0) {
    if (user !== -1 && user !== inode.user) return EPERM;
    const member =
      group === credentials.effectiveGroup || credentials.supplementary.includes(group);
    if (group !== -1 && !member) return EPERM;
  }
  if (user !== -1) inode.user = user >>> 0;
  if (group !== -1) inode.group = group >>> 0;
  if (inode instanceof RegularInode && (inode.mode & 0o111) !== 0) {
    inode.mode &= ~(S_ISUID | ((inode.mode & 0o010) === 0 ? 0 : S_ISGID));
  }
  inode.touchChanged();
  return 0;
}

function fileSubject(call: Call): { inode: Inode; mount: Mount | undefined } | number {
  const file = call.file(0);
  return typeof file === "number" ? file : { inode: file.inode, mount: file.location?.mount };
}

const UTIME_NOW = 0x3fff_ffff;
const UTIME_OMIT = 0x3fff_fffe;

function utimensat(call: Call): number {
  const flags = call.int(3);
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return EINVAL;
  const found = call.size(1) === 0 ? fileSubject(call) : subject(call, flags);
  const times = call.size(2);
  return setTimes(call, found, times === 0 ? undefined : times);
}

/** @param linear Two struct timespec; undefined: both now. */
function setTimes(
  call: Call,
  found: { inode: Inode; mount: Mount | undefined } | number,
  linear: number | undefined,
): number {
  if (typeof found === "number") return found;
  if (found.mount?.readOnly === true) return EROFS;
  const { inode } = found;
  const now = call.kernel.realTime();
  const times: (Timestamp | undefined)[] = [now, now];
  if (linear !== undefined) {
    for (const index of [0, 1]) {
      const seconds = call.space.getU64(linear + index * 16);
      const nanoseconds = call.space.getU64(linear + index * 16 + 8);
      if (seconds < 0 || nanoseconds < 0) return EFAULT;
      if (nanoseconds === UTIME_OMIT) times[index] = undefined;
      else if (nanoseconds === UTIME_NOW) times[index] = now;
      else if (nanoseconds > 999_999_999) return EINVAL;
      else times[index] = { seconds, nanoseconds };
    }
  }
  const { credentials } = call.process;
  if (!owns(credentials, inode)) {
    if (linear !== undefined) return EPERM;
    if (!mayAccess(credentials, inode, 2)) return EACCES;
  }
  inode.accessed = times[0] ?? inode.accessed;
  inode.modified = times[1] ?? inode.modified;
  inode.changed = now;
  return 0;
}

/** utimes: struct timeval instead of struct timespec. */
function utimes(call: Call): number {
  const location = locate(call, AT_FDCWD, call.path(0), true);
  if (typeof location === "number") return location;
  const linear = call.size(1);
  if (linear === 0) return setTimes(call, location, undefined);
  if (!owns(call.process.credentials, location.inode)) return EPERM;
  const read = (at: number): Timestamp | undefined => {
    const seconds = call.space.getU64(at);
    const microseconds = call.space.getU64(at + 8);
    return seconds < 0 || microseconds < 0
      ? undefined
      : { seconds, nanoseconds: microseconds * 1000 };
  };
  const accessed = read(linear);
  const modified = read(linear + 16);
  if (accessed === undefined || modified === undefined) return EFAULT;
  if (accessed.nanoseconds > 999_999_999 || modified.nanoseconds > 999_999_999) return EINVAL;
  Object.assign(location.inode, { accessed, modified });
  location.inode.touchChanged();
  return 0;
}

function truncate(call: Call): number {
  const location = locate(call, AT_FDCWD, call.path(0), true);
  if (typeof location === "number") return location;
  const { inode, mount } = location;
  if (inode instanceof DirectoryInode) return EISDIR;
  if (!(inode instanceof RegularInode)) return EINVAL;
  if (mount.readOnly) return EROFS;
  if (!mayAccess(call.process.credentials, inode, 2)) return EACCES;
  if (inode.executions > 0) return ETXTBSY;
  return truncateFile(inode, call.long(1));
}

/** Extended attributes: there are none, on files that exist. */
function getAttribute(call: Call, follow: boolean): number {
  const location = locate(call, AT_FDCWD, call.path(0), follow);
  return typeof location === "number" ? location : ENODATA;
}

function listAttributes(call: Call, follow: boolean): number {
  const location = locate(call, AT_FDCWD, call.path(0), follow);
  return typeof location === "number" ? location : 0;
}

const locateFirst = (call: Call, follow: boolean) => locate(call, AT_FDCWD, call.path(0), follow);
const noAttributes = "there are no extended attributes";

export const statCalls: readonly SystemCall[] = [
  row(4, "stat", (call) => statPath(call, true)),
  row(5, "fstat", statFile),
  row(6, "lstat", (call) => statPath(call, false)),
  row(21, "access", (call) => accessAt(call, AT_FDCWD, call.path(0), call.int(1), 0)),
  row(76, "truncate", truncate),
  row(89, "readlink", (call) =>
    readlinkAt(call, AT_FDCWD, call.path(0), call.size(1), call.int(2)),
  ),
  row(90, "chmod", (call) => chmod(call, changeable(call, locateFirst(call, true)), call.int(1))),
  row(91, "fchmod", (call) => chmod(call, changeable(call, fileSubject(call)), call.int(1))),
  row(92, "chown", (call) =>
    chown(call, changeable(call, locateFirst(call, true)), call.int(1), call.int(2)),
  ),
  row(93, "fchown", (call) =>
    chown(call, changeable(call, fileSubject(call)), call.int(1), call.int(2)),
  ),
  row(94, "lchown", (call) =>
    chown(call, changeable(call, locateFirst(call, false)), call.int(1), call.int(2)),
  ),
  row(137, "statfs", statfs),
  row(138, "fstatfs", fstatfs),
  row(188, "setxattr", () => EOPNOTSUPP, "partial", noAttributes),
  row(189, "lsetxattr", () => EOPNOTSUPP, "partial", noAttributes),
  row(190, "fsetxattr", () => EOPNOTSUPP, "partial", noAttributes),
  row(191, "getxattr", (call) => getAttribute(call, true), "partial", noAttributes),
  row(192, "lgetxattr", (call) => getAttribute(call, false), "partial", noAttributes),
  row(
    193,
    "fgetxattr",
    (call) => (call.file(0) === EBADF ? EBADF : ENODATA),
    "partial",
    noAttributes,
  ),
  row(194, "listxattr", (call) => listAttributes(call, true), "partial", noAttributes),
  row(195, "llistxattr", (call) => listAttributes(call, false), "partial", noAttributes),
  row(196, "flistxattr", (call) => (call.file(0) === EBADF ? EBADF : 0), "partial", noAttributes),
  row(235, "utimes", utimes),
  row(260, "fchownat", (call) =>
    chown(call, changeable(call, subject(call, call.int(4))), call.int(2), call.int(3)),
  ),
  row(262, "newfstatat", statAt),
  row(267, "readlinkat", (call) =>
    readlinkAt(call, call.int(0), call.path(1), call.size(2), call.int(3)),
  ),
  row(268, "fchmodat", (call) => chmod(call, changeable(call, subject(call, 0)), call.int(2))),
  row(269, "faccessat", (call) => accessAt(call, call.int(0), call.path(1), call.int(2), 0)),
  row(280, "utimensat", utimensat),
  row(332, "statx", statx),
  row(439, "faccessat2", (call) =>
    accessAt(call, call.int(0), call.path(1), call.int(2), call.int(3)),
  ),
];
