/** New processes and threads. clone(2), fork(2), vfork(2). */
import { EAGAIN, EINVAL, ENOMEM } from "../abi/errno.ts";
import { recordPrice } from "../namespaces/control-group.ts";
import { PidNamespace } from "../namespaces/pid-namespace.ts";
import { RAX, RSP } from "./cpu.ts";
import type { Kernel } from "./kernel.ts";
import { INFINITE, RLIMIT_NPROC } from "./limits.ts";
import { Process, type ProcessParts } from "./process.ts";
import { Thread } from "./thread.ts";

export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x1_0000;
export const CLONE_NEWNS = 0x2_0000;
export const CLONE_SYSVSEM = 0x4_0000;
export const CLONE_SETTLS = 0x8_0000;
export const CLONE_PARENT_SETTID = 0x10_0000;
export const CLONE_CHILD_CLEARTID = 0x20_0000;
export const CLONE_CHILD_SETTID = 0x100_0000;
export const CLONE_NEWUTS = 0x400_0000;
export const CLONE_NEWPID = 0x2000_0000;
/** Kinds of namespaces that do not exist here. */
const CLONE_UNSUPPORTED = 0x02_00_0000 | 0x0800_0000 | 0x1000_0000 | 0x4000_0000 | CLONE_NEWPID;

export interface CloneRequest {
  readonly flags: number;
  /** Stack pointer of the child, or 0 for the parent's. */
  readonly stack: number;
  readonly exitSignal: number;
  readonly parentThreadId: number;
  readonly childThreadId: number;
  /** FS base with CLONE_SETTLS: low and high half. */
  readonly threadPointer: readonly [number, number];
}

/** Makes the child of the thread on the processor. Gives it, or an error number. */
export function clone(kernel: Kernel, parent: Thread, request: CloneRequest): Thread | number {
  const { flags } = request;
  if ((flags & CLONE_UNSUPPORTED) !== 0) return EINVAL;
  if ((flags & CLONE_THREAD) !== 0 && (flags & CLONE_SIGHAND) === 0) return EINVAL;
  if ((flags & CLONE_SIGHAND) !== 0 && (flags & CLONE_VM) === 0) return EINVAL;
  if ((flags & CLONE_NEWNS) !== 0 && (flags & CLONE_FS) !== 0) return EINVAL;
  const { process } = parent;
  const { group } = process;
  if (atProcessLimit(process)) return EAGAIN;
  if (!group.chargePid()) return EAGAIN;
  const isThread = (flags & CLONE_THREAD) !== 0;
  const price = recordPrice.thread + (isThread ? 0 : recordPrice.process);
  const id = process.pids.allot();
  if (id === 0 || !group.chargeRecord(price)) {
    group.unchargePid();
    return id === 0 ? EAGAIN : ENOMEM;
  }
  let owner = process;
  if (!isThread) {
    const parts = cloneParts(process.running, flags);
    if (parts === undefined) {
      group.unchargePid();
      group.unchargeRecord(price);
      return ENOMEM;
    }
    owner = makeChild(kernel, process, parts, id, request);
  }
  const child = new Thread(id, owner, kernel);
  child.blocked.assign(parent.blocked);
  if ((flags & CLONE_VM) === 0 || (flags & CLONE_VFORK) !== 0) {
    child.alternateStack = parent.alternateStack;
  }
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) child.clearAtExit = request.childThreadId;
  owner.threads.push(child);
  owner.pids.threads.set(id, child);
  copyRegisters(kernel, child, request);
  if ((flags & CLONE_PARENT_SETTID) !== 0) process.running.space.putU32(request.parentThreadId, id);
  if ((flags & CLONE_CHILD_SETTID) !== 0) owner.running.space.putU32(request.childThreadId, id);
  kernel.counts.forks++;
  kernel.enqueue(child);
  return child;
}

/** RLIMIT_NPROC does not bind the superuser. */
function atProcessLimit(process: Process): boolean {
  const limit = process.limits[RLIMIT_NPROC]?.soft ?? INFINITE;
  if (process.credentials.user === 0 || limit === INFINITE) return false;
  let count = 0;
  for (const other of process.pids.processes.values()) {
    if (other.credentials.user === process.credentials.user) count++;
  }
  return count >= limit;
}

function cloneParts(parent: ProcessParts, flags: number): ProcessParts | undefined {
  let { space, descriptors, paths, actions, mounts, uts } = parent;
  if ((flags & CLONE_VM) !== 0) {
    space.references++;
  } else {
    const copy = space.fork();
    if (copy === undefined) return undefined;
    space = copy;
  }
  if ((flags & CLONE_FILES) !== 0) descriptors.references++;
  else descriptors = descriptors.copy();
  if ((flags & CLONE_FS) !== 0) paths.references++;
  else paths = paths.copy();
  if ((flags & CLONE_SIGHAND) !== 0) actions.references++;
  else actions = actions.copy();
  if ((flags & CLONE_NEWUTS) !== 0) uts = uts.copy();
  if ((flags & CLONE_NEWNS) !== 0) {
    const { namespace, translate } = mounts.copy();
    mounts = namespace;
    paths.setRoot(translate(paths.root));
    paths.setCurrent(translate(paths.current));
  } else {
    mounts.references++;
  }
  return { space, descriptors, paths, actions, mounts, uts };
}

function makeChild(
  kernel: Kernel,
  process: Process,
  parts: ProcessParts,
  id: number,
  request: CloneRequest,
): Process {
  const { flags } = request;
  const child = new Process({
    id,
    pids: process.pids,
    group: process.group,
    parent: (flags & CLONE_PARENT) === 0 ? process : process.parent,
    parts,
    credentials: { ...process.credentials },
    limits: [...process.limits],
    name: process.name,
    startTime: kernel.now,
    exitSignal: request.exitSignal,
  });
  child.processGroup = process.processGroup;
  child.session = process.session;
  child.executable = process.executable;
  child.executablePath = process.executablePath;
  child.noNewPrivileges = process.noNewPrivileges;
  child.borrowsMemory = (flags & CLONE_VFORK) !== 0;
  child.parent?.children.add(child);
  process.pids.processes.set(id, child);
  return child;
}

/** The child begins where the parent is, with 0 as the result. */
function copyRegisters(kernel: Kernel, child: Thread, request: CloneRequest): void {
  const { cpu } = kernel;
  const result = [cpu.low(RAX), cpu.high(RAX)] as const;
  const stack = [cpu.low(RSP), cpu.high(RSP)] as const;
  const threadPointer = cpu.fsBase;
  cpu.set(RAX, 0);
  if (request.stack !== 0) cpu.set(RSP, request.stack);
  if ((request.flags & CLONE_SETTLS) !== 0) {
    cpu.fsBase = (BigInt(request.threadPointer[1]) << 32n) | BigInt(request.threadPointer[0] >>> 0);
  }
  child.context = cpu.saveContext();
  cpu.setPair(RAX, ...result);
  cpu.setPair(RSP, ...stack);
  cpu.fsBase = threadPointer;
}

/** The process that stands for number 1 of a new namespace: it has no program and reaps what is left to it. */
export function makeReaper(
  kernel: Kernel,
  template: Omit<
    ConstructorParameters<typeof Process>[0],
    "id" | "pids" | "parent" | "parts" | "name" | "startTime" | "exitSignal"
  >,
): Process {
  const pids = new PidNamespace();
  const reaper = new Process({
    ...template,
    id: pids.allot(),
    pids,
    parent: undefined,
    parts: undefined,
    name: "init",
    startTime: kernel.now,
    exitSignal: 0,
  });
  reaper.status = 0;
  pids.processes.set(reaper.id, reaper);
  return reaper;
}
