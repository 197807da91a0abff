/**
 * Writable page tables: a store of the guest's kernel into a table of level 1 that it maps read-only is done for it.
 *
 * Xen, xen/arch/x86/pv/ro-page-fault.c: naturally aligned, at most 8 bytes, inside one entry. What the store would do
 * to the entry is found by executing it on a copy, and the entry then changes under the same rules as by hypercall.
 * The copy is executed in ring 0, which can read Xen's own pages: so only instructions that read no memory but the one
 * place that they write are done for the guest.
 */
import { noAccessors, slots, VirtualProcessor } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import type { Domain } from "../domain.ts";
import { TYPE } from "../memory/frame-table.ts";
import { FRAME_HIGH, FRAME_LOW, isTouch, PRESENT, WRITABLE } from "./entry.ts";

/** Stores, and changes of one place in memory: none has a second operand in memory. */
const stores: ReadonlySet<string> = new Set([
  "mov",
  "movnti",
  "xchg",
  "cmpxchg",
  "cmpxchg8b",
  "xadd",
  "add",
  "adc",
  "sub",
  "sbb",
  "and",
  "or",
  "xor",
  "inc",
  "dec",
  "neg",
  "not",
  "bts",
  "btr",
  "btc",
  "stosb",
  "stosw",
  "stosd",
  "stosq",
]);

export class WritableTables {
  readonly #domain: Domain;
  readonly #virtual: VirtualProcessor;
  /** The one entry that the emulated store may reach: where it is, and what it becomes. */
  #at = -1;
  readonly #entry: Uint8Array = new Uint8Array(8);
  #stored = false;
  #isOther = false;
  /** Of the instruction that was executed last. */
  #mnemonic = "";

  constructor(domain: Domain) {
    this.#domain = domain;
    this.#virtual = new VirtualProcessor({
      profile: domain.processor.profile,
      accessors: {
        ...noAccessors,
        readPhysical: (physical, bytes) => this.#read(physical, bytes),
        writePhysical: (physical, bytes) => this.#write(physical, bytes),
        now: () => domain.clock.now,
      },
    });
  }

  /** Does the store that faulted at `linear`. False when it is not one of these, and the fault is the guest's. */
  emulate(low: number, high: number): boolean {
    const { access, physical, frames, types, paging, counts, work } = this.#domain;
    const leafAt = access.leafEntry(low, high);
    if (leafAt < 0) return false;
    const leafLow = types.readLow(leafAt);
    if ((leafLow & (PRESENT | WRITABLE)) !== PRESENT) return false;
    const page =
      (types.readHigh(leafAt) & FRAME_HIGH) * 0x1_0000_0000 + ((leafLow & FRAME_LOW) >>> 0);
    const frame = page / frameBytes;
    if (!frames.isOwned(frame) || frames.type(frame) !== TYPE.L1 || frames.typeCount(frame) === 0)
      return false;
    this.#at = page + (low & 0xff8);
    this.#entry.set(physical.read(this.#at, 8));
    this.#stored = false;
    this.#isOther = false;
    if (!this.#execute() || !this.#stored || this.#isOther) return false;
    const view = new DataView(this.#entry.buffer);
    const result = paging.updateLeaf(this.#at, view.getUint32(0, true), view.getUint32(4, true));
    if (result !== 0) return false;
    counts.writableTable();
    const { state } = this.#virtual;
    const real = this.#domain.processor.state;
    real.loadContext(state.saveContext());
    work.addEmulated(this.#mnemonic);
    return true;
  }

  /** Executes the instruction in ring 0 without write protection, on the copy. */
  #execute(): boolean {
    const { state } = this.#virtual;
    const real = this.#domain.processor.state;
    state.loadContext(real.saveContext());
    for (const name of ["cs", "ss", "ds", "es"] as const)
      state.setSegment(name, real.segment(name));
    const WP = 0x1_0000n;
    state.set(slots.cr0, real.cr0 & ~WP);
    state.set(slots.cr3, real.cr3);
    state.set(slots.cr4, real.cr4);
    state.setPrivilegeLevel(0);
    state.setControl("efer", real.efer);
    const emulation = this.#virtual.emulateOne();
    if (emulation.kind !== "retired" || !stores.has(emulation.mnemonic)) return false;
    this.#mnemonic = emulation.mnemonic;
    return true;
  }

  #read(physical: number, bytes: Uint8Array): void {
    const memory = this.#domain.physical;
    const inside = physical + bytes.length <= memory.sizeBytes;
    bytes.set(inside ? memory.read(physical, bytes.length) : new Uint8Array(bytes.length));
    const from = physical - this.#at;
    // A read-modify-write sees what it has written.
    if (this.#stored && from >= 0 && from + bytes.length <= 8) {
      bytes.set(this.#entry.subarray(from, from + bytes.length));
    }
  }

  #write(physical: number, bytes: Uint8Array): void {
    const from = physical - this.#at;
    if (from >= 0 && from + bytes.length <= 8) {
      this.#entry.set(bytes, from);
      this.#stored = true;
      return;
    }
    // The walk sets accessed and dirty bits; on the real tables the processor does that itself.
    if (!isTouch(this.#domain.physical, physical, bytes)) this.#isOther = true;
  }
}
