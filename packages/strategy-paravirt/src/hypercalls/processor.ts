/**
 * Hypercalls that stand for privileged registers and tables of the processor: traps, stacks, segments, debug registers.
 *
 * Xen, xen/include/public/arch-x86/xen.h and xen-x86_64.h, xen/include/public/callback.h.
 */
import { CR0, slots } from "@ringside/isa";
import { XEN_HIGH_FIRST, XEN_HIGH_LAST } from "../abi/domain.ts";
import { EFAULT, EINVAL, ENOSYS, EPERM } from "../abi/errno.ts";
import { gdtPagesFor } from "../cpu/descriptors.ts";
import { nowhere } from "../cpu/vcpu.ts";
import type { Domain } from "../domain.ts";
import { plus } from "../memory/guest-access.ts";
import { isCanonical } from "../paging/entry.ts";
import { AGAIN, NO_RESULT, type CallArguments, type CallResult } from "./call.ts";

const trapBytes = 16;
/** Entries of a trap table that are read in one go. */
const trapsAtOnce = 256;

export function setTrapTable(domain: Domain, call: CallArguments): CallResult {
  if (call.isNull(0)) {
    domain.vcpu.clearTraps();
    return 0;
  }
  let { low, high } = call.linear(0);
  for (let index = 0; index < trapsAtOnce; index += 1) {
    const bytes = domain.access.read({ low, high }, trapBytes);
    if (bytes === undefined) return EFAULT;
    const view = new DataView(bytes.buffer);
    const entry = {
      flags: view.getUint8(1),
      low: view.getUint32(8, true),
      high: view.getUint32(12, true),
    };
    if (entry.low === 0 && entry.high === 0) return 0;
    if (!isCanonical(entry.high)) return EINVAL;
    domain.vcpu.setTrap(view.getUint8(0), entry);
    ({ low, high } = plus(low, high, trapBytes));
  }
  call.set(0, low, high);
  return AGAIN;
}

export function setGdt(domain: Domain, call: CallArguments): CallResult {
  const pages = gdtPagesFor(call.low(1));
  if (pages === undefined) return EINVAL;
  const bytes = domain.access.read(call.linear(0), pages * 8);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer);
  return domain.descriptors.setGdt(
    Array.from(
      { length: pages },
      (_, index) =>
        view.getUint32(index * 8 + 4, true) * 0x1_0000_0000 + view.getUint32(index * 8, true),
    ),
  );
}

export function updateDescriptor(domain: Domain, call: CallArguments): CallResult {
  const at = call.high(0) * 0x1_0000_0000 + call.low(0);
  const result = domain.descriptors.update(at, call.low(1), call.high(1));
  // A segment register that names it is loaded anew by the guest.
  return result;
}

export function stackSwitch(domain: Domain, call: CallArguments): CallResult {
  domain.vcpu.kernelStack = call.linear(1);
  return 0;
}

export function fpuTaskswitch(domain: Domain, call: CallArguments): CallResult {
  const { state } = domain.processor;
  state.set(slots.cr0, call.isNull(0) ? state.cr0 & ~CR0.TS : state.cr0 | CR0.TS);
  return 0;
}

export function iret(domain: Domain): CallResult {
  if (domain.state.isInMulticall) return ENOSYS;
  domain.vcpu.iret();
  return NO_RESULT;
}

const SEGBASE = { FS: 0, GS_USER: 1, GS_KERNEL: 2, GS_USER_SEL: 3 } as const;

export function setSegmentBase(domain: Domain, call: CallArguments): CallResult {
  const { state } = domain.processor;
  const which = call.low(0);
  if (which !== SEGBASE.GS_USER_SEL && !isCanonical(call.high(1))) return EINVAL;
  switch (which) {
    case SEGBASE.FS:
      state.fsBase = call.wide(1);
      return 0;
    case SEGBASE.GS_USER:
      state.set(slots.kernelGsBase, call.wide(1));
      return 0;
    case SEGBASE.GS_KERNEL:
      state.gsBase = call.wide(1);
      return 0;
    case SEGBASE.GS_USER_SEL:
      return setUserGsSelector(domain, call.low(1));
    default:
      return EINVAL;
  }
}

/** Loads the programs' GS from a descriptor; a selector that is none loads null. */
function setUserGsSelector(domain: Domain, selector: number): CallResult {
  const base = domain.vcpu.segmentBase(selector & 0xffff);
  domain.processor.state.set(slots.kernelGsBase, base ?? 0n);
  return base === undefined && (selector & 0xfffc) !== 0 ? EFAULT : 0;
}

const CALLBACKOP_REGISTER = 0;
const CALLBACKOP_UNREGISTER = 1;
const CALLBACKTYPE = { EVENT: 0, FAILSAFE: 1, SYSCALL: 2, NMI: 4 } as const;
const CALLBACKF_MASK_EVENTS = 1;

export function callbackOp(domain: Domain, call: CallArguments): CallResult {
  const { access, vcpu } = domain;
  const command = call.low(0);
  if (command !== CALLBACKOP_REGISTER && command !== CALLBACKOP_UNREGISTER) return ENOSYS;
  const registers = command === CALLBACKOP_REGISTER;
  const bytes = access.read(call.linear(1), registers ? 16 : 4);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer);
  const type = view.getUint16(0, true);
  const callback = registers
    ? {
        low: view.getUint32(8, true),
        high: view.getUint32(12, true),
        masksEvents: (view.getUint16(2, true) & CALLBACKF_MASK_EVENTS) !== 0,
      }
    : nowhere;
  if (!isCanonical(callback.high)) return EINVAL;
  switch (type) {
    case CALLBACKTYPE.EVENT:
      // Without it events could not be delivered at all: Xen does not let it go.
      if (!registers) return EINVAL;
      vcpu.event = callback;
      return 0;
    case CALLBACKTYPE.FAILSAFE:
      if (!registers) return EINVAL;
      // Xen itself can mask them on the way in; the faults that use it come as #GP here.
      vcpu.failsafe = callback;
      return 0;
    case CALLBACKTYPE.SYSCALL:
      if (!registers) return EINVAL;
      vcpu.syscall = callback;
      return 0;
    case CALLBACKTYPE.NMI:
      // There are none.
      return 0;
    default:
      return ENOSYS;
  }
}

const debugRegisters = [slots.dr0, slots.dr1, slots.dr2, slots.dr3] as const;
/** DR7: reserved bits that read as zero and one, and general detect. SDM Vol. 3B §18.2.4, "Debug Control Register (DR7)". */
const DR7_ZERO = 0xd800;
const DR7_ONE = 0x400;
const DR7_GENERAL_DETECT = 0x2000;
const DR6_ONE = 0xffff_0ff0;
const DR6_DEFINED = 0xe00f;

export function setDebugRegister(domain: Domain, call: CallArguments): CallResult {
  return writeDebugRegister(domain, call.low(0), call.low(1), call.high(1));
}

/** @returns 0, or why the guest may not have this value there. */
export function writeDebugRegister(
  domain: Domain,
  register: number,
  low: number,
  high: number,
): number {
  const { state } = domain.processor;
  const slot = debugRegisters[register];
  if (slot !== undefined) {
    const isXens = high >= XEN_HIGH_FIRST && high <= XEN_HIGH_LAST;
    if (!isCanonical(high) || isXens) return EPERM;
    state.set(slot, (BigInt(high) << 32n) | BigInt(low));
    return 0;
  }
  if (register === 4 || register === 6) {
    if (high !== 0) return EPERM;
    state.set(slots.dr6, BigInt(((low & DR6_DEFINED) | DR6_ONE) >>> 0));
    return 0;
  }
  if (register !== 5 && register !== 7) return EINVAL;
  if (high !== 0 || (low & DR7_GENERAL_DETECT) !== 0) return EPERM;
  for (let index = 0; index < 4; index += 1) {
    // I/O breakpoints need CR4.DE.
    if (((low >>> (16 + index * 4)) & 3) === 2) return EPERM;
  }
  state.set(slots.dr7, BigInt(((low & ~DR7_ZERO) | DR7_ONE) >>> 0));
  return 0;
}

/** Gives the value; that of a register which does not exist is an error, as Xen has it. */
export function getDebugRegister(domain: Domain, call: CallArguments): CallResult {
  const { state } = domain.processor;
  const register = call.low(0);
  const slot = debugRegisters[register];
  const value =
    slot !== undefined
      ? state.get(slot)
      : register === 4 || register === 6
        ? state.get(slots.dr6)
        : register === 5 || register === 7
          ? state.get(slots.dr7)
          : undefined;
  if (value === undefined) return EINVAL;
  return value;
}
