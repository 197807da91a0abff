/**
 * Hypercalls that tell a domain what it is on, take its messages, and give and take its memory.
 *
 * Xen, xen/include/public/version.h, memory.h and xen.h.
 */
import { frameBytes } from "@ringside/machine";
import { DOMID_SELF, MACHINE_TO_PHYSICAL } from "../abi/domain.ts";
import { EFAULT, EINVAL, ENOSYS, EPERM, ESRCH } from "../abi/errno.ts";
import { DOMAIN_ID, type Domain } from "../domain.ts";
import { plus, type Linear } from "../memory/guest-access.ts";
import { AGAIN, type CallArguments, type CallResult } from "./call.ts";

const XENVER = {
  VERSION: 0,
  EXTRAVERSION: 1,
  COMPILE_INFO: 2,
  CAPABILITIES: 3,
  CHANGESET: 4,
  PLATFORM_PARAMETERS: 5,
  GET_FEATURES: 6,
  PAGESIZE: 7,
  GUEST_HANDLE: 8,
} as const;

/** The version of Xen whose interface this is. */
const MAJOR = 4;
const MINOR = 17;

/**
 * Features of the first word: mmu_pt_update_preserve_ad (5), highmem_assist (6), gnttab_map_avail_bits (7),
 * memory_op_vnode_supported (13), and the one that says frames are not the machine's (17).
 */
const FEATURES: number = (1 << 5) | (1 << 6) | (1 << 7) | (1 << 13) | (1 << 17);

export function xenVersion(domain: Domain, call: CallArguments): CallResult {
  const { access } = domain;
  const pointer = call.linear(1);
  const give = (bytes: Uint8Array): number => (access.write(pointer, bytes) ? 0 : EFAULT);
  switch (call.low(0)) {
    case XENVER.VERSION:
      return MAJOR * 0x1_0000 + MINOR;
    case XENVER.EXTRAVERSION:
      return give(text(".0", 16));
    case XENVER.COMPILE_INFO:
      return give(
        Uint8Array.from([
          ...text("typescript", 64),
          ...text("ringside", 16),
          ...text("", 32),
          ...text("", 32),
        ]),
      );
    case XENVER.CAPABILITIES:
      return give(text("xen-3.0-x86_64 ", 1024));
    case XENVER.CHANGESET:
      return give(text("unavailable", 64));
    case XENVER.PLATFORM_PARAMETERS: {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, MACHINE_TO_PHYSICAL, true);
      return give(bytes);
    }
    case XENVER.GET_FEATURES: {
      const asked = access.read(pointer, 8);
      if (asked === undefined) return EFAULT;
      const view = new DataView(asked.buffer);
      const index = view.getUint32(0, true);
      if (index > 1) return EINVAL;
      view.setUint32(4, index === 0 ? FEATURES : 0, true);
      return give(asked);
    }
    case XENVER.PAGESIZE:
      return frameBytes;
    case XENVER.GUEST_HANDLE: {
      const handle = new Uint8Array(16);
      handle[15] = DOMAIN_ID;
      return give(handle);
    }
    default:
      return ENOSYS;
  }
}

function text(value: string, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  bytes.set(new TextEncoder().encode(value));
  return bytes;
}

const CONSOLEIO_WRITE = 0;
const CONSOLEIO_READ = 1;
/** Bytes that are taken in one go. */
const consolePart = 4096;

export function consoleIo(domain: Domain, call: CallArguments): CallResult {
  const count = call.low(1);
  switch (call.low(0)) {
    case CONSOLEIO_WRITE: {
      const { low, high } = call.linear(2);
      const now = Math.min(count, consolePart);
      const bytes = domain.access.read({ low, high }, now);
      if (bytes === undefined) return EFAULT;
      if (now > 0) domain.onLog(bytes);
      if (now === count) return 0;
      const rest = plus(low, high, now);
      call.set(1, count - now, 0);
      call.set(2, rest.low, rest.high);
      return AGAIN;
    }
    case CONSOLEIO_READ:
      // Xen's own console is the first domain's to read.
      return 0;
    default:
      return ENOSYS;
  }
}

const XENMEM = {
  DECREASE_RESERVATION: 1,
  MAXIMUM_RAM_PAGE: 2,
  CURRENT_RESERVATION: 3,
  MAXIMUM_RESERVATION: 4,
  POPULATE_PHYSMAP: 6,
  MACHPHYS_MAPPING: 12,
} as const;
const commandMask = 0x3f;
const extentShift = 6;
/** The whole range that the table from machine frames could take: 512 GiB / 2. */
const TABLE_END: bigint = MACHINE_TO_PHYSICAL + 0x40_0000_0000n;
/** Extents that are done in one go. */
const extentsAtOnce = 1024;

export function memoryOp(domain: Domain, call: CallArguments): CallResult {
  const { access, memory } = domain;
  const pointer = call.linear(1);
  switch (call.low(0) & commandMask) {
    case XENMEM.DECREASE_RESERVATION:
      return eachExtent(domain, call, (at) => releaseFrame(domain, at));
    case XENMEM.POPULATE_PHYSMAP:
      return eachExtent(domain, call, (at) => populateFrame(domain, at));
    case XENMEM.MAXIMUM_RAM_PAGE:
      return memory.tableEntries - 1;
    case XENMEM.CURRENT_RESERVATION:
    case XENMEM.MAXIMUM_RESERVATION: {
      const bytes = access.read(pointer, 2);
      if (bytes === undefined) return EFAULT;
      const owner = new DataView(bytes.buffer).getUint16(0, true);
      return owner === DOMID_SELF || owner === DOMAIN_ID ? memory.frames.length : ESRCH;
    }
    case XENMEM.MACHPHYS_MAPPING: {
      const bytes = new Uint8Array(24);
      const view = new DataView(bytes.buffer);
      view.setBigUint64(0, MACHINE_TO_PHYSICAL, true);
      view.setBigUint64(8, TABLE_END, true);
      view.setBigUint64(16, BigInt(memory.tableEntries - 1), true);
      return access.write(pointer, bytes) ? 0 : EFAULT;
    }
    default:
      return ENOSYS;
  }
}

/** xen_memory_reservation: extents, their count, order, flags, domain. Gives how many were done. */
function eachExtent(domain: Domain, call: CallArguments, act: (at: Linear) => boolean): CallResult {
  const bytes = domain.access.read(call.linear(1), 32);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer);
  const count = Number(view.getBigUint64(8, true));
  const order = view.getUint32(16, true);
  const owner = view.getUint16(24, true);
  if (owner !== DOMID_SELF && owner !== DOMAIN_ID) return EPERM;
  let done = Math.floor((call.high(0) * 0x1_0000_0000 + call.low(0)) / 2 ** extentShift);
  // Only single frames: a domain has no larger pages.
  if (order !== 0) return done;
  const end = Math.min(count, done + extentsAtOnce);
  while (done < end) {
    const at = plus(view.getUint32(0, true), view.getUint32(4, true), done * 8);
    if (!act(at)) return done;
    done += 1;
    // A frame that is given back may be the last reference to a tree of tables.
    if (domain.workLimit.countRequest()) break;
  }
  if (done >= count) return done;
  const command = (call.low(0) & commandMask) + done * 2 ** extentShift;
  call.set(0, command >>> 0, Math.floor(command / 0x1_0000_0000));
  return AGAIN;
}

function releaseFrame(domain: Domain, at: Linear): boolean {
  const { frames, types, memory, access, flushTlb } = domain;
  const bytes = access.read(at, 8);
  if (bytes === undefined) return false;
  const view = new DataView(bytes.buffer);
  const frame = view.getUint32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
  if (!frames.isOwned(frame) || !frames.isAllocated(frame)) return false;
  if (frames.isPinned(frame)) {
    frames.setPinned(frame, false);
    types.put(frame);
  }
  memory.setInvalid(frame);
  frames.release(frame);
  flushTlb();
  return true;
}

/** Gives a frame for one of the domain's numbers, and puts the machine's in its place. */
function populateFrame(domain: Domain, at: Linear): boolean {
  const { frames, memory, access, physical, work } = domain;
  const bytes = access.read(at, 8);
  if (bytes === undefined) return false;
  const frame = frames.takeFreed();
  if (frame === undefined) return false;
  const view = new DataView(bytes.buffer);
  physical.fill(frame * frameBytes, 0, frameBytes);
  work.add("pagesCleared");
  memory.setPhysicalOf(frame, view.getUint32(0, true), view.getUint32(4, true));
  frames.assign(frame);
  view.setBigUint64(0, BigInt(frame), true);
  if (access.write(at, bytes)) return true;
  memory.setInvalid(frame);
  frames.release(frame);
  return false;
}

const VMASST_CMD_ENABLE = 0;
const VMASST_CMD_DISABLE = 1;
const VMASST_WRITABLE_PAGETABLES = 2;
/** 4gb_segments and its notification, pae_extended_cr3: nothing to do for them on x86-64. */
const withoutEffect: ReadonlySet<number> = new Set([0, 1, 3]);

export function vmAssist(domain: Domain, call: CallArguments): CallResult {
  const command = call.low(0);
  const type = call.low(1);
  if (command !== VMASST_CMD_ENABLE && command !== VMASST_CMD_DISABLE) return ENOSYS;
  if (type === VMASST_WRITABLE_PAGETABLES) {
    domain.state.assistsWritableTables = command === VMASST_CMD_ENABLE;
    return 0;
  }
  return withoutEffect.has(type) ? 0 : EINVAL;
}

export function notPermitted(): CallResult {
  return EPERM;
}
