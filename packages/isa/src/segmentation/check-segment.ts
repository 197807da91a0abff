/**
 * The check of an access against its segment: limit, type, and whether there is a segment at all.
 *
 * Flat segments need none, and 64-bit mode has none. The other bases are marked when they are loaded (state/layout.ts,
 * CHECKED_BASE), so that only accesses through those arrive here.
 *
 * Intel SDM Vol. 3A §5.3, "Limit Checking"; §5.4, "Type Checking"; Vol. 3B §21.1.1, "Address Translation in
 * Real-Address Mode".
 */
import { hasBits, isProtected } from "../exceptions/mode.ts";
import type { Condition, Routine, SemanticsBuilder, Value } from "../semantics.ts";
import {
  CHECKED_BASE,
  CHECKED_BASE_SHIFT,
  SEGMENT_STRIDE,
  segmentSlots,
  slots,
} from "../state/layout.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";
import { isCode } from "./descriptor.ts";

const SS = 2;

/** Whether a linear address was made with a marked base. In 64-bit mode there are none: what looks like one is not canonical. */
export function isMarked(m: SemanticsBuilder, linear: Value): Condition {
  const mark = m.shiftRightUnsigned(linear, m.constant(60));
  const isNarrow = m.isZero(m.shiftRightUnsigned(m.state(slots.ripMask), m.constant(32)));
  return m.both(m.equal(mark, m.constant(CHECKED_BASE >> 60n)), isNarrow);
}

/**
 * Checks an access through a marked base. Parameters: the linear address, bytes, 1 for a write and 0 for a read. Result:
 * the linear address without its mark. Raises #SS(0) for the stack segment and #GP(0) for the others.
 */
export const checkSegment: Routine = {
  name: "checkSegment",
  parameters: ["i64", "i64", "i64"],
  result: "i64",
  raises: true,
  body(m, ...[marked, bytes, isWrite]) {
    if (marked === undefined || bytes === undefined || isWrite === undefined)
      throw new RangeError("checkSegment takes three parameters.");
    const number = m.and(
      m.shiftRightUnsigned(marked, m.constant(CHECKED_BASE_SHIFT)),
      m.constant(7),
    );
    const at = m.multiply(number, m.constant(SEGMENT_STRIDE), 64);
    const first = segmentSlots(0);
    const attributes = m.stateAt(first.attributes, at);
    const limit = m.stateAt(first.limit, at);
    const linear = m.truncate(marked, 32);
    const offset = m.subtract(linear, m.stateAt(first.base, at), 32);
    const last = m.subtract(m.add(offset, bytes, 64), m.constant(1), 64);

    const code = isCode(m, attributes);
    const expandsDown = m.both(m.isFalse(code), hasBits(m, attributes, TYPE.CONFORMING));
    const top = m.select(
      hasBits(m, attributes, ATTRIBUTES.BIG),
      m.constant(0xffff_ffffn),
      m.constant(0xffff),
    );
    const isInside = m.select(
      expandsDown,
      m.both(m.lessThanUnsigned(limit, offset), m.isFalse(m.lessThanUnsigned(top, last))),
      m.isFalse(m.lessThanUnsigned(limit, last)),
    );
    // Real-address and virtual-8086 mode have no types: code segments are written as well.
    const permitted = m.select(
      isProtected(m),
      accessFitsType(m, attributes, code, isWrite),
      m.toI32(m.constant(1)),
    );
    const isUsable = m.isFalse(hasBits(m, attributes, ATTRIBUTES.UNUSABLE));
    m.when(m.isFalse(m.both(isUsable, m.both(isInside, permitted))), () => {
      m.raiseWhen(m.equal(number, m.constant(SS)), "SS", m.constant(0));
      m.raise("GP", m.constant(0));
    });
    return linear;
  },
};

/** Writes need writable data; reads need data or readable code. */
function accessFitsType(
  m: SemanticsBuilder,
  attributes: Value,
  code: Condition,
  isWrite: Value,
): Condition {
  const isWritableOrReadable = hasBits(m, attributes, TYPE.WRITABLE_OR_READABLE);
  return m.select(
    isWrite,
    m.both(m.isFalse(code), isWritableOrReadable),
    m.either(m.isFalse(code), isWritableOrReadable),
  );
}
