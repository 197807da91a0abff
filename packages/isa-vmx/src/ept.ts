/**
 * The EPT walk: from guest-physical addresses to physical ones, and what they deny.
 *
 * It is a routine of the expression language because it runs at every TLB miss, five times in a walk of four levels.
 *
 * Intel SDM Vol. 3C §29.3, "The Extended Page Table Mechanism (EPT)"; §29.3.3.1, "EPT Misconfigurations"; §29.3.3.2,
 * "EPT Violations"; §29.3.5, "Accessed and Dirty Flags for EPT"; §28.2.1, "Basic VM-Exit Information", Table 28-7.
 */
import {
  ACCESS_EXECUTE,
  ACCESS_TABLE,
  ACCESS_WRITE,
  DENY_SUPERVISOR_EXECUTE,
  DENY_SUPERVISOR_READ,
  DENY_SUPERVISOR_WRITE,
  DENY_USER_EXECUTE,
  DENY_USER_READ,
  DENY_USER_WRITE,
  slots,
  type Routine,
  type SemanticsBuilder,
  type Value,
  type Variable,
} from "@ringside/isa";
import { EXIT } from "./exit-reasons.ts";
import { EPT_MODE, vmx } from "./vmx-state.ts";

const READ = 1n;
const WRITE = 2n;
const EXECUTE = 4n;
const RIGHTS = 7n;
const LEAF = 0x80n;
const ACCESSED = 0x100n;
const DIRTY = 0x200n;
/** Bits 51:12 of an entry. */
const ADDRESS = 0x000f_ffff_ffff_f000n;
/** Memory types that exist, one bit each: 0, 1, 4, 5 and 6. */
const MEMORY_TYPES = 0x73n;

/** Bits of the exit qualification. */
const QUALIFICATION = {
  READ: 1n,
  WRITE: 2n,
  FETCH: 4n,
  /** Bits 5:3: what the entries grant. */
  RIGHTS_SHIFT: 3n,
  LINEAR_VALID: 0x80n,
  TRANSLATED: 0x100n,
} as const;

interface Walk {
  readonly m: SemanticsBuilder;
  readonly guest: Value;
  readonly access: Value;
  readonly isWrite: Value;
  readonly rights: Variable;
}

/** See {@link "@ringside/isa".ProcessorExtension.secondStage}. */
export const eptWalk: Routine = {
  name: "eptWalk",
  parameters: ["i64", "i64"],
  result: "i64",
  raises: true,
  body(m, ...[guest, access]) {
    if (guest === undefined || access === undefined)
      throw new RangeError("The EPT walk takes two parameters.");
    const result = m.variable(m.and(guest, m.constant(~0xfffn)));
    m.when(m.state(vmx.eptPointer), () => m.set(result, walkFourLevels(m, guest, access)));
    return m.get(result);
  },
};

function walkFourLevels(m: SemanticsBuilder, guest: Value, access: Value): Value {
  const flags = m.state(vmx.eptAccessedDirty);
  // With accessed and dirty flags, references to paging structures count as writes.
  const isTable = m.notEqual(m.and(access, m.constant(ACCESS_TABLE)), m.constant(0));
  const isWrite = m.either(m.and(access, m.constant(ACCESS_WRITE)), m.both(isTable, flags));
  const walk: Walk = { m, guest, access, isWrite, rights: m.variable(m.constant(RIGHTS)) };
  const leaf = m.variable(m.constant(0));
  const leafPhysical = m.variable(m.constant(0));
  const span = m.variable(m.constant(0xfff));
  const takeLeaf = (physical: Value, entry: Value, spanBits: bigint): void => {
    m.set(leaf, entry);
    m.set(leafPhysical, physical);
    m.set(span, m.constant(spanBits));
  };
  const mode = m.state(vmx.eptMode);

  const pml4ePhysical = entryPhysical(m, m.state(vmx.eptPointer), guest, 39);
  const pml4e = readEntry(walk, pml4ePhysical);
  misconfiguredWhen(walk, m.and(pml4e, m.constant(0xf8n)));
  setAccessed(m, pml4ePhysical, pml4e);

  const pdptePhysical = entryPhysical(m, pml4e, guest, 30);
  const pdpte = readEntry(walk, pdptePhysical);
  m.when(
    m.and(pdpte, m.constant(LEAF)),
    () => {
      misconfiguredWhen(walk, m.isZero(m.and(mode, m.constant(EPT_MODE.HUGE_PAGES))));
      misconfiguredWhen(walk, m.and(pdpte, m.constant(0x3fff_f000n)));
      checkMemoryType(walk, pdpte);
      takeLeaf(pdptePhysical, pdpte, 0x3fff_ffffn);
    },
    () => {
      misconfiguredWhen(walk, m.and(pdpte, m.constant(0x78n)));
      setAccessed(m, pdptePhysical, pdpte);
      const pdePhysical = entryPhysical(m, pdpte, guest, 21);
      const pde = readEntry(walk, pdePhysical);
      m.when(
        m.and(pde, m.constant(LEAF)),
        () => {
          misconfiguredWhen(walk, m.and(pde, m.constant(0x1f_f000n)));
          checkMemoryType(walk, pde);
          takeLeaf(pdePhysical, pde, 0x1f_ffffn);
        },
        () => {
          misconfiguredWhen(walk, m.and(pde, m.constant(0x78n)));
          setAccessed(m, pdePhysical, pde);
          const ptePhysical = entryPhysical(m, pde, guest, 12);
          const pte = readEntry(walk, ptePhysical);
          checkMemoryType(walk, pte);
          takeLeaf(ptePhysical, pte, 0xfffn);
        },
      );
    },
  );
  return finish(walk, m.get(leaf), m.get(leafPhysical), m.get(span));
}

/** Checks the access, sets A and D of the leaf, and makes the result. */
function finish(walk: Walk, leaf: Value, leafPhysical: Value, span: Value): Value {
  const { m, guest, access, isWrite } = walk;
  const rights = m.get(walk.rights);
  const isFetch = m.and(access, m.constant(ACCESS_EXECUTE));
  const needed = m.select(
    isFetch,
    m.constant(EXECUTE),
    m.select(isWrite, m.constant(WRITE | READ), m.constant(READ)),
  );
  m.when(m.notEqual(m.and(rights, needed), needed), () => raiseViolation(walk));

  const denied = m.variable(
    m.or(
      m.select(
        m.and(rights, m.constant(READ)),
        m.constant(0),
        m.constant(DENY_SUPERVISOR_READ | DENY_USER_READ),
      ),
      m.or(
        m.select(
          m.and(rights, m.constant(WRITE)),
          m.constant(0),
          m.constant(DENY_SUPERVISOR_WRITE | DENY_USER_WRITE),
        ),
        m.select(
          m.and(rights, m.constant(EXECUTE)),
          m.constant(0),
          m.constant(DENY_SUPERVISOR_EXECUTE | DENY_USER_EXECUTE),
        ),
      ),
    ),
  );
  m.when(m.state(vmx.eptAccessedDirty), () => {
    const wanted = m.or(
      leaf,
      m.select(isWrite, m.constant(ACCESSED | DIRTY), m.constant(ACCESSED)),
    );
    m.when(m.notEqual(wanted, leaf), () => m.storePhysical(leafPhysical, wanted));
    // Until D is set, the first write walks again.
    m.when(m.isZero(m.and(wanted, m.constant(DIRTY))), () => {
      m.set(denied, m.or(m.get(denied), m.constant(DENY_SUPERVISOR_WRITE | DENY_USER_WRITE)));
    });
  });
  const frame = m.and(m.and(leaf, m.constant(ADDRESS)), m.not(span, 64));
  const inside = m.and(m.and(guest, span), m.constant(~0xfffn));
  return m.or(m.or(frame, inside), m.get(denied));
}

function entryPhysical(m: SemanticsBuilder, table: Value, guest: Value, shift: number): Value {
  const index = m.and(m.shiftRightUnsigned(guest, m.constant(shift - 3)), m.constant(0xff8));
  return m.or(m.and(table, m.constant(ADDRESS)), index);
}

/** Reads an entry; leaves with a violation when it is not present, with a misconfiguration when its rights or address are none. */
function readEntry(walk: Walk, physical: Value): Value {
  const { m } = walk;
  m.count("vmx.eptReferences");
  const entry = m.loadPhysical(physical);
  const own = m.and(entry, m.constant(RIGHTS));
  m.set(walk.rights, m.and(m.get(walk.rights), own));
  m.when(m.isZero(own), () => raiseViolation(walk));
  misconfiguredWhen(walk, m.equal(m.and(entry, m.constant(READ | WRITE)), m.constant(WRITE)));
  const executeOnly = m.equal(own, m.constant(EXECUTE));
  const mayExecuteOnly = m.and(m.state(vmx.eptMode), m.constant(EPT_MODE.EXECUTE_ONLY));
  misconfiguredWhen(walk, m.both(executeOnly, m.isZero(mayExecuteOnly)));
  misconfiguredWhen(walk, m.and(entry, m.state(slots.physicalReserved)));
  return entry;
}

function checkMemoryType(walk: Walk, entry: Value): void {
  const { m } = walk;
  const type = m.and(m.shiftRightUnsigned(entry, m.constant(3)), m.constant(7));
  const exists = m.and(m.shiftRightUnsigned(m.constant(MEMORY_TYPES), type), m.constant(1));
  misconfiguredWhen(walk, m.isZero(exists));
}

function setAccessed(m: SemanticsBuilder, physical: Value, entry: Value): void {
  const isUnset = m.isZero(m.and(entry, m.constant(ACCESSED)));
  m.when(m.both(isUnset, m.state(vmx.eptAccessedDirty)), () => {
    m.storePhysical(physical, m.or(entry, m.constant(ACCESSED)));
  });
}

function noteAddresses({ m, guest }: Walk): void {
  m.setState(vmx.guestPhysical, guest);
  m.setState(vmx.guestLinear, m.state(slots.walkLinear));
}

function raiseViolation(walk: Walk): void {
  const { m, access, isWrite } = walk;
  noteAddresses(walk);
  const isTable = m.and(access, m.constant(ACCESS_TABLE));
  const kind = m.select(
    m.and(access, m.constant(ACCESS_EXECUTE)),
    m.constant(QUALIFICATION.FETCH),
    m.select(
      isWrite,
      // A reference to a paging structure that counts as a write is both.
      m.select(
        m.both(isTable, m.state(vmx.eptAccessedDirty)),
        m.constant(QUALIFICATION.READ | QUALIFICATION.WRITE),
        m.constant(QUALIFICATION.WRITE),
      ),
      m.constant(QUALIFICATION.READ),
    ),
  );
  const granted = m.shiftLeft(m.get(walk.rights), m.constant(QUALIFICATION.RIGHTS_SHIFT), 64);
  const where = m.select(
    isTable,
    m.constant(QUALIFICATION.LINEAR_VALID),
    m.constant(QUALIFICATION.LINEAR_VALID | QUALIFICATION.TRANSLATED),
  );
  m.setState(vmx.qualification, m.or(kind, m.or(granted, where)));
  m.count("vmx.eptViolations");
  m.raise("EXIT", m.constant(EXIT.EPT_VIOLATION));
}

function misconfiguredWhen(walk: Walk, condition: Value): void {
  const { m } = walk;
  m.when(condition, () => {
    noteAddresses(walk);
    m.setState(vmx.qualification, m.constant(0));
    m.count("vmx.eptMisconfigurations");
    m.raise("EXIT", m.constant(EXIT.EPT_MISCONFIGURATION));
  });
}
