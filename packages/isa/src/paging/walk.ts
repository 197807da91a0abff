/**
 * The page walk: from a linear address to a physical page and what it denies.
 *
 * It is a routine of the expression language because operating systems live on it: the engine calls it on every TLB
 * miss without leaving WebAssembly. Accessed flags of upper levels are set while the walk goes down, those of the
 * leaf, with D, in one store after the access was found to be allowed.
 *
 * Intel SDM Vol. 3A §4.5, "4-Level Paging and 5-Level Paging"; §4.6, "Access Rights"; §4.7, "Page-Fault Exceptions";
 * §4.8, "Accessed and Dirty Flags".
 */
import { CR0 } from "../profile/registers.ts";
import type { Condition, Routine, SemanticsBuilder, Value, Variable } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ENTRY, ENTRY_ADDRESS, PAGE_FAULT } from "./entry.ts";
import { physicalEntries, type EntryAccess, type EntryPlace } from "./entry-access.ts";
import { raisePageFault } from "./fault.ts";
import { finishWalk } from "./leaf.ts";
import { walkLegacy } from "./legacy-walk.ts";
import { ACCESS_STACK } from "./tag.ts";

/** One walk in progress: what the levels share. */
interface Walk {
  readonly m: SemanticsBuilder;
  readonly entries: EntryAccess;
  readonly linear: Value;
  readonly access: Value;
  /** The AND of all entries so far, with XD inverted: a right is there when every level grants it. */
  readonly rights: Variable;
}

/**
 * The page walk of the current paging mode.
 *
 * Parameters: the linear address, and the kind of access (the ACCESS constants of tag.ts). Result: the physical address
 * of the 4-KByte page in bits 63:12 and the tag's bits below (tag.ts). With CR0.PG = 0 the address is its own
 * translation and nothing is denied. Raises #PF with `faultLinear` set, or #GP(0) (#SS(0) for a stack access) when the
 * address is not canonical. Does not write CR2: delivery does.
 */
export const walkRoutine: Routine = pageWalk("walk", physicalEntries);

/** Makes a page walk that finds its paging structures through `entries`. */
export function pageWalk(name: string, entries: EntryAccess): Routine {
  return {
    name,
    parameters: ["i64", "i64"],
    result: "i64",
    raises: true,
    body(m, ...[linear, access]) {
      if (linear === undefined || access === undefined)
        throw new RangeError("A page walk takes two parameters.");
      const result = m.variable(m.constant(0));
      m.when(
        m.and(m.state(slots.cr0), m.constant(CR0.PG)),
        () => {
          m.count("walks");
          m.when(
            m.state(slots.longMode),
            () => m.set(result, walkFourLevels(m, entries, linear, access)),
            () => m.set(result, walkLegacy(m, entries, linear, access)),
          );
        },
        () => m.set(result, m.and(linear, m.constant(0xffff_f000n))),
      );
      return m.get(result);
    },
  };
}

function walkFourLevels(
  m: SemanticsBuilder,
  entries: EntryAccess,
  linear: Value,
  access: Value,
): Value {
  m.when(m.isFalse(m.isCanonical(linear)), () => {
    m.when(
      m.and(access, m.constant(ACCESS_STACK)),
      () => m.raise("SS", m.constant(0)),
      () => m.raise("GP", m.constant(0)),
    );
  });
  const walk: Walk = { m, entries, linear, access, rights: m.variable(m.constant(-1n)) };
  const leaf = m.variable(m.constant(0));
  const leafPhysical = m.variable(m.constant(0));
  const leafHost = m.variable(m.constant(0));
  /** Offset bits of the page that the leaf maps. */
  const span = m.variable(m.constant(0xfff));
  const takeLeaf = (place: EntryPlace, entry: Value, spanBits: bigint): void => {
    m.set(leaf, entry);
    m.set(leafPhysical, place.physical);
    m.set(leafHost, place.host);
    m.set(span, m.constant(spanBits));
  };

  const pml4 = m.and(m.state(slots.cr3), m.constant(ENTRY_ADDRESS));
  const pml4ePlace = entries.locate(m, entryPhysical(m, pml4, linear, 39));
  const pml4e = readLevel(walk, pml4ePlace, m.constant(ENTRY.PAGE_SIZE));
  setAccessed(walk, pml4ePlace, pml4e);

  const pdptePlace = entries.locate(m, entryPhysical(m, pml4e, linear, 30));
  const pdpte = readLevel(walk, pdptePlace, m.state(slots.hugePageReserved));
  m.when(
    m.and(pdpte, m.constant(ENTRY.PAGE_SIZE)),
    () => {
      raiseReserved(walk, m.and(pdpte, m.constant(0x3fff_e000n)));
      takeLeaf(pdptePlace, pdpte, 0x3fff_ffffn);
    },
    () => {
      setAccessed(walk, pdptePlace, pdpte);
      const pdePlace = entries.locate(m, entryPhysical(m, pdpte, linear, 21));
      const pde = readLevel(walk, pdePlace, m.constant(0));
      m.when(
        m.and(pde, m.constant(ENTRY.PAGE_SIZE)),
        () => {
          raiseReserved(walk, m.and(pde, m.constant(0x1f_e000n)));
          takeLeaf(pdePlace, pde, 0x1f_ffffn);
        },
        () => {
          setAccessed(walk, pdePlace, pde);
          const ptePlace = entries.locate(m, entryPhysical(m, pde, linear, 12));
          takeLeaf(ptePlace, readLevel(walk, ptePlace, m.constant(0)), 0xfffn);
        },
      );
    },
  );
  return finishWalk(m, {
    linear,
    access,
    rights: m.get(walk.rights),
    leaf: m.get(leaf),
    span: m.get(span),
    writeLeaf: (entry) =>
      entries.write(m, { physical: m.get(leafPhysical), host: m.get(leafHost) }, entry),
  });
}

/** Physical address of the entry that nine bits of the linear address, from `shift` up, select in a table. */
function entryPhysical(m: SemanticsBuilder, table: Value, linear: Value, shift: number): Value {
  const index = m.and(m.shiftRightUnsigned(linear, m.constant(shift - 3)), m.constant(0xff8));
  return m.or(m.and(table, m.constant(ENTRY_ADDRESS)), index);
}

/** Reads one entry and faults when it is not present or has a reserved bit set; `alsoReserved` is the level's own. */
function readLevel(walk: Walk, place: EntryPlace, alsoReserved: Value): Value {
  const { m } = walk;
  const entry = walk.entries.read(m, place);
  m.when(m.isZero(m.and(entry, m.constant(ENTRY.PRESENT))), () => {
    raisePageFault(m, walk.linear, walk.access, 0n);
  });
  raiseReserved(walk, m.and(entry, m.or(m.state(slots.entryReserved), alsoReserved)));
  m.set(walk.rights, m.and(m.get(walk.rights), m.xor(entry, m.constant(ENTRY.EXECUTE_DISABLE))));
  return entry;
}

function raiseReserved(walk: Walk, reservedBits: Condition): void {
  walk.m.when(reservedBits, () => {
    raisePageFault(walk.m, walk.linear, walk.access, PAGE_FAULT.PROTECTION | PAGE_FAULT.RESERVED);
  });
}

function setAccessed(walk: Walk, place: EntryPlace, entry: Value): void {
  const { m } = walk;
  const accessed = m.constant(ENTRY.ACCESSED);
  m.when(m.isZero(m.and(entry, accessed)), () =>
    walk.entries.write(m, place, m.or(entry, accessed)),
  );
}
