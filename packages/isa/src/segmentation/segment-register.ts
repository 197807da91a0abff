/** Writing segment registers, visible and hidden part together. */
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { SEGMENT_STRIDE, segmentSlots } from "../state/layout.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";
import { attributesOf, baseOf, limitOf } from "./descriptor.ts";

/** What a segment register holds. */
export interface SegmentValue {
  readonly selector: Value;
  readonly base: Value;
  readonly limit: Value;
  readonly attributes: Value;
}

/** Writes segment register `index`, a position in SEGMENTS that may be computed. Derived fields follow with updateMode. */
export function setSegment(m: SemanticsBuilder, index: number | Value, value: SegmentValue): void {
  const first = segmentSlots(0);
  const at =
    typeof index === "number"
      ? m.constant(index * SEGMENT_STRIDE)
      : m.multiply(index, m.constant(SEGMENT_STRIDE), 64);
  m.setStateAt(first.selector, at, value.selector);
  m.setStateAt(first.base, at, value.base);
  m.setStateAt(first.limit, at, value.limit);
  m.setStateAt(first.attributes, at, value.attributes);
}

/** What a code or data descriptor loads into a register. Loading marks it accessed. */
export function segmentFromDescriptor(
  m: SemanticsBuilder,
  selector: Value,
  descriptor: Value,
): SegmentValue {
  return {
    selector,
    base: baseOf(m, descriptor),
    limit: limitOf(m, descriptor),
    attributes: m.or(attributesOf(m, descriptor), m.constant(TYPE.ACCESSED)),
  };
}

/** A null selector: the register is unusable and its base 0. `dpl` matters for SS, whose DPL is always CPL. */
export function nullSegment(
  m: SemanticsBuilder,
  selector: Value,
  dpl: Value = m.constant(0),
): SegmentValue {
  const zero = m.constant(0);
  return {
    selector,
    base: zero,
    limit: zero,
    attributes: m.or(m.constant(ATTRIBUTES.UNUSABLE), m.shiftLeft(dpl, m.constant(5), 64)),
  };
}

/** A segment with base 0 and a limit of 4 GBytes, as SYSCALL and SYSENTER load without reading a descriptor. */
export function flatSegment(
  m: SemanticsBuilder,
  selector: Value,
  attributes: bigint,
): SegmentValue {
  return {
    selector,
    base: m.constant(0),
    limit: m.constant(0xffff_ffffn),
    attributes: m.constant(attributes),
  };
}
