/** What a file system's files share: who pays for them, their numbers, the time. */
import type { ControlGroup } from "../namespaces/control-group.ts";
import type { Frames } from "../kernel/frames.ts";

/** A moment of CLOCK_REALTIME. */
export interface Timestamp {
  /** Since 1970-01-01 UTC. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
}

/** Magic numbers of statfs. Linux, include/uapi/linux/magic.h. */
export const TMPFS_MAGIC = 0x0102_1994;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const PIPEFS_MAGIC = 0x5049_5045;

export class FileSystem {
  readonly type: string;
  readonly magic: number;
  /** Device number that stat reports. */
  readonly device: number;
  readonly frames: Frames;
  readonly group: ControlGroup;
  readonly now: () => Timestamp;
  /** Inodes that exist now. */
  inodes = 0;
  #nextInode = 1;

  constructor(options: {
    type: string;
    magic: number;
    device: number;
    frames: Frames;
    group: ControlGroup;
    now: () => Timestamp;
  }) {
    this.type = options.type;
    this.magic = options.magic;
    this.device = options.device;
    this.frames = options.frames;
    this.group = options.group;
    this.now = options.now;
  }

  nextInodeNumber(): number {
    return this.#nextInode++;
  }
}
