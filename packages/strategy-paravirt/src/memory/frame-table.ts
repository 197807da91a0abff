/**
 * What each frame of the machine is: whose, of which type, and how often it is referred to.
 *
 * The heart of direct paging (Xen, xen/arch/x86/mm.c, the comment at its head): a frame is a page table, or a page of
 * descriptors, or writable, and never two of them at once; its type changes only while nothing refers to it as that.
 * So a guest may write its own page tables by asking, and can never write one behind the hypervisor's back.
 */

/** Types of a frame; 1 to 4 are page tables of that level. */
export const TYPE = { NONE: 0, L1: 1, L2: 2, L3: 3, L4: 4, DESCRIPTORS: 5, WRITABLE: 6 } as const;
export type FrameType = (typeof TYPE)[keyof typeof TYPE];

const OWNED = 1;
/** The domain has it as its memory, beside all references. */
const ALLOCATED = 2;
/** Kept as a table of its type by the guest's wish. */
const PINNED = 4;

export class FrameTable {
  /** Frames of the machine. */
  readonly count: number;
  readonly #flags: Uint8Array;
  readonly #types: Uint8Array;
  readonly #typeCounts: Uint32Array;
  readonly #references: Uint32Array;
  /** Epoch of the TLB in which the last writable reference went. */
  readonly #lastWritable: Uint32Array;
  /** Frames that were the domain's. */
  #freed: number[] = [];
  /** Times that the whole TLB was emptied, from 1. */
  #epoch = 1;

  constructor(count: number) {
    this.count = count;
    this.#flags = new Uint8Array(count);
    this.#types = new Uint8Array(count);
    this.#typeCounts = new Uint32Array(count);
    this.#references = new Uint32Array(count);
    this.#lastWritable = new Uint32Array(count);
  }

  /** No frame is the domain's. */
  clear(): void {
    this.#flags.fill(0);
    this.#types.fill(0);
    this.#typeCounts.fill(0);
    this.#references.fill(0);
    this.#lastWritable.fill(0);
    this.#freed = [];
    this.#epoch = 1;
  }

  /** Gives a frame to the domain as memory. */
  assign(frame: number): void {
    this.#flags[frame] = OWNED | ALLOCATED;
    this.#references[frame] = 1;
  }

  /** Lets the domain map a frame of Xen's. */
  share(frame: number): void {
    this.#flags[frame] = OWNED;
    this.#references[frame] = 1;
  }

  isOwned(frame: number): boolean {
    return frame < this.count && ((this.#flags[frame] ?? 0) & OWNED) !== 0;
  }

  type(frame: number): FrameType {
    return (this.#types[frame] ?? TYPE.NONE) as FrameType; // Only values of TYPE are stored.
  }

  typeCount(frame: number): number {
    return this.#typeCounts[frame] ?? 0;
  }

  references(frame: number): number {
    return this.#references[frame] ?? 0;
  }

  isPinned(frame: number): boolean {
    return ((this.#flags[frame] ?? 0) & PINNED) !== 0;
  }

  isAllocated(frame: number): boolean {
    return ((this.#flags[frame] ?? 0) & ALLOCATED) !== 0;
  }

  setPinned(frame: number, pinned: boolean): void {
    const flags = this.#flags[frame] ?? 0;
    this.#flags[frame] = pinned ? flags | PINNED : flags & ~PINNED;
  }

  /** Takes a reference; false when the frame is not the domain's. */
  get(frame: number): boolean {
    if (!this.isOwned(frame)) return false;
    this.#references[frame] = (this.#references[frame] ?? 0) + 1;
    return true;
  }

  /** Drops a reference. A frame that is nobody's memory any more goes with the last one. */
  put(frame: number): void {
    const left = (this.#references[frame] ?? 0) - 1;
    if (left < 0)
      throw new Error(`Bug in ringside: frame ${frame} has no reference, please report.`);
    this.#references[frame] = left;
    if (left > 0) return;
    this.#flags[frame] = 0;
    this.#freed.push(frame);
  }

  /** A frame that the domain gave back and nothing refers to any more, or undefined. */
  takeFreed(): number | undefined {
    return this.#freed.pop();
  }

  /** The domain gives a frame back. False when it is not its memory. */
  release(frame: number): boolean {
    if (!this.isOwned(frame) || !this.isAllocated(frame)) return false;
    this.#flags[frame] = (this.#flags[frame] ?? 0) & ~ALLOCATED;
    this.put(frame);
    return true;
  }

  /** Makes a frame that nothing uses by type one of `type`, with a first reference by it. */
  setType(frame: number, type: FrameType): void {
    this.#types[frame] = type;
    this.#typeCounts[frame] = 1;
  }

  addTypeReference(frame: number): void {
    this.#typeCounts[frame] = (this.#typeCounts[frame] ?? 0) + 1;
  }

  /** Drops a reference by type; gives how many are left. */
  dropTypeReference(frame: number): number {
    const left = (this.#typeCounts[frame] ?? 0) - 1;
    if (left < 0)
      throw new Error(`Bug in ringside: frame ${frame} has no reference by type, please report.`);
    this.#typeCounts[frame] = left;
    if (left === 0) {
      if (this.#types[frame] === TYPE.WRITABLE) this.#lastWritable[frame] = this.#epoch;
      this.#types[frame] = TYPE.NONE;
    }
    return left;
  }

  /** The whole TLB is empty now. */
  tlbFlushed(): void {
    this.#epoch += 1;
  }

  /** True when the TLB may still let the guest write to a frame that it has no writable mapping of. */
  maybeCachedWritable(frame: number): boolean {
    return this.#lastWritable[frame] === this.#epoch;
  }
}
