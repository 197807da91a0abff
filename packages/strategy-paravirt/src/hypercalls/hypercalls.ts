/** Hypercalls: the table, the way in from SYSCALL, and multicall. Xen, xen/arch/x86/pv/hypercall.c, xen/common/multicall.c. */
import { hypercallNames } from "../abi/hypercall-names.ts";
import { EFAULT, EINVAL, ENOSYS } from "../abi/errno.ts";
import { RAX } from "../cpu/registers.ts";
import type { Domain } from "../domain.ts";
import { plus } from "../memory/guest-access.ts";
import { AGAIN, CallArguments, NO_RESULT, type CallResult } from "./call.ts";
import { eventChannelOp, physdevOp } from "./events.ts";
import { consoleIo, memoryOp, notPermitted, vmAssist, xenVersion } from "./information.ts";
import { mmuextOp, mmuUpdate, updateVaMapping, updateVaMappingOtherDomain } from "./paging.ts";
import {
  callbackOp,
  fpuTaskswitch,
  getDebugRegister,
  iret,
  setDebugRegister,
  setGdt,
  setSegmentBase,
  setTrapTable,
  stackSwitch,
  updateDescriptor,
} from "./processor.ts";
import { schedOp, setTimerOp, vcpuOp } from "./scheduling.ts";

type Handler = (domain: Domain, call: CallArguments) => CallResult;

/** By name; all others give -ENOSYS. */
const handlers: Readonly<Record<string, Handler>> = {
  set_trap_table: setTrapTable,
  mmu_update: mmuUpdate,
  set_gdt: setGdt,
  stack_switch: stackSwitch,
  fpu_taskswitch: fpuTaskswitch,
  platform_op: notPermitted,
  set_debugreg: setDebugRegister,
  get_debugreg: getDebugRegister,
  update_descriptor: updateDescriptor,
  memory_op: memoryOp,
  multicall,
  update_va_mapping: updateVaMapping,
  set_timer_op: setTimerOp,
  xen_version: xenVersion,
  console_io: consoleIo,
  vm_assist: vmAssist,
  update_va_mapping_otherdomain: updateVaMappingOtherDomain,
  iret,
  vcpu_op: vcpuOp,
  set_segment_base: setSegmentBase,
  mmuext_op: mmuextOp,
  sched_op: schedOp,
  callback_op: callbackOp,
  event_channel_op: eventChannelOp,
  physdev_op: physdevOp,
  sysctl: notPermitted,
  domctl: notPermitted,
};
const byNumber: readonly (Handler | undefined)[] = hypercallNames.map((name) =>
  name === undefined ? undefined : handlers[name],
);

/** Length of SYSCALL in bytes. */
const syscallBytes = 2;
const entryBytes = 64;
/** Entries of a multicall that are done in one go. */
const entriesAtOnce = 1024;

export class Hypercalls {
  readonly #domain: Domain;
  readonly #call: CallArguments = new CallArguments();

  constructor(domain: Domain) {
    this.#domain = domain;
  }

  /** The guest's kernel executed SYSCALL: number in RAX, arguments in RDI, RSI, RDX, R10, R8, R9, result in RAX. */
  enter(): void {
    const domain = this.#domain;
    const { registers, vcpu } = domain;
    const number = registers.high(RAX) === 0 ? registers.low(RAX) : hypercallNames.length;
    vcpu.returnsFast = true;
    domain.counts.hypercall(number);
    const call = this.#call;
    call.loadRegisters(registers);
    domain.workLimit.enter();
    const result = perform(domain, number, call);
    if (result === AGAIN) {
      // What is left is a hypercall like any other: the same instruction again, with what the handler left to do.
      call.storeRegisters(registers);
      registers.rewind(syscallBytes);
    } else if (typeof result === "bigint") {
      registers.set(RAX, Number(result & 0xffff_ffffn), Number(result >> 32n));
    } else if (result !== NO_RESULT) registers.setNumber(RAX, result);
  }
}

/** Name of a hypercall, for counts. */
export function hypercallName(number: number): string {
  return hypercallNames[number] ?? "unknown";
}

function perform(domain: Domain, number: number, call: CallArguments): CallResult {
  return byNumber[number]?.(domain, call) ?? ENOSYS;
}

/** A list of hypercalls: address, count. Each entry gets its own result. */
function multicall(domain: Domain, call: CallArguments): CallResult {
  if (domain.state.isInMulticall) return EINVAL;
  domain.state.isInMulticall = true;
  try {
    return eachEntry(domain, call);
  } finally {
    domain.state.isInMulticall = false;
  }
}

function eachEntry(domain: Domain, call: CallArguments): CallResult {
  const { low, high } = call.linear(0);
  const count = call.low(1);
  const inner = new CallArguments();
  const now = Math.min(count, entriesAtOnce);
  for (let index = 0; index < now; index += 1) {
    const at = plus(low, high, index * entryBytes);
    const bytes = domain.access.read(at, entryBytes);
    if (bytes === undefined) return EFAULT;
    const view = new DataView(bytes.buffer);
    inner.loadBytes(view, 16);
    const number = view.getUint32(4, true) === 0 ? view.getUint32(0, true) : hypercallNames.length;
    domain.counts.multicallEntry(number);
    const result = perform(domain, number, inner);
    if (domain.vcpu.crashed !== undefined) return 0;
    if (result === AGAIN) {
      if (!domain.access.write(plus(at.low, at.high, 16), inner.bytes())) return EFAULT;
      return rest(call, at, count - index);
    }
    const value = typeof result === "symbol" ? 0n : BigInt(result);
    view.setBigInt64(8, BigInt.asIntN(64, value), true);
    if (!domain.access.write(plus(at.low, at.high, 8), bytes.subarray(8, 16))) return EFAULT;
    // A domain that sleeps or ends does the rest when it wakes, or never.
    const { sleep, isShutDown } = domain.state;
    if (domain.workLimit.countRequest() || sleep !== undefined || isShutDown) {
      if (index + 1 === count) return 0;
      return rest(call, plus(at.low, at.high, entryBytes), count - index - 1);
    }
  }
  return now === count ? 0 : rest(call, plus(low, high, now * entryBytes), count - now);
}

function rest(
  call: CallArguments,
  at: { readonly low: number; readonly high: number },
  count: number,
): CallResult {
  call.set(0, at.low, at.high);
  call.set(1, count, 0);
  return AGAIN;
}
