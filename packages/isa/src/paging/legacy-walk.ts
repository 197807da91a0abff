/**
 * Page walks outside IA-32e mode: 32-bit paging and PAE paging.
 *
 * Intel SDM Vol. 3A §4.3, "32-Bit Paging"; §4.4, "PAE Paging".
 */
import { CR4 } from "../profile/registers.ts";
import type { Condition, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ENTRY, ENTRY_ADDRESS, PAGE_FAULT } from "./entry.ts";
import type { EntryAccess, EntryPlace } from "./entry-access.ts";
import { raisePageFault } from "./fault.ts";
import { finishWalk } from "./leaf.ts";
import { pointerOf, reservedBits } from "./page-directory-pointers.ts";

/** XD is the only flag above bit 51 of a PAE entry; the others are reserved. */
const PAE_ENTRY_RESERVED = 0x7ff0_0000_0000_0000n;

/** Walks with CR0.PG = 1 and IA-32e mode inactive. */
export function walkLegacy(
  m: SemanticsBuilder,
  entries: EntryAccess,
  linear: Value,
  access: Value,
): Value {
  const result = m.variable(m.constant(0));
  m.when(
    m.and(m.state(slots.cr4), m.constant(CR4.PAE)),
    () => m.set(result, walkPae(m, entries, linear, access)),
    () => m.set(result, walkThirtyTwoBit(m, entries, linear, access)),
  );
  return m.get(result);
}

function walkPae(m: SemanticsBuilder, entries: EntryAccess, linear: Value, access: Value): Value {
  const check = (entry: Value, reserved: Value): void => {
    m.when(m.isZero(m.and(entry, m.constant(ENTRY.PRESENT))), () =>
      raisePageFault(m, linear, access, 0n),
    );
    raiseReserved(m, linear, access, m.and(entry, reserved));
  };
  const reserved = m.or(m.state(slots.entryReserved), m.constant(PAE_ENTRY_RESERVED));

  const pdpte = pointerOf(m, entries, linear);
  check(pdpte, reservedBits(m));

  const pdePlace = entries.locate(
    m,
    m.or(m.and(pdpte, m.constant(ENTRY_ADDRESS)), indexOf(m, linear, 21, 0x1ffn, 3)),
  );
  const pde = entries.read(m, pdePlace);
  check(pde, reserved);
  const rights = m.xor(pde, m.constant(ENTRY.EXECUTE_DISABLE));

  const leafPhysical = m.variable(pdePlace.physical);
  const leafHost = m.variable(pdePlace.host);
  const leaf = m.variable(pde);
  const span = m.variable(m.constant(0x1f_ffff));
  m.when(
    m.and(pde, m.constant(ENTRY.PAGE_SIZE)),
    () => raiseReserved(m, linear, access, m.and(pde, m.constant(0x1f_e000n))),
    () => {
      markAccessed(m, entries, pdePlace, pde);
      const ptePlace = entries.locate(
        m,
        m.or(m.and(pde, m.constant(ENTRY_ADDRESS)), indexOf(m, linear, 12, 0x1ffn, 3)),
      );
      const pte = entries.read(m, ptePlace);
      check(pte, reserved);
      m.set(leafPhysical, ptePlace.physical);
      m.set(leafHost, ptePlace.host);
      m.set(leaf, pte);
      m.set(span, m.constant(0xfff));
    },
  );
  return finishWalk(m, {
    linear,
    access,
    rights: m.and(rights, m.xor(m.get(leaf), m.constant(ENTRY.EXECUTE_DISABLE))),
    leaf: m.get(leaf),
    span: m.get(span),
    writeLeaf: (entry) =>
      entries.write(m, { physical: m.get(leafPhysical), host: m.get(leafHost) }, entry),
  });
}

function walkThirtyTwoBit(
  m: SemanticsBuilder,
  entries: EntryAccess,
  linear: Value,
  access: Value,
): Value {
  const raiseUnlessPresent = (entry: Value): void =>
    m.when(m.isZero(m.and(entry, m.constant(ENTRY.PRESENT))), () =>
      raisePageFault(m, linear, access, 0n),
    );

  const directory = m.and(m.state(slots.cr3), m.constant(0xffff_f000n));
  const pdePhysical = m.or(directory, indexOf(m, linear, 22, 0x3ffn, 2));
  const pdePlace = locateNarrow(m, entries, pdePhysical);
  const pde = readNarrow(m, entries, pdePhysical, pdePlace);
  raiseUnlessPresent(pde);

  const leafPhysical = m.variable(pdePlace.physical);
  const leafHost = m.variable(pdePlace.host);
  const leaf = m.variable(pde);
  const span = m.variable(m.constant(0x3f_ffff));
  const mapsLargePage = m.both(
    m.notEqual(m.and(pde, m.constant(ENTRY.PAGE_SIZE)), m.constant(0)),
    m.notEqual(m.and(m.state(slots.cr4), m.constant(CR4.PSE)), m.constant(0)),
  );
  m.when(
    mapsLargePage,
    () => {
      // PSE-36: bits 20:13 of the PDE are bits 39:32 of the page's address, bit 21 is reserved.
      raiseReserved(m, linear, access, m.and(pde, m.constant(0x20_0000)));
      const upper = m.shiftLeft(m.and(pde, m.constant(0x1f_e000)), m.constant(19));
      m.set(leaf, m.or(m.and(pde, m.constant(0xffc0_0fffn)), upper));
    },
    () => {
      const accessed = m.constant(ENTRY.ACCESSED);
      m.when(m.isZero(m.and(pde, accessed)), () =>
        writeNarrow(m, entries, pdePhysical, pdePlace.host, m.or(pde, accessed)),
      );
      const ptePhysical = m.or(
        m.and(pde, m.constant(0xffff_f000n)),
        indexOf(m, linear, 12, 0x3ffn, 2),
      );
      const ptePlace = locateNarrow(m, entries, ptePhysical);
      const pte = readNarrow(m, entries, ptePhysical, ptePlace);
      raiseUnlessPresent(pte);
      m.set(leafPhysical, ptePhysical);
      m.set(leafHost, ptePlace.host);
      m.set(leaf, pte);
      m.set(span, m.constant(0xfff));
    },
  );
  const reachedLarge = m.notEqual(m.get(span), m.constant(0xfff));
  return finishWalk(m, {
    linear,
    access,
    // These entries have no XD flag, so bit 63 grants execution.
    rights: m.or(m.and(pde, m.get(leaf)), m.constant(ENTRY.EXECUTE_DISABLE)),
    leaf: m.get(leaf),
    span: m.get(span),
    writeLeaf: (entry) => {
      // A large page's entry was rearranged above: only its flags go back.
      const flags = m.constant(ENTRY.ACCESSED | ENTRY.DIRTY);
      writeNarrow(
        m,
        entries,
        m.get(leafPhysical),
        m.get(leafHost),
        m.select(reachedLarge, m.or(pde, m.and(entry, flags)), entry),
      );
    },
  });
}

/** A field of the linear address, scaled to an offset in a table of entries of `1 << entryShift` bytes. */
function indexOf(
  m: SemanticsBuilder,
  linear: Value,
  shift: number,
  mask: bigint,
  entryShift: number,
): Value {
  return m.and(
    m.shiftRightUnsigned(linear, m.constant(shift - entryShift)),
    m.constant(mask << BigInt(entryShift)),
  );
}

function raiseReserved(
  m: SemanticsBuilder,
  linear: Value,
  access: Value,
  reserved: Condition,
): void {
  m.when(reserved, () =>
    raisePageFault(m, linear, access, PAGE_FAULT.PROTECTION | PAGE_FAULT.RESERVED),
  );
}

function markAccessed(
  m: SemanticsBuilder,
  entries: EntryAccess,
  place: EntryPlace,
  entry: Value,
): void {
  const accessed = m.constant(ENTRY.ACCESSED);
  m.when(m.isZero(m.and(entry, accessed)), () => entries.write(m, place, m.or(entry, accessed)));
}

/** Distance in bits of a 4-byte entry from the start of the aligned 8 bytes that hold it: 0 or 32. */
function narrowShift(m: SemanticsBuilder, physical: Value): Value {
  return m.shiftLeft(m.and(physical, m.constant(4)), m.constant(3));
}

/** Finds the aligned 8 bytes that hold a 4-byte entry. */
function locateNarrow(m: SemanticsBuilder, entries: EntryAccess, physical: Value): EntryPlace {
  return entries.locate(m, m.and(physical, m.constant(~7n)));
}

function readNarrow(
  m: SemanticsBuilder,
  entries: EntryAccess,
  physical: Value,
  place: EntryPlace,
): Value {
  const pair = entries.read(m, place);
  return m.truncate(m.shiftRightUnsigned(pair, narrowShift(m, physical)), 32);
}

/** Writes a 4-byte entry and leaves its neighbour as it is. */
function writeNarrow(
  m: SemanticsBuilder,
  entries: EntryAccess,
  physical: Value,
  host: Value,
  entry: Value,
): void {
  const place: EntryPlace = { physical: m.and(physical, m.constant(~7n)), host };
  const shift = narrowShift(m, physical);
  const keep = m.not(m.shiftLeft(m.constant(0xffff_ffffn), shift));
  const pair = m.and(entries.read(m, place), keep);
  entries.write(m, place, m.or(pair, m.shiftLeft(entry, shift)));
}
