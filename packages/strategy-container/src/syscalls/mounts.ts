/** Mounts and namespaces. mount(2), umount2(2), unshare(2), pivot_root(2). */
import { EBUSY, EFAULT, EINVAL, ENODEV, ENOMEM, ENOTDIR, EPERM } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/files.ts";
import { TMPFS_MAGIC } from "../files/file-system.ts";
import { chargeInode, DirectoryInode, MemoryDirectory } from "../files/inode.ts";
import type { Call } from "../kernel/call.ts";
import { CLONE_FILES, CLONE_FS, CLONE_NEWNS, CLONE_NEWUTS, CLONE_SYSVSEM } from "../kernel/fork.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import type { Mount } from "../namespaces/mount-namespace.ts";
import { locate } from "./paths.ts";

const MS_RDONLY = 1;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_MOVE = 8192;
/** Flags that say how events spread, which has no meaning with one namespace tree. */
const PROPAGATION = 0x2_0000 | 0x4_0000 | 0x8_0000 | 0x10_0000;
const MNT_DETACH = 2;

function mount(call: Call): number {
  const { process, kernel } = call;
  if (process.credentials.effectiveUser !== 0) return EPERM;
  const flags = call.unsigned(3);
  const on = locate(call, AT_FDCWD, call.path(1), true);
  if (typeof on === "number") return on;
  const { mounts } = call.parts;
  if ((flags & MS_REMOUNT) !== 0) {
    if (on.inode !== on.mount.root) return EINVAL;
    on.mount.readOnly = (flags & MS_RDONLY) !== 0;
    return 0;
  }
  if ((flags & PROPAGATION) !== 0) return 0;
  if ((flags & MS_MOVE) !== 0) return EINVAL;
  const source = call.size(0) === 0 ? "none" : call.path(0);
  if (typeof source === "number") return source;
  if ((flags & MS_BIND) !== 0) {
    const from = locate(call, AT_FDCWD, source, true);
    if (typeof from === "number") return from;
    const isDirectory = from.inode instanceof DirectoryInode;
    if (isDirectory !== on.inode instanceof DirectoryInode) return ENOTDIR;
    return mounts.mount(from.inode, on, from.mount.source, from.mount.type);
  }
  if (!(on.inode instanceof DirectoryInode)) return ENOTDIR;
  const typeLinear = call.size(2);
  const type = typeLinear === 0 ? EFAULT : call.pathAt(typeLinear);
  if (typeof type === "number") return type;
  let root: DirectoryInode;
  if (type === "proc") {
    root = kernel.makeProc(process);
  } else if (type === "tmpfs" || type === "ramfs") {
    const fileSystem = kernel.makeFileSystem(type, TMPFS_MAGIC, process.group);
    if (!chargeInode(fileSystem)) return ENOMEM;
    root = new MemoryDirectory(fileSystem, type === "tmpfs" ? 0o1777 : 0o755, undefined);
  } else {
    return ENODEV;
  }
  const failure = mounts.mount(root, on, source, type);
  const made = mounts.mounts.at(-1);
  if (failure === 0 && made !== undefined) made.readOnly = (flags & MS_RDONLY) !== 0;
  return failure;
}

function umount(call: Call): number {
  if (call.process.credentials.effectiveUser !== 0) return EPERM;
  const location = locate(call, AT_FDCWD, call.path(0), true);
  if (typeof location === "number") return location;
  if (location.inode !== location.mount.root) return EINVAL;
  const lazy = (call.int(1) & MNT_DETACH) !== 0;
  if (!lazy && isInUse(call, location.mount)) return EBUSY;
  return call.parts.mounts.unmount(location.mount);
}

/** Whether a process is in the mount, or has opened or executes a file through it. */
function isInUse(call: Call, mount: Mount): boolean {
  for (const { parts, executable } of call.process.pids.processes.values()) {
    if (parts === undefined) continue;
    const { paths, descriptors } = parts;
    if ([paths.current, paths.root, executable].some((place) => place?.mount === mount))
      return true;
    for (const [, file] of descriptors.open()) if (file.location?.mount === mount) return true;
  }
  return false;
}

/** unshare: leaves what is shared with other processes. */
function unshare(call: Call): number {
  const flags = call.unsigned(0);
  const known = CLONE_NEWNS | CLONE_NEWUTS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;
  if ((flags & ~known) >>> 0 !== 0) return EINVAL;
  const { parts, process } = call;
  const privileged = (flags & (CLONE_NEWNS | CLONE_NEWUTS)) !== 0;
  if (privileged && process.credentials.effectiveUser !== 0) return EPERM;
  if ((flags & (CLONE_FS | CLONE_NEWNS)) !== 0 && parts.paths.references > 1) {
    const copy = parts.paths.copy();
    parts.paths.release();
    parts.paths = copy;
  }
  if ((flags & CLONE_FILES) !== 0 && parts.descriptors.references > 1) {
    const copy = parts.descriptors.copy();
    parts.descriptors.release();
    parts.descriptors = copy;
  }
  if ((flags & CLONE_NEWUTS) !== 0) parts.uts = parts.uts.copy();
  if ((flags & CLONE_NEWNS) !== 0) {
    const { namespace, translate } = parts.mounts.copy();
    parts.mounts.release();
    parts.mounts = namespace;
    parts.paths.setRoot(translate(parts.paths.root));
    parts.paths.setCurrent(translate(parts.paths.current));
  }
  return 0;
}

export const mountCalls: readonly SystemCall[] = [
  row(165, "mount", mount, "partial", "tmpfs, ramfs, proc, bind and remount"),
  row(166, "umount2", umount),
  row(272, "unshare", unshare, "partial", "mount and UTS namespaces, CLONE_FS, CLONE_FILES"),
];
