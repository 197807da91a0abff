/**
 * The shared kernel: one for all processes of its containers, entered where the processor would enter ring 0.
 *
 * In a nutshell: {@link Kernel.run} picks a thread, lets the processor run it, and acts on why it came back: a system
 * call, an exception, the end of its quantum. Round robin in quanta of units, so that the same program always runs
 * the same way.
 */
import type { Processor, ProcessorExit } from "@ringside/isa";
import { ENOSYS, isError } from "../abi/errno.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import { SIGALRM, SIGKILL, SI_KERNEL, SI_TIMER } from "../abi/signals.ts";
import {
  FileSystem,
  PIPEFS_MAGIC,
  PROC_SUPER_MAGIC,
  TMPFS_MAGIC,
  type Timestamp,
} from "../files/file-system.ts";
import type { HostInput, HostOutput } from "../files/host-stream.ts";
import type { DirectoryInode } from "../files/inode.ts";
import { makeProcRoot } from "../files/proc.ts";
import type { AddressSpace, AddressSpaceHost } from "./address-space.ts";
import type { MemoryCounts } from "./resident-pages.ts";
import { BLOCKED, Call, NO_RESULT } from "./call.ts";
import { Cpu, RAX } from "./cpu.ts";
import { handleException, handleSoftwareInterrupt, killForMemory } from "./faults.ts";
import type { Frames } from "./frames.ts";
import { Futexes } from "./futexes.ts";
import type { Process } from "./process.ts";
import { RandomSource } from "./random.ts";
import { deliverSignals } from "./signal-delivery.ts";
import { signalProcess } from "./signal-sending.ts";
import type { SignalInfo } from "./signals.ts";
import type { SystemCallTable } from "./system-call.ts";
import type { RunQueue, Thread } from "./thread.ts";
import { Timers, type Timer } from "./timers.ts";
import { SYSTEM_NAME, SYSTEM_RELEASE, SYSTEM_VERSION } from "../abi/system-name.ts";

/** Units that a thread runs before another one that can run gets the processor. */
export const QUANTUM_UNITS = 1_000_000;

export interface KernelCounts extends MemoryCounts {
  contextSwitches: number;
  timerInterrupts: number;
  forks: number;
  execs: number;
  processesReaped: number;
  signalsDelivered: number;
  /** Page faults that became SIGSEGV or SIGBUS. */
  faultsSignalled: number;
  /** System calls that started again after waiting. */
  callsResumed: number;
}

/** Why {@link Kernel.run} came back. */
export type KernelExit =
  | { readonly reason: "limit" }
  /** The main process ended. */
  | { readonly reason: "ended"; /** As wait4 gives it. */ readonly status: number }
  /** Every thread waits, and standard input is open. */
  | { readonly reason: "waiting" }
  /** Every thread waits for another one. */
  | { readonly reason: "deadlock" }
  | { readonly reason: "shutdown"; readonly why: string };

export interface KernelOptions {
  readonly processor: Processor;
  readonly frames: Frames;
  /** Pays for what belongs to no mounted file system: pipes, shared memory. */
  readonly group: ControlGroup;
  readonly systemCalls: SystemCallTable;
  readonly epochSeconds: number;
  readonly seed: number;
  /** Called after each system call, when somebody traces. */
  readonly trace?: ((call: TracedCall) => void) | undefined;
  /** Gets lines of the kernel's log, without their ends. */
  readonly log?: ((line: string) => void) | undefined;
}

/** The streams that programs share with the host. */
export interface Console {
  readonly input: HostInput;
  readonly output: HostOutput;
}

export interface TracedCall {
  readonly process: number;
  readonly name: string;
  readonly arguments: readonly bigint[];
  readonly result: bigint | undefined;
}

export class Kernel implements RunQueue, AddressSpaceHost {
  readonly cpu: Cpu;
  readonly translations: Cpu;
  readonly frames: Frames;
  readonly timers: Timers = new Timers();
  readonly futexes: Futexes = new Futexes();
  readonly random: RandomSource;
  readonly epochSeconds: number;
  readonly counts: KernelCounts = {
    contextSwitches: 0,
    timerInterrupts: 0,
    forks: 0,
    execs: 0,
    processesReaped: 0,
    signalsDelivered: 0,
    faultsSignalled: 0,
    callsResumed: 0,
    faultsResolved: 0,
    pagesZeroed: 0,
    pagesCopied: 0,
    filePagesMapped: 0,
    entriesForked: 0,
  };
  /** Calls by number, unknown ones included, up to the table's end; others together. */
  readonly callCounts: Uint32Array;
  unknownCalls = 0;
  /** The process whose end is the container's. */
  main: Process | undefined;
  /** The host's streams. Set before the first process runs. */
  #console: Console | undefined;
  readonly group: ControlGroup;
  /** Holds pipes. */
  readonly pipeFileSystem: FileSystem;
  /** Holds shared anonymous memory. */
  readonly sharedMemory: FileSystem;
  readonly #systemCalls: SystemCallTable;
  readonly #trace: KernelOptions["trace"];
  readonly #log: KernelOptions["log"];
  readonly #queue: Thread[] = [];
  /** Whose registers the processor holds. */
  #current: Thread | undefined;
  #call: Call | undefined;
  #quantumEnd = 0;
  #quantumStart = 0;
  #ended: number | undefined;
  /** Anonymous device numbers have major 0. */
  #nextDevice = 5;
  #interrupted = false;

  constructor(options: KernelOptions) {
    this.cpu = new Cpu(options.processor);
    this.translations = this.cpu;
    this.frames = options.frames;
    this.random = new RandomSource(options.seed);
    this.epochSeconds = options.epochSeconds;
    this.group = options.group;
    this.pipeFileSystem = this.makeFileSystem("pipefs", PIPEFS_MAGIC, options.group);
    this.sharedMemory = this.makeFileSystem("tmpfs", TMPFS_MAGIC, options.group);
    this.#systemCalls = options.systemCalls;
    this.callCounts = new Uint32Array(options.systemCalls.rows.length);
    this.#trace = options.trace;
    this.#log = options.log;
  }

  /** Machine time in nanoseconds since the kernel started. */
  get now(): number {
    return this.cpu.now;
  }

  /** Guest progress: the processor's units, and one for each timer interrupt that no instruction saw. */
  get units(): number {
    return this.cpu.units + this.counts.timerInterrupts;
  }

  get release(): string {
    return SYSTEM_RELEASE;
  }

  get versionText(): string {
    return `${SYSTEM_NAME} version ${SYSTEM_RELEASE} ${SYSTEM_VERSION}`;
  }

  get current(): Thread | undefined {
    return this.#current;
  }

  /** The address space of the thread that runs or ran last. */
  get lastSpace(): AddressSpace | undefined {
    return (this.#current?.process ?? this.main)?.parts?.space;
  }

  readonly realTime = (): Timestamp => {
    const now = this.now;
    const seconds = Math.floor(now / 1e9);
    return { seconds: this.epochSeconds + seconds, nanoseconds: now - seconds * 1e9 };
  };

  enqueue(thread: Thread): void {
    if (thread.queued || thread === this.#current) return;
    thread.queued = true;
    this.#queue.push(thread);
  }

  /** A thread died: it must not be run again. */
  forget(thread: Thread): void {
    if (this.#current === thread) this.#current = undefined;
  }

  processEnded(process: Process): void {
    if (process === this.main) this.#ended = process.status;
  }

  /** Makes the present {@link run} come back. */
  interrupt(): void {
    this.#interrupted = true;
    this.cpu.requestStop();
  }

  /** Tells the log that a signal killed a process which did not expect it: the kernel raised it. */
  noteDeath(thread: Thread, info: SignalInfo): void {
    if (info.code <= 0) return;
    const { process } = thread;
    const where = info.linear === undefined ? "" : ` at 0x${info.linear.toString(16)}`;
    const why =
      info.signal === SIGKILL
        ? "the memory limit"
        : `signal ${info.signal}, code ${info.code}${where}`;
    this.#log?.(
      `${process.name}[${process.id}]: killed by ${why}, ip 0x${this.cpu.rip.toString(16)}`,
    );
  }

  /** Runs until something ends it or `limitUnits` are spent. */
  run(limitUnits: number): KernelExit {
    const end = this.units + limitUnits;
    this.#interrupted = false;
    for (;;) {
      if (this.#ended !== undefined) return { reason: "ended", status: this.#ended };
      if (this.#interrupted || this.units >= end) return { reason: "limit" };
      this.#expireTimers();
      const thread = this.#pick();
      if (thread === undefined) {
        const exit = this.#idle();
        if (exit !== undefined) return exit;
        continue;
      }
      if (!this.#prepare(thread)) continue;
      if (this.units >= end) continue;
      const exit = this.cpu.run(this.#sliceUnits(end));
      const failure = this.#handle(thread, exit);
      if (failure !== undefined) return failure;
    }
  }

  #sliceUnits(end: number): number {
    const units = this.units;
    let slice = end - units;
    const next = this.timers.next;
    if (next !== undefined) slice = Math.min(slice, Math.ceil(next.deadline - this.now));
    if (this.#queue.length > 0) slice = Math.min(slice, this.#quantumEnd - units);
    return Math.max(1, slice);
  }

  // Scheduling.

  /** The thread to run: the current one while its quantum lasts, else the next in line. */
  #pick(): Thread | undefined {
    const current = this.#current;
    const canGoOn = current?.state === "runnable" && current.process.state === "running";
    if (canGoOn && (this.#queue.length === 0 || this.units < this.#quantumEnd)) return current;
    let next = this.#queue.shift();
    while (next !== undefined) {
      next.queued = false;
      if (next.state === "runnable" && next.process.state === "running") break;
      next = this.#queue.shift();
    }
    if (next === undefined) return canGoOn ? current : undefined;
    this.#switchTo(next, canGoOn);
    return next;
  }

  #switchTo(next: Thread, requeueCurrent: boolean): void {
    const current = this.#current;
    this.#charge();
    if (current !== undefined) {
      current.context = this.cpu.saveContext(current.spareContext);
      this.#current = undefined;
      if (requeueCurrent) this.enqueue(current);
    }
    this.cpu.enterSpace(next.process.running.space.tables.root);
    if (next.context !== undefined) this.cpu.loadContext(next.context);
    next.spareContext = next.context;
    next.context = undefined;
    this.#current = next;
    this.counts.contextSwitches++;
    this.#quantumStart = this.units;
    this.#quantumEnd = this.#quantumStart + QUANTUM_UNITS;
  }

  /** Adds the units since the last switch to the current process. */
  #charge(): void {
    const process = this.#current?.process;
    if (process !== undefined) process.units += this.units - this.#quantumStart;
    this.#quantumStart = this.units;
  }

  /** Units that a process has spent, also while it runs. */
  unitsOf(process: Process): number {
    if (this.#current?.process === process) this.#charge();
    return process.units;
  }

  /** Makes the current thread the last in line (sched_yield). */
  yieldProcessor(): void {
    this.#quantumEnd = this.units;
  }

  /** Nothing can run: time skips to the next timer, or the machine waits. */
  #idle(): KernelExit | undefined {
    const next = this.timers.next;
    if (next !== undefined) {
      this.cpu.skipTo(next.deadline);
      return undefined;
    }
    if (this.#console !== undefined && !this.#console.input.ended) return { reason: "waiting" };
    return { reason: "deadlock" };
  }

  #expireTimers(): void {
    let timer = this.timers.next;
    if (timer === undefined || timer.deadline > this.now) return;
    timer = this.timers.takeDue(this.now);
    while (timer !== undefined) {
      // Counted as progress, so that a timer that nobody sees cannot run for ever.
      this.counts.timerInterrupts++;
      this.#expire(timer);
      timer = this.timers.takeDue(this.now);
      if (this.#interrupted) return;
    }
  }

  #expire({ event, deadline }: Timer): void {
    switch (event.kind) {
      case "wake":
        event.thread.wake();
        break;
      case "alarm": {
        const { process } = event;
        const interval = process.alarm?.interval ?? 0;
        process.alarm =
          interval === 0
            ? undefined
            : { interval, timer: this.timers.set(this.#following(deadline, interval), event) };
        signalProcess(process, { signal: SIGALRM, code: SI_KERNEL });
        break;
      }
      case "posix": {
        const timer = event.process.posixTimers.get(event.id);
        if (timer === undefined) break;
        timer.timer =
          timer.interval === 0
            ? undefined
            : this.timers.set(this.#following(deadline, timer.interval), event);
        const { signal, value } = timer;
        if (signal !== 0) {
          signalProcess(event.process, { signal, code: SI_TIMER, timer: event.id, value });
        }
        break;
      }
    }
  }

  /** The next expiration after now; missed ones are skipped. */
  #following(deadline: number, interval: number): number {
    const missed = Math.floor((this.now - deadline) / interval);
    return deadline + interval * (missed + 1);
  }

  // What the processor came back with.

  /** Whatever stands between the kernel and the program: a call to start again, signals. False when the thread cannot go on. */
  #prepare(thread: Thread): boolean {
    if (thread.inCall) {
      thread.inCall = false;
      this.counts.callsResumed++;
      this.#perform(thread);
      if (thread.state !== "runnable") return false;
    }
    if (thread.hasDeliverable) {
      if (!deliverSignals(this, thread)) return false;
      // A stop or an ignored signal interrupted the call: it starts again.
      if (thread.inCall) return false;
    }
    return thread.state === "runnable";
  }

  #handle(thread: Thread, exit: ProcessorExit): KernelExit | undefined {
    switch (exit.reason) {
      case "event": {
        const { event } = exit;
        switch (event.kind) {
          case "syscall":
            this.#perform(thread);
            return undefined;
          case "exception":
            handleException(this, thread, event.vector, event.errorCode ?? 0, Number(event.linear));
            return undefined;
          case "software-interrupt":
            handleSoftwareInterrupt(this, thread, event.vector);
            return undefined;
          case "sysenter":
          case "call-gate":
            handleException(this, thread, 13, 0, 0);
            return undefined;
          case "interrupt":
          case "nmi":
            return { reason: "shutdown", why: `an unexpected ${event.kind} reached the kernel` };
        }
      }
      case "limit":
      case "stopped":
        return undefined;
      case "halted":
        return { reason: "shutdown", why: "the processor halted in a program" };
      case "shutdown":
        return { reason: "shutdown", why: exit.why };
    }
  }

  /** Serves the system call whose number and arguments are in the registers. */
  #perform(thread: Thread): void {
    const { cpu } = this;
    const number = cpu.low(RAX);
    const row = cpu.high(RAX) === 0 ? this.#systemCalls.rows[number] : undefined;
    const call = (this.#call ??= new Call(this, thread));
    call.thread = thread;
    const traced = this.#trace === undefined ? undefined : cpu.callArguments();
    const { process } = thread;
    process.systemCalls++;
    let result: number = ENOSYS;
    if (row === undefined) {
      if (number < this.callCounts.length) this.#countCall(number);
      else this.unknownCalls++;
    } else {
      this.#countCall(number);
      result = row.handler(call);
    }
    if (result === BLOCKED) {
      this.#block(thread);
    } else if (result !== NO_RESULT) {
      cpu.set(RAX, result);
      if (thread.progress !== undefined) thread.clearProgress();
      // A call that replaced the signal mask ended by itself.
      if (thread.savedMask !== undefined) thread.blocked.assign(thread.savedMask);
      thread.savedMask = undefined;
    }
    if (traced !== undefined && result !== BLOCKED) {
      this.#trace?.({
        process: process.id,
        name: row?.name ?? `${number}`,
        arguments: traced,
        result: result === NO_RESULT ? undefined : BigInt(result),
      });
    }
    const space = process.parts?.space;
    if (space?.outOfMemory === true) {
      space.outOfMemory = false;
      if (isError(result) && thread.state !== "dead") killForMemory(this, thread);
    }
  }

  #countCall(number: number): void {
    this.callCounts[number] = (this.callCounts[number] ?? 0) + 1;
  }

  /** The call waits. A signal that is there already interrupts it at once. */
  #block(thread: Thread): void {
    thread.inCall = true;
    if (thread.interruption === "never" && !thread.process.pending.set.has(SIGKILL)) return;
    if (thread.state === "waiting" && thread.hasDeliverable) thread.wake();
    if (thread.state === "runnable") deliverSignals(this, thread);
  }

  // What system calls ask of the kernel as a whole.

  get console(): Console {
    if (this.#console === undefined) throw new Error("Bug in ringside: the kernel has no console");
    return this.#console;
  }
  set console(console: Console) {
    this.#console = console;
  }

  makeFileSystem(type: string, magic: number, group: ControlGroup): FileSystem {
    const device = this.#nextDevice++;
    return new FileSystem({ type, magic, device, frames: this.frames, group, now: this.realTime });
  }

  /** A /proc of the process's pid namespace. */
  makeProc(process: Process): DirectoryInode {
    const fileSystem = this.makeFileSystem("proc", PROC_SUPER_MAGIC, process.group);
    return makeProcRoot(this, fileSystem, process.pids, process.group);
  }
}
