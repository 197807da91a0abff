/** Descriptors: duplicating, flags, pipes. dup(2), fcntl(2), ioctl(2), pipe(2). */
import { EBADF, EFAULT, EINVAL, EMFILE, ENFILE, ENOTTY, isError } from "../abi/errno.ts";
import { O_APPEND, O_CLOEXEC, O_NONBLOCK, O_PATH, O_WRONLY } from "../abi/files.ts";
import { HostInput } from "../files/host-stream.ts";
import { chargeInode, FifoInode } from "../files/inode.ts";
import { RegularFile, type OpenFile } from "../files/open-file.ts";
import { Pipe, PIPE_BYTES } from "../files/pipe.ts";
import { PipeEnd } from "../files/pipe-end.ts";
import type { Call } from "../kernel/call.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { install } from "./opening.ts";

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
      return file instanceof PipeEnd ? PIPE_BYTES : EBADF;
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

export const descriptorCalls: readonly SystemCall[] = [
  row(3, "close", (call) => call.parts.descriptors.close(call.int(0))),
  row(
    16,
    "ioctl",
    ioctl,
    "partial",
    "FIONREAD, FIONBIO, FIOCLEX, FIONCLEX; there are no terminals",
  ),
  row(22, "pipe", (call) => pipe2(call, 0)),
  row(32, "dup", dup),
  row(33, "dup2", dup2),
  row(72, "fcntl", fcntl, "partial", "record locks are granted and not kept"),
  row(292, "dup3", dup3),
  row(293, "pipe2", (call) => pipe2(call, call.int(1))),
  row(436, "close_range", closeRange),
];
