/** Reading and writing. read(2), write(2), pread(2), lseek(2). */
import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EFBIG,
  ENOSPC,
  EPIPE,
  EPROTONOSUPPORT,
  ESPIPE,
  isError,
} from "../abi/errno.ts";
import { MAX_RW_COUNT, MAXIMUM_FILE_BYTES, O_APPEND, O_NONBLOCK } from "../abi/files.ts";
import { SIGPIPE, SI_USER } from "../abi/signals.ts";
import { HostInput } from "../files/host-stream.ts";
import { RegularFile, WOULD_BLOCK, type OpenFile } from "../files/open-file.ts";
import { PipeEnd } from "../files/pipe-end.ts";
import type { Transfer } from "../files/transfer.ts";
import type { Call } from "../kernel/call.ts";
import { signalThread } from "../kernel/signal-sending.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { UserTransfer, type UserRange } from "../kernel/user-transfer.ts";

/** Most buffers of readv and writev (UIO_MAXIOV). */
const MAXIMUM_VECTORS = 1024;

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

/** Writing to a pipe without readers raises SIGPIPE. */
export function signalBrokenPipe(call: Call): void {
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
  row(8, "lseek", seek),
  row(17, "pread64", (call) =>
    positioned(call, transferOf(call, call.size(1), call.size(2)), call.long(3), "read"),
  ),
  row(18, "pwrite64", (call) =>
    positioned(call, transferOf(call, call.size(1), call.size(2)), call.long(3), "write"),
  ),
  row(19, "readv", readVector),
  row(20, "writev", writeVector),
  row(41, "socket", socket, "partial", "no protocol family is there"),
  row(73, "flock", withFile, "accepted", "locks are granted and not kept"),
  row(74, "fsync", withFile, "accepted", "files are in memory"),
  row(75, "fdatasync", withFile, "accepted", "files are in memory"),
  row(162, "sync", () => 0, "accepted", "files are in memory"),
  row(221, "fadvise64", adviseFile, "accepted", "files are in memory"),
  row(277, "sync_file_range", withFile, "accepted", "files are in memory"),
  row(295, "preadv", (call) =>
    positioned(call, vectorOf(call, call.size(1), call.int(2)), call.long(3), "read"),
  ),
  row(296, "pwritev", (call) =>
    positioned(call, vectorOf(call, call.size(1), call.int(2)), call.long(3), "write"),
  ),
  row(306, "syncfs", withFile, "accepted", "files are in memory"),
];
