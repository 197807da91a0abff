/**
 * The frames of the machine: Xen's own, the domain's, and the table that leads from machine frames to the domain's.
 *
 * A guest's frame numbers are deliberately not the machine's, and not in their order, so that code which takes one for
 * the other fails at once.
 */
import type { PhysicalMemory } from "@ringside/isa";
import { frameBytes, type FrameAllotter } from "@ringside/machine";

const entriesPerFrame = frameBytes / 8;
/** What the table says of frames that are not the domain's: no frame of a guest. */
const INVALID_LOW = 0xffff_ffff;
const INVALID_HIGH = 0x7fff_ffff;

/** How the domain's frames are laid over the machine's. */
export type FrameOrder = "scrambled" | "identity";

/** Frames for the table from machine frames, and for all else that Xen keeps for one domain. */
export const fixedXenFrames = 64;

/** Frames that Xen keeps for a domain of so many. */
export function xenFramesFor(domainFrames: number): number {
  const table = Math.ceil((domainFrames + fixedXenFrames + domainFrames / 256) / entriesPerFrame);
  // The table itself, and the page tables that map it.
  return fixedXenFrames + table + Math.ceil(table / 512);
}

export class MachineMemory {
  readonly physical: PhysicalMemory;
  /** Machine frame by the domain's. */
  readonly frames: Uint32Array;
  /** Frames of the machine that the table covers. */
  readonly tableEntries: number;
  /** Frames of the machine that hold the table from machine frames to the domain's. */
  readonly tableFrames: readonly number[];
  readonly #own: number;
  readonly #ownCount: number;
  #ownNext = 0;
  #ownKept: number;

  /** @throws {RangeError} when there are too few frames. */
  constructor(physical: PhysicalMemory, allotter: FrameAllotter, count: number, order: FrameOrder) {
    this.physical = physical;
    this.#ownCount = xenFramesFor(count);
    // Xen's frames come first, so that no domain has frame 0, which stands for none in places.
    this.#own = run(allotter, this.#ownCount);
    const pool = run(allotter, count);
    const stride = order === "identity" ? 1 : strideFor(count);
    this.frames = Uint32Array.from(
      { length: count },
      (_, index) => pool + ((index * stride) % count),
    );
    this.tableEntries = pool + count;
    this.tableFrames = this.takeOwn(Math.ceil(this.tableEntries / entriesPerFrame));
    this.#ownKept = this.#ownNext;
  }

  /** What was taken so far stays taken across {@link reset}. */
  keepOwn(): void {
    this.#ownKept = this.#ownNext;
  }

  /** The domain's memory is zeros, none of it is in the table, and Xen's frames are free but those that are kept. */
  reset(): void {
    this.#ownNext = this.#ownKept;
    for (let frame = 0; frame < this.tableEntries; frame += 1) {
      this.setInvalid(frame);
    }
    for (const frame of this.frames) this.physical.fill(frame * frameBytes, 0, frameBytes);
  }

  /** Cleared frames for Xen itself. */
  takeOwn(count: number): readonly number[] {
    return Array.from({ length: count }, () => {
      if (this.#ownNext === this.#ownCount)
        throw new Error("Bug in ringside: Xen's frames are used up, please report.");
      const frame = this.#own + this.#ownNext;
      this.#ownNext += 1;
      this.physical.fill(frame * frameBytes, 0, frameBytes);
      return frame;
    });
  }

  /** Says which of the domain's frames a frame of the machine is. */
  setPhysicalOf(frame: number, low: number, high: number): void {
    const at = this.#tableAddress(frame);
    this.physical.writeU32(at, low);
    this.physical.writeU32(at + 4, high);
  }

  /** Says that a frame is none of the domain's. */
  setInvalid(frame: number): void {
    this.setPhysicalOf(frame, INVALID_LOW, INVALID_HIGH);
  }

  /** The domain's number of a frame as the table has it, or undefined. The guest may have put anything there. */
  physicalOf(frame: number): number | undefined {
    if (frame >= this.tableEntries) return undefined;
    const at = this.#tableAddress(frame);
    return this.physical.readU32(at + 4) === 0 ? this.physical.readU32(at) : undefined;
  }

  #tableAddress(frame: number): number {
    const table = this.tableFrames[Math.floor(frame / entriesPerFrame)] ?? 0;
    return table * frameBytes + (frame % entriesPerFrame) * 8;
  }
}

function run(allotter: FrameAllotter, count: number): number {
  const base = allotter.allotRun(count);
  if (base === undefined) throw new RangeError(`There are no ${count} frames left in the host.`);
  return base / frameBytes;
}

/** A step that visits each of `count` places once and leaps far: coprime to it, near its golden section. */
function strideFor(count: number): number {
  const isCoprime = (a: number, b: number): boolean => (b === 0 ? a === 1 : isCoprime(b, a % b));
  for (let stride = Math.floor(count * 0.618); stride > 1; stride -= 1) {
    if (isCoprime(count, stride)) return stride;
  }
  return 1;
}
