/**
 * The end of every walk: rights, A and D flags, and the result with its tag.
 *
 * Intel SDM Vol. 3A §4.6, "Access Rights"; §4.8, "Accessed and Dirty Flags".
 */
import { CR4, RFLAGS } from "../profile/registers.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ENTRY, ENTRY_ADDRESS, PAGE_FAULT } from "./entry.ts";
import { raisePageFault } from "./fault.ts";
import {
  ACCESS_EXECUTE,
  ACCESS_IMPLICIT,
  ACCESS_USER,
  ACCESS_WRITE,
  DENY_SUPERVISOR_READ,
  DENY_SUPERVISOR_WRITE,
  DENY_USER_WRITE,
  TAG_GLOBAL,
  TAG_LARGE,
  USER_DENIAL_SHIFT,
} from "./tag.ts";

/** A walk that reached its leaf. */
export interface ReachedLeaf {
  readonly linear: Value;
  readonly access: Value;
  /** The AND of all levels' rights, with XD inverted. */
  readonly rights: Value;
  /** The leaf entry, its address bits in place above {@link span}. */
  readonly leaf: Value;
  /** Mask of the offset inside the page. */
  readonly span: Value;
  readonly writeLeaf: (entry: Value) => void;
}

/** Checks the access against the rights, sets A and D, and makes the result. Shared by all paging modes. */
export function finishWalk(m: SemanticsBuilder, reached: ReachedLeaf): Value {
  const { linear, access, leaf, rights, span } = reached;
  const one = m.constant(1);
  const bitOf = (value: Value, index: number): Value =>
    m.and(m.shiftRightUnsigned(value, m.constant(index)), one);
  const writable = bitOf(rights, 1);
  const user = bitOf(rights, 2);
  const executable = bitOf(rights, 63);
  const cr0 = m.state(slots.cr0);
  const cr4 = m.state(slots.cr4);
  const supervisorOnly = m.xor(user, one);
  const readOnly = m.xor(writable, one);
  const noExecute = m.xor(executable, one);
  const at = (value: Value, index: number): Value => m.shiftLeft(value, m.constant(index));
  const denied = m.or(
    m.or(
      m.and(user, bitOf(cr4, 21)),
      m.or(
        at(m.and(readOnly, bitOf(cr0, 16)), 1),
        at(m.or(noExecute, m.and(user, bitOf(cr4, 20))), 2),
      ),
    ),
    m.or(
      at(supervisorOnly, 3),
      m.or(at(m.or(readOnly, supervisorOnly), 4), at(m.or(noExecute, supervisorOnly), 5)),
    ),
  );
  m.when(m.and(denied, neededRights(m, access)), () => {
    raisePageFault(m, linear, access, PAGE_FAULT.PROTECTION);
  });

  const isWrite = m.and(access, m.constant(ACCESS_WRITE));
  const wanted = m.or(
    leaf,
    m.select(isWrite, m.constant(ENTRY.ACCESSED | ENTRY.DIRTY), m.constant(ENTRY.ACCESSED)),
  );
  m.when(m.notEqual(wanted, leaf), () => reached.writeLeaf(wanted));

  const untilDirty = m.select(
    m.and(wanted, m.constant(ENTRY.DIRTY)),
    m.constant(0),
    m.constant(DENY_SUPERVISOR_WRITE | DENY_USER_WRITE),
  );
  const isGlobal = m.select(
    m.both(
      m.notEqual(m.and(leaf, m.constant(ENTRY.GLOBAL)), m.constant(0)),
      m.notEqual(m.and(cr4, m.constant(CR4.PGE)), m.constant(0)),
    ),
    m.constant(TAG_GLOBAL),
    m.constant(0),
  );
  const isLarge = m.select(m.equal(span, m.constant(0xfff)), m.constant(0), m.constant(TAG_LARGE));
  const page = m.or(
    m.and(m.and(leaf, m.constant(ENTRY_ADDRESS)), m.not(span)),
    m.and(m.and(linear, span), m.constant(ENTRY_ADDRESS)),
  );
  return m.or(page, m.or(m.or(denied, untilDirty), m.or(isGlobal, isLarge)));
}

/** The denials that forbid an access. A write under SMAP needs the right to read the page, too. */
export function neededRights(m: SemanticsBuilder, access: Value): Value {
  const isFetch = m.and(access, m.constant(ACCESS_EXECUTE));
  const isWrite = m.and(access, m.constant(ACCESS_WRITE));
  const isUser = m.and(access, m.constant(ACCESS_USER));
  const kind = m.select(isFetch, m.constant(4), m.select(isWrite, m.constant(3), m.constant(1)));
  const acAllows = m.both(
    m.notEqual(m.and(m.state(slots.flagsSystem), m.constant(RFLAGS.AC)), m.constant(0)),
    m.isZero(m.and(access, m.constant(ACCESS_IMPLICIT))),
  );
  const supervisorKind = m.select(
    acAllows,
    m.and(kind, m.constant(~BigInt(DENY_SUPERVISOR_READ))),
    kind,
  );
  return m.select(isUser, m.shiftLeft(kind, m.constant(USER_DENIAL_SHIFT)), supervisorKind);
}
