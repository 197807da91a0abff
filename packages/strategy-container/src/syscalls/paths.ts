/** What path-taking calls share: resolution relative to a descriptor, and the checks before a directory changes. */
import { EACCES, EBADF, EEXIST, ENOENT, ENOTDIR, EROFS } from "../abi/errno.ts";
import { AT_FDCWD } from "../abi/files.ts";
import { DirectoryInode, MemoryDirectory } from "../files/inode.ts";
import { walk, type Found, type PathContext } from "../files/path-walk.ts";
import type { Call } from "../kernel/call.ts";
import { mayAccess } from "../kernel/credentials.ts";
import type { Process } from "../kernel/process.ts";
import type { Location } from "../namespaces/mount-namespace.ts";

export function pathContext(process: Process): PathContext {
  const { mounts, paths } = process.running;
  return { namespace: mounts, root: paths.root, credentials: process.credentials };
}

/** Where relative paths start for the `*at` calls, or an error number. */
export function startOf(call: Call, descriptor: number, path: string): Location | number {
  const { paths, descriptors } = call.parts;
  if (descriptor === AT_FDCWD || path.startsWith("/")) return paths.current;
  const file = descriptors.get(descriptor);
  if (file === undefined) return EBADF;
  return file.location ?? ENOTDIR;
}

/** Resolves `path` for an `*at` call. */
export function find(
  call: Call,
  descriptor: number,
  path: string | number,
  follow: boolean | "parent",
): Found | number {
  if (typeof path === "number") return path;
  const start = startOf(call, descriptor, path);
  if (typeof start === "number") return start;
  return walk(pathContext(call.process), start, path, follow);
}

/** Resolves `path` to something that exists. */
export function locate(
  call: Call,
  descriptor: number,
  path: string | number,
  follow: boolean,
): Location | number {
  const found = find(call, descriptor, path, follow);
  if (typeof found === "number") return found;
  return found.location ?? ENOENT;
}

/** The directory in which an entry may be added or removed, or an error number. */
export function writableDirectory(call: Call, parent: Location): MemoryDirectory | number {
  const { inode, mount } = parent;
  if (!(inode instanceof DirectoryInode)) return ENOTDIR;
  if (mount.readOnly) return EROFS;
  if (!(inode instanceof MemoryDirectory)) return EACCES;
  if (inode.links === 0) return ENOENT;
  return mayAccess(call.process.credentials, inode, 3) ? inode : EACCES;
}

/** The directory and name for a new entry, or an error number. */
export function vacancy(
  call: Call,
  descriptor: number,
  path: string | number,
  forDirectory: boolean,
): { directory: MemoryDirectory; name: string; parent: Location } | number {
  const found = find(call, descriptor, path, "parent");
  if (typeof found === "number") return found;
  if (found.location !== undefined) return EEXIST;
  if (found.trailingSlash && !forDirectory) return ENOENT;
  const directory = writableDirectory(call, found.parent);
  if (typeof directory === "number") return directory;
  return { directory, name: found.name, parent: found.parent };
}
