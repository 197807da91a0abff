/**
 * Shadow paging: page tables for the processor that translate what a guest calls linear straight to host frames.
 *
 * Shadows are a cache of the guest's tables. The guest's table frames are traced: the processor sees them read-only, a
 * write to one is done by the hypervisor, and drops what was made from the entry. A fault is the guest's own (true) or
 * only the shadow's (hidden); the guest's tables decide which, and give the error code.
 *
 * Rules: the guest's A flag is set when a shadow is made, and a shadow is writable only when the guest's D flag is 1.
 * CR0.WP is always 1 in hardware; a guest that has it 0 gets supervisor-only writable shadows. Large pages are
 * splintered into 4 KiB. For guests in IA-32e mode.
 */
import { noAccessors, slots, VirtualProcessor, type HostMemory } from "@ringside/isa";
import type { TranslationControls } from "@ringside/strategy";
import type { GuestMemory } from "../guest-memory.ts";
import type { MonitorWork } from "../monitor-work.ts";
import type { ReservedRange } from "./reserved-range.ts";
import { keyOf, type Rights, type ShadowTable, type TableKind } from "./shadow-table.ts";

export interface ShadowMmuOptions {
  readonly memory: HostMemory;
  readonly guest: GuestMemory;
  readonly work: MonitorWork;
  /** Frames for tables; all shadows are dropped when they are used up. At least 8. */
  readonly tableFrames: readonly number[];
  /** Rights were taken away: the processor's TLB must forget them. */
  readonly flushTlb: () => void;
  /** Part of the address space that is the hypervisor's in all shadows. */
  readonly reserved?: ReservedRange;
}

export interface ShadowAccess {
  readonly write: boolean;
  readonly user: boolean;
  readonly execute: boolean;
}

/** What a page fault of the processor was. */
export type ShadowFault =
  /** The guest's own: it is to see this. */
  | { readonly kind: "true"; readonly vector: number; readonly errorCode: number | undefined }
  /** A translation was made: the guest tries again. */
  | { readonly kind: "hidden" }
  /** A write to a page table of the guest or a watched frame: it must be emulated, and {@link ShadowMmu.written} told. */
  | { readonly kind: "traced"; readonly gpa: number }
  /** There is no RAM, or the hypervisor keeps the address to itself: the access must be emulated. */
  | { readonly kind: "device"; readonly gpa: number };

const frameBytes = 4096;
const present = 1n;
const writableFlag = 2n;
const userFlag = 4n;
const dirtyFlag = 0x40n;
const large = 0x80n;
/** A and D are the guest's business; the processor finds them set. */
const accessedDirty = 0x60n;
const noExecute = 1n << 63n;
const addressMask = 0x000f_ffff_ffff_f000n;
const writeProtect = 0x1_0000n;
/** A table outside the present address space that was written so often without being used is no table any more. */
const idleWritesMaximum = 3;
const tableEntries = 512;
/** Writers are remembered for so many times the entries that there are; most would be stale, and all is dropped. */
const writersPerEntry = 4;

/** How the guest translates one address. */
interface GuestPath {
  /** Frame numbers of its tables, from level 4 down. */
  readonly tables: readonly number[];
  /** Rights before each of those tables, and at last of the leaf. */
  readonly rights: readonly Rights[];
  /** Level of the leaf entry: 1, or 2 or 3 for a large page. */
  readonly leafLevel: number;
  readonly leaf: bigint;
}

export class ShadowMmu {
  readonly #memory: HostMemory;
  readonly #guest: GuestMemory;
  readonly #work: MonitorWork;
  readonly #flushTlb: () => void;
  readonly #reserved: ReservedRange | undefined;
  readonly #walker: VirtualProcessor;
  readonly #allFrames: readonly number[];
  readonly #writersMaximum: number;
  #freeFrames: number[];
  readonly #tables = new Map<string, ShadowTable>();
  /** Shadows by the frame number of the guest's table. */
  readonly #traced = new Map<number, Set<ShadowTable>>();
  /** Entries that map a guest frame writable, by its number; some may be stale. */
  readonly #writers = new Map<number, Set<number>>();
  #writerCount = 0;
  /** Frame numbers that others want to hear of writes to. */
  readonly #watched = new Set<number>();
  /** Of the address space that the processor is in. */
  #root: ShadowTable | undefined;
  /** The guest's A and D flags are being set: that takes nothing from a shadow. */
  #walking = false;

  constructor(options: ShadowMmuOptions) {
    const { memory, guest, work, tableFrames, flushTlb, reserved } = options;
    if (tableFrames.length < 8) {
      throw new RangeError(
        `${tableFrames.length} frames are too few for shadow tables. Give at least 8.`,
      );
    }
    this.#memory = memory;
    this.#guest = guest;
    this.#work = work;
    this.#flushTlb = flushTlb;
    this.#reserved = reserved;
    this.#allFrames = tableFrames;
    this.#freeFrames = [...tableFrames];
    this.#writersMaximum = tableFrames.length * tableEntries * writersPerEntry;
    this.#walker = this.#makeWalker();
  }

  /** Tables in use. */
  get tableCount(): number {
    return this.#tables.size;
  }

  /** Entries remembered for having mapped a guest frame writable. At most 2,048 for each table frame. */
  get writerCount(): number {
    return this.#writerCount;
  }

  /** Physical address for CR3 of the shadow of the guest's tables at `cr3`. Load it again after any other call here. */
  root(cr3: bigint): number {
    const frame = Number((cr3 & addressMask) >> 12n);
    const rights = { writable: true, user: true, executable: true };
    this.#root = this.#table({
      frame,
      level: 4,
      rights,
      leadsToReserved: this.#reserved !== undefined,
    });
    return this.#root.frame;
  }

  /** True when a write to this guest-physical address must come to {@link written}. */
  isTraced(gpa: number): boolean {
    return this.#isTracedFrame(Math.floor(gpa / frameBytes));
  }

  #isTracedFrame(frame: number): boolean {
    return this.#traced.has(frame) || this.#watched.has(frame);
  }

  /** Traces writes to a frame that is no page table, until {@link unwatch}. */
  watch(gpa: number): void {
    const frame = Math.floor(gpa / frameBytes);
    if (this.#watched.has(frame)) return;
    this.#watched.add(frame);
    this.#protect(frame);
  }

  unwatch(gpa: number): void {
    // Shadows become writable again when a write asks for it.
    this.#watched.delete(Math.floor(gpa / frameBytes));
  }

  /** The processor could not make an access on the shadow of the guest's present tables. */
  fault(controls: TranslationControls, linear: bigint, access: ShadowAccess): ShadowFault {
    const fault = this.#judge(controls, linear, access);
    this.#work.addFault(fault.kind);
    return fault;
  }

  #judge(controls: TranslationControls, linear: bigint, access: ShadowAccess): ShadowFault {
    const { state } = this.#walker;
    state.set(slots.cr0, controls.cr0);
    state.set(slots.cr3, controls.cr3);
    state.set(slots.pdptesOf, 0n);
    state.set(slots.cr4, controls.cr4);
    state.setControl("efer", controls.efer);
    this.#walking = true;
    const walked = this.#walker.walk(linear, access);
    this.#walking = false;
    if (walked.kind === "fault") {
      return { kind: "true", vector: walked.vector, errorCode: walked.errorCode };
    }
    const gpa = walked.physical;
    if (!this.#guest.isRam(gpa) || this.#reserved?.contains(linear) === true) {
      return { kind: "device", gpa };
    }
    if (access.write && this.isTraced(gpa)) return { kind: "traced", gpa };
    this.#fill(controls, linear, gpa, access);
    // A new table traces its frame; the page itself may be one.
    return access.write && this.isTraced(gpa) ? { kind: "traced", gpa } : { kind: "hidden" };
  }

  /** A handler wrote guest memory. */
  written(gpa: number, lengthBytes: number): void {
    if (this.#walking) return;
    const first = Math.floor(gpa / 8);
    const last = Math.floor((gpa + lengthBytes - 1) / 8);
    for (let entry = first; entry <= last; entry += 1) {
      const frame = Math.floor(entry / 512);
      for (const table of this.#traced.get(frame) ?? []) {
        this.#drop(table, entry % 512);
        table.idleWrites += 1;
        if (table.idleWrites > idleWritesMaximum && !this.#isPresent(table)) this.#discard(table);
      }
    }
  }

  /** Drops everything: the guest changed how it translates, or frames ran out. */
  clear(): void {
    this.#tables.clear();
    this.#traced.clear();
    this.#writers.clear();
    this.#writerCount = 0;
    this.#freeFrames = [...this.#allFrames];
    this.#flushTlb();
  }

  #fill(controls: TranslationControls, linear: bigint, gpa: number, access: ShadowAccess): void {
    const path = this.#pathOf(controls.cr3, linear);
    if (this.#freeFrames.length < 4 || this.#writerCount >= this.#writersMaximum) this.clear();
    let table = this.#tableAt(path, 4, linear);
    for (let level = 3; level >= 1; level -= 1) {
      const below = this.#tableAt(path, level, linear);
      this.#link(table, indexOf(linear, level + 1), below);
      table.idleWrites = 0;
      table = below;
    }
    const rights = path.rights.at(-1);
    if (rights === undefined)
      throw new Error("Bug in ringside: a path without rights, please report.");
    table.idleWrites = 0;

    const frame = Math.floor(gpa / frameBytes);
    const isDirty = (path.leaf & dirtyFlag) !== 0n;
    // CR0.WP = 0: the supervisor writes what is read-only, and users must not reach that shadow.
    const overrides =
      access.write && !access.user && !rights.writable && (controls.cr0 & writeProtect) === 0n;
    const isWritable = (rights.writable || overrides) && isDirty && !this.#isTracedFrame(frame);
    const entry =
      BigInt(this.#guest.hostFrame(gpa)) |
      present |
      accessedDirty |
      (isWritable ? writableFlag : 0n) |
      (rights.user && !overrides ? userFlag : 0n) |
      (rights.executable ? 0n : noExecute);
    const at = table.frame + indexOf(linear, 1) * 8;
    this.#write(at, entry);
    if (isWritable) this.#noteWriter(frame, at);
  }

  #noteWriter(frame: number, at: number): void {
    const writers = setOf(this.#writers, frame);
    if (writers.has(at)) return;
    writers.add(at);
    this.#writerCount += 1;
  }

  /** The shadow table of one level on the way: of a table of the guest, or of a part of its large page. */
  #tableAt(path: GuestPath, level: number, linear: bigint): ShadowTable {
    const depth = 4 - level;
    const rights = path.rights[Math.min(depth, path.rights.length - 1)];
    if (rights === undefined)
      throw new Error("Bug in ringside: a path without rights, please report.");
    const leadsToReserved = this.#reserved?.isBelow(level, linear) ?? false;
    const frame = path.tables[depth];
    if (frame !== undefined) return this.#table({ frame, level, rights, leadsToReserved });
    return this.#table({
      frame: firstFrameOf(path, level, linear),
      level,
      rights,
      leadsToReserved,
      large: { isDirty: (path.leaf & dirtyFlag) !== 0n },
    });
  }

  #link(above: ShadowTable, index: number, below: ShadowTable): void {
    if (above.children.get(index) === below) return;
    this.#drop(above, index);
    const at = above.frame + index * 8;
    above.children.set(index, below);
    below.parents.set(at, above);
    // Rights are the leaves' business.
    this.#write(at, BigInt(below.frame) | present | writableFlag | userFlag | accessedDirty);
  }

  #table(kind: TableKind): ShadowTable {
    const key = keyOf(kind);
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    if (this.#freeFrames.length === 0) this.clear();
    const host = this.#freeFrames.shift();
    if (host === undefined)
      throw new Error("Bug in ringside: no frame for a shadow, please report.");
    this.#memory.physical.fill(host, 0, frameBytes);
    this.#work.add("pagesCleared");
    const { frame, level, leadsToReserved, large: part } = kind;
    const table: ShadowTable = {
      key,
      frame: host,
      level,
      guestFrame: part === undefined ? frame : undefined,
      reservedIndex: leadsToReserved ? this.#reserved?.indexAt(level) : undefined,
      parents: new Map(),
      children: new Map(),
      idleWrites: 0,
    };
    if (table.reservedIndex !== undefined) this.#empty(table, table.reservedIndex);
    this.#tables.set(key, table);
    if (table.guestFrame !== undefined) {
      setOf(this.#traced, frame).add(table);
      this.#protect(frame);
    }
    return table;
  }

  /** Whether the processor can reach a table from where it is now. */
  #isPresent(table: ShadowTable): boolean {
    // A guest can link two tables 512 times: each is looked at once, however many ways lead to it.
    const reached = new Set([table]);
    for (const below of reached) {
      if (below === this.#root) return true;
      for (const above of below.parents.values()) reached.add(above);
    }
    return false;
  }

  /** Takes away every right to write a guest frame. */
  #protect(frame: number): void {
    const writers = this.#writers.get(frame);
    if (writers === undefined) return;
    const host = BigInt(this.#guest.hostFrame(frame * frameBytes));
    for (const at of writers) {
      this.#work.add("tableReads");
      const entry = this.#memory.physical.readU64(at);
      // The entry may have become another's since.
      if ((entry & addressMask) === host) this.#write(at, entry & ~writableFlag);
    }
    this.#writers.delete(frame);
    this.#writerCount -= writers.size;
    this.#flushTlb();
  }

  /** Drops what was made from one entry. */
  #drop(table: ShadowTable, index: number): void {
    const at = table.frame + index * 8;
    const child = table.children.get(index);
    if (child !== undefined) {
      table.children.delete(index);
      child.parents.delete(at);
      if (child.parents.size === 0) this.#discard(child);
    }
    this.#empty(table, index);
  }

  /** Takes an entry's translation away: nothing is there any more, or what the hypervisor has there. */
  #empty(table: ShadowTable, index: number): void {
    const below = index === table.reservedIndex ? this.#reserved?.entryAt(table.level) : undefined;
    this.#write(table.frame + index * 8, below ?? 0n);
  }

  /** Gives a table back, and all below that nothing else leads to. */
  #discard(table: ShadowTable): void {
    if (!this.#tables.delete(table.key)) return;
    for (const [at, parent] of table.parents) {
      const index = (at - parent.frame) / 8;
      parent.children.delete(index);
      this.#empty(parent, index);
    }
    table.parents.clear();
    for (const [index, child] of table.children) {
      child.parents.delete(table.frame + index * 8);
      if (child.parents.size === 0) this.#discard(child);
    }
    if (table.guestFrame !== undefined) {
      const shadows = this.#traced.get(table.guestFrame);
      shadows?.delete(table);
      if (shadows?.size === 0) this.#traced.delete(table.guestFrame);
    }
    this.#freeFrames.push(table.frame);
    // The processor may still walk through it, or remember what it said.
    this.#flushTlb();
  }

  /** Reads the guest's entries on the way; the walk before has set their A flags, and D where it had to. */
  #pathOf(cr3: bigint, linear: bigint): GuestPath {
    const tables: number[] = [];
    const rights: Rights[] = [{ writable: true, user: true, executable: true }];
    let next = cr3 & addressMask;
    for (let level = 4; level >= 1; level -= 1) {
      tables.push(Number(next >> 12n));
      const entry = this.#readGuestEntry(Number(next) + indexOf(linear, level) * 8);
      const before = rights.at(-1);
      rights.push({
        writable: before?.writable === true && (entry & writableFlag) !== 0n,
        user: before?.user === true && (entry & userFlag) !== 0n,
        executable: before?.executable === true && (entry & noExecute) === 0n,
      });
      const isLeaf = level === 1 || (level <= 3 && (entry & large) !== 0n);
      if (isLeaf) return { tables, rights, leafLevel: level, leaf: entry };
      next = entry & addressMask;
    }
    throw new Error("Bug in ringside: a walk without a leaf, please report.");
  }

  #readGuestEntry(gpa: number): bigint {
    this.#work.add("tableReads");
    const bytes = this.#guest.peek(gpa, 8);
    return new DataView(bytes.buffer).getBigUint64(0, true);
  }

  #write(at: number, entry: bigint): void {
    this.#work.add("tableWrites");
    this.#memory.physical.writeU64(at, entry);
  }

  /** Walks the guest's tables by the processor's own rules. */
  #makeWalker(): VirtualProcessor {
    return new VirtualProcessor({
      accessors: {
        ...noAccessors,
        readPhysical: (gpa, bytes) => {
          this.#work.add("tableReads");
          if (this.#guest.isRam(gpa)) bytes.set(this.#guest.peek(gpa, bytes.length));
          else bytes.fill(0xff);
        },
        // The guest's A and D flags.
        writePhysical: (gpa, bytes) => {
          if (this.#guest.isRam(gpa)) this.#guest.write(gpa, bytes);
        },
      },
    });
  }
}

/** Index of the entry for a linear address in a table of this level. */
function indexOf(linear: bigint, level: number): number {
  return Number((linear >> BigInt(3 + 9 * level)) & 511n);
}

/** Guest frame number where the part of a large page begins that a table of this level maps. */
function firstFrameOf({ leaf, leafLevel }: GuestPath, level: number, linear: bigint): number {
  const bits = (n: number): bigint => 12n + 9n * BigInt(n);
  const pageMask = (1n << bits(leafLevel - 1)) - 1n;
  const partMask = (1n << bits(level)) - 1n;
  const base = (leaf & addressMask & ~pageMask) | (linear & pageMask & ~partMask);
  return Number(base >> 12n);
}

function setOf<Key, Value>(map: Map<Key, Set<Value>>, key: Key): Set<Value> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Set<Value>();
  map.set(key, made);
  return made;
}
