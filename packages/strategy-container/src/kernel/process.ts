/** Processes: what threads share, and how processes hang together. */
import { RegularInode } from "../files/inode.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import type { Location, MountNamespace } from "../namespaces/mount-namespace.ts";
import type { PidNamespace } from "../namespaces/pid-namespace.ts";
import type { UtsNamespace } from "../namespaces/uts-namespace.ts";
import type { AddressSpace } from "./address-space.ts";
import type { Credentials } from "./credentials.ts";
import type { Descriptors } from "./descriptors.ts";
import { RLIMIT_NOFILE, type Limit } from "./limits.ts";
import { PendingSignals, type SignalActions } from "./signals.ts";
import type { Thread } from "./thread.ts";
import type { Timer } from "./timers.ts";
import { WaitQueue } from "./wait-queue.ts";

/** Root, working directory and umask; shared with CLONE_FS. */
export class PathState {
  references = 1;
  root: Location;
  current: Location;
  umask = 0o022;

  constructor(root: Location, current: Location) {
    this.root = root;
    this.current = current;
    root.inode.acquire();
    current.inode.acquire();
  }

  setRoot(location: Location): void {
    location.inode.acquire();
    this.root.inode.release();
    this.root = location;
  }

  setCurrent(location: Location): void {
    location.inode.acquire();
    this.current.inode.release();
    this.current = location;
  }

  copy(): PathState {
    const copy = new PathState(this.root, this.current);
    copy.umask = this.umask;
    return copy;
  }

  release(): void {
    if (--this.references > 0) return;
    this.root.inode.release();
    this.current.inode.release();
  }
}

/** ITIMER_REAL. */
export interface IntervalTimer {
  timer: Timer;
  /** Nanoseconds between expirations, 0 for one only. */
  readonly interval: number;
}

export interface PosixTimer {
  readonly signal: number;
  readonly value: readonly [number, number];
  readonly clock: number;
  timer: Timer | undefined;
  interval: number;
}

/** Everything a process uses that fork copies or shares. */
export interface ProcessParts {
  space: AddressSpace;
  descriptors: Descriptors;
  paths: PathState;
  actions: SignalActions;
  mounts: MountNamespace;
  uts: UtsNamespace;
}

export class Process {
  readonly id: number;
  readonly pids: PidNamespace;
  readonly group: ControlGroup;
  parent: Process | undefined;
  readonly children: Set<Process> = new Set();
  readonly threads: Thread[] = [];
  processGroup: number;
  session: number;
  /** Undefined once the process has ended, or for one without a program (the reaper). */
  parts: ProcessParts | undefined;
  credentials: Credentials;
  limits: Limit[];
  readonly pending: PendingSignals = new PendingSignals();
  state: "running" | "stopped" | "zombie" = "running";
  /** Wait status, once the process has ended. */
  status = 0;
  /** A stop or continuation that wait4 has not reported: the wait status. */
  unreported: number | undefined;
  /** Signal that the parent gets when the process ends; 0 for none. */
  exitSignal: number;
  /** Where wait4 of this process waits for its children. */
  readonly childChanged: WaitQueue = new WaitQueue();
  /** Where the parent of a vfork waits for exec or exit. */
  readonly released: WaitQueue = new WaitQueue();
  /** A vfork's child that still uses its parent's memory. */
  borrowsMemory = false;
  /** First 15 bytes of the program's name. */
  name: string;
  #executable: Location | undefined;
  executablePath = "";
  /** Machine time at which it was made. */
  readonly startTime: number;
  /** Units spent in the program, by this process and by its waited-for children. */
  units = 0;
  childUnits = 0;
  systemCalls = 0;
  alarm: IntervalTimer | undefined;
  readonly posixTimers: Map<number, PosixTimer> = new Map();
  dumpable = true;
  noNewPrivileges = false;
  parentDeathSignal = 0;
  hasExecuted = false;

  constructor(options: {
    id: number;
    pids: PidNamespace;
    group: ControlGroup;
    parent: Process | undefined;
    parts: ProcessParts | undefined;
    credentials: Credentials;
    limits: Limit[];
    name: string;
    startTime: number;
    exitSignal: number;
  }) {
    this.id = options.id;
    this.pids = options.pids;
    this.group = options.group;
    this.parent = options.parent;
    this.parts = options.parts;
    this.credentials = options.credentials;
    this.limits = options.limits;
    this.name = options.name;
    this.startTime = options.startTime;
    this.exitSignal = options.exitSignal;
    this.processGroup = options.parent?.processGroup ?? options.id;
    this.session = options.parent?.session ?? options.id;
  }

  /** The program file. */
  get executable(): Location | undefined {
    return this.#executable;
  }
  set executable(location: Location | undefined) {
    const old = this.#executable?.inode;
    if (location?.inode instanceof RegularInode) location.inode.executions++;
    location?.inode.acquire();
    if (old instanceof RegularInode) old.executions--;
    old?.release();
    this.#executable = location;
  }

  /** The parts of a process that runs. */
  get running(): ProcessParts {
    if (this.parts === undefined) throw new Error(`Bug in ringside: process ${this.id} has ended`);
    return this.parts;
  }

  get descriptorLimit(): number {
    return this.limits[RLIMIT_NOFILE]?.soft ?? 0;
  }

  /** Number of the parent as the process sees it; 0 when it is outside the namespace. */
  get parentId(): number {
    return this.parent?.pids === this.pids ? this.parent.id : 0;
  }
}
