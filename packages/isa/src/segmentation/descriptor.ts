/**
 * Descriptors: finding one in its table, and taking it apart.
 *
 * ```
 * 63    56 55   52 51  48 47  40 39                16 15        0
 * +-------+-------+------+------+--------------------+-----------+
 * | base  |G D L A| limit|P DPL | base 23:0          | limit 15:0|
 * | 31:24 |       | 19:16|S TYPE|                    |           |
 * +-------+-------+------+------+--------------------+-----------+
 * ```
 *
 * Intel SDM Vol. 3A §3.4.5, "Segment Descriptors".
 */
import type { Condition, ExceptionName, Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";

const LDTR = 6;

/** What {@link findDescriptor} returns for a selector outside its table; no descriptor lies there. */
export const NO_DESCRIPTOR = -1n;

/**
 * Linear address of the 8 bytes that a selector names, or {@link NO_DESCRIPTOR} when they are not wholly inside the
 * table or the table is a null LDT. Does not treat null selectors: callers decide what they mean.
 */
export const findDescriptor: Routine = {
  name: "findDescriptor",
  parameters: ["i64"],
  result: "i64",
  raises: false,
  body(m, ...[selector]) {
    if (selector === undefined) throw new RangeError("findDescriptor takes a selector.");
    const ldtr = segmentSlots(LDTR);
    const offset = m.and(selector, m.constant(0xfff8));
    const last = m.or(offset, m.constant(7));
    const inLdt = m.and(selector, m.constant(4));
    const limit = m.select(inLdt, m.state(ldtr.limit), m.state(slots.gdtrLimit));
    const base = m.select(inLdt, m.state(ldtr.base), m.state(slots.gdtrBase));
    const nullTable = m.select(
      inLdt,
      m.and(m.state(ldtr.attributes), m.constant(ATTRIBUTES.UNUSABLE)),
      m.constant(0),
    );
    const outside = m.either(m.lessThanUnsigned(limit, last), m.notEqual(nullTable, m.constant(0)));
    return m.select(outside, m.constant(NO_DESCRIPTOR), m.add(base, offset));
  },
};

/** A descriptor that was read, and where it lies. */
export interface FoundDescriptor {
  readonly linear: Value;
  /** The 8 bytes. */
  readonly bits: Value;
}

/** Error code that names a selector: its index and table, and EXT where the caller delivers an event. */
export function selectorError(m: SemanticsBuilder, selector: Value, external?: Value): Value {
  const named = m.and(selector, m.constant(0xfffc));
  return external === undefined ? named : m.or(named, external);
}

/** Reads the descriptor of a selector that is not null, or raises `exception` with the selector as error code. */
export function readDescriptor(
  m: SemanticsBuilder,
  selector: Value,
  exception: ExceptionName,
  external?: Value,
): FoundDescriptor {
  const linear = m.call(findDescriptor, selector);
  m.raiseWhen(
    m.equal(linear, m.constant(NO_DESCRIPTOR)),
    exception,
    selectorError(m, selector, external),
  );
  return { linear, bits: m.load(linear, 8, "system") };
}

/** Whether a selector is null: index 0 of the GDT, whatever its RPL. */
export function isNullSelector(m: SemanticsBuilder, selector: Value): Condition {
  return m.isZero(m.and(selector, m.constant(0xfffc)));
}

/** Bits 55:40 without the limit's: the attributes as a segment register keeps them. */
export function attributesOf(m: SemanticsBuilder, descriptor: Value): Value {
  return m.and(m.shiftRightUnsigned(descriptor, m.constant(40)), m.constant(0xf0ff));
}

/** Base of a code, data or legacy system descriptor: 32 bits. */
export function baseOf(m: SemanticsBuilder, descriptor: Value): Value {
  return m.or(
    m.and(m.shiftRightUnsigned(descriptor, m.constant(16)), m.constant(0xff_ffff)),
    m.and(m.shiftRightUnsigned(descriptor, m.constant(32)), m.constant(0xff00_0000n)),
  );
}

/** Limit in bytes: the last valid offset, granularity applied. */
export function limitOf(m: SemanticsBuilder, descriptor: Value): Value {
  const raw = m.or(
    m.and(descriptor, m.constant(0xffff)),
    m.and(m.shiftRightUnsigned(descriptor, m.constant(32)), m.constant(0xf_0000)),
  );
  const inPages = m.or(m.shiftLeft(raw, m.constant(12), 64), m.constant(0xfff));
  return m.select(m.bit(descriptor, 55), inPages, raw);
}

/** Descriptor privilege level, from attributes. */
export function dplOf(m: SemanticsBuilder, attributes: Value): Value {
  return m.and(m.shiftRightUnsigned(attributes, m.constant(5)), m.constant(3));
}

/** Whether attributes have S and the code bit. */
export function isCode(m: SemanticsBuilder, attributes: Value): Condition {
  const wanted = m.constant(ATTRIBUTES.CODE_OR_DATA | TYPE.CODE);
  return m.equal(m.and(attributes, wanted), wanted);
}

/** Whether attributes are those of a data segment that may be written. */
export function isWritableData(m: SemanticsBuilder, attributes: Value): Condition {
  const examined = m.constant(ATTRIBUTES.CODE_OR_DATA | TYPE.CODE | TYPE.WRITABLE_OR_READABLE);
  const wanted = m.constant(ATTRIBUTES.CODE_OR_DATA | TYPE.WRITABLE_OR_READABLE);
  return m.equal(m.and(attributes, examined), wanted);
}

/** Sets the accessed flag of a code or data descriptor in its table unless it is set. */
export function markAccessed(m: SemanticsBuilder, found: FoundDescriptor): void {
  m.when(m.isZero(m.and(found.bits, m.constant(0x100_0000_0000n))), () => {
    const type = m.load(m.add(found.linear, m.constant(5), 64), 1, "system");
    m.store(
      m.add(found.linear, m.constant(5), 64),
      1,
      m.or(type, m.constant(TYPE.ACCESSED)),
      "system",
    );
  });
}
