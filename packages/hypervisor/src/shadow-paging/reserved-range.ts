/**
 * A part of the address space that belongs to the hypervisor, whatever the guest maps: it is the same in all shadows.
 *
 * 2 MiB, which is what one table of leaves maps. The tables above it, for address spaces where the guest has nothing
 * nearby, are made here; the shadows of the guest's own tables get an entry that leads there.
 */
import type { PhysicalMemory } from "@ringside/isa";

/** What one level-1 table maps. */
export const reservedBytes = 0x20_0000;

const tableEntry = 0x63n; // present, writable, accessed, dirty; supervisor only
const tableBytes = 4096;

export class ReservedRange {
  /** Linear address of its first byte, canonical, a multiple of 2 MiB. */
  readonly linear: bigint;
  readonly #tables: Readonly<Record<number, number>>;

  /**
   * @param memory Where the tables are made.
   * @param linear As {@link linear}.
   * @param tables Host-physical addresses of frames for the tables of levels 3, 2 and 1. The leaves in the last are the caller's.
   */
  constructor(
    memory: PhysicalMemory,
    linear: bigint,
    tables: { readonly level3: number; readonly level2: number; readonly level1: number },
  ) {
    this.linear = linear;
    this.#tables = { 4: tables.level3, 3: tables.level2, 2: tables.level1 };
    for (const [level, table] of [
      [3, tables.level3],
      [2, tables.level2],
    ] as const) {
      memory.fill(table, 0, tableBytes);
      memory.writeU64(table + this.indexAt(level) * 8, this.entryAt(level));
    }
  }

  contains(linear: bigint): boolean {
    return this.isBelow(1, linear);
  }

  /** Whether the table of `level` that maps `linear` maps, or would map, this range too. */
  isBelow(level: number, linear: bigint): boolean {
    const shift = BigInt(12 + 9 * level);
    return BigInt.asUintN(48, linear) >> shift === BigInt.asUintN(48, this.linear) >> shift;
  }

  /** Index of the entry that leads here, in a table of level 4, 3 or 2. */
  indexAt(level: number): number {
    return Number((this.linear >> BigInt(3 + 9 * level)) & 511n);
  }

  /** That entry, in a table of level 4, 3 or 2. */
  entryAt(level: number): bigint {
    const below = this.#tables[level];
    if (below === undefined) {
      throw new Error(`Bug in ringside: nothing is reserved at level ${level}, please report.`);
    }
    return BigInt(below) | tableEntry;
  }
}
