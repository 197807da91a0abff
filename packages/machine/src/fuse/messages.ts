/** Structures of the FUSE protocol. Linux, include/uapi/linux/fuse.h, version 7.31. */
import { ByteWriter } from "../loaders/byte-writer.ts";
import type { FolderSpace, SharedStatus } from "./shared-folder.ts";

export const opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  rename2: 45,
} as const;

/** Operations that change something, which a share for reading answers with EROFS. */
export const changingOpcodes: ReadonlySet<number> = new Set([
  4, 6, 8, 9, 10, 11, 12, 13, 16, 20, 21, 24, 35, 43, 45, 47,
]);

/** Linux's error numbers. */
export const errorNumber = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  EILSEQ: 84,
} as const;

export const inHeaderBytes = 40;
export const outHeaderBytes = 16;

const fileType = { file: 0o100_000, folder: 0o040_000, link: 0o120_000 } as const;
const directoryType = { file: 8, folder: 4, link: 10 } as const;
const blockBytes = 512;
const pageBytes = 4096;
/** How long the machine may believe what it was told, in seconds. */
const validSeconds = 1;

export interface InHeader {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: number;
}

/** `struct fuse_in_header`; undefined when it is cut short. */
export function readInHeader(message: Uint8Array): InHeader | undefined {
  if (message.length < inHeaderBytes) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  return {
    opcode: view.getUint32(4, true),
    unique: view.getBigUint64(8, true),
    node: Number(view.getBigUint64(16, true)),
  };
}

/** `struct fuse_out_header` and what follows. `error` is 0 or a number of {@link errorNumber}. */
export function makeReply(unique: bigint, error: number, body: Uint8Array): Uint8Array {
  const length = outHeaderBytes + body.length;
  const writer = new ByteWriter(length).u32(0, length).u32(4, -error).u64(8, unique);
  writer.bytes.set(body, outHeaderBytes);
  return writer.bytes;
}

/** `struct fuse_attr`, 88 bytes. */
function attributes(status: SharedStatus): Uint8Array {
  const seconds = Math.floor(status.modifiedSeconds);
  const nanoseconds = Math.floor((status.modifiedSeconds - seconds) * 1e9);
  const writer = new ByteWriter(88)
    .u64(0, status.inode)
    .u64(8, status.sizeBytes)
    .u64(16, Math.ceil((status.allottedBytes ?? status.sizeBytes) / blockBytes));
  for (const index of [0, 1, 2])
    writer.u64(24 + 8 * index, seconds).u32(48 + 4 * index, nanoseconds);
  return writer
    .u32(60, fileType[status.kind] | status.mode)
    .u32(64, 1) // Of folders, too: more would say how many folders are in them.
    .u32(68, status.userId)
    .u32(72, status.groupId)
    .u32(80, pageBytes).bytes;
}

/** `struct fuse_attr_out`. */
export function attributesOut(status: SharedStatus): Uint8Array {
  const writer = new ByteWriter(104).u64(0, validSeconds);
  writer.bytes.set(attributes(status), 16);
  return writer.bytes;
}

/** `struct fuse_entry_out`. */
export function entryOut(node: number, status: SharedStatus): Uint8Array {
  const writer = new ByteWriter(128).u64(0, node).u64(16, validSeconds).u64(24, validSeconds);
  writer.bytes.set(attributes(status), 40);
  return writer.bytes;
}

/** `struct fuse_open_out`. */
export function openOut(handle: number): Uint8Array {
  return new ByteWriter(16).u64(0, handle).bytes;
}

/** `struct fuse_write_out`. */
export function writeOut(lengthBytes: number): Uint8Array {
  return new ByteWriter(8).u32(0, lengthBytes).bytes;
}

/** `struct fuse_init_out`, for a machine that asks with at least this version. */
export function initOut(readAheadBytes: number, pagesMaximum: number): Uint8Array {
  /** FUSE_ASYNC_READ, FUSE_BIG_WRITES, FUSE_PARALLEL_DIROPS, FUSE_MAX_PAGES. */
  const flags = 0x1 | 0x20 | 0x4_0000 | 0x40_0000;
  return new ByteWriter(64)
    .u32(0, 7)
    .u32(4, 31)
    .u32(8, readAheadBytes)
    .u32(12, flags)
    .u16(16, 16) // max_background
    .u16(18, 12) // congestion_threshold
    .u32(20, pagesMaximum * pageBytes) // max_write
    .u32(24, 1) // time_gran
    .u16(28, pagesMaximum).bytes;
}

/** `struct fuse_statfs_out`. Without `space` nothing can be written, and nothing is free. */
export function statfsOut(space: FolderSpace = { totalBytes: 0, freeBytes: 0 }): Uint8Array {
  const freePages = Math.floor(space.freeBytes / pageBytes);
  return new ByteWriter(80)
    .u64(0, Math.floor(space.totalBytes / pageBytes))
    .u64(8, freePages) // bfree
    .u64(16, freePages) // bavail
    .u32(40, pageBytes)
    .u32(44, 255)
    .u32(48, pageBytes).bytes;
}

/** `struct fuse_dirent`. `next` is where reading goes on behind it. */
export function directoryEntry(
  name: Uint8Array,
  status: Pick<SharedStatus, "inode" | "kind">,
  next: number,
): Uint8Array {
  const lengthBytes = Math.ceil((24 + name.length) / 8) * 8;
  const writer = new ByteWriter(lengthBytes)
    .u64(0, status.inode)
    .u64(8, next)
    .u32(16, name.length)
    .u32(20, directoryType[status.kind]);
  writer.bytes.set(name, 24);
  return writer.bytes;
}
