/** Where a page walk finds its paging structures. */
import type { SemanticsBuilder, Value } from "../semantics.ts";

/** An entry, or the aligned 8 bytes that hold it, found for one walk. */
export interface EntryPlace {
  /** Its address as paging sees it. */
  readonly physical: Value;
  /** Where it really lies; what the bits below 8 bytes say is {@link EntryAccess}'s own business. */
  readonly host: Value;
}

/** Where a walk's paging structures lie: physical memory, or behind a second stage of translation. */
export interface EntryAccess {
  /** Finds the 8 bytes at an address that is a multiple of 8, and counts the reference. */
  readonly locate: (m: SemanticsBuilder, physical: Value) => EntryPlace;
  readonly read: (m: SemanticsBuilder, place: EntryPlace) => Value;
  /** Writes an A or D flag back. */
  readonly write: (m: SemanticsBuilder, place: EntryPlace, entry: Value) => void;
}

/** Paging structures in the memory that the processor addresses. */
export const physicalEntries: EntryAccess = {
  locate(m, physical) {
    m.count("walkReferences");
    return { physical, host: physical };
  },
  read: (m, { host }) => m.loadPhysical(host),
  write: (m, { host }, entry) => m.storePhysical(host, entry),
};
