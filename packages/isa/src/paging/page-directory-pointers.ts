/**
 * The four PDPTE registers of PAE paging: instructions that load CR3, or that change how paging works, load and check
 * them; walks use them.
 *
 * Intel SDM Vol. 3A §4.4.1, "PDPTE Registers".
 */
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ENTRY } from "./entry.ts";
import { physicalEntries, type EntryAccess } from "./entry-access.ts";

/** Bits of a PDPTE that are reserved: 2:1, 8:5 and 63:52. */
const RESERVED = 0xfff0_0000_0000_01e6n;
/** Bits of CR3 that locate the table. */
const TABLE_ADDRESS = 0xffff_ffe0n;
/** In `pdptesOf`: the registers are loaded. */
const LOADED = 1n;
const REGISTERS = 4;

/**
 * Loads the PDPTE registers. Parameter: the CR3 to load them from. Raises #GP(0), and leaves them, when one of them is
 * present and has a reserved bit set.
 */
export const loadPointers: Routine = pointerLoad(physicalEntries);

/** Makes the routine for paging structures that are found through `entries`. */
export function pointerLoad(entries: EntryAccess): Routine {
  return {
    name: "loadPointers",
    parameters: ["i64"],
    result: undefined,
    raises: true,
    body(m, ...[cr3]) {
      if (cr3 === undefined) throw new RangeError("loadPointers takes a CR3.");
      const read = readTable(m, entries, cr3);
      for (const entry of read) {
        m.when(m.and(entry, m.constant(ENTRY.PRESENT)), () =>
          m.raiseWhen(m.and(entry, reservedBits(m)), "GP", m.constant(0)),
        );
      }
      store(m, read, cr3);
    },
  };
}

/**
 * Gives the PDPTE register of a linear address. Where whoever set CR3 did not load them (a hypervisor that sets the state
 * of a processor, a task switch), they are loaded now.
 */
export function pointerOf(m: SemanticsBuilder, entries: EntryAccess, linear: Value): Value {
  const cr3 = m.state(slots.cr3);
  m.when(m.notEqual(m.state(slots.pdptesOf), loadedMark(m, cr3)), () =>
    store(m, readTable(m, entries, cr3), cr3),
  );
  const offset = m.and(m.shiftRightUnsigned(linear, m.constant(30 - 3)), m.constant(0x18));
  return m.stateAt(slots.pdptes, offset);
}

export function reservedBits(m: SemanticsBuilder): Value {
  return m.or(m.state(slots.physicalReserved), m.constant(RESERVED));
}

function readTable(m: SemanticsBuilder, entries: EntryAccess, cr3: Value): readonly Value[] {
  const table = m.and(cr3, m.constant(TABLE_ADDRESS));
  return Array.from({ length: REGISTERS }, (_, index) =>
    entries.read(m, entries.locate(m, m.add(table, m.constant(index * 8), 64))),
  );
}

function store(m: SemanticsBuilder, read: readonly Value[], cr3: Value): void {
  for (const [index, entry] of read.entries())
    m.setStateAt(slots.pdptes, m.constant(index * 8), entry);
  m.setState(slots.pdptesOf, loadedMark(m, cr3));
}

/** What `pdptesOf` is while the registers are those of a CR3. */
function loadedMark(m: SemanticsBuilder, cr3: Value): Value {
  return m.or(m.and(cr3, m.constant(TABLE_ADDRESS)), m.constant(LOADED));
}
