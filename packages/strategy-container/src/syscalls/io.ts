/** Reading, writing and descriptors. */
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EFBIG,
  EMFILE,
  ENFILE,
  ENOSPC,
  ENOTTY,
  EPIPE,
  EPROTONOSUPPORT,
  ESPIPE,
  isError,
} from "../abi/errno.ts";
import { MAX_RW_COUNT, O_APPEND, O_CLOEXEC, O_NONBLOCK, O_PATH, O_WRONLY } from "../abi/files.ts";
import { SIGPIPE, SI_USER } from "../abi/signals.ts";
import { KernelBuffer } from "../files/kernel-buffer.ts";
import { HostInput } from "../files/host-stream.ts";
import { chargeInode, FifoInode, type RegularInode } from "../files/inode.ts";
import { RegularFile, WOULD_BLOCK, type OpenFile } from "../files/open-file.ts";
import { Pipe } from "../files/pipe.ts";
import { PipeEnd } from "../files/pipe-end.ts";
import type { Transfer } from "../files/transfer.ts";
import type { Call } from "../kernel/call.ts";
import { signalThread } from "../kernel/signal-sending.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { UserTransfer, type UserRange } from "../kernel/user-transfer.ts";
import { install } from "./opening.ts";

/** Most buffers of readv and writev (UIO_MAXIOV). */
const MAXIMUM_VECTORS = 1024;
/** Bytes that sendfile and its relatives move through the kernel at a time. */
const CHUNK_BYTES = 65_536;
/** Largest file that fits a signed offset, rounded to what numbers hold exactly. */
const MAXIMUM_FILE_BYTES = 2 ** 52;

function transferOf(call: Call, linear: number, lengthBytes: number): UserTransfer {
  const { memory } = call.kernel.frames;
  return new UserTransfer(memory, call.space, linear, Math.min(lengthBytes, MAX_RW_COUNT));
}

/** The buffers of readv and its relatives, or an error number. */
export function vectorOf(call: Call, linear: number, count: number): UserTransfer | number {
  if (count < 0 || count > MAXIMUM_VECTORS) return EINVAL;
  const ranges: UserRange[] = [];
  let total = 0;
  for (let index = 0; index < count; index++) {
    const base = call.space.getU64(linear + index * 16);
    const length = call.space.getU64(linear + index * 16 + 8);
    if (base < 0 || length < 0) return EFAULT;
    if (length >= 2 ** 63) return EINVAL;
    const lengthBytes = Math.min(length, MAX_RW_COUNT - total);
    total += lengthBytes;
    ranges.push({ linear: base, lengthBytes });
  }
  return new UserTransfer(call.kernel.frames.memory, call.space, 0, 0, ranges);
}

function readInto(call: Call, file: OpenFile, transfer: UserTransfer): number {
  if (!file.readable) return EBADF;
  const result = file.read(transfer);
  if (result === WOULD_BLOCK) {
    if ((file.flags & O_NONBLOCK) !== 0) return EAGAIN;
    return call.wait([file.readQueue], "restartable");
  }
  return result === 0 && transfer.faulted ? EFAULT : result;
}

function read(call: Call): number {
  const file = call.parts.descriptors.get(call.int(0));
  if (file === undefined) return EBADF;
  return readInto(call, file, transferOf(call, call.size(1), call.size(2)));
}

function readVector(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  const transfer = vectorOf(call, call.size(1), call.int(2));
  return typeof transfer === "number" ? transfer : readInto(call, file, transfer);
}

/** Writes until all is written: a blocking write to a pipe goes on where it left off. */
function writeFrom(call: Call, file: OpenFile, transfer: UserTransfer): number {
  if (!file.writable) return EBADF;
  const nonBlocking = (file.flags & O_NONBLOCK) !== 0;
  const before = call.thread.progress?.moved ?? 0;
  if (before > 0) transfer.skip(before);
  let moved = before;
  for (;;) {
    const wanted = transfer.remaining;
    if ((file.flags & O_APPEND) !== 0 && file instanceof RegularFile) {
      file.position = file.inode.sizeBytes;
    }
    const result = writeOnce(file, transfer);
    if (result === WOULD_BLOCK) {
      if (nonBlocking) return moved > 0 ? moved : EAGAIN;
      call.progress.moved = moved;
      return call.wait([file.writeQueue], "restartable");
    }
    if (isError(result)) {
      if (moved > 0) return moved;
      if (result === EPIPE) signalBrokenPipe(call);
      return result;
    }
    moved += result;
    if (result === wanted) return moved;
    if (transfer.faulted) return moved > 0 ? moved : EFAULT;
    // A regular file takes less only when memory is used up; a pipe takes what there is room for.
    if (file instanceof RegularFile) return moved > 0 ? moved : ENOSPC;
    if (result === 0 || file.writeQueue === undefined) return moved;
  }
}

/** Writing to a pipe without readers. */
function signalBrokenPipe(call: Call): void {
  const { id, credentials } = call.process;
  signalThread(call.thread, {
    signal: SIGPIPE,
    code: SI_USER,
    process: id,
    user: credentials.user,
  });
}

function writeOnce(file: OpenFile, transfer: Transfer): number {
  if (!(file instanceof RegularFile)) return file.write(transfer);
  return file.position + transfer.remaining > MAXIMUM_FILE_BYTES ? EFBIG : file.write(transfer);
}

function write(call: Call): number {
  const file = call.parts.descriptors.get(call.int(0));
  if (file === undefined) return EBADF;
  return writeFrom(call, file, transferOf(call, call.size(1), call.size(2)));
}

function writeVector(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  const transfer = vectorOf(call, call.size(1), call.int(2));
  return typeof transfer === "number" ? transfer : writeFrom(call, file, transfer);
}

function positioned(
  call: Call,
  transfer: UserTransfer | number,
  position: number,
  direction: "read" | "write",
): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  if (typeof transfer === "number") return transfer;
  if (position < 0 || position + transfer.remaining > MAXIMUM_FILE_BYTES) return EINVAL;
  if (direction === "read") {
    if (!file.readable) return EBADF;
    const moved = file.readAt(transfer, position);
    return moved === 0 && transfer.faulted ? EFAULT : moved;
  }
  if (!file.writable) return EBADF;
  const append = (file.flags & O_APPEND) !== 0;
  const wanted = transfer.remaining;
  const moved = file.writeAt(transfer, append ? file.inode.sizeBytes : position);
  if (moved !== 0 || wanted === 0) return moved;
  return transfer.faulted ? EFAULT : ENOSPC;
}

function seek(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  const offset = call.long(1);
  if (Math.abs(offset) > MAXIMUM_FILE_BYTES) return EINVAL;
  return file.seek(offset, call.unsigned(2));
}

// Descriptors.

function duplicate(call: Call, from: number, to: number, closeOnExec: boolean): number {
  const { descriptors } = call.parts;
  const file = descriptors.get(from);
  if (file === undefined || to < 0 || to >= call.process.descriptorLimit) return EBADF;
  file.acquire();
  descriptors.replace(to, file, closeOnExec);
  return to;
}

function dup(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  return duplicateFrom(call, file, 0, false);
}

function duplicateFrom(call: Call, file: OpenFile, first: number, closeOnExec: boolean): number {
  const { descriptors } = call.parts;
  const limit = call.process.descriptorLimit;
  file.acquire();
  const descriptor = descriptors.add(file, closeOnExec, limit, first);
  if (descriptor === EMFILE) file.release();
  return descriptor;
}

function dup2(call: Call): number {
  const from = call.int(0);
  const to = call.int(1);
  if (from === to) return call.parts.descriptors.get(from) === undefined ? EBADF : to;
  return duplicate(call, from, to, false);
}

function dup3(call: Call): number {
  const flags = call.int(2);
  if (call.int(0) === call.int(1) || (flags & ~O_CLOEXEC) !== 0) return EINVAL;
  return duplicate(call, call.int(0), call.int(1), flags !== 0);
}

const F_DUPFD = 0;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const F_GETLK = 5;
const F_SETLK = 6;
const F_SETLKW = 7;
const F_SETOWN = 8;
const F_GETOWN = 9;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
/** Status flags that F_SETFL may change: O_APPEND, O_NONBLOCK, O_ASYNC, O_DIRECT, O_NOATIME. */
const SETTABLE_FLAGS = O_APPEND | O_NONBLOCK | 0o20000 | 0o40000 | 0o1000000;
const F_UNLCK = 2;

function fcntl(call: Call): number {
  const descriptor = call.int(0);
  const file = call.file(0);
  if (typeof file === "number") return file;
  const { descriptors } = call.parts;
  const command = call.int(1);
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      const first = call.int(2);
      if (first < 0 || first >= call.process.descriptorLimit) return EINVAL;
      return duplicateFrom(call, file, first, command === F_DUPFD_CLOEXEC);
    }
    case F_GETFD:
      return descriptors.closesOnExec(descriptor) ? 1 : 0;
    case F_SETFD:
      descriptors.setCloseOnExec(descriptor, (call.int(2) & 1) !== 0);
      return 0;
    case F_GETFL:
      return file.flags;
    case F_SETFL:
      if ((file.flags & O_PATH) !== 0) return EBADF;
      file.flags = (file.flags & ~SETTABLE_FLAGS) | (call.int(2) & SETTABLE_FLAGS);
      return 0;
    case F_GETLK:
      // Locks are not kept, so nobody holds one.
      return call.space.put(call.size(2), new Uint8Array([F_UNLCK, 0])) ? 0 : EFAULT;
    case F_SETLK:
    case F_SETLKW:
    case F_SETOWN:
    case F_GETOWN:
      return 0;
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
      return file instanceof PipeEnd ? CHUNK_BYTES : EBADF;
    default:
      return EINVAL;
  }
}

function closeRange(call: Call): number {
  const first = call.unsigned(0);
  const last = call.unsigned(1);
  const flags = call.int(2);
  if (first > last || (flags & ~6) !== 0) return EINVAL;
  const { descriptors } = call.parts;
  for (const [descriptor] of [...descriptors.open()]) {
    if (descriptor < first || descriptor > last) continue;
    if ((flags & 4) !== 0) descriptors.setCloseOnExec(descriptor, true);
    else descriptors.close(descriptor);
  }
  return 0;
}

const FIONREAD = 0x541b;
const FIONBIO = 0x5421;
const FIOCLEX = 0x5451;
const FIONCLEX = 0x5450;

function ioctl(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  const { descriptors } = call.parts;
  switch (call.unsigned(1)) {
    case FIONREAD: {
      const available = readableBytes(file);
      if (available < 0) return ENOTTY;
      return call.space.putU32(call.size(2), available) ? 0 : EFAULT;
    }
    case FIONBIO: {
      const value = call.space.getU32(call.size(2));
      if (value < 0) return EFAULT;
      file.flags = value === 0 ? file.flags & ~O_NONBLOCK : file.flags | O_NONBLOCK;
      return 0;
    }
    case FIOCLEX:
    case FIONCLEX:
      descriptors.setCloseOnExec(call.int(0), call.unsigned(1) === FIOCLEX);
      return 0;
    default:
      return ENOTTY;
  }
}

function readableBytes(file: OpenFile): number {
  if (file instanceof PipeEnd) return file.inode.pipe.lengthBytes;
  if (file.inode instanceof HostInput) return file.inode.bufferedBytes;
  if (file instanceof RegularFile) return Math.max(0, file.inode.sizeBytes - file.position);
  return -1;
}

function pipe2(call: Call, flags: number): number {
  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | 0o40000)) !== 0) return EINVAL;
  const { kernel, process } = call;
  const fileSystem = kernel.pipeFileSystem;
  if (!chargeInode(fileSystem)) return ENFILE;
  const pipe = new Pipe(kernel.frames, process.group);
  const inode = new FifoInode(fileSystem, 0o600, pipe);
  const name = `pipe:[${inode.number}]`;
  const status = flags & O_NONBLOCK;
  const reader = new PipeEnd(inode, status, name, undefined);
  const writer = new PipeEnd(inode, status | O_WRONLY, name, undefined);
  const closeOnExec = (flags & O_CLOEXEC) !== 0;
  const read = install(call, reader, closeOnExec);
  if (isError(read)) {
    writer.release();
    return read;
  }
  const write = install(call, writer, closeOnExec);
  if (isError(write)) {
    call.parts.descriptors.close(read);
    return write;
  }
  const linear = call.size(0);
  if (call.space.putU32(linear, read) && call.space.putU32(linear + 4, write)) return 0;
  call.parts.descriptors.close(read);
  call.parts.descriptors.close(write);
  return EFAULT;
}

// Whole-file calls.

/** Sets a file's size; shared with truncate. */
export function truncateFile(file: RegularInode, length: number): number {
  if (length < 0) return EINVAL;
  if (length > MAXIMUM_FILE_BYTES) return EFBIG;
  file.truncate(length);
  return 0;
}

function ftruncate(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  if (!(file instanceof RegularFile) || !file.writable) return EINVAL;
  return truncateFile(file.inode, call.long(1));
}

/** Moves bytes between two files through the kernel, in pieces that both sides take. */
function moveBetween(
  call: Call,
  from: OpenFile,
  to: OpenFile,
  count: number,
  places: { from: number | undefined; to: number | undefined },
): number {
  let moved = 0;
  let source = places.from;
  let target = places.to;
  const { memory } = call.kernel.frames;
  while (moved < count) {
    const chunk = new KernelBuffer(memory, new Uint8Array(Math.min(CHUNK_BYTES, count - moved)));
    const position = from.position;
    const got = source === undefined ? from.read(chunk) : from.readAt(chunk, source);
    if (got === WOULD_BLOCK) {
      if (moved > 0) return moved;
      if ((from.flags & O_NONBLOCK) !== 0) return EAGAIN;
      return call.wait([from.readQueue], "restartable");
    }
    if (got <= 0) return moved > 0 ? moved : got;
    const rest = new KernelBuffer(memory, chunk.bytes.subarray(0, got));
    const put = target === undefined ? to.write(rest) : to.writeAt(rest, target);
    const taken = put < 0 ? 0 : put;
    // What was read and not written stays unread.
    if (source === undefined && from instanceof RegularFile) from.position = position + taken;
    if (source !== undefined) source += taken;
    if (target !== undefined) target += taken;
    moved += taken;
    if (put === WOULD_BLOCK) {
      if (moved > 0) return moved;
      if ((to.flags & O_NONBLOCK) !== 0) return EAGAIN;
      return call.wait([to.writeQueue], "restartable");
    }
    if (put < 0) {
      if (moved > 0) return moved;
      if (put === EPIPE) signalBrokenPipe(call);
      return put;
    }
    if (taken < got || got < chunk.bytes.length) return moved;
  }
  return moved;
}

function sendfile(call: Call): number {
  const to = call.file(0);
  const from = call.file(1);
  if (typeof to === "number" || typeof from === "number") return EBADF;
  if (!from.readable || !to.writable) return EBADF;
  if (!(from instanceof RegularFile)) return EINVAL;
  const place = call.size(2);
  let offset: number | undefined;
  if (place !== 0) {
    offset = call.space.getU64(place);
    if (offset < 0) return EFAULT;
    if (offset > MAXIMUM_FILE_BYTES) return EINVAL;
  }
  const count = Math.min(call.size(3), MAX_RW_COUNT);
  const moved = moveBetween(call, from, to, count, { from: offset, to: undefined });
  if (moved > 0 && offset !== undefined && !call.space.putU64(place, offset + moved)) return EFAULT;
  return moved;
}

function copyFileRange(call: Call): number {
  const from = call.file(0);
  const to = call.file(2);
  if (typeof to === "number" || typeof from === "number") return EBADF;
  if (!(from instanceof RegularFile) || !(to instanceof RegularFile)) return EINVAL;
  if (!from.readable || !to.writable || (to.flags & O_APPEND) !== 0) return EBADF;
  if (call.int(5) !== 0) return EINVAL;
  const places = [call.size(1), call.size(3)].map((place) =>
    place === 0 ? undefined : call.space.getU64(place),
  );
  const [source, target] = places;
  if ((source ?? 0) < 0 || (target ?? 0) < 0) return EFAULT;
  const count = Math.min(call.size(4), MAX_RW_COUNT);
  const moved = moveBetween(call, from, to, count, { from: source, to: target });
  if (moved > 0) {
    if (source !== undefined) call.space.putU64(call.size(1), source + moved);
    if (target !== undefined) call.space.putU64(call.size(3), target + moved);
  }
  return moved;
}

function allocate(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  const mode = call.int(1);
  const offset = call.long(2);
  const length = call.long(3);
  if (offset < 0 || length <= 0) return EINVAL;
  if (!(file instanceof RegularFile)) return ESPIPE;
  if (!file.writable) return EBADF;
  if (offset + length > MAXIMUM_FILE_BYTES) return EFBIG;
  if ((mode & ~1) !== 0) return EINVAL;
  const { inode } = file;
  for (let page = Math.floor(offset / 4096); page * 4096 < offset + length; page++) {
    if (inode.page(page, true) === 0) return ENOSPC;
  }
  if (mode === 0 && offset + length > inode.sizeBytes) inode.truncate(offset + length);
  return 0;
}

/** For calls that need nothing but an open descriptor: there is no disk to write to. */
function withFile(call: Call): number {
  const file = call.file(0);
  return typeof file === "number" ? file : 0;
}

function adviseFile(call: Call): number {
  const file = call.file(0);
  if (typeof file === "number") return file;
  if (file instanceof PipeEnd || file.inode instanceof HostInput) return ESPIPE;
  return 0;
}

/** socket: only to say that there are none. */
function socket(_call: Call): number {
  return EPROTONOSUPPORT;
}

export const ioCalls: readonly SystemCall[] = [
  row(0, "read", read),
  row(1, "write", write),
  row(3, "close", (call) => call.parts.descriptors.close(call.int(0))),
  row(8, "lseek", seek),
  row(
    16,
    "ioctl",
    ioctl,
    "partial",
    "FIONREAD, FIONBIO, FIOCLEX, FIONCLEX; there are no terminals",
  ),
  row(17, "pread64", (call) =>
    positioned(call, transferOf(call, call.size(1), call.size(2)), call.long(3), "read"),
  ),
  row(18, "pwrite64", (call) =>
    positioned(call, transferOf(call, call.size(1), call.size(2)), call.long(3), "write"),
  ),
  row(19, "readv", readVector),
  row(20, "writev", writeVector),
  row(22, "pipe", (call) => pipe2(call, 0)),
  row(32, "dup", dup),
  row(33, "dup2", dup2),
  row(40, "sendfile", sendfile),
  row(41, "socket", socket, "partial", "no protocol family is there"),
  row(72, "fcntl", fcntl, "partial", "record locks are granted and not kept"),
  row(73, "flock", withFile, "accepted", "locks are granted and not kept"),
  row(74, "fsync", withFile, "accepted", "files are in memory"),
  row(75, "fdatasync", withFile, "accepted", "files are in memory"),
  row(77, "ftruncate", ftruncate),
  row(162, "sync", () => 0, "accepted", "files are in memory"),
  row(221, "fadvise64", adviseFile, "accepted", "files are in memory"),
  row(277, "sync_file_range", withFile, "accepted", "files are in memory"),
  row(285, "fallocate", allocate, "partial", "holes cannot be punched"),
  row(292, "dup3", dup3),
  row(293, "pipe2", (call) => pipe2(call, call.int(1))),
  row(295, "preadv", (call) =>
    positioned(call, vectorOf(call, call.size(1), call.int(2)), call.long(3), "read"),
  ),
  row(296, "pwritev", (call) =>
    positioned(call, vectorOf(call, call.size(1), call.int(2)), call.long(3), "write"),
  ),
  row(306, "syncfs", withFile, "accepted", "files are in memory"),
  row(326, "copy_file_range", copyFileRange),
  row(436, "close_range", closeRange),
];
