/** Allots 4 KiB frames of a physical range. Lowest address first, so that runs repeat. */

/** Size of a frame in bytes. */
export const frameBytes = 4096;

export interface FrameRange {
  /** Physical address of the first byte, a multiple of 4096. */
  readonly base: number;
  /** A multiple of 4096. */
  readonly sizeBytes: number;
}

export class FrameAllotter {
  readonly base: number;
  /** Frames in all. */
  readonly total: number;
  /** One byte per frame: 1 when allotted. */
  readonly #taken: Uint8Array;
  /** Every frame below this index is taken. */
  #firstFree = 0;
  #free: number;

  /** @throws {RangeError} when the range is not made of whole frames. */
  constructor(range: FrameRange) {
    const { base, sizeBytes } = range;
    if (!isFrameAligned(base) || !isFrameAligned(sizeBytes)) {
      throw new RangeError(
        `The range of ${sizeBytes} bytes at ${base} is not made of whole frames of ${frameBytes} bytes.`,
      );
    }
    this.base = base;
    this.total = sizeBytes / frameBytes;
    this.#taken = new Uint8Array(this.total);
    this.#free = this.total;
  }

  /** Frames that are not allotted. */
  get free(): number {
    return this.#free;
  }

  /** Physical address of a frame, or undefined when none is left. Its contents are what was there. */
  allot(): number | undefined {
    return this.allotRun(1);
  }

  /**
   * Physical address of `count` adjacent frames, or undefined when there is no such run.
   *
   * @param alignBytes The address is a multiple of this; a power of two of at least 4096.
   */
  allotRun(count: number, alignBytes: number = frameBytes): number | undefined {
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(
        `A run of ${count} frames was asked for; expected an integer of at least 1.`,
      );
    }
    let run = 0;
    for (let index = this.#firstFree; index < this.total; index += 1) {
      const starts = run === 0;
      const usable =
        this.#taken[index] === 0 &&
        (!starts || (this.base + index * frameBytes) % alignBytes === 0);
      run = usable ? run + 1 : 0;
      if (run === count) {
        const first = index - count + 1;
        this.#taken.fill(1, first, index + 1);
        this.#free -= count;
        if (first === this.#firstFree) this.#firstFree = index + 1;
        return this.base + first * frameBytes;
      }
    }
    return undefined;
  }

  /**
   * Takes back one frame.
   *
   * @throws {RangeError} when `physical` is no frame of this range that is allotted.
   */
  release(physical: number): void {
    const index = (physical - this.base) / frameBytes;
    if (this.#taken[index] !== 1) {
      throw new RangeError(`The frame at 0x${physical.toString(16)} is not allotted here.`);
    }
    this.#taken[index] = 0;
    this.#free += 1;
    this.#firstFree = Math.min(this.#firstFree, index);
  }
}

function isFrameAligned(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value % frameBytes === 0;
}
