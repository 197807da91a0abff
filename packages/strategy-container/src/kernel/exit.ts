/** The end of threads and processes, and what parents learn of it. Linux, kernel/exit.c; wait(2). */
import {
  CLD_EXITED,
  CLD_KILLED,
  SA_NOCLDWAIT,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SI_KERNEL,
  SIG_IGN,
} from "../abi/signals.ts";
import { recordPrice } from "../namespaces/control-group.ts";
import type { Kernel } from "./kernel.ts";
import type { Process } from "./process.ts";
import { signalProcess } from "./signal-sending.ts";
import type { Thread } from "./thread.ts";

/** Ends one thread; the last one ends its process with `status`, a wait status. */
export function endThread(kernel: Kernel, thread: Thread, status: number): void {
  const { process } = thread;
  if (process.threads.length === 1) {
    endProcess(kernel, process, status);
    return;
  }
  clearThreadId(kernel, thread);
  removeThread(kernel, thread);
}

/** CLONE_CHILD_CLEARTID: tells joiners. Only while others share the memory. */
function clearThreadId(kernel: Kernel, thread: Thread): void {
  const { space } = thread.process.running;
  if (thread.clearAtExit === 0 || space.references + thread.process.threads.length <= 2) return;
  if (space.putU32(thread.clearAtExit, 0)) kernel.futexes.wake(space, thread.clearAtExit, 1);
}

function removeThread(kernel: Kernel, thread: Thread): void {
  const { process } = thread;
  process.threads.splice(process.threads.indexOf(thread), 1);
  if (thread.id !== process.id) process.pids.threads.delete(thread.id);
  thread.die();
  kernel.forget(thread);
}

/** Ends all threads of a process but `survivor` (execve). */
export function endOtherThreads(kernel: Kernel, survivor: Thread): void {
  for (const thread of [...survivor.process.threads]) {
    if (thread !== survivor) removeThread(kernel, thread);
  }
}

/** Ends a process. `status` is a wait status: code << 8, or the signal that killed it. */
export function endProcess(kernel: Kernel, process: Process, status: number): void {
  const { parts } = process;
  if (parts === undefined) return;
  process.status = status;
  if (process.alarm !== undefined) kernel.timers.cancel(process.alarm.timer);
  process.alarm = undefined;
  for (const { timer } of process.posixTimers.values()) {
    if (timer !== undefined) kernel.timers.cancel(timer);
  }
  process.posixTimers.clear();
  const first = process.threads[0];
  if (first !== undefined) clearThreadId(kernel, first);
  for (const thread of [...process.threads]) removeThread(kernel, thread);
  // A zombie keeps its number and its place under the pids limit until it is waited for.
  process.group.pids++;

  releaseMemory(kernel, process);
  parts.descriptors.release();
  parts.paths.release();
  parts.mounts.release();
  parts.actions.references--;
  process.executable = undefined;
  process.parts = undefined;
  process.state = "zombie";

  hangUpOrphans(process);
  for (const child of process.children) adopt(kernel, process, child);
  process.children.clear();
  kernel.processEnded(process);
  notifyParent(kernel, process, status);
}

/** Gives up the address space, and lets a parent that lent its memory (vfork) go on. */
export function releaseMemory(kernel: Kernel, process: Process): void {
  const { space } = process.running;
  if (kernel.cpu.activeRoot === space.tables.root && space.references === 1)
    kernel.cpu.leaveSpace();
  space.release();
  process.borrowsMemory = false;
  process.released.wakeAll();
}

/** Children of a process that ended go to the reaper of the namespace. */
function adopt(kernel: Kernel, parent: Process, child: Process): void {
  const reaper = parent.pids.processes.get(1);
  if (reaper === undefined || reaper === parent) {
    child.parent = undefined;
    if (child.state === "zombie") reap(kernel, child);
    return;
  }
  child.parent = reaper;
  reaper.children.add(child);
  if (child.parentDeathSignal !== 0) {
    signalProcess(child, { signal: child.parentDeathSignal, code: SI_KERNEL });
  }
  if (child.state !== "zombie") return;
  if (reaper.parts === undefined) reap(kernel, child);
  else notifyParent(kernel, child, child.status);
}

/** A group that loses its connection to the session while a member is stopped gets SIGHUP and SIGCONT (POSIX, _exit). */
function hangUpOrphans(process: Process): void {
  for (const child of process.children) {
    if (child.state !== "stopped" || child.session !== process.session) continue;
    if (child.processGroup === process.processGroup) continue;
    for (const member of process.pids.groupMembers(child.processGroup)) {
      signalProcess(member, { signal: SIGHUP, code: SI_KERNEL });
      signalProcess(member, { signal: SIGCONT, code: SI_KERNEL });
    }
  }
}

function notifyParent(kernel: Kernel, process: Process, status: number): void {
  const { parent } = process;
  if (parent === undefined || parent.parts === undefined) {
    // The reaper, or nobody.
    reap(kernel, process);
    return;
  }
  const action = parent.parts.actions.get(SIGCHLD);
  const unwanted = action.handler === SIG_IGN || (action.flags & SA_NOCLDWAIT) !== 0;
  if (process.exitSignal !== 0) {
    signalProcess(parent, {
      signal: process.exitSignal,
      code: (status & 0x7f) === 0 ? CLD_EXITED : CLD_KILLED,
      process: process.id,
      user: process.credentials.user,
      status: (status & 0x7f) === 0 ? status >>> 8 : status & 0x7f,
    });
  }
  if (unwanted && process.exitSignal === SIGCHLD) reap(kernel, process);
  parent.childChanged.wakeAll();
}

/** Forgets a zombie: its number is free again. */
export function reap(kernel: Kernel, process: Process): void {
  process.parent?.children.delete(process);
  process.pids.processes.delete(process.id);
  process.pids.threads.delete(process.id);
  process.group.unchargePid();
  process.group.unchargeRecord(recordPrice.process);
  kernel.counts.processesReaped++;
}
