/** What the deliveries of all modes share. */
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots, type SegmentSlots } from "../state/layout.ts";
import {
  attributesOf,
  dplOf,
  isCode,
  isNullSelector,
  readDescriptor,
  selectorError,
  type FoundDescriptor,
} from "../segmentation/descriptor.ts";
import { ATTRIBUTES, TYPE } from "../segmentation/attributes.ts";
import { RFLAGS } from "../profile/registers.ts";
import { hasBits } from "./mode.ts";

export const CS = 1;
export const SS = 2;
export const TR = 7;
export const csSlots: SegmentSlots = segmentSlots(CS);
export const ssSlots: SegmentSlots = segmentSlots(SS);
export const trSlots: SegmentSlots = segmentSlots(TR);

/** An event on its way through the IDT. */
export interface Delivery {
  readonly vector: Value;
  /** A number of {@link EVENT}. */
  readonly kind: Value;
  readonly hasErrorCode: Value;
  readonly errorCode: Value;
  /** RIP that the frame saves. */
  readonly returnRip: Value;
  /** EXT bit of error codes that delivery raises. */
  readonly external: Value;
  /** RFLAGS that the frame saves. */
  readonly savedFlags: Value;
}

/** The code segment that a gate leads to. */
export interface HandlerSegment extends FoundDescriptor {
  readonly selector: Value;
  readonly attributes: Value;
  /** Privilege level that the handler runs at. */
  readonly level: Value;
  /** Whether that is more privileged than the current level, as a condition. */
  readonly isInner: Value;
}

/** Reads and checks the code segment of an interrupt or call gate. `external` goes into error codes. */
export function readHandlerSegment(
  m: SemanticsBuilder,
  selector: Value,
  external: Value,
): HandlerSegment {
  m.raiseWhen(isNullSelector(m, selector), "GP", external);
  const found = readDescriptor(m, selector, "GP", external);
  const attributes = attributesOf(m, found.bits);
  const cpl = m.state(slots.cpl);
  const dpl = dplOf(m, attributes);
  const usable = m.both(isCode(m, attributes), m.isFalse(m.lessThanUnsigned(cpl, dpl)));
  m.raiseWhen(m.isFalse(usable), "GP", selectorError(m, selector, external));
  const level = m.select(hasBits(m, attributes, TYPE.CONFORMING), cpl, dpl);
  return { ...found, selector, attributes, level, isInner: m.lessThanUnsigned(level, cpl) };
}

/** Raises #NP with the selector unless the segment is present. */
export function requirePresent(
  m: SemanticsBuilder,
  segment: HandlerSegment,
  external: Value,
): void {
  const isPresent = hasBits(m, segment.attributes, ATTRIBUTES.PRESENT);
  m.raiseWhen(m.isFalse(isPresent), "NP", selectorError(m, segment.selector, external));
}

/**
 * Clears TF, NT, RF and VM, and IF as well for an interrupt gate; so an INT that is stepped does not trap in its handler.
 *
 * Intel SDM Vol. 3A §6.12.1.3, "Flag Usage By Exception- or Interrupt-Handler Procedure".
 */
export function clearHandlerFlags(m: SemanticsBuilder, isInterruptGate: Value): void {
  const always = RFLAGS.TF | RFLAGS.NT | RFLAGS.RF | RFLAGS.VM;
  const mask = m.select(isInterruptGate, m.constant(always | RFLAGS.IF), m.constant(always));
  m.writeFlagsRegister(m.constant(0), mask);
  m.setState(slots.stepDecided, m.constant(1));
}

/** A selector with its RPL replaced. */
export function withPrivilege(m: SemanticsBuilder, selector: Value, level: Value): Value {
  return m.or(m.and(selector, m.constant(0xfffc)), level);
}
