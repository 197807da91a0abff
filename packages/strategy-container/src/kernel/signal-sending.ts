/**
 * Sending signals: from whoever raises one to the thread that will take it.
 *
 * Linux, kernel/signal.c (send_signal, prepare_signal); signal(7).
 */
import { EAGAIN } from "../abi/errno.ts";
import {
  CLD_CONTINUED,
  CLD_STOPPED,
  SA_NOCLDSTOP,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIG_DFL,
  SIG_IGN,
} from "../abi/signals.ts";
import type { Process } from "./process.ts";
import type { SignalInfo } from "./signals.ts";
import type { Thread } from "./thread.ts";

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

/** Stops a process, and tells its parent. */
export function stopProcess(process: Process, signal: number): void {
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
