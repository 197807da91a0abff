/**
 * A system call in progress: its arguments and what handlers need most.
 *
 * One object serves all calls of a kernel, because there is one processor. Arguments are read from the registers when
 * they are asked for; Linux x86-64 passes them in RDI, RSI, RDX, R10, R8 and R9.
 */
import type { Interruption, Progress, Thread } from "./thread.ts";
import type { Kernel } from "./kernel.ts";
import { R10, R8, R9, RDI, RDX, RSI } from "./cpu.ts";
import type { Process, ProcessParts } from "./process.ts";
import { EBADF, EFAULT, EINTR, ENAMETOOLONG } from "../abi/errno.ts";
import { PATH_MAX } from "../abi/files.ts";
import { decodeName } from "../files/file-name.ts";
import type { OpenFile } from "../files/open-file.ts";
import type { AddressSpace } from "./address-space.ts";
import type { WaitQueue } from "./wait-queue.ts";

/** Not an error number: the thread waits, and the call will start again. */
export const BLOCKED = -0x1_0001;
/** Not an error number: the handler has set the registers, or the thread is gone. */
export const NO_RESULT = -0x1_0002;

const ARGUMENTS = [RDI, RSI, RDX, R10, R8, R9] as const;

export class Call {
  readonly kernel: Kernel;
  thread: Thread;

  constructor(kernel: Kernel, thread: Thread) {
    this.kernel = kernel;
    this.thread = thread;
  }

  get process(): Process {
    return this.thread.process;
  }

  get parts(): ProcessParts {
    return this.thread.process.running;
  }

  get space(): AddressSpace {
    return this.thread.process.running.space;
  }

  /** Argument as a C int. */
  int(index: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.kernel.cpu.low(ARGUMENTS[index]) | 0;
  }

  /** Argument as a C unsigned int. */
  unsigned(index: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.kernel.cpu.low(ARGUMENTS[index]);
  }

  /** Argument as an address or size: unsigned, inexact above 2^53, where neither is valid. */
  size(index: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.kernel.cpu.number(ARGUMENTS[index]);
  }

  /** Argument as a C long; inexact beyond 2^53. */
  long(index: 0 | 1 | 2 | 3 | 4 | 5): number {
    const register = ARGUMENTS[index];
    const { cpu } = this.kernel;
    return (cpu.high(register) | 0) * 0x1_0000_0000 + cpu.low(register);
  }

  /** Argument as its two 32-bit halves, low first. */
  pair(index: 0 | 1 | 2 | 3 | 4 | 5): [number, number] {
    const register = ARGUMENTS[index];
    return [this.kernel.cpu.low(register), this.kernel.cpu.high(register)];
  }

  /** The open file of a descriptor argument, or EBADF. */
  file(index: 0 | 1 | 2 | 3 | 4 | 5): OpenFile | typeof EBADF {
    return this.parts.descriptors.get(this.int(index)) ?? EBADF;
  }

  /** The path at a pointer argument: a string of one character per byte, or an error number. */
  path(index: 0 | 1 | 2 | 3 | 4 | 5): string | number {
    return this.pathAt(this.size(index));
  }

  pathAt(linear: number): string | number {
    const bytes = this.space.getString(linear, PATH_MAX);
    if (bytes === "fault") return EFAULT;
    if (bytes === "long") return ENAMETOOLONG;
    return decodeName(bytes);
  }

  /** What the call remembers from its earlier starts; made at the first. */
  get progress(): Progress {
    return (this.thread.progress ??= { moved: 0 });
  }

  /** Whether {@link Progress.deadline} has passed. */
  get timeIsUp(): boolean {
    const deadline = this.thread.progress?.deadline;
    return deadline !== undefined && this.kernel.now >= deadline;
  }

  /** Waits on `queues` (and for the deadline): what a handler returns when it cannot go on. */
  wait(queues: readonly (WaitQueue | undefined)[], interruption: Interruption): number {
    this.thread.waitOn(queues, interruption);
    return BLOCKED;
  }

  /** Writes a block of memory for the program; EFAULT or 0. */
  put(linear: number, bytes: Uint8Array): number {
    return this.space.put(linear, bytes) ? 0 : EFAULT;
  }
}

/** Result of a call that a signal interrupts: what was moved so far, else EINTR. */
export function interruptedResult(progress: Progress | undefined): number {
  return progress !== undefined && progress.moved > 0 ? progress.moved : EINTR;
}
