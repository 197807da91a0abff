/**
 * Path resolution: from a string to a place in a mount namespace.
 *
 * Follows Linux's path_resolution(7): `.`, `..` that stops at the process's root, symbolic links (at most 40), mount
 * points, search permission in each directory, trailing slashes.
 */
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from "../abi/errno.ts";
import { NAME_MAX } from "../abi/files.ts";
import type { Credentials } from "../kernel/credentials.ts";
import { mayAccess } from "../kernel/credentials.ts";
import type { Location, MountNamespace } from "../namespaces/mount-namespace.ts";
import { DirectoryInode, SymlinkInode } from "./inode.ts";

/** What a process's paths are relative to. */
export interface PathContext {
  readonly namespace: MountNamespace;
  readonly root: Location;
  readonly credentials: Credentials;
}

export interface Found {
  /** Directory that holds, or would hold, the last component. */
  readonly parent: Location;
  /** Last component; `.` or `..` or empty (a path of slashes) are possible. */
  readonly name: string;
  /** What the path names; undefined when only the last component is missing. */
  readonly location: Location | undefined;
  /** The path ended with a slash: it must name a directory. */
  readonly trailingSlash: boolean;
}

const MAXIMUM_LINKS = 40;

/** A symbolic link that leads to a place, not to a path (/proc/self/exe, /proc/self/fd/0). */
export abstract class MagicLinkInode extends SymlinkInode {
  abstract follow(): Location | undefined;
}

/** `..` of a directory: stops at `root`, leaves mounts through the place they are mounted on. */
export function parentOf(location: Location, root: Location, namespace: MountNamespace): Location {
  let at = location;
  for (;;) {
    if (at.inode === root.inode && at.mount === root.mount) return at;
    if (at.inode !== at.mount.root) break;
    if (at.mount.on === undefined) return at;
    at = at.mount.on;
  }
  if (!(at.inode instanceof DirectoryInode)) return at;
  return namespace.cross({ mount: at.mount, inode: at.inode.parent });
}

/**
 * Resolves `path` from `start` (when it is relative).
 *
 * @param follow Whether a symbolic link as the last component is followed; one before a trailing slash is, unless this
 *   is `"parent"`: then the last component is only looked up, whatever it is, for calls that make or remove names.
 */
export function walk(
  context: PathContext,
  start: Location,
  path: string,
  follow: boolean | "parent",
): Found | number {
  if (path === "") return ENOENT;
  const { namespace, root, credentials } = context;
  let at = path.startsWith("/") ? root : start;
  let rest = path;
  let links = 0;
  for (;;) {
    let begin = 0;
    while (rest[begin] === "/") begin++;
    if (begin === rest.length) return { parent: at, name: "", location: at, trailingSlash: true };
    const slash = rest.indexOf("/", begin);
    const name = slash < 0 ? rest.slice(begin) : rest.slice(begin, slash);
    let next = slash < 0 ? rest.length : slash;
    while (rest[next] === "/") next++;
    const trailingSlash = slash >= 0;
    const last = next === rest.length;

    const directory = at.inode;
    if (!(directory instanceof DirectoryInode)) return ENOTDIR;
    if (!mayAccess(credentials, directory, 1)) return EACCES;
    if (name.length > NAME_MAX) return ENAMETOOLONG;
    rest = rest.slice(next);

    if (name === "." || name === "..") {
      if (name === "..") at = parentOf(at, root, namespace);
      if (last) return { parent: at, name, location: at, trailingSlash: true };
      continue;
    }
    const inode = directory.lookup(name);
    if (inode === undefined) {
      return last ? { parent: at, name, location: undefined, trailingSlash } : ENOENT;
    }
    const followed = !last || follow === true || (trailingSlash && follow === false);
    if (inode instanceof SymlinkInode && followed) {
      if (++links > MAXIMUM_LINKS) return ELOOP;
      if (inode instanceof MagicLinkInode) {
        const target = inode.follow();
        if (target === undefined) return ENOENT;
        if (last) return { parent: at, name, location: target, trailingSlash };
        at = target;
        continue;
      }
      rest = last ? inode.target + (trailingSlash ? "/" : "") : `${inode.target}/${rest}`;
      if (inode.target.startsWith("/")) at = root;
      continue;
    }
    const location = namespace.cross({ mount: at.mount, inode });
    if (last) {
      const needsDirectory = trailingSlash && follow !== "parent";
      if (needsDirectory && !(location.inode instanceof DirectoryInode)) return ENOTDIR;
      return { parent: at, name, location, trailingSlash };
    }
    at = location;
  }
}

/** Absolute path of a directory as a process with `root` sees it; undefined when it is not below `root` or was removed. */
export function pathOf(location: Location, root: Location): string | undefined {
  let path = "";
  let at = location;
  for (;;) {
    if (at.inode === root.inode && at.mount === root.mount) return path === "" ? "/" : path;
    if (at.inode === at.mount.root) {
      if (at.mount.on === undefined) return undefined;
      at = at.mount.on;
      continue;
    }
    if (!(at.inode instanceof DirectoryInode)) return undefined;
    const { parent } = at.inode;
    const name = parent.nameOf(at.inode);
    if (name === undefined) return undefined;
    path = `/${name}${path}`;
    at = { mount: at.mount, inode: parent };
  }
}
