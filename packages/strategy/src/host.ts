/**
 * The host: one physical memory that machines are given parts of.
 *
 * Frames are handed out as claims, so that what a machine holds comes back as a whole when it is disposed.
 */
import { HostMemory } from "@ringside/isa";
import { FrameAllotter, frameBytes } from "@ringside/machine";
import { StrategyError } from "./error.ts";

export interface HostOptions {
  /** Physical memory in all, a multiple of 4096. */
  readonly memoryBytes: number;
  /** Room for decoded code; the processor's default when absent. */
  readonly codeCacheBytes?: number;
}

/** A part of the host that one machine holds. Disposing gives it back; what it held is zeroed before the next use. */
export interface Claim extends Disposable {
  readonly memory: HostMemory;
  /** Physical address of the first byte. */
  readonly base: number;
  readonly sizeBytes: number;
  /** Allots frames of this range. */
  readonly frames: FrameAllotter;
}

export class Host {
  readonly memoryBytes: number;
  readonly #options: HostOptions;
  readonly #claims: Held[] = [];
  #memory: HostMemory;
  /** Whether a machine has had the memory. */
  #used = false;

  private constructor(options: HostOptions) {
    this.memoryBytes = options.memoryBytes;
    this.#options = options;
    this.#memory = hostMemory(options);
  }

  /** What claims are parts of. A host without machines takes a fresh one for the next. */
  get memory(): HostMemory {
    return this.#memory;
  }

  /**
   * @throws {StrategyError} `invalid-option` when the size is no positive multiple of 4096; `out-of-memory`
   *   when the embedder's process cannot have that much.
   */
  static create(options: HostOptions): Host {
    const { memoryBytes } = options;
    if (!Number.isSafeInteger(memoryBytes) || memoryBytes <= 0 || memoryBytes % frameBytes !== 0) {
      throw new StrategyError(
        "host",
        "invalid-option",
        `memoryBytes is ${memoryBytes}. Pass a positive multiple of ${frameBytes}.`,
      );
    }
    return new Host(options);
  }

  /** Bytes that no claim holds. */
  get freeBytes(): number {
    return this.#claims.reduce((free, { end, base }) => free - (end - base), this.memoryBytes);
  }

  /**
   * The whole host, for a strategy that is `exclusive`.
   *
   * @throws {StrategyError} `host-busy` when anything is claimed.
   */
  claimAll(strategy: string): Claim {
    const [other] = this.#claims;
    if (other !== undefined) {
      throw new StrategyError(
        strategy,
        "host-busy",
        `It needs the host alone, and a machine of "${other.strategy}" holds a part. Dispose that machine first.`,
      );
    }
    return this.#hold(strategy, 0, this.memoryBytes, true);
  }

  /**
   * A contiguous range; the size is rounded up to whole frames.
   *
   * @throws {StrategyError} `out-of-memory` when no free range is large enough; `host-busy` when another
   *   machine holds the host alone.
   */
  claim(strategy: string, sizeBytes: number): Claim {
    const exclusive = this.#claims.find((held) => held.exclusive);
    if (exclusive !== undefined) {
      throw new StrategyError(
        strategy,
        "host-busy",
        `A machine of "${exclusive.strategy}" holds the host alone. Dispose that machine first.`,
      );
    }
    const size = Math.ceil(sizeBytes / frameBytes) * frameBytes;
    let base = 0;
    for (const held of this.#claims) {
      if (held.base - base >= size) break;
      base = held.end;
    }
    if (!(size > 0) || base + size > this.memoryBytes) {
      throw new StrategyError(
        strategy,
        "out-of-memory",
        `The guest wants ${sizeBytes} bytes and the host has ${this.freeBytes} of ${this.memoryBytes} free. Give the host more, or the guest less.`,
      );
    }
    return this.#hold(strategy, base, size, false);
  }

  #hold(strategy: string, base: number, sizeBytes: number, exclusive: boolean): Claim {
    // Nothing of earlier machines is left behind: neither their bytes nor their processors.
    if (this.#used && this.#claims.length === 0) this.#memory = hostMemory(this.#options);
    this.#used = true;
    const end = base + sizeBytes;

    const held: Held = { strategy, base, end, exclusive };
    this.#claims.push(held);
    this.#claims.sort((a, b) => a.base - b.base);
    return {
      memory: this.#memory,
      base,
      sizeBytes,
      frames: new FrameAllotter({ base, sizeBytes }),
      [Symbol.dispose]: () => {
        const at = this.#claims.indexOf(held);
        if (at >= 0) this.#claims.splice(at, 1);
      },
    };
  }
}

function hostMemory(options: HostOptions): HostMemory {
  const { memoryBytes, codeCacheBytes } = options;
  try {
    return HostMemory.create({
      physicalBytes: memoryBytes,
      ...(codeCacheBytes === undefined ? {} : { codeCacheBytes }),
    });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new StrategyError(
      "host",
      "out-of-memory",
      `A host of ${memoryBytes} bytes cannot be had. Pass a smaller memoryBytes.`,
      { cause },
    );
  }
}

interface Held {
  readonly strategy: string;
  readonly base: number;
  readonly end: number;
  readonly exclusive: boolean;
}
