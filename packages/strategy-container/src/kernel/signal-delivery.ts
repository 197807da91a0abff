/**
 * Delivering signals: what a pending signal does to its thread, up to the first instruction of a handler and back.
 *
 * Linux, kernel/signal.c (get_signal) and arch/x86/kernel/signal.c; signal(7).
 */
import { EINTR } from "../abi/errno.ts";
import {
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SIGKILL,
  SIGSEGV,
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
import { forceSignal, stopProcess } from "./signal-sending.ts";
import type { Kernel } from "./kernel.ts";
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
        stopProcess(process, info.signal);
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
  thread.clearProgress();
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

  cpu.resetFloatingPoint();
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
