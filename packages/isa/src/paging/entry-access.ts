/** Where a page walk finds its paging structures. */
import type { SemanticsBuilder, Value } from "../semantics.ts";

/** Reads a paging-structure entry, and counts the reference. */
export type ReadEntry = (m: SemanticsBuilder, physical: Value) => Value;
/** Writes an A or D flag back. */
export type WriteEntry = (m: SemanticsBuilder, physical: Value, entry: Value) => void;

/** Where a walk's paging structures lie: physical memory, or behind a second stage of translation. */
export interface EntryAccess {
  readonly read: ReadEntry;
  readonly write: WriteEntry;
}

/** Paging structures in the memory that the processor addresses. */
export const physicalEntries: EntryAccess = {
  read(m, physical) {
    m.count("walkReferences");
    return m.loadPhysical(physical);
  },
  write(m, physical, entry) {
    m.storePhysical(physical, entry);
  },
};
