/**
 * Initial RAM disks: cpio archives in the "newc" format (magic 070701), which Linux and the guest kernel unpack.
 */

/** Something in an initrd. Directories that paths need and nobody names are added, with mode 0o755. */
export type InitrdEntry =
  | {
      /** With or without a leading slash; no empty, `.` or `..` components. */
      readonly path: string;
      /** Permission bits, 0 to 0o7777; 0o644 when absent. */
      readonly mode?: number;
      readonly data: Uint8Array;
    }
  | {
      readonly path: string;
      /** Where the symbolic link points to; not empty. */
      readonly symlink: string;
    }
  | {
      readonly path: string;
      /** Permission bits, 0 to 0o7777; 0o755 when absent. */
      readonly mode?: number;
      readonly directory: true;
    };

const directoryType = 0o040_000;
const regularType = 0o100_000;
const symlinkType = 0o120_000;

/** A path and its contents, ready to be written. */
interface Record {
  readonly name: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

/**
 * Builds an archive, with parents before children. The same entries give the same bytes: all dates and owners are 0.
 *
 * @throws {RangeError} when a path is empty, named twice, or has an impossible component; when a mode is out of range;
 * when a name or a link is longer than Linux allows.
 */
export function initrd(entries: readonly InitrdEntry[]): Uint8Array {
  const records = new Map<string, Record>();
  for (const entry of entries) {
    const name = nameOf(entry.path);
    if (records.has(name))
      throw new RangeError(`[ringside/guest] ${entry.path} is in the initrd twice.`);
    records.set(name, recordOf(name, entry));
  }
  for (const name of records.keys()) addParents(name, records);

  const ordered = [...records.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  ordered.push({ name: "TRAILER!!!", mode: 0, data: new Uint8Array() });
  const headers = ordered.map((record, index) => header(record, index + 1));
  let size = 0;
  for (const [index, record] of ordered.entries()) {
    size += (headers[index]?.length ?? 0) + padded(record.data.length);
  }
  const archive = new Uint8Array(size);
  let offset = 0;
  for (const [index, record] of ordered.entries()) {
    const head = headers[index] ?? new Uint8Array();
    archive.set(head, offset);
    archive.set(record.data, offset + head.length);
    offset += head.length + padded(record.data.length);
  }
  return archive;
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

function nameOf(path: string): string {
  const parts = path.split("/");
  if (parts[0] === "") parts.shift();
  for (const part of parts) {
    if (part === "" || part === "." || part === ".." || part.includes("\0")) {
      throw new RangeError(
        `[ringside/guest] Impossible path in an initrd: ${JSON.stringify(path)}. Use names separated by single slashes.`,
      );
    }
    if (utf8(part).length > 255) {
      throw new RangeError(
        `[ringside/guest] A name in an initrd has more than 255 bytes: ${part}.`,
      );
    }
  }
  return parts.join("/");
}

function recordOf(name: string, entry: InitrdEntry): Record {
  if ("symlink" in entry) {
    const target = utf8(entry.symlink);
    if (target.length === 0 || target.length > 4095 || target.includes(0)) {
      throw new RangeError(
        `[ringside/guest] The link ${entry.path} points to ${target.length} bytes. Use 1 to 4095, without NUL.`,
      );
    }
    return { name, mode: symlinkType | 0o777, data: target };
  }
  const isDirectory = "directory" in entry;
  const mode = entry.mode ?? (isDirectory ? 0o755 : 0o644);
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    throw new RangeError(
      `[ringside/guest] ${entry.path} has mode ${mode}. Use permission bits, 0 to 0o7777.`,
    );
  }
  return isDirectory
    ? { name, mode: directoryType | mode, data: new Uint8Array() }
    : { name, mode: regularType | mode, data: entry.data };
}

function addParents(name: string, records: Map<string, Record>): void {
  for (let slash = name.indexOf("/"); slash !== -1; slash = name.indexOf("/", slash + 1)) {
    const parent = name.slice(0, slash);
    const known = records.get(parent);
    if (known === undefined) {
      records.set(parent, { name: parent, mode: directoryType | 0o755, data: new Uint8Array() });
    } else if ((known.mode & 0o170_000) !== directoryType) {
      throw new RangeError(`[ringside/guest] /${name} is below /${parent}, which is no directory.`);
    }
  }
}

/** The header, the name with its NUL, and padding to 4 bytes. */
function header(record: Record, inode: number): Uint8Array {
  const name = utf8(record.name);
  const links = (record.mode & 0o170_000) === directoryType ? 2 : 1;
  const fields = [
    inode,
    record.mode,
    0,
    0,
    links,
    0,
    record.data.length,
    0,
    0,
    0,
    0,
    name.length + 1,
    0,
  ];
  const digits = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const bytes = new Uint8Array(padded(110 + name.length + 1));
  bytes.set(utf8(`070701${digits}`));
  bytes.set(name, 110);
  return bytes;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
