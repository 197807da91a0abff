/**
 * Writes cpio archives of the format "newc", which Linux and the guest kernel take as an initial RAM file system.
 *
 * Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 */

export interface ArchiveFile {
  readonly bytes: Uint8Array;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
}

const directoryMode = 0o040755;
const regularMode = 0o100000;
const trailerName = "TRAILER!!!";

/**
 * Packs files, with the folders above them (mode 0755) before them. The same files in the same order give the same bytes.
 *
 * @param files Absolute path to file.
 * @throws {RangeError} when a path is not absolute, names a folder, or holds `.`, `..` or NUL.
 */
export function packArchive(files: ReadonlyMap<string, ArchiveFile>): Uint8Array {
  const entries: Entry[] = [];
  const folders = new Set<string>();
  for (const [path, file] of files) {
    const names = namesOf(path);
    for (let depth = 1; depth < names.length; depth += 1) {
      const folder = names.slice(0, depth).join("/");
      if (folders.has(folder)) continue;
      folders.add(folder);
      entries.push({ name: folder, mode: directoryMode, bytes: new Uint8Array() });
    }
    entries.push({ name: names.join("/"), mode: regularMode | (file.mode & 0o7777), bytes: file.bytes });
  }
  entries.push({ name: trailerName, mode: 0, bytes: new Uint8Array() });
  return join(entries.flatMap((entry, index) => pieces(entry, index + 1)));
}

interface Entry {
  /** Without a leading slash. */
  readonly name: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

function namesOf(path: string): string[] {
  const names = path.split("/").slice(1);
  const isPlain = names.every((name) => name !== "" && name !== "." && name !== ".." && !name.includes("\0"));
  if (!path.startsWith("/") || names.length === 0 || !isPlain) {
    throw new RangeError(
      `The path ${JSON.stringify(path)} cannot be packed. Give an absolute path without ".", ".." and empty parts.`,
    );
  }
  return names;
}

/** Header and name, padded to 4 bytes, then the contents, padded as well. */
function pieces({ name, mode, bytes }: Entry, inode: number): Uint8Array[] {
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
  const fields = [inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  const head = join([new TextEncoder().encode(header), nameBytes]);
  return [head, padding(head.length), bytes, padding(bytes.length)];
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
