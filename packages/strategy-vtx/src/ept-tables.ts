/**
 * Extended page tables: the hypervisor's translation of guest-physical to host-physical addresses, in host memory.
 *
 * Four levels of 512 entries; leaves map 4 KiB, since neighbours in the guest are none in the host.
 * Intel SDM Vol. 3C §29.3.2, "EPT Translation Mechanism".
 */
import type { PhysicalMemory } from "@ringside/isa";
import type { MonitorWork } from "@ringside/hypervisor";
import { frameBytes } from "@ringside/machine";

/** Read, write, execute. */
const allowAll = 7n;
/** Memory type of a leaf, bits 5:3. */
const writeBack = 6n << 3n;
const addressMask = 0x000f_ffff_ffff_f000n;
/** EPTP: walk length less one in bits 5:3, memory type of the tables in bits 2:0. */
const fourLevels = 3n << 3n;
const tablesWriteBack = 6n;
const levelShifts = [39, 30, 21] as const;
/** Pages that are mapped at one violation: a guest that touches one will touch its neighbours. One table holds them. */
const runBytes = 16 * frameBytes;
const leafShift = 12;

export interface EptTablesOptions {
  readonly memory: PhysicalMemory;
  /** Gives a frame for a table. */
  readonly allotTable: () => number;
  readonly work: MonitorWork;
}

export class EptTables {
  readonly #memory: PhysicalMemory;
  readonly #allotTable: () => number;
  readonly #work: MonitorWork;
  readonly #root: number;

  constructor(options: EptTablesOptions) {
    this.#memory = options.memory;
    this.#allotTable = options.allotTable;
    this.#work = options.work;
    this.#root = this.#newTable();
  }

  /** The value of the EPT-pointer field. */
  get pointer(): bigint {
    return BigInt(this.#root) | fourLevels | tablesWriteBack;
  }

  /**
   * Maps the page of `gpa` and those around it that are not mapped yet, with all rights. What was not present needs no
   * INVEPT.
   *
   * @param hostOf Gives the host's frame for a page, or undefined where the guest has no RAM.
   */
  mapAround(gpa: number, hostOf: (gpa: number) => number | undefined): void {
    let table = this.#root;
    for (const shift of levelShifts) table = this.#tableBelow(entryAddress(table, gpa, shift));
    const first = gpa - (gpa % runBytes);
    for (let page = first; page < first + runBytes; page += frameBytes) {
      const at = entryAddress(table, page, leafShift);
      this.#work.add("tableReads");
      if (this.#memory.readU64(at) !== 0n) continue;
      const host = hostOf(page);
      if (host !== undefined) this.#write(at, BigInt(host) | writeBack | allowAll);
    }
  }

  #tableBelow(at: number): number {
    this.#work.add("tableReads");
    const entry = this.#memory.readU64(at);
    if (entry !== 0n) return Number(entry & addressMask);
    const table = this.#newTable();
    this.#write(at, BigInt(table) | allowAll);
    return table;
  }

  #newTable(): number {
    const table = this.#allotTable();
    this.#memory.fill(table, 0, frameBytes);
    this.#work.add("pagesCleared");
    return table;
  }

  #write(at: number, entry: bigint): void {
    this.#work.add("tableWrites");
    this.#memory.writeU64(at, entry);
  }
}

/** Frames that the tables of a guest with so much memory can take at most. */
export function eptFramesFor(memoryBytes: number): number {
  const spans = levelShifts.map((shift) => Math.ceil(memoryBytes / 2 ** shift));
  return spans.reduce((sum, tables) => sum + tables, 1);
}

function entryAddress(table: number, gpa: number, shift: number): number {
  return table + (Math.floor(gpa / 2 ** shift) % 512) * 8;
}
