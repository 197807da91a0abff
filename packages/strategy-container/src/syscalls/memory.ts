/** Memory maps. mmap(2), mprotect(2), mremap(2), brk(2), madvise(2). */
import {
  EACCES,
  EBADF,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  isError,
} from "../abi/errno.ts";
import {
  MAP_32BIT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  MMAP_MINIMUM,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_BYTES,
  PROT_EXEC,
  PROT_GROWSDOWN,
  PROT_READ,
  PROT_WRITE,
  USER_END,
} from "../abi/memory.ts";
import { DEVICE_ZERO, MemoryDeviceFile } from "../files/devices.ts";
import { chargeInode, RegularInode } from "../files/inode.ts";
import { RegularFile } from "../files/open-file.ts";
import { AddressSpace, roundUp } from "../kernel/address-space.ts";
import type { AreaSource } from "../kernel/area.ts";
import type { Call } from "../kernel/call.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";

const PROTECTION_BITS = PROT_READ | PROT_WRITE | PROT_EXEC;
/** MAP_32BIT places maps below 2 GiB. */
const LOW_END = 0x8000_0000;

interface MapRequest {
  readonly start: number;
  readonly lengthBytes: number;
  readonly protection: number;
  readonly flags: number;
  readonly offset: number;
}

function mmap(call: Call): number {
  const length = call.size(1);
  const request: MapRequest = {
    start: call.size(0),
    lengthBytes: roundUp(length),
    protection: call.int(2) & PROTECTION_BITS,
    flags: call.int(3),
    offset: call.size(5),
  };
  const { flags, lengthBytes } = request;
  if (length === 0) return EINVAL;
  if (!(lengthBytes <= USER_END)) return ENOMEM;
  if (request.offset % PAGE_BYTES !== 0) return EINVAL;
  const type = flags & MAP_TYPE;
  if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== MAP_SHARED_VALIDATE) return EINVAL;
  if ((flags & MAP_HUGETLB) !== 0) return ENOMEM;
  const backing =
    (flags & MAP_ANONYMOUS) === 0 ? fileBacking(call, request) : anonymous(call, request);
  if (typeof backing === "number") return backing;
  const start = place(call.space, request);
  if (isError(start)) {
    backing.discard();
    return start;
  }
  const failure = call.space.map({
    start,
    end: start + lengthBytes,
    protection: request.protection,
    shared: type !== MAP_PRIVATE,
    growsDown: (flags & MAP_GROWSDOWN) !== 0,
    source: backing.source,
    name: backing.name,
  });
  backing.discard();
  if (failure !== 0) return failure;
  if ((flags & MAP_POPULATE) !== 0) populate(call.space, start, lengthBytes, request.protection);
  return start;
}

interface Backing {
  readonly source: AreaSource | undefined;
  readonly name: string;
  /** Drops what only this call held; the area has its own reference by then. */
  discard(): void;
}

const nothing = (): void => {};

function fileBacking(call: Call, request: MapRequest): Backing | number {
  const file = call.file(4);
  if (typeof file === "number") return file;
  if (file instanceof MemoryDeviceFile && file.inode.representedDevice === DEVICE_ZERO) {
    return anonymous(call, request);
  }
  if (!file.readable) return file.writable ? EACCES : EBADF;
  if (!(file instanceof RegularFile)) return ENODEV;
  const shared = (request.flags & MAP_TYPE) !== MAP_PRIVATE;
  if (shared && (request.protection & PROT_WRITE) !== 0 && !file.writable) return EACCES;
  if (request.offset + request.lengthBytes > 2 ** 52) return EOVERFLOW;
  return {
    source: { inode: file.inode, offset: request.offset, readOnly: !file.writable },
    name: file.path,
    discard: nothing,
  };
}

function anonymous(call: Call, request: MapRequest): Backing | number {
  const { kernel } = call;
  const shared = (request.flags & MAP_TYPE) !== MAP_PRIVATE;
  if (!shared) return { source: undefined, name: "", discard: nothing };
  // Shared memory without a file is a file without a name.
  const fileSystem = kernel.sharedMemory;
  if (!chargeInode(fileSystem)) return ENOMEM;
  const inode = new RegularInode(fileSystem, 0o600);
  inode.acquire();
  inode.truncate(request.lengthBytes);
  return {
    source: { inode, offset: 0 },
    name: "/dev/zero (deleted)",
    discard: () => inode.release(),
  };
}

/** Chooses and clears the range; gives its start or an error number. */
function place(space: AddressSpace, request: MapRequest): number {
  const { flags, lengthBytes, start } = request;
  if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0) {
    const failure = AddressSpace.checkRange(start, lengthBytes);
    if (failure !== 0) return failure;
    if (start < MMAP_MINIMUM) return EPERM;
    const cleared = space.clearRange(
      start,
      start + lengthBytes,
      (flags & MAP_FIXED_NOREPLACE) !== 0,
    );
    return cleared === 0 ? start : cleared;
  }
  const hint = roundUp(start);
  if (hint >= MMAP_MINIMUM && hint <= USER_END - lengthBytes && (flags & MAP_32BIT) === 0) {
    if (space.isFree(hint, hint + lengthBytes)) return hint;
  }
  const gap =
    (flags & MAP_32BIT) === 0 ? space.findGap(lengthBytes) : space.findGap(lengthBytes, LOW_END);
  return gap === 0 ? ENOMEM : gap;
}

/** MAP_POPULATE and MADV_POPULATE: touches every page; failures show at the first real access. */
function populate(
  space: AddressSpace,
  start: number,
  lengthBytes: number,
  protection: number,
): void {
  const write = (protection & PROT_WRITE) !== 0;
  for (let linear = start; linear < start + lengthBytes; linear += PAGE_BYTES) {
    if (space.translate(linear, write) < 0) break;
  }
  space.outOfMemory = false;
}

function munmap(call: Call): number {
  const start = call.size(0);
  const length = roundUp(call.size(1));
  if (length === 0 || AddressSpace.checkRange(start, length) !== 0) return EINVAL;
  return call.space.unmap(start, start + length);
}

function mprotect(call: Call): number {
  let start = call.size(0);
  const length = roundUp(call.size(1));
  const protection = call.int(2);
  if ((protection & ~(PROTECTION_BITS | PROT_GROWSDOWN)) !== 0) return EINVAL;
  if (length === 0) return start % PAGE_BYTES === 0 ? 0 : EINVAL;
  const failure = AddressSpace.checkRange(start, length);
  if (failure !== 0) return failure;
  const end = start + length;
  if ((protection & PROT_GROWSDOWN) !== 0) {
    const area = call.space.find(start);
    if (area === undefined || !area.growsDown) return EINVAL;
    start = area.start;
  }
  for (let at = start; at < end;) {
    const area = call.space.find(at);
    if (area === undefined) return ENOMEM;
    if (area.shared && (protection & PROT_WRITE) !== 0 && area.source?.readOnly === true) {
      return EACCES;
    }
    at = area.end;
  }
  return call.space.protect(start, end, protection & PROTECTION_BITS);
}

function mremap(call: Call): number {
  const { space } = call;
  const start = call.size(0);
  const oldLength = roundUp(call.size(1));
  const newLength = roundUp(call.size(2));
  const flags = call.int(3);
  if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return EINVAL;
  if ((flags & MREMAP_FIXED) !== 0 && (flags & MREMAP_MAYMOVE) === 0) return EINVAL;
  if ((flags & MREMAP_DONTUNMAP) !== 0) return EINVAL;
  if (newLength === 0 || AddressSpace.checkRange(start, oldLength) !== 0) return EINVAL;
  if (!(newLength <= USER_END)) return ENOMEM;
  const area = space.find(start);
  if (area === undefined || area.end < start + oldLength) return EFAULT;
  // Length 0 duplicates a shared mapping: rare, and not here.
  if (oldLength === 0) return EINVAL;
  let target = 0;
  if ((flags & MREMAP_FIXED) !== 0) {
    target = call.size(4);
    const failure = AddressSpace.checkRange(target, newLength);
    if (failure !== 0 || target < MMAP_MINIMUM) return EINVAL;
    if (target < start + oldLength && start < target + newLength) return EINVAL;
  } else {
    if (newLength <= oldLength) {
      const failure = newLength < oldLength ? space.unmap(start + newLength, start + oldLength) : 0;
      return failure === 0 ? start : failure;
    }
    const end = start + oldLength;
    const fits =
      area.end === end && start + newLength <= USER_END && space.isFree(end, start + newLength);
    if (fits) {
      const failure = space.map({
        ...area,
        start: end,
        end: start + newLength,
        source: shifted(area.source, end - area.start),
      });
      return failure === 0 ? start : failure;
    }
    if ((flags & MREMAP_MAYMOVE) === 0) return ENOMEM;
    target = space.findGap(newLength);
    if (target === 0) return ENOMEM;
  }
  return move(space, start, oldLength, target, newLength);
}

function shifted(source: AreaSource | undefined, byBytes: number): AreaSource | undefined {
  return source && { ...source, offset: source.offset + byBytes };
}

function move(
  space: AddressSpace,
  start: number,
  oldLength: number,
  target: number,
  newLength: number,
): number {
  const cleared = space.unmap(target, target + newLength);
  if (cleared !== 0) return cleared;
  const area = space.find(start);
  if (area === undefined) return EFAULT;
  const failure = space.map({
    ...area,
    start: target,
    end: target + newLength,
    source: shifted(area.source, start - area.start),
  });
  if (failure !== 0) return failure;
  const kept = Math.min(oldLength, newLength);
  if (!space.moveLeaves(start, target, kept)) {
    space.outOfMemory = true;
    return ENOMEM;
  }
  const unmapped = space.unmap(start, start + oldLength);
  return unmapped === 0 ? target : unmapped;
}

const MADV_DONTNEED = 4;
const MADV_FREE = 8;
const MADV_REMOVE = 9;
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;
/** Advice that changes nothing a program could see here. */
const IDLE_ADVICE = new Set([0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 25]);

function madvise(call: Call): number {
  const start = call.size(0);
  const length = roundUp(call.size(1));
  const advice = call.int(2);
  if (start % PAGE_BYTES !== 0) return EINVAL;
  if (AddressSpace.checkRange(start, length) !== 0) return ENOMEM;
  const { space } = call;
  if (advice === MADV_DONTNEED || advice === MADV_FREE) {
    space.discard(start, start + length);
    return space.covers(start, start + length) ? 0 : ENOMEM;
  }
  if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) {
    if (!space.covers(start, start + length)) return ENOMEM;
    populate(space, start, length, advice === MADV_POPULATE_WRITE ? PROT_WRITE : PROT_READ);
    return 0;
  }
  if (advice === MADV_REMOVE) return EOPNOTSUPP;
  if (!IDLE_ADVICE.has(advice)) return EINVAL;
  return space.covers(start, start + length) ? 0 : ENOMEM;
}

function msync(call: Call): number {
  const start = call.size(0);
  const length = roundUp(call.size(1));
  if (start % PAGE_BYTES !== 0 || (call.int(2) & ~7) !== 0) return EINVAL;
  return length === 0 || call.space.covers(start, start + length) ? 0 : ENOMEM;
}

function mincore(call: Call): number {
  const start = call.size(0);
  const length = roundUp(call.size(1));
  if (start % PAGE_BYTES !== 0) return EINVAL;
  if (!call.space.covers(start, start + length)) return ENOMEM;
  const pages = new Uint8Array(Math.min(length / PAGE_BYTES, 1 << 20));
  for (const [index] of pages.entries()) {
    pages[index] = call.space.isPresent(start + index * PAGE_BYTES) ? 1 : 0;
  }
  return call.space.put(call.size(2), pages) ? 0 : EFAULT;
}

/** Nothing is ever swapped out, so memory that exists is locked. */
function mlock(call: Call): number {
  const start = call.size(0);
  const length = roundUp(call.size(1) + (start % PAGE_BYTES));
  const first = start - (start % PAGE_BYTES);
  if (AddressSpace.checkRange(first, length) !== 0) return ENOMEM;
  if (!call.space.covers(first, first + length)) return ENOMEM;
  populate(call.space, first, length, PROT_READ);
  return 0;
}

export const memoryCalls: readonly SystemCall[] = [
  row(9, "mmap", mmap, "partial", "no huge pages"),
  row(10, "mprotect", mprotect),
  row(11, "munmap", munmap),
  row(12, "brk", (call) => call.space.setBreak(call.size(0))),
  row(25, "mremap", mremap, "partial", "no MREMAP_DONTUNMAP"),
  row(26, "msync", msync, "accepted", "shared pages are the file's pages"),
  row(27, "mincore", mincore),
  row(28, "madvise", madvise, "partial", "MADV_REMOVE is EOPNOTSUPP"),
  row(149, "mlock", mlock, "accepted", "nothing is swapped out"),
  row(150, "munlock", () => 0, "accepted", "nothing is swapped out"),
  row(151, "mlockall", () => 0, "accepted", "nothing is swapped out"),
  row(152, "munlockall", () => 0, "accepted", "nothing is swapped out"),
];
