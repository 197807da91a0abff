/** Processes: making, replacing, ending and waiting; groups and sessions; limits. fork(2), execve(2), wait(2), setpgid(2). */
import { E2BIG, EFAULT, EINVAL, EPERM, ESRCH, EACCES } from "../abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../abi/files.ts";
import { SIGCHLD } from "../abi/signals.ts";
import { SymlinkInode } from "../files/inode.ts";
import { NO_RESULT, type Call } from "../kernel/call.ts";
import { execute, STRING_MAXIMUM, STRINGS_MAXIMUM } from "../kernel/execute.ts";
import { endProcess, endThread } from "../kernel/exit.ts";
import { clone, CLONE_VFORK, CLONE_VM, type CloneRequest } from "../kernel/fork.ts";
import {
  INFINITE,
  MAXIMUM_DESCRIPTORS,
  RLIMIT_COUNT,
  RLIMIT_NOFILE,
  RLIMIT_STACK,
} from "../kernel/limits.ts";
import type { Process } from "../kernel/process.ts";
import { row, type SystemCall } from "../kernel/system-call.ts";
import { locate } from "./paths.ts";

// Making processes.

function performClone(call: Call, request: CloneRequest): number {
  const { thread } = call;
  // A vfork that waited for its child: the second start.
  const waited = thread.progress?.moved;
  if (waited !== undefined && waited > 0) {
    const child = call.process.pids.processes.get(waited);
    if (child?.borrowsMemory === true) return call.wait([child.released], "never");
    return waited;
  }
  const child = clone(call.kernel, thread, request);
  if (typeof child === "number") return child;
  if ((request.flags & CLONE_VFORK) === 0) return child.id;
  call.progress.moved = child.id;
  return call.wait([child.process.released], "never");
}

const NO_CLONE = { stack: 0, parentThreadId: 0, childThreadId: 0, threadPointer: [0, 0] as const };

function plainClone(call: Call): number {
  const flags = call.unsigned(0);
  return performClone(call, {
    flags: (flags & ~0xff) >>> 0,
    exitSignal: flags & 0xff,
    stack: call.size(1),
    parentThreadId: call.size(2),
    childThreadId: call.size(3),
    threadPointer: call.pair(4),
  });
}

/** struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; 8 bytes each. */
function clone3(call: Call): number {
  const linear = call.size(0);
  const size = call.size(1);
  if (size < 64) return EINVAL;
  if (size > 4096) return E2BIG;
  const bytes = call.space.get(linear, 64);
  if (bytes === undefined) return EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 64);
  const number = (index: number) =>
    view.getUint32(index * 8 + 4, true) * 0x1_0000_0000 + view.getUint32(index * 8, true);
  if (view.getUint32(4, true) !== 0 || (view.getUint32(0, true) & 0xff) !== 0) return EINVAL;
  const exitSignal = number(4);
  if (exitSignal > 64) return EINVAL;
  const stack = number(5);
  return performClone(call, {
    flags: view.getUint32(0, true),
    exitSignal,
    stack: stack === 0 ? 0 : stack + number(6),
    parentThreadId: number(3),
    childThreadId: number(2),
    threadPointer: [view.getUint32(56, true), view.getUint32(60, true)],
  });
}

// execve

/** Strings of argv or envp, or an error number. */
function readStrings(call: Call, linear: number, budget: number): Uint8Array[] | number {
  const strings: Uint8Array[] = [];
  if (linear === 0) return strings;
  let left = budget;
  for (let at = linear; ; at += 8) {
    const pointer = call.space.getU64(at);
    if (pointer < 0) return EFAULT;
    if (pointer === 0) return strings;
    const text = call.space.getString(pointer, Math.min(STRING_MAXIMUM, left));
    if (text === "fault") return EFAULT;
    if (text === "long") return E2BIG;
    strings.push(text);
    left -= text.length + 1 + 8;
    if (left <= 0) return E2BIG;
  }
}

function executeAt(
  call: Call,
  descriptor: number,
  path: string | number,
  argvLinear: number,
  environmentLinear: number,
  flags: number,
): number {
  if (typeof path === "number") return path;
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return EINVAL;
  let location;
  if (path === "" && (flags & AT_EMPTY_PATH) !== 0) {
    const file = call.file(0);
    if (typeof file === "number") return file;
    location = file.location ?? EACCES;
  } else {
    location = locate(call, descriptor, path, (flags & AT_SYMLINK_NOFOLLOW) === 0);
  }
  if (typeof location === "number") return location;
  if (location.inode instanceof SymlinkInode) return EACCES;
  const argv = readStrings(call, argvLinear, STRINGS_MAXIMUM);
  if (typeof argv === "number") return argv;
  const used = argv.reduce((sum, { length }) => sum + length + 9, 0);
  const environment = readStrings(call, environmentLinear, STRINGS_MAXIMUM - used);
  if (typeof environment === "number") return environment;
  const result = execute(call.kernel, call.thread, {
    path: path === "" ? `/dev/fd/${call.int(0)}` : path,
    location,
    // A program always has an argv[0].
    argv: argv.length === 0 ? [new Uint8Array(0)] : argv,
    environment,
  });
  return result === 0 ? NO_RESULT : result;
}

// Ends.

function exitGroup(call: Call): number {
  endProcess(call.kernel, call.process, (call.int(0) & 0xff) << 8);
  return NO_RESULT;
}

function exitThread(call: Call): number {
  endThread(call.kernel, call.thread, (call.int(0) & 0xff) << 8);
  return NO_RESULT;
}

// Groups and sessions.

function target(call: Call, id: number): Process | undefined {
  return id === 0 ? call.process : call.process.pids.processes.get(id);
}

function setpgid(call: Call): number {
  const process = target(call, call.int(0));
  const { process: caller } = call;
  if (process === undefined) return ESRCH;
  const group = call.int(1) === 0 ? process.id : call.int(1);
  if (group < 0) return EINVAL;
  if (process !== caller && process.parent !== caller) return ESRCH;
  if (process !== caller && process.hasExecuted) return EACCES;
  if (process.session !== caller.session || process.session === process.id) return EPERM;
  if (group !== process.id) {
    const members = [...caller.pids.groupMembers(group)];
    if (!members.some(({ session }) => session === caller.session)) return EPERM;
  }
  process.processGroup = group;
  return 0;
}

function setsid(call: Call): number {
  const { process } = call;
  if (process.processGroup === process.id) return EPERM;
  process.session = process.id;
  process.processGroup = process.id;
  return process.id;
}

function ofProcess(call: Call, read: (process: Process) => number): number {
  const process = target(call, call.int(0));
  return process === undefined ? ESRCH : read(process);
}

// Limits.

function prlimit(call: Call): number {
  const process = target(call, call.int(0));
  if (process === undefined) return ESRCH;
  return changeLimit(call, process, call.unsigned(1), call.size(2), call.size(3));
}

function changeLimit(
  call: Call,
  process: Process,
  resource: number,
  next: number,
  old: number,
): number {
  if (resource >= RLIMIT_COUNT) return EINVAL;
  const current = process.limits[resource];
  if (current === undefined) return EINVAL;
  let wanted = current;
  if (next !== 0) {
    const soft = call.space.getU64(next);
    const hard = call.space.getU64(next + 8);
    if (soft < 0 || hard < 0) return EFAULT;
    if (soft > hard) return EINVAL;
    if (hard > current.hard && call.process.credentials.effectiveUser !== 0) return EPERM;
    if (resource === RLIMIT_NOFILE && hard > MAXIMUM_DESCRIPTORS) return EPERM;
    wanted = { soft, hard };
  }
  if (old !== 0 && !(putLimit(call, old, current.soft) && putLimit(call, old + 8, current.hard))) {
    return EFAULT;
  }
  process.limits[resource] = wanted;
  if (resource === RLIMIT_STACK && process.parts !== undefined) {
    process.parts.space.stackLimitBytes = wanted.soft;
  }
  return 0;
}

function putLimit(call: Call, linear: number, value: number): boolean {
  if (value < INFINITE) return call.space.putU64(linear, value);
  return call.space.putU32(linear, 0xffff_ffff) && call.space.putU32(linear + 4, 0xffff_ffff);
}

// Scheduling, as far as one processor and one policy go.

function getAffinity(call: Call): number {
  if (target(call, call.int(0)) === undefined) return ESRCH;
  if (call.unsigned(1) < 8 || call.unsigned(1) % 8 !== 0) return EINVAL;
  return call.space.putU64(call.size(2), 1) ? 8 : EFAULT;
}

function priority(call: Call): number {
  // The system call gives 20 minus the nice value.
  return call.int(0) >= 0 && call.int(0) <= 2 ? 20 : EINVAL;
}

function setRobustList(call: Call): number {
  if (call.size(1) !== 24) return EINVAL;
  call.thread.robustList = call.size(0);
  return 0;
}

function setThreadIdAddress(call: Call): number {
  call.thread.clearAtExit = call.size(0);
  return call.thread.id;
}

export const processCalls: readonly SystemCall[] = [
  row(24, "sched_yield", (call) => {
    call.kernel.yieldProcessor();
    return 0;
  }),
  row(39, "getpid", (call) => call.process.id),
  row(56, "clone", plainClone, "partial", "new mount and UTS namespaces; no others"),
  row(57, "fork", (call) => performClone(call, { ...NO_CLONE, flags: 0, exitSignal: SIGCHLD })),
  row(58, "vfork", (call) =>
    performClone(call, { ...NO_CLONE, flags: CLONE_VFORK | CLONE_VM, exitSignal: SIGCHLD }),
  ),
  row(59, "execve", (call) =>
    executeAt(call, AT_FDCWD, call.path(0), call.size(1), call.size(2), 0),
  ),
  row(60, "exit", exitThread),
  row(97, "getrlimit", (call) =>
    changeLimit(call, call.process, call.unsigned(0), 0, call.size(1)),
  ),
  row(109, "setpgid", setpgid),
  row(110, "getppid", (call) => call.process.parentId),
  row(111, "getpgrp", (call) => call.process.processGroup),
  row(112, "setsid", setsid),
  row(121, "getpgid", (call) => ofProcess(call, ({ processGroup }) => processGroup)),
  row(124, "getsid", (call) => ofProcess(call, ({ session }) => session)),
  row(140, "getpriority", priority, "partial", "there is one priority"),
  row(141, "setpriority", () => 0, "accepted", "there is one priority"),
  row(144, "sched_setscheduler", () => 0, "accepted", "there is one policy"),
  row(145, "sched_getscheduler", () => 0, "partial", "there is one policy"),
  row(160, "setrlimit", (call) =>
    changeLimit(call, call.process, call.unsigned(0), call.size(1), 0),
  ),
  row(186, "gettid", (call) => call.thread.id),
  row(203, "sched_setaffinity", () => 0, "accepted", "there is one processor"),
  row(204, "sched_getaffinity", getAffinity),
  row(218, "set_tid_address", setThreadIdAddress),
  row(231, "exit_group", exitGroup),
  row(
    273,
    "set_robust_list",
    setRobustList,
    "partial",
    "locks of a thread that dies are not released",
  ),
  row(302, "prlimit64", prlimit),
  row(309, "getcpu", (call) => {
    for (const index of [0, 1] as const) {
      const linear = call.size(index);
      if (linear !== 0 && !call.space.putU32(linear, 0)) return EFAULT;
    }
    return 0;
  }),
  row(322, "execveat", (call) =>
    executeAt(call, call.int(0), call.path(1), call.size(2), call.size(3), call.int(4)),
  ),
  row(435, "clone3", clone3, "partial", "new mount and UTS namespaces; no others"),
];
