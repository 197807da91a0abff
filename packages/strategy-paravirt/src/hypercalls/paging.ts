/**
 * Hypercalls on page tables: mmu_update, update_va_mapping, mmuext_op.
 *
 * Xen, xen/include/public/xen.h, "MMU-UPDATE REQUESTS" and "MMU EXTENDED OPERATIONS". A list is cut when its
 * requests, or the work that they took, are many: the hypercall is then executed again with what is left. Only one
 * request is never cut, and the largest tree of tables that a domain can have bounds that.
 */
import { frameBytes } from "@ringside/machine";
import { DOMID_SELF } from "../abi/domain.ts";
import { EFAULT, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, ESRCH } from "../abi/errno.ts";
import type { Domain } from "../domain.ts";
import { plus } from "../memory/guest-access.ts";
import { TYPE } from "../memory/frame-table.ts";
import type { Level } from "../paging/entry.ts";
import { AGAIN, type CallArguments, type CallResult } from "./call.ts";

/** In the count: a part is done already, and the fourth argument points to how much. */
const PREEMPTED = 0x8000_0000;
/** Requests that are done in one go. */
const partLength = 1024;

const MMU_NORMAL_PT_UPDATE = 0;
const MMU_MACHPHYS_UPDATE = 1;
const MMU_PT_UPDATE_PRESERVE_AD = 2;
const updateBytes = 16;

const MMUEXT = {
  PIN_L1_TABLE: 0,
  PIN_L4_TABLE: 3,
  UNPIN_TABLE: 4,
  NEW_BASEPTR: 5,
  TLB_FLUSH_LOCAL: 6,
  INVLPG_LOCAL: 7,
  TLB_FLUSH_MULTI: 8,
  INVLPG_MULTI: 9,
  TLB_FLUSH_ALL: 10,
  INVLPG_ALL: 11,
  FLUSH_CACHE: 12,
  SET_LDT: 13,
  NEW_USER_BASEPTR: 15,
  CLEAR_PAGE: 16,
  COPY_PAGE: 17,
} as const;
const operationBytes = 24;
const ldtEntriesMaximum = 8192;

const UVMF_TLB_FLUSH = 1;
const UVMF_INVLPG = 2;
const UVMF_FLUSHTYPE_MASK = 3;

/** Does one request of a list; gives 0 or an error. */
type Request = (view: DataView, at: number) => number;

/** A list of requests: address, count, where to say how many were done, domain. */
function doList(
  domain: Domain,
  call: CallArguments,
  requestBytes: number,
  request: Request,
): CallResult {
  const owner = call.low(3);
  if ((owner & 0xffff) !== DOMID_SELF || owner >>> 16 !== 0) return ESRCH;
  let count = call.low(1);
  let done = 0;
  if ((count & PREEMPTED) !== 0) {
    count = (count & ~PREEMPTED) >>> 0;
    if (!call.isNull(2)) {
      const before = domain.access.read(call.linear(2), 4);
      if (before === undefined) return EFAULT;
      done = new DataView(before.buffer).getUint32(0, true);
    }
  }
  const list = call.linear(0);
  const now = Math.min(count, partLength);
  let result = 0;
  let index = 0;
  const bytes = domain.access.read(list, now * requestBytes);
  if (bytes === undefined) {
    // Some may be readable: one by one, up to the one that is not.
    while (result === 0 && index < now) {
      const at = plus(list.low, list.high, index * requestBytes);
      const one = domain.access.read(at, requestBytes);
      result = one === undefined ? EFAULT : request(new DataView(one.buffer), 0);
      if (result === 0) index += 1;
      if (domain.workLimit.countRequest()) break;
    }
  } else {
    const view = new DataView(bytes.buffer);
    while (index < now) {
      result = request(view, index * requestBytes);
      if (result !== 0) break;
      index += 1;
      if (domain.workLimit.countRequest()) break;
    }
  }
  if (domain.vcpu.crashed !== undefined) return result;
  if (!call.isNull(2) && !domain.access.write(call.linear(2), u32Bytes(done + index))) {
    return EFAULT;
  }
  if (result !== 0 || index === count) return result;
  const rest = plus(list.low, list.high, index * requestBytes);
  call.set(0, rest.low, rest.high);
  call.set(1, (count - index) | PREEMPTED, 0);
  return AGAIN;
}

export function mmuUpdate(domain: Domain, call: CallArguments): CallResult {
  return doList(domain, call, updateBytes, (view, at) => {
    const pointerLow = view.getUint32(at, true);
    const pointerHigh = view.getUint32(at + 4, true);
    const low = view.getUint32(at + 8, true);
    const high = view.getUint32(at + 12, true);
    const { paging, frames, memory } = domain;
    switch (pointerLow & 3) {
      case MMU_NORMAL_PT_UPDATE:
        return paging.update(pointerLow, pointerHigh, low, high, false);
      case MMU_PT_UPDATE_PRESERVE_AD:
        return paging.update(pointerLow, pointerHigh, low, high, true);
      case MMU_MACHPHYS_UPDATE: {
        const frame = pointerHigh * 0x10_0000 + (pointerLow >>> 12);
        if (!frames.isOwned(frame)) return EINVAL;
        domain.work.add("frameChecks");
        memory.setPhysicalOf(frame, low, high);
        return 0;
      }
      default:
        return ENOSYS;
    }
  });
}

export function updateVaMapping(domain: Domain, call: CallArguments): CallResult {
  const flags = call.low(2);
  const at = domain.access.leafEntry(call.low(0), call.high(0));
  const result = at < 0 ? EINVAL : domain.paging.updateLeaf(at, call.low(1), call.high(1));
  switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
      domain.flushTlb();
      break;
    case UVMF_INVLPG:
      domain.flushPage(call.wide(0));
      break;
    default: // The guest wants none, or asked for nonsense, which Xen takes for none.
  }
  return result;
}

export function updateVaMappingOtherDomain(): CallResult {
  return EPERM;
}

export function mmuextOp(domain: Domain, call: CallArguments): CallResult {
  return doList(domain, call, operationBytes, (view, at) => {
    const command = view.getUint32(at, true);
    const low = view.getUint32(at + 8, true);
    const high = view.getUint32(at + 12, true);
    const second = view.getUint32(at + 16, true);
    const frame = high * 0x1_0000_0000 + low;
    if (command <= MMUEXT.PIN_L4_TABLE) return domain.paging.pin(frame, (command + 1) as Level);
    switch (command) {
      case MMUEXT.UNPIN_TABLE:
        return domain.paging.unpin(frame);
      case MMUEXT.NEW_BASEPTR:
        return newBase(domain, frame);
      case MMUEXT.NEW_USER_BASEPTR:
        return newUserBase(domain, frame);
      case MMUEXT.TLB_FLUSH_LOCAL:
      case MMUEXT.TLB_FLUSH_MULTI:
      case MMUEXT.TLB_FLUSH_ALL:
        domain.flushTlb();
        return 0;
      case MMUEXT.INVLPG_LOCAL:
      case MMUEXT.INVLPG_MULTI:
      case MMUEXT.INVLPG_ALL:
        domain.flushPage((BigInt(high) << 32n) | BigInt(low));
        return 0;
      case MMUEXT.FLUSH_CACHE:
        return EOPNOTSUPP;
      case MMUEXT.SET_LDT:
        return setLdt(domain, low, high, second);
      case MMUEXT.CLEAR_PAGE:
        return withWritable(domain, frame, () => {
          domain.physical.fill(frame * frameBytes, 0, frameBytes);
          domain.work.add("pagesCleared");
          return 0;
        });
      case MMUEXT.COPY_PAGE: {
        const source = view.getUint32(at + 20, true) * 0x1_0000_0000 + second;
        if (!domain.frames.isOwned(source)) return EINVAL;
        return withWritable(domain, frame, () => {
          domain.physical.copy(source * frameBytes, frame * frameBytes, frameBytes);
          domain.work.add("pagesCopied");
          return 0;
        });
      }
      default:
        return ENOSYS;
    }
  });
}

/** Loads other page tables for the guest's kernel. */
export function newBase(domain: Domain, frame: number): number {
  const { vcpu, paging } = domain;
  const result = paging.getRoot(frame);
  if (result !== 0) return result;
  const old = vcpu.kernelRoot;
  vcpu.kernelRoot = frame;
  vcpu.loadRoot(true);
  if (old !== 0) paging.putRoot(old);
  return 0;
}

/** Names the page tables for programs; frame 0 is none. */
function newUserBase(domain: Domain, frame: number): number {
  const { vcpu, paging } = domain;
  if (frame !== 0) {
    const result = paging.getRoot(frame);
    if (result !== 0) return result;
  }
  const old = vcpu.userRoot;
  vcpu.userRoot = frame;
  if (old !== 0) paging.putRoot(old);
  return 0;
}

function setLdt(domain: Domain, low: number, high: number, entries: number): number {
  const linear = (BigInt(high) << 32n) | BigInt(low);
  if (entries > ldtEntriesMaximum || (low & 0xfff) !== 0) return EINVAL;
  domain.descriptors.setLdt(linear, entries);
  return 0;
}

function withWritable(domain: Domain, frame: number, act: () => number): number {
  const result = domain.types.get(frame, TYPE.WRITABLE);
  if (result !== 0) return result;
  const acted = act();
  domain.types.put(frame);
  return acted;
}

function u32Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
