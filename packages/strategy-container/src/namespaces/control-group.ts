/**
 * Accounting and limits of one container, as a control group gives them.
 *
 * Everything that a guest can make the kernel hold is charged here: page frames (of processes, page tables, file pages
 * and pipes) and the kernel's own records of it (inodes, open files, areas, threads) at a fixed price each. So the
 * memory limit also bounds what a hostile guest takes from the host.
 */
import { PAGE_BYTES } from "../abi/memory.ts";

export interface ControlGroupLimits {
  /** Bytes of memory, at least one page. */
  readonly memoryBytes: number;
  /** Threads that exist at once, zombies included. */
  readonly pids: number;
}

export class ControlGroup {
  readonly limits: ControlGroupLimits;
  /** Frames charged now. */
  frames = 0;
  /** Bytes of kernel records charged now. */
  recordBytes = 0;
  peakBytes = 0;
  pids = 0;
  peakPids = 0;
  /** Times the memory limit killed a process. */
  oomKills = 0;
  /** Times the pids limit refused a fork. */
  refusedForks = 0;

  constructor(limits: ControlGroupLimits) {
    this.limits = limits;
  }

  get usedBytes(): number {
    return this.frames * PAGE_BYTES + this.recordBytes;
  }

  /** Charges one frame; false when that would exceed the limit. */
  chargeFrame(): boolean {
    const used = this.usedBytes + PAGE_BYTES;
    if (used > this.limits.memoryBytes) return false;
    this.frames++;
    if (used > this.peakBytes) this.peakBytes = used;
    return true;
  }

  unchargeFrame(): void {
    this.frames--;
  }

  /** Whether kernel records of this size can still be charged. */
  hasRoomFor(bytes: number): boolean {
    return this.usedBytes + bytes <= this.limits.memoryBytes;
  }

  /** Charges kernel records; false when that would exceed the limit. */
  chargeRecord(bytes: number): boolean {
    const used = this.usedBytes + bytes;
    if (used > this.limits.memoryBytes) return false;
    this.recordBytes += bytes;
    if (used > this.peakBytes) this.peakBytes = used;
    return true;
  }

  unchargeRecord(bytes: number): void {
    this.recordBytes -= bytes;
  }

  /** Charges a thread; false, and counted, when the limit is reached. */
  chargePid(): boolean {
    if (this.pids >= this.limits.pids) {
      this.refusedForks++;
      return false;
    }
    this.pids++;
    if (this.pids > this.peakPids) this.peakPids = this.pids;
    return true;
  }

  unchargePid(): void {
    this.pids--;
  }
}

/** What one kernel record of each kind is charged, in bytes: at least what the host spends on it. */
export const recordPrice = {
  inode: 512,
  /** A name in a directory, as long as it may be. */
  name: 384,
  /** An entry of a directory that an open file has listed. */
  listedEntry: 64,
  openFile: 256,
  area: 192,
  thread: 4096,
  process: 4096,
  descriptorTable: 1024,
  pipe: 512,
  mount: 512,
} as const;
