/**
 * What follows from the control registers, CS, SS and CPL: the derived fields of the state block.
 *
 * Handlers never look at CR0 or at descriptors; they use these fields. So whoever changes what they are made from calls
 * {@link updateMode}.
 */
import { ENTRY } from "../paging/entry.ts";
import { CR0, CR4, EFER, RFLAGS } from "../profile/registers.ts";
import { ATTRIBUTES, TYPE } from "../segmentation/attributes.ts";
import type { Condition, Routine, SemanticsBuilder, Value } from "../semantics.ts";
import {
  CHECKED_BASE,
  CHECKED_BASE_SHIFT,
  LINEAR_MASK,
  segmentSlots,
  slots,
} from "../state/layout.ts";
import {
  DENY_DIRECT,
  DENY_SUPERVISOR_EXECUTE,
  DENY_SUPERVISOR_READ,
  DENY_SUPERVISOR_WRITE,
  DENY_UNALIGNED,
  TAG_DENIAL_SHIFT,
  TAG_PAGE_NUMBER,
  USER_DENIAL_SHIFT,
} from "../paging/tag.ts";

const [ES, CS, SS, DS, FS, GS, LDTR, TR] = [0, 1, 2, 3, 4, 5, 6, 7] as const;

/**
 * Recomputes `mode`, `longMode`, `stackMask`, `ripMask`, `linearMask`, `entryReserved`, the effective segment bases and
 * the access masks.
 *
 * Intel SDM Vol. 3A §2.2, "Modes of Operation"; §3.2.4, "Segmentation in IA-32e Mode".
 */
export const updateMode: Routine = {
  name: "updateMode",
  parameters: [],
  result: undefined,
  raises: false,
  body(m) {
    const csAttributes = m.state(segmentSlots(CS).attributes);
    const longMode = m.and(
      m.shiftRightUnsigned(m.state(slots.efer), m.constant(10)),
      m.constant(1),
    );
    const isSixtyFour = m.both(longMode, hasBits(m, csAttributes, ATTRIBUTES.LONG));
    const isThirtyTwo = hasBits(m, csAttributes, ATTRIBUTES.BIG);
    const allOnes = m.constant(-1n);
    const narrow = (wide: Value): Value =>
      m.select(wide, m.constant(0xffff_ffffn), m.constant(0xffff));

    m.setState(slots.longMode, longMode);
    const executeDisable = m.select(
      hasBits(m, m.state(slots.efer), EFER.NXE),
      m.constant(0),
      m.constant(ENTRY.EXECUTE_DISABLE),
    );
    m.setState(slots.entryReserved, m.or(m.state(slots.physicalReserved), executeDisable));
    m.setState(
      slots.mode,
      m.select(isSixtyFour, m.constant(64), m.select(isThirtyTwo, m.constant(32), m.constant(16))),
    );
    m.setState(slots.ripMask, m.select(isSixtyFour, allOnes, m.constant(0xffff_ffffn)));
    m.setState(slots.linearMask, m.select(isSixtyFour, allOnes, m.constant(LINEAR_MASK)));
    const stackIsBig = hasBits(m, m.state(segmentSlots(SS).attributes), ATTRIBUTES.BIG);
    m.setState(slots.stackMask, m.select(isSixtyFour, allOnes, narrow(stackIsBig)));

    for (const index of [LDTR, TR])
      m.setState(segmentSlots(index).effectiveBase, m.state(segmentSlots(index).base));
    m.when(
      isSixtyFour,
      () => {
        for (const index of [ES, CS, SS, DS])
          m.setState(segmentSlots(index).effectiveBase, m.constant(0));
        for (const index of [FS, GS])
          m.setState(segmentSlots(index).effectiveBase, m.state(segmentSlots(index).base));
        m.setState(slots.fetchBase, m.constant(0));
      },
      () => {
        for (const index of [ES, CS, SS, DS, FS, GS]) setCheckedBase(m, index);
        const { base, limit } = segmentSlots(CS);
        const isUnlimited = m.equal(m.state(limit), m.constant(0xffff_ffffn));
        const mark = m.select(isUnlimited, m.constant(0), m.constant(CHECKED_BASE));
        m.setState(slots.fetchBase, m.or(m.truncate(m.state(base), 32), mark));
      },
    );
    setAccessMasks(m);
  },
};

/** The effective base of a segment outside 64-bit mode: marked, unless any access to the segment is allowed. */
function setCheckedBase(m: SemanticsBuilder, index: number): void {
  const { attributes, base, effectiveBase, limit } = segmentSlots(index);
  const { CODE_OR_DATA, PRESENT, UNUSABLE } = ATTRIBUTES;
  const { CODE, CONFORMING: EXPAND_DOWN, WRITABLE_OR_READABLE: WRITABLE } = TYPE;
  const examined = UNUSABLE | PRESENT | CODE_OR_DATA | CODE | EXPAND_DOWN | WRITABLE;
  const isWritableData = m.equal(
    m.and(m.state(attributes), m.constant(examined)),
    m.constant(PRESENT | CODE_OR_DATA | WRITABLE),
  );
  const isFlat = m.both(isWritableData, m.equal(m.state(limit), m.constant(0xffff_ffffn)));
  const mark = m.constant(CHECKED_BASE | (BigInt(index) << BigInt(CHECKED_BASE_SHIFT)));
  m.setState(
    effectiveBase,
    m.or(m.truncate(m.state(base), 32), m.select(isFlat, m.constant(0), mark)),
  );
}

/**
 * Sets what the TLB tag must grant to an access at the current CPL. With SMAP, supervisor writes need the read right as
 * well, and EFLAGS.AC waives it. Intel SDM Vol. 3A §4.6.1, "Determination of Access Rights".
 */
export function setAccessMasks(m: SemanticsBuilder): void {
  const isUser = m.equal(m.state(slots.cpl), m.constant(3));
  const smapApplies = m.both(
    hasBits(m, m.state(slots.cr4), CR4.SMAP),
    m.isZero(m.and(m.state(slots.flagsSystem), m.constant(RFLAGS.AC))),
  );
  const supervisorRead = m.select(smapApplies, m.constant(DENY_SUPERVISOR_READ), m.constant(0));
  const mask = (supervisor: Value, userDenial: number): Value =>
    m.select(isUser, m.constant(userDenial << USER_DENIAL_SHIFT), supervisor);
  /** A TLB tag's page number and the denials, as the engine's probe compares them; devices deny every direct access. */
  const probe = (denials: Value): Value =>
    m.or(
      m.shiftLeft(m.or(denials, m.constant(DENY_DIRECT)), m.constant(TAG_DENIAL_SHIFT)),
      m.constant(TAG_PAGE_NUMBER),
    );
  // Intel SDM Vol. 3A §2.3, "System Flags and Fields in the EFLAGS Register" (AC).
  const checksAlignment = m.both(
    isUser,
    m.both(
      hasBits(m, m.state(slots.cr0), CR0.AM),
      hasBits(m, m.state(slots.flagsSystem), RFLAGS.AC),
    ),
  );
  m.setState(slots.alignmentChecked, m.fromCondition(checksAlignment));
  const unaligned = m.select(checksAlignment, m.constant(DENY_UNALIGNED), m.constant(0));
  const dataMask = (denials: Value): Value => probe(m.or(denials, unaligned));
  m.setState(slots.readMask, dataMask(mask(supervisorRead, DENY_SUPERVISOR_READ)));
  m.setState(
    slots.writeMask,
    dataMask(mask(m.or(supervisorRead, m.constant(DENY_SUPERVISOR_WRITE)), DENY_SUPERVISOR_WRITE)),
  );
  m.setState(
    slots.executeMask,
    probe(mask(m.constant(DENY_SUPERVISOR_EXECUTE), DENY_SUPERVISOR_EXECUTE)),
  );
}

/** EFLAGS.AC decides what the supervisor may reach under SMAP, and whether accesses of programs must be aligned. */
export function followAlignmentCheck(m: SemanticsBuilder, before: Value): void {
  const changed = m.xor(before, m.state(slots.flagsSystem));
  m.when(hasBits(m, changed, RFLAGS.AC), () => void m.call(updateMode));
}

/** Whether any of the bits is set, as a condition. */
export function hasBits(m: SemanticsBuilder, value: Value, bits: bigint): Value {
  return m.notEqual(m.and(value, m.constant(bits)), m.constant(0));
}

/** Whether selectors name descriptors: protected mode, and not virtual-8086 mode. */
export function isProtected(m: SemanticsBuilder): Condition {
  return m.both(
    hasBits(m, m.state(slots.cr0), CR0.PE),
    m.isFalse(hasBits(m, m.state(slots.flagsSystem), RFLAGS.VM)),
  );
}

/** Raises #UD in real-address and virtual-8086 mode, where instructions that take a selector's descriptor do not exist. */
export function requireProtected(m: SemanticsBuilder): void {
  if (m.mode !== 64) m.raiseWhen(m.isFalse(isProtected(m)), "UD");
}

/** Outside 64-bit mode a sum of base and offset wraps at 32 bits, and keeps the mark of a base that is checked. */
export function wrapLinear(m: SemanticsBuilder, sum: Value): Value {
  return m.mode === 64 ? sum : m.and(sum, m.constant(LINEAR_MASK));
}

/** Raises #GP(0) unless CPL is 0. Intel SDM Vol. 3A §5.9, "Privileged Instructions". */
export function requireSupervisor(m: SemanticsBuilder): void {
  m.raiseWhen(m.state(slots.cpl), "GP", m.constant(0));
}

/** Reads EFER.NXE, CR4 and the like: whether IA-32e mode is active, as a condition. */
export function isLongMode(m: SemanticsBuilder): Value {
  return hasBits(m, m.state(slots.efer), EFER.LMA);
}
