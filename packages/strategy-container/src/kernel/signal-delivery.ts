/**
 * Signals from the moment they are sent to the first instruction of a handler.
 *
 * Linux, kernel/signal.c (send_signal, get_signal) and arch/x86/kernel/signal.c; signal(7).
 */
import { EAGAIN, EINTR } from "../abi/errno.ts";
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIG_DFL,
  SIG_IGN,
  SI_KERNEL,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_ONSTACK,
  defaultAction,
} from "../abi/signals.ts";
import { interruptedResult } from "./call.ts";
import { RAX, RDI, RDX, RSI, RSP } from "./cpu.ts";
import { endProcess } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import {
  encodeFrame,
  FRAME_BYTES,
  FXSAVE_BYTES,
  restoreFrame,
  SIGINFO_OFFSET,
  UCONTEXT_OFFSET,
} from "./signal-frame.ts";
import type { SignalAction, SignalInfo } from "./signals.ts";
import type { Thread } from "./thread.ts";

/** DF, RF and TF are clear when a handler starts. */
const CLEARED_FLAGS = 0x1_0500;
/** Bytes below RSP that a leaf function may use (System V ABI for AMD64, §3.2.2 "The Stack Frame"). */
const RED_ZONE_BYTES = 128;
const SYSCALL_BYTES = 2;
const JOB_STOPS = [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU];

/** Sends a signal to a process as a whole. Gives 0 or EAGAIN (too many are queued). */
export function signalProcess(process: Process, info: SignalInfo): number {
  if (process.parts === undefined) return 0;
  prepare(process, info.signal);
  if (info.signal === SIGKILL) {
    process.pending.add(info);
    wakeForKill(process);
    return 0;
  }
  if (isIgnored(process, info.signal, undefined)) return 0;
  if (!process.pending.add(info)) return EAGAIN;
  for (const thread of process.threads) {
    if (thread.heeds(info.signal)) {
      thread.wake();
      break;
    }
  }
  return 0;
}

/** Sends a signal to one thread. Gives 0 or EAGAIN. */
export function signalThread(thread: Thread, info: SignalInfo): number {
  const { process } = thread;
  if (process.parts === undefined || thread.state === "dead") return 0;
  prepare(process, info.signal);
  if (info.signal === SIGKILL) return signalProcess(process, info);
  if (isIgnored(process, info.signal, thread)) return 0;
  if (!thread.pending.add(info)) return EAGAIN;
  if (thread.heeds(info.signal)) thread.wake();
  return 0;
}

/** A fault of the running thread: it cannot be blocked or ignored, then it kills. */
export function forceSignal(thread: Thread, info: SignalInfo): void {
  const { actions } = thread.process.running;
  const action = actions.get(info.signal);
  if (action.handler === SIG_IGN || thread.blocked.has(info.signal)) {
    actions.set(info.signal, { ...action, handler: SIG_DFL });
    thread.blocked.delete(info.signal);
  }
  thread.pending.add(info);
}

function wakeForKill(process: Process): void {
  if (process.state === "stopped") resume(process);
  for (const thread of process.threads) thread.wake();
}

/** A blocked signal stays pending even when it is ignored: the action may change before it is unblocked. */
function isIgnored(process: Process, signal: number, target: Thread | undefined): boolean {
  const blocked = target === undefined ? process.threads : [target];
  if (blocked.some((thread) => thread.blocked.has(signal))) return false;
  return process.running.actions.ignores(signal);
}

/** Stop signals and SIGCONT cancel each other; SIGCONT continues even when it is blocked or ignored. */
function prepare(process: Process, signal: number): void {
  if (signal === SIGCONT) {
    for (const stop of JOB_STOPS) {
      process.pending.discard(stop);
      for (const thread of process.threads) thread.pending.discard(stop);
    }
    if (process.state === "stopped") {
      resume(process);
      process.unreported = 0xffff;
      notifyParent(process, CLD_CONTINUED, SIGCONT);
    }
  } else if (JOB_STOPS.includes(signal)) {
    process.pending.discard(SIGCONT);
    for (const thread of process.threads) thread.pending.discard(SIGCONT);
  }
}

function resume(process: Process): void {
  process.state = "running";
  for (const thread of process.threads) thread.requeue();
}

function stop(process: Process, signal: number): void {
  process.state = "stopped";
  process.unreported = (signal << 8) | 0x7f;
  notifyParent(process, CLD_STOPPED, signal);
}

/** Tells the parent that a child stopped or went on. */
function notifyParent(process: Process, code: number, status: number): void {
  const { parent } = process;
  if (parent?.parts === undefined) return;
  parent.childChanged.wakeAll();
  if ((parent.parts.actions.get(SIGCHLD).flags & SA_NOCLDSTOP) !== 0) return;
  signalProcess(parent, {
    signal: SIGCHLD,
    code,
    process: process.id,
    user: process.credentials.user,
    status,
  });
}

function takeSignal(thread: Thread): SignalInfo | undefined {
  const { pending } = thread.process;
  if (pending.set.has(SIGKILL)) return pending.takeSignal(SIGKILL);
  return thread.pending.take(thread.blocked) ?? pending.take(thread.blocked);
}

/**
 * Acts on the signals of the thread that is on the processor, as on every way back to the program.
 *
 * @returns Whether the thread can go on.
 */
export function deliverSignals(kernel: Kernel, thread: Thread): boolean {
  const { process } = thread;
  for (;;) {
    const info = takeSignal(thread);
    if (info === undefined) return true;
    const action = process.running.actions.get(info.signal);
    if (action.handler === SIG_IGN) continue;
    if (action.handler === SIG_DFL || info.signal === SIGKILL) {
      const effect = info.signal === SIGKILL ? "terminate" : defaultAction(info.signal);
      if (effect === "ignore" || effect === "continue") continue;
      if (effect === "stop") {
        stop(process, info.signal);
        return false;
      }
      kernel.noteDeath(thread, info);
      endProcess(kernel, process, info.signal);
      return false;
    }
    finishInterruptedCall(kernel, thread, action);
    if (!enterHandler(kernel, thread, action, info)) {
      // The stack cannot take the frame: Linux sends SIGSEGV, and kills when that was the signal.
      if (info.signal === SIGSEGV) {
        kernel.noteDeath(thread, info);
        endProcess(kernel, process, SIGSEGV);
        return false;
      }
      forceSignal(thread, { signal: SIGSEGV, code: SI_KERNEL });
    }
  }
}

/** Decides what a waiting system call gives when a handler runs: EINTR, what it moved, or another start afterwards. */
function finishInterruptedCall(kernel: Kernel, thread: Thread, action: SignalAction): void {
  if (!thread.inCall) return;
  const { cpu } = kernel;
  thread.inCall = false;
  const { progress } = thread;
  thread.progress = undefined;
  const result = interruptedResult(progress);
  if (
    result === EINTR &&
    thread.interruption === "restartable" &&
    (action.flags & SA_RESTART) !== 0
  ) {
    // RAX still holds the number of the call.
    cpu.rip -= SYSCALL_BYTES;
    return;
  }
  if (progress?.remainder !== undefined && progress.deadline !== undefined) {
    const left = Math.max(0, progress.deadline - kernel.now);
    const { space } = thread.process.running;
    space.putU64(progress.remainder, Math.floor(left / 1e9));
    space.putU64(progress.remainder + 8, left % 1e9);
  }
  cpu.set(RAX, result);
}

/** SS_ONSTACK, SS_DISABLE or 0, as sigaltstack reports for a thread whose stack pointer is `rsp`. */
export function alternateStackState(thread: Thread, rsp: number): number {
  const stack = thread.alternateStack;
  if (stack === undefined || (stack.flags & SS_DISABLE) !== 0) return SS_DISABLE;
  if ((stack.flags & SS_AUTODISARM) === 0 && isOn(thread, rsp)) return SS_ONSTACK;
  return stack.flags & SS_AUTODISARM;
}

function isOn(thread: Thread, rsp: number): boolean {
  const stack = thread.alternateStack;
  return stack !== undefined && rsp > stack.linear && rsp - stack.linear <= stack.sizeBytes;
}

function enterHandler(
  kernel: Kernel,
  thread: Thread,
  action: SignalAction,
  info: SignalInfo,
): boolean {
  const { cpu } = kernel;
  const { space, actions } = thread.process.running;
  // Linux x86-64 has no default restorer.
  if ((action.flags & SA_RESTORER) === 0) return false;
  const rsp = cpu.number(RSP);
  const state = alternateStackState(thread, rsp);
  let top = rsp - RED_ZONE_BYTES;
  if ((action.flags & SA_ONSTACK) !== 0 && (state & (SS_DISABLE | SS_ONSTACK)) === 0) {
    top = (thread.alternateStack?.linear ?? 0) + (thread.alternateStack?.sizeBytes ?? 0);
  }
  const image = Math.floor((top - FXSAVE_BYTES) / 64) * 64;
  const frame = Math.floor((image - FRAME_BYTES) / 16) * 16 - 8;
  const mask = thread.savedMask ?? thread.blocked;
  const bytes = encodeFrame(cpu, info, {
    restorer: action.restorer,
    mask,
    stack: thread.alternateStack,
    stackFlags: state,
    image,
  });
  if (frame < 0 || !space.put(image, cpu.saveFxsave()) || !space.put(frame, bytes)) return false;

  thread.savedMask = undefined;
  if ((state & SS_AUTODISARM) !== 0) thread.alternateStack = undefined;
  thread.blocked.addAll(action.mask);
  if ((action.flags & SA_NODEFER) === 0) thread.blocked.add(info.signal);
  thread.blocked.withoutUnblockable();
  if ((action.flags & SA_RESETHAND) !== 0) {
    actions.set(info.signal, { ...action, handler: SIG_DFL });
  }
  cpu.set(RDI, info.signal);
  cpu.set(RSI, frame + SIGINFO_OFFSET);
  cpu.set(RDX, frame + UCONTEXT_OFFSET);
  cpu.set(RAX, 0);
  cpu.set(RSP, frame);
  cpu.rip = action.handler;
  cpu.flags = (cpu.flags & ~CLEARED_FLAGS) >>> 0;
  kernel.counts.signalsDelivered++;
  return true;
}

/** What rt_sigreturn reads, made once. */
const returnedFrame = new Uint8Array(FRAME_BYTES);
const returnedState = new Uint8Array(FXSAVE_BYTES);

/** rt_sigreturn: goes back to what the frame at RSP - 8 holds. A bad frame is SIGSEGV. */
export function returnFromHandler(kernel: Kernel, thread: Thread): void {
  const { cpu } = kernel;
  const { space } = thread.process.running;
  if (!space.read(cpu.number(RSP) - 8, returnedFrame)) {
    forceSignal(thread, { signal: SIGSEGV, code: SI_KERNEL });
    return;
  }
  const { mask, stack, image } = restoreFrame(cpu, returnedFrame);
  thread.blocked.assign(mask.withoutUnblockable());
  if ((stack.flags & SS_DISABLE) === 0 && stack.sizeBytes > 0) {
    thread.alternateStack = { ...stack, flags: stack.flags & SS_AUTODISARM };
  }
  if (image === 0) return;
  if (space.read(image, returnedState)) cpu.loadFxsave(returnedState);
  else forceSignal(thread, { signal: SIGSEGV, code: SI_KERNEL });
}
