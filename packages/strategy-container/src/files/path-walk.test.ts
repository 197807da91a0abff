import { HostMemory } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR } from "../abi/errno.ts";
import { rootCredentials } from "../kernel/credentials.ts";
import { Frames } from "../kernel/frames.ts";
import { ControlGroup } from "../namespaces/control-group.ts";
import { MountNamespace } from "../namespaces/mount-namespace.ts";
import { FileSystem, TMPFS_MAGIC } from "./file-system.ts";
import { MemoryDirectory, RegularInode, SymlinkInode } from "./inode.ts";
import { pathOf, walk } from "./path-walk.ts";

/** /etc/passwd, /home/ann (0700, of user 7), links and a second file system on /mnt that holds /mnt/disk/file. */
function tree() {
  const { physical } = HostMemory.create({ physicalBytes: 1 << 20 });
  const frames = new Frames(physical, 4096, (1 << 20) - 4096);
  const group = new ControlGroup({ memoryBytes: 1 << 20, pids: 1 });
  const now = () => ({ seconds: 0, nanoseconds: 0 });
  const make = (device: number) =>
    new FileSystem({ type: "tmpfs", magic: TMPFS_MAGIC, device, frames, group, now });
  const fileSystem = make(1);
  const root = new MemoryDirectory(fileSystem, 0o755, undefined);
  const directory = (parent: MemoryDirectory, name: string, mode = 0o755) => {
    const made = new MemoryDirectory(parent.fileSystem, mode, parent);
    parent.add(name, made);
    return made;
  };
  const etc = directory(root, "etc");
  etc.add("passwd", new RegularInode(fileSystem, 0o644));
  const ann = directory(directory(root, "home"), "ann", 0o700);
  ann.user = 7;
  ann.add("notes", new RegularInode(fileSystem, 0o600));
  root.add("loop", new SymlinkInode(fileSystem, "loop"));
  root.add("users", new SymlinkInode(fileSystem, "etc/passwd"));
  etc.add("up", new SymlinkInode(fileSystem, "../home"));
  etc.add("absolute", new SymlinkInode(fileSystem, "/etc"));
  const mnt = directory(root, "mnt");

  const other = new MemoryDirectory(make(2), 0o755, undefined);
  directory(other, "disk").add("file", new RegularInode(other.fileSystem, 0o644));
  const namespace = new MountNamespace(root, "none", "tmpfs", group);
  const start = { mount: namespace.root, inode: root };
  namespace.mount(other, { mount: namespace.root, inode: mnt }, "disk", "tmpfs");
  const context = { namespace, root: start, credentials: rootCredentials() };
  const at = (path: string, follow = true) => walk(context, start, path, follow);
  return { at, context, start, namespace, etc };
}

/** Path of what was found, its parents resolved. */
function resolved(path: string): string | number | undefined {
  const { at, start } = tree();
  const found = at(path);
  if (typeof found === "number") return found;
  const parent = pathOf(found.parent, start);
  return found.location && `${parent === "/" ? "" : parent}/${found.name}`;
}

describe("path resolution", () => {
  test.each([
    ["/etc/passwd", "/etc/passwd"],
    ["etc//./passwd", "/etc/passwd"],
    ["/etc/../etc/passwd", "/etc/passwd"],
    ["/../../etc/passwd", "/etc/passwd"],
    ["/users", "/etc/passwd"],
    ["/etc/up/ann/notes", "/home/ann/notes"],
    ["/etc/absolute/absolute/passwd", "/etc/passwd"],
    ["/mnt/disk/file", "/mnt/disk/file"],
    ["/mnt/../etc/passwd", "/etc/passwd"],
  ])("finds %s at %s", (path, expected) => {
    expect(resolved(path)).toBe(expected);
  });

  test.each([
    ["", ENOENT],
    ["/missing/file", ENOENT],
    ["/etc/passwd/x", ENOTDIR],
    ["/etc/passwd/", ENOTDIR],
    ["/loop", ELOOP],
    ["/loop/x", ELOOP],
    [`/${"n".repeat(256)}`, ENAMETOOLONG],
  ])("refuses %j with %i", (path, expected) => {
    expect(resolved(path)).toBe(expected);
  });

  test("tells where a missing last component would be", () => {
    const { at, etc } = tree();
    const found = at("/etc/new/");
    expect(found).toMatchObject({ name: "new", location: undefined, trailingSlash: true });
    expect(typeof found === "object" && found.parent.inode === etc).toBe(true);
  });

  test("gives a link itself when it is not to be followed, unless a slash follows it", () => {
    const { at } = tree();
    const link = at("/etc/up", false);
    expect(typeof link === "object" && link.location?.inode instanceof SymlinkInode).toBe(true);
    const directory = at("/etc/up/", false);
    expect(
      typeof directory === "object" && directory.location?.inode instanceof MemoryDirectory,
    ).toBe(true);
  });

  test("needs the right to search each directory on the way", () => {
    const { context, start } = tree();
    const stranger = { ...rootCredentials(), user: 8, effectiveUser: 8 };
    expect(walk({ ...context, credentials: stranger }, start, "/home/ann/notes", true)).toBe(
      EACCES,
    );
    const ann = { ...rootCredentials(), user: 7, effectiveUser: 7 };
    expect(walk({ ...context, credentials: ann }, start, "/home/ann/notes", true)).toBeTypeOf(
      "object",
    );
  });

  test("does not lead out of a changed root", () => {
    const { context, namespace, etc } = tree();
    const jail = { mount: namespace.root, inode: etc };
    const found = walk({ ...context, root: jail }, jail, "/../../passwd", true);
    expect(typeof found === "object" && found.parent.inode === etc).toBe(true);
  });
});
