/**
 * Hypercalls on the virtual processor's time: sched_op, vcpu_op, set_timer_op.
 *
 * Xen, xen/include/public/sched.h and vcpu.h.
 */
import type { PhysicalMemory } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import { VCPU_INFO } from "../abi/domain.ts";
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOSYS, EPERM, ETIME } from "../abi/errno.ts";
import type { Domain } from "../domain.ts";
import { PORT_COUNT } from "../events/event-channels.ts";
import { TYPE } from "../memory/frame-table.ts";
import type { CallArguments, CallResult } from "./call.ts";

const SCHEDOP = {
  YIELD: 0,
  BLOCK: 1,
  SHUTDOWN: 2,
  POLL: 3,
  REMOTE_SHUTDOWN: 4,
  SHUTDOWN_CODE: 5,
} as const;
const pollPortsMaximum = 128;

export function schedOp(domain: Domain, call: CallArguments): CallResult {
  const { state, vcpu, access } = domain;
  switch (call.low(0)) {
    case SCHEDOP.YIELD:
      return 0;
    case SCHEDOP.BLOCK:
      vcpu.setEventsMasked(false);
      if (!vcpu.eventPending) sleep(domain, { kind: "block" });
      return 0;
    case SCHEDOP.SHUTDOWN: {
      const reason = readU32(domain, call);
      if (reason === undefined) return EFAULT;
      state.shutdownCode ??= reason & 0xff;
      state.isShutDown = true;
      return 0;
    }
    case SCHEDOP.SHUTDOWN_CODE: {
      const reason = readU32(domain, call);
      if (reason === undefined) return EFAULT;
      state.shutdownCode = reason & 0xff;
      state.isCodeLatched = true;
      return 0;
    }
    case SCHEDOP.POLL: {
      const bytes = access.read(call.linear(1), 24);
      return bytes === undefined ? EFAULT : poll(domain, new DataView(bytes.buffer));
    }
    case SCHEDOP.REMOTE_SHUTDOWN:
      return EPERM;
    default:
      return ENOSYS;
  }
}

/** ports: address, count, time at which to give up. */
function poll(domain: Domain, view: DataView): number {
  const { channels, clock, access } = domain;
  const count = view.getUint32(8, true);
  if (count > pollPortsMaximum) return EINVAL;
  const list = { low: view.getUint32(0, true), high: view.getUint32(4, true) };
  const bytes = access.read(list, count * 4);
  if (bytes === undefined) return EFAULT;
  const words = new Uint32Array(bytes.buffer);
  const ports = [...words];
  if (ports.some((port) => port >= PORT_COUNT)) return EINVAL;
  if (ports.some((port) => channels.isPending(port))) return 0;
  if (domain.vcpu.eventPending && !domain.vcpu.eventsMasked) return 0;
  const timeout = Number(view.getBigUint64(16, true));
  if (timeout !== 0) clock.setPollTimeout(timeout);
  sleep(domain, { kind: "poll", ports });
  return 0;
}

function sleep(domain: Domain, how: NonNullable<Domain["state"]["sleep"]>): void {
  domain.state.sleep = how;
  domain.runStates.enter("blocked");
}

const VCPUOP = {
  INITIALISE: 0,
  UP: 1,
  DOWN: 2,
  IS_UP: 3,
  GET_RUNSTATE_INFO: 4,
  REGISTER_RUNSTATE_MEMORY_AREA: 5,
  SET_PERIODIC_TIMER: 6,
  STOP_PERIODIC_TIMER: 7,
  SET_SINGLESHOT_TIMER: 8,
  STOP_SINGLESHOT_TIMER: 9,
  REGISTER_VCPU_INFO: 10,
  SEND_NMI: 11,
} as const;
/** A deadline in the past is an error, not due at once. */
const VCPU_SSHOTTMR_FUTURE = 1;
const periodMinimumNanoseconds = 1_000_000;

export function vcpuOp(domain: Domain, call: CallArguments): CallResult {
  const { access, clock, runStates } = domain;
  const command = call.low(0);
  if (call.low(1) !== 0 || call.high(1) !== 0) return ENOENT;
  const pointer = call.linear(2);
  switch (command) {
    case VCPUOP.INITIALISE:
      return EEXIST;
    case VCPUOP.UP:
      return 0;
    case VCPUOP.DOWN:
      sleep(domain, { kind: "down" });
      return 0;
    case VCPUOP.IS_UP:
      return 1;
    case VCPUOP.GET_RUNSTATE_INFO:
      return access.write(pointer, runStates.record()) ? 0 : EFAULT;
    case VCPUOP.REGISTER_RUNSTATE_MEMORY_AREA: {
      const bytes = access.read(pointer, 8);
      if (bytes === undefined) return EFAULT;
      const view = new DataView(bytes.buffer);
      const area = { low: view.getUint32(0, true), high: view.getUint32(4, true) };
      return runStates.register(area) ? 0 : EFAULT;
    }
    case VCPUOP.SET_PERIODIC_TIMER: {
      const bytes = access.read(pointer, 8);
      if (bytes === undefined) return EFAULT;
      const period = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      if (period < periodMinimumNanoseconds || !Number.isSafeInteger(period)) return EINVAL;
      clock.setPeriodic(period);
      return 0;
    }
    case VCPUOP.STOP_PERIODIC_TIMER:
      clock.stopPeriodic();
      return 0;
    case VCPUOP.SET_SINGLESHOT_TIMER: {
      const bytes = access.read(pointer, 16);
      if (bytes === undefined) return EFAULT;
      const view = new DataView(bytes.buffer);
      const deadline = Number(view.getBigUint64(0, true));
      const isPast = deadline < clock.now;
      if (isPast && (view.getUint32(8, true) & VCPU_SSHOTTMR_FUTURE) !== 0) return ETIME;
      clock.setSingleShot(deadline);
      return 0;
    }
    case VCPUOP.STOP_SINGLESHOT_TIMER:
      clock.stopSingleShot();
      return 0;
    case VCPUOP.REGISTER_VCPU_INFO: {
      const bytes = access.read(pointer, 16);
      return bytes === undefined ? EFAULT : registerInfo(domain, new DataView(bytes.buffer));
    }
    case VCPUOP.SEND_NMI:
      // Without a handler for NMIs it would be lost; none are delivered.
      return ENOSYS;
    default:
      return ENOSYS;
  }
}

/** Moves vcpu_info to a frame of the guest's: it stays writable, and can be no page table any more. */
function registerInfo(domain: Domain, view: DataView): number {
  const { types, vcpu, physical, channels } = domain;
  const frame = view.getUint32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
  const offset = view.getUint32(8, true);
  if (offset > frameBytes - VCPU_INFO.bytes) return EINVAL;
  if (vcpu.hasOwnInfo) return EINVAL;
  if (types.get(frame, TYPE.WRITABLE) !== 0) return EINVAL;
  const to = frame * frameBytes + offset;
  copyInfo(physical, vcpu.info, to);
  vcpu.info = to;
  vcpu.hasOwnInfo = true;
  // All may have changed while it moved: let the guest look.
  for (let half = 0; half < 2; half += 1) {
    physical.writeU32(to + VCPU_INFO.pendingSelector + half * 4, 0xffff_ffff);
  }
  channels.notify();
  return 0;
}

function copyInfo(physical: PhysicalMemory, from: number, to: number): void {
  physical.copy(from, to, VCPU_INFO.bytes);
}

export function setTimerOp(domain: Domain, call: CallArguments): CallResult {
  domain.clock.setDomainTimer(Number(call.wide(0)));
  return 0;
}

function readU32(domain: Domain, call: CallArguments): number | undefined {
  const bytes = domain.access.read(call.linear(1), 4);
  return bytes === undefined ? undefined : new DataView(bytes.buffer).getUint32(0, true);
}
