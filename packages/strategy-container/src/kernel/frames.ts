/**
 * Page frames of the machine's physical memory, with reference counts.
 *
 * A frame has one reference for each page-table entry that maps it and for each kernel object (file page, pipe page)
 * that holds it; copy-on-write copies a frame only while somebody else refers to it. The control group that asked for
 * a frame pays for it until the last reference goes.
 */
import { PAGE_BYTES } from "../abi/memory.ts";
import type { ControlGroup } from "../namespaces/control-group.ts";
import { buildKernelHalf } from "./kernel-half.ts";
import type { PhysicalMemory } from "./physical-memory.ts";

/** No frame: physical page 0 is never handed out. */
export const NO_FRAME = 0;

export class Frames {
  readonly memory: PhysicalMemory;
  /** All of physical memory as 32-bit words, for reading page tables and the like fast. */
  readonly words: Uint32Array;
  /** All of physical memory, for reading. */
  readonly bytes: Uint8Array;
  /** A frame of zeros that read faults on anonymous memory share. Charged to nobody. */
  readonly zeroFrame: number;
  /** Entry of every PML4 for the kernel's half, low 32 bits. */
  readonly kernelEntry: number;
  /** Frames handed out so far, for reports. */
  allotted = 0;
  readonly #first: number;
  readonly #references: Uint32Array;
  /** Free frames as a stack of indices from {@link #first}. */
  readonly #free: Uint32Array;
  #freeCount: number;
  readonly #owners: (ControlGroup | undefined)[];

  /**
   * @param firstPhysical Page-aligned start of the memory that the kernel may hand out; not 0.
   * @param sizeBytes Its size; a multiple of the page size, at least 8 pages.
   */
  constructor(memory: PhysicalMemory, firstPhysical: number, sizeBytes: number) {
    this.memory = memory;
    this.words = new Uint32Array(memory.buffer, memory.baseOffset, memory.sizeBytes / 4);
    this.bytes = new Uint8Array(memory.buffer, memory.baseOffset, memory.sizeBytes);
    this.#first = firstPhysical / PAGE_BYTES;
    const count = sizeBytes / PAGE_BYTES;
    this.#references = new Uint32Array(count);
    this.#free = new Uint32Array(count);
    this.#owners = Array.from<undefined>({ length: count });
    // Low frames are handed out first.
    for (let index = 0; index < count; index++) this.#free[index] = count - 1 - index;
    this.#freeCount = count;
    this.zeroFrame = this.allotOwn();
    const own = () => this.allotOwn();
    this.kernelEntry = buildKernelHalf(memory, [own(), own(), own(), own()]);
  }

  get freeFrames(): number {
    return this.#freeCount;
  }

  get totalFrames(): number {
    return this.#references.length;
  }

  #take(group: ControlGroup | undefined): number {
    if (this.#freeCount === 0) return NO_FRAME;
    const index = this.#free[--this.#freeCount] ?? 0;
    this.#references[index] = 1;
    this.#owners[index] = group;
    this.allotted++;
    return (this.#first + index) * PAGE_BYTES;
  }

  /** A frame with unknown contents and one reference, or {@link NO_FRAME} when memory or the group's limit is used up. */
  allotUncleared(group: ControlGroup): number {
    if (this.#freeCount === 0 || !group.chargeFrame()) return NO_FRAME;
    return this.#take(group);
  }

  /** A frame of zeros with one reference, or {@link NO_FRAME}. */
  allot(group: ControlGroup): number {
    const physical = this.allotUncleared(group);
    if (physical !== NO_FRAME) this.memory.fill(physical, 0, PAGE_BYTES);
    return physical;
  }

  /** A frame of zeros for the kernel's own use, charged to nobody, or {@link NO_FRAME}. */
  allotOwn(): number {
    const physical = this.#take(undefined);
    if (physical !== NO_FRAME) this.memory.fill(physical, 0, PAGE_BYTES);
    return physical;
  }

  /** Adds a reference. */
  share(physical: number): void {
    const index = Math.floor(physical / PAGE_BYTES) - this.#first;
    this.#references[index] = (this.#references[index] ?? 0) + 1;
  }

  references(physical: number): number {
    return this.#references[Math.floor(physical / PAGE_BYTES) - this.#first] ?? 0;
  }

  /** Drops a reference; the last one frees the frame. */
  release(physical: number): void {
    const index = Math.floor(physical / PAGE_BYTES) - this.#first;
    const left = (this.#references[index] ?? 0) - 1;
    if (left < 0) throw new Error(`Bug in ringside: frame ${physical.toString(16)} released twice`);
    this.#references[index] = left;
    if (left === 0) {
      this.#owners[index]?.unchargeFrame();
      this.#owners[index] = undefined;
      this.#free[this.#freeCount++] = index;
    }
  }
}
