/** Calls on whole files: copying between two of them, sizes. sendfile(2), copy_file_range(2), ftruncate(2). */
import { EAGAIN, EBADF, EFAULT, EFBIG, EINVAL, ENOSPC, EPIPE, ESPIPE } from "../abi/errno.ts";
import { MAX_RW_COUNT, MAXIMUM_FILE_BYTES, O_APPEND, O_NONBLOCK } from "../abi/files.ts";
import type { RegularInode } from "../files/inode.ts";
import { KernelBuffer } from "../files/kernel-buffer.ts";
import { RegularFile, WOULD_BLOCK, type OpenFile } from "../files/open-file.ts";
import type { Call } from "../kernel/call.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { signalBrokenPipe } from "./io.ts";

/** Bytes that sendfile and its relatives move through the kernel at a time. */
const CHUNK_BYTES = 65_536;

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

export const copyingCalls: readonly SystemCall[] = [
  row(40, "sendfile", sendfile),
  row(77, "ftruncate", ftruncate),
  row(285, "fallocate", allocate, "partial", "holes cannot be punched"),
  row(326, "copy_file_range", copyFileRange),
];
