/**
 * Notices when the guest maps memory where the translator's region lies.
 *
 * The tables of the guest that lead there are watched as far as they exist, so that a mapping cannot appear unseen.
 */
import type { GuestMemory } from "@ringside/hypervisor";
import { reservedBytes } from "@ringside/hypervisor";
import { defaultRegionBase } from "./region.ts";

const present = 1n;
const large = 0x80n;
const addressMask = 0x000f_ffff_ffff_f000n;
const entries = 512;
const entryBytes = 8;
/** The region must lie where displacements of 32 bits reach: in the last 2 GiB. */
const lowestBase = 0xffff_ffff_8000_0000n;

/** Counts who watches a frame, so that one who stops leaves the others their watch. */
export class FrameWatches {
  readonly #counts = new Map<number, number>();
  readonly #watch: (gpa: number, isWatched: boolean) => void;

  constructor(watch: (gpa: number, isWatched: boolean) => void) {
    this.#watch = watch;
  }

  change(gpa: number, isWatched: boolean): void {
    const before = this.#counts.get(gpa) ?? 0;
    const after = before + (isWatched ? 1 : -1);
    if (after === 0) this.#counts.delete(gpa);
    else this.#counts.set(gpa, after);
    if (before === 0 || after === 0) this.#watch(gpa, isWatched);
  }
}

export class RegionGuard {
  readonly #memory: GuestMemory;
  readonly #watches: FrameWatches;
  #watched: ReadonlySet<number> = new Set();

  constructor(memory: GuestMemory, watches: FrameWatches) {
    this.#memory = memory;
    this.#watches = watches;
  }

  /** Whether the guest's tables at `cr3` map anything in the 2 MiB at `base`. Watches those that lead there from now on. */
  isTaken(cr3: bigint, base: bigint): boolean {
    const { isTaken, tables } = this.#look(cr3, base);
    for (const gpa of tables) if (!this.#watched.has(gpa)) this.#watches.change(gpa, true);
    for (const gpa of this.#watched) if (!tables.has(gpa)) this.#watches.change(gpa, false);
    this.#watched = tables;
    return isTaken;
  }

  /** The highest place for a region where the guest has nothing; undefined when it has something everywhere. */
  freePlace(cr3: bigint): bigint | undefined {
    for (let base = defaultRegionBase; base >= lowestBase; base -= BigInt(reservedBytes)) {
      if (!this.#look(cr3, base).isTaken) return base;
    }
    return undefined;
  }

  #look(
    cr3: bigint,
    base: bigint,
  ): { readonly isTaken: boolean; readonly tables: ReadonlySet<number> } {
    const tables = new Set<number>();
    let table = Number(cr3 & addressMask);
    for (let level = 4; level >= 2; level -= 1) {
      if (!this.#memory.isRam(table)) return { isTaken: false, tables };
      if (level < 4) tables.add(table);
      const index = Number((base >> BigInt(3 + 9 * level)) & 511n);
      const entry = this.#entry(table, index);
      if ((entry & present) === 0n) return { isTaken: false, tables };
      if (level < 4 && (entry & large) !== 0n) return { isTaken: true, tables };
      table = Number(entry & addressMask);
    }
    if (!this.#memory.isRam(table)) return { isTaken: false, tables };
    tables.add(table);
    for (let index = 0; index < entries; index += 1) {
      if ((this.#entry(table, index) & present) !== 0n) return { isTaken: true, tables };
    }
    return { isTaken: false, tables };
  }

  #entry(table: number, index: number): bigint {
    const bytes = this.#memory.peek(table + index * entryBytes, entryBytes);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  }
}
