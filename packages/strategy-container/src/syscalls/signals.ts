/** Signal actions, masks and sending. sigaction(2), kill(2), sigaltstack(2). */
import { EAGAIN, EFAULT, EINVAL, ENOMEM, EPERM, ESRCH } from "../abi/errno.ts";
import {
  LAST_SIGNAL,
  MINSIGSTKSZ,
  SIGCONT,
  SIGKILL,
  SIGSTOP,
  SIG_DFL,
  SIG_IGN,
  SI_TKILL,
  SI_USER,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
  defaultAction,
} from "../abi/signals.ts";
import { NO_RESULT, type Call } from "../kernel/call.ts";
import { RSP } from "../kernel/cpu.ts";
import type { Process } from "../kernel/process.ts";
import { alternateStackState, returnFromHandler } from "../kernel/signal-delivery.ts";
import { signalProcess, signalThread } from "../kernel/signal-sending.ts";
import { encodeSignalInfo } from "../kernel/signal-frame.ts";
import { isSignal, SignalSet } from "../kernel/signal-set.ts";
import type { SignalInfo } from "../kernel/signals.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { readTimespec } from "./time.ts";

/** sizeof(sigset_t) of the kernel's ABI. */
const SET_BYTES = 8;

function readSet(call: Call, linear: number): SignalSet | undefined {
  const low = call.space.getU32(linear);
  const high = call.space.getU32(linear + 4);
  return low < 0 || high < 0 ? undefined : new SignalSet(low | 0, high | 0);
}

function writeSet(call: Call, linear: number, set: SignalSet): boolean {
  return call.space.putU32(linear, set.low >>> 0) && call.space.putU32(linear + 4, set.high >>> 0);
}

/** Installs the temporary mask of sigsuspend, ppoll and pselect at the first start of the call. Gives 0 or an error number. */
export function replaceMask(call: Call, linear: number, sizeBytes: number): number {
  if (sizeBytes !== SET_BYTES) return EINVAL;
  const set = readSet(call, linear);
  if (set === undefined) return EFAULT;
  const { thread } = call;
  if (thread.savedMask === undefined) {
    thread.savedMask = thread.blocked.copy();
    thread.blocked.assign(set.withoutUnblockable());
  }
  return 0;
}

/** struct sigaction of the kernel: handler, flags, restorer, mask, 8 bytes each. */
function sigaction(call: Call): number {
  const signal = call.int(0);
  if (call.size(3) !== SET_BYTES || !isSignal(signal)) return EINVAL;
  const next = call.size(1);
  const old = call.size(2);
  if (next !== 0 && (signal === SIGKILL || signal === SIGSTOP)) return EINVAL;
  const { actions } = call.parts;
  const current = actions.get(signal);
  const bytes = next === 0 ? undefined : call.space.get(next, 32);
  if (next !== 0 && bytes === undefined) return EFAULT;
  if (old !== 0) {
    const written =
      call.space.putU64(old, current.handler) &&
      call.space.putU64(old + 8, current.flags) &&
      call.space.putU64(old + 16, current.restorer) &&
      writeSet(call, old + 24, current.mask);
    if (!written) return EFAULT;
  }
  if (bytes === undefined) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
  const number = (offset: number) =>
    view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
  actions.set(signal, {
    handler: number(0),
    flags: view.getUint32(8, true),
    restorer: number(16),
    mask: new SignalSet(view.getInt32(24, true), view.getInt32(28, true)).withoutUnblockable(),
  });
  const ignored =
    number(0) === SIG_IGN || (number(0) === SIG_DFL && defaultAction(signal) === "ignore");
  if (ignored) {
    call.process.pending.discard(signal);
    for (const thread of call.process.threads) thread.pending.discard(signal);
  }
  return 0;
}

const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;

function sigprocmask(call: Call): number {
  if (call.size(3) !== SET_BYTES) return EINVAL;
  const { blocked } = call.thread;
  const before = blocked.copy();
  if (call.size(1) !== 0) {
    const set = readSet(call, call.size(1));
    if (set === undefined) return EFAULT;
    set.withoutUnblockable();
    const how = call.int(0);
    if (how === SIG_BLOCK) blocked.addAll(set);
    else if (how === SIG_UNBLOCK) blocked.deleteAll(set);
    else if (how === SIG_SETMASK) blocked.assign(set);
    else return EINVAL;
  }
  return call.size(2) === 0 || writeSet(call, call.size(2), before) ? 0 : EFAULT;
}

function sigpending(call: Call): number {
  if (call.size(1) > SET_BYTES) return EINVAL;
  const pending = call.thread.pending.set.copy();
  pending.addAll(call.process.pending.set);
  pending.low &= call.thread.blocked.low;
  pending.high &= call.thread.blocked.high;
  return writeSet(call, call.size(0), pending) ? 0 : EFAULT;
}

function sigsuspend(call: Call): number {
  const failure = replaceMask(call, call.size(0), call.size(1));
  return failure === 0 ? call.wait([], "unless-handled") : failure;
}

function sigtimedwait(call: Call): number {
  if (call.size(3) !== SET_BYTES) return EINVAL;
  const wanted = readSet(call, call.size(0));
  if (wanted === undefined) return EFAULT;
  wanted.withoutUnblockable();
  const { thread, process } = call;
  const outside = new SignalSet(~wanted.low, ~wanted.high);
  const info = thread.pending.take(outside) ?? process.pending.take(outside);
  if (info !== undefined) {
    const place = call.size(1);
    if (place !== 0 && !call.space.put(place, encodeSignalInfo(info))) return EFAULT;
    return info.signal;
  }
  if (thread.progress === undefined && call.size(2) !== 0) {
    const timeout = readTimespec(call, call.size(2));
    if (timeout < 0) return timeout;
    call.progress.deadline = call.kernel.now + timeout;
  }
  if (call.timeIsUp) return EAGAIN;
  // A signal that is blocked wakes nobody, so the thread is told by the set that it waits for.
  thread.awaited = wanted;
  return call.wait([], "unless-handled");
}

/** kill(2): whether a process may signal another. */
function maySignal(call: Call, target: Process, signal: number): boolean {
  const { credentials, session } = call.process;
  if (credentials.effectiveUser === 0) return true;
  if (signal === SIGCONT && target.session === session) return true;
  const { user, savedUser } = target.credentials;
  return [credentials.user, credentials.effectiveUser].some(
    (own) => own === user || own === savedUser,
  );
}

function senderInfo(call: Call, signal: number, code: number): SignalInfo {
  const { process } = call;
  return { signal, code, process: process.id, user: process.credentials.user };
}

function kill(call: Call): number {
  const id = call.int(0);
  const signal = call.int(1);
  if (signal < 0 || signal > LAST_SIGNAL) return EINVAL;
  const { pids } = call.process;
  if (id > 0) {
    const target = pids.processes.get(id);
    return target === undefined ? ESRCH : send(call, [target], signal);
  }
  if (id === -1) {
    const others = [...pids.processes.values()].filter(
      (process) => process !== call.process && process.id !== 1,
    );
    return send(call, others, signal);
  }
  const group = id === 0 ? call.process.processGroup : -id;
  return send(call, [...pids.groupMembers(group)], signal);
}

function send(call: Call, targets: readonly Process[], signal: number): number {
  if (targets.length === 0) return ESRCH;
  const allowed = targets.filter((target) => maySignal(call, target, signal));
  if (allowed.length === 0) return EPERM;
  if (signal === 0) return 0;
  for (const target of allowed) signalProcess(target, senderInfo(call, signal, SI_USER));
  return 0;
}

function tgkill(call: Call, group: number, id: number, signal: number): number {
  if (signal < 0 || signal > LAST_SIGNAL || id <= 0) return EINVAL;
  const thread = call.process.pids.threads.get(id);
  if (thread === undefined || (group !== 0 && thread.process.id !== group)) return ESRCH;
  if (!maySignal(call, thread.process, signal)) return EPERM;
  return signal === 0 ? 0 : signalThread(thread, senderInfo(call, signal, SI_TKILL));
}

/** rt_sigqueueinfo: siginfo_t from the program, whose code must not pretend to be the kernel's. */
function sigqueue(call: Call): number {
  const target = call.process.pids.processes.get(call.int(0));
  const signal = call.int(1);
  const bytes = call.space.get(call.size(2), 128);
  if (bytes === undefined) return EFAULT;
  if (target === undefined) return ESRCH;
  if (signal < 0 || signal > LAST_SIGNAL) return EINVAL;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 128);
  const code = view.getInt32(8, true);
  if ((code >= 0 || code === SI_TKILL) && target !== call.process) return EPERM;
  if (!maySignal(call, target, signal)) return EPERM;
  if (signal === 0) return 0;
  return signalProcess(target, {
    signal,
    code,
    process: view.getInt32(16, true),
    user: view.getUint32(20, true),
    value: [view.getUint32(24, true), view.getUint32(28, true)],
  });
}

/** stack_t: address 8, flags 4, padding 4, size 8. */
function sigaltstack(call: Call): number {
  const next = call.size(0);
  const old = call.size(1);
  const { thread, space } = call;
  const rsp = call.kernel.cpu.number(RSP);
  const state = alternateStackState(thread, rsp);
  const bytes = next === 0 ? undefined : space.get(next, 24);
  if (next !== 0 && bytes === undefined) return EFAULT;
  if (old !== 0) {
    const stack = thread.alternateStack;
    const written =
      space.putU64(old, stack?.linear ?? 0) &&
      space.putU64(old + 8, state) &&
      space.putU64(old + 16, stack?.sizeBytes ?? 0);
    if (!written) return EFAULT;
  }
  if (bytes === undefined) return 0;
  if ((state & SS_ONSTACK) !== 0 && (state & SS_DISABLE) === 0) return EPERM;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 24);
  const number = (offset: number) =>
    view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
  const flags = view.getUint32(8, true);
  const mode = (flags & ~SS_AUTODISARM) >>> 0;
  if (mode !== 0 && mode !== SS_ONSTACK && mode !== SS_DISABLE) return EINVAL;
  if (mode === SS_DISABLE) {
    thread.alternateStack = undefined;
    return 0;
  }
  if (number(16) < MINSIGSTKSZ) return ENOMEM;
  thread.alternateStack = {
    linear: number(0),
    sizeBytes: number(16),
    flags: (flags & SS_AUTODISARM) >>> 0,
  };
  return 0;
}

function sigreturn(call: Call): number {
  returnFromHandler(call.kernel, call.thread);
  return NO_RESULT;
}

export const signalCalls: readonly SystemCall[] = [
  row(13, "rt_sigaction", sigaction),
  row(14, "rt_sigprocmask", sigprocmask),
  row(15, "rt_sigreturn", sigreturn),
  row(34, "pause", (call) => call.wait([], "unless-handled")),
  row(62, "kill", kill),
  row(127, "rt_sigpending", sigpending),
  row(128, "rt_sigtimedwait", sigtimedwait),
  row(129, "rt_sigqueueinfo", sigqueue),
  row(130, "rt_sigsuspend", sigsuspend),
  row(131, "sigaltstack", sigaltstack),
  row(200, "tkill", (call) => tgkill(call, 0, call.int(0), call.int(1))),
  row(234, "tgkill", (call) => tgkill(call, call.int(0), call.int(1), call.int(2))),
];
