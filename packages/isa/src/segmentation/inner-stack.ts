/**
 * The stack of an inner privilege level in legacy protected mode: where the TSS says it is, checked, and pushed to before
 * any register changes.
 *
 * Intel SDM Vol. 3A §5.8.5, "Stack Switching"; §8.2.1, "Task-State Segment (TSS)"; §8.6, "16-Bit Task-State Segment
 * (TSS)".
 */
import { trSlots } from "../exceptions/delivery.ts";
import { hasBits } from "../exceptions/mode.ts";
import type { Privilege, SemanticsBuilder, Value, Variable } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ATTRIBUTES } from "./attributes.ts";
import {
  attributesOf,
  baseOf,
  dplOf,
  isNullSelector,
  isWritableData,
  limitOf,
  markAccessed,
  readDescriptor,
  selectorError,
  type FoundDescriptor,
} from "./descriptor.ts";
import { segmentFromDescriptor, setSegment } from "./segment-register.ts";
import { requireStackRoom } from "./stack-room.ts";

const SS = 2;
/** The type bit that tells a 32-bit TSS, gate or task from a 16-bit one. */
const BIG_TYPE = 8n;

/** Stores below a pointer that moves down. */
export interface StackWriter {
  readonly pointer: Variable;
  push(value: Value): void;
}

/** Where a stack begins, and the mask of its size. */
export interface StackPlace {
  /** Base of the segment; a marked one is checked with each push. */
  readonly base: Value;
  readonly mask: Value;
}

/** Pushes 4 bytes each, or 2, from `pointer` down. */
export function stackWriter(
  m: SemanticsBuilder,
  { base, mask }: StackPlace,
  pointer: Value,
  isBig: Value,
  privilege: Privilege,
): StackWriter {
  const top = m.variable(m.and(pointer, mask));
  const linear = (): Value => m.and(m.add(base, m.get(top)), m.state(slots.linearMask));
  return {
    pointer: top,
    push(value) {
      const bytes = m.select(isBig, m.constant(4), m.constant(2));
      m.set(top, m.and(m.subtract(m.get(top), bytes), mask));
      m.when(
        isBig,
        () => m.store(linear(), 4, value, privilege),
        () => m.store(linear(), 2, value, privilege),
      );
    },
  };
}

/** A stack that the TSS names, with room for what is to be pushed. */
export interface InnerStack extends StackWriter {
  /** Makes it the current stack. */
  enter(): void;
}

/**
 * Finds the stack of privilege level `level`. Raises #TS and #SS as `items` pushes to it would.
 *
 * @param items How many values are to be pushed.
 * @param isBig Whether each of them has 4 bytes.
 */
export function innerStack(
  m: SemanticsBuilder,
  level: Value,
  items: Value,
  isBig: Value,
  external: Value,
): InnerStack {
  const { selector, pointer } = readStackOfTss(m, level, external);
  const error = selectorError(m, selector, external);
  m.raiseWhen(isNullSelector(m, selector), "TS", external);
  const found = readDescriptor(m, selector, "TS", external);
  const attributes = attributesOf(m, found.bits);
  const fits = m.both(
    isWritableData(m, attributes),
    m.both(m.equal(m.and(selector, m.constant(3)), level), m.equal(dplOf(m, attributes), level)),
  );
  m.raiseWhen(m.isFalse(fits), "TS", error);
  m.raiseWhen(m.isFalse(hasBits(m, attributes, ATTRIBUTES.PRESENT)), "SS", error);
  const mask = m.select(
    hasBits(m, attributes, ATTRIBUTES.BIG),
    m.constant(0xffff_ffffn),
    m.constant(0xffff),
  );
  const bytes = m.shiftLeft(items, m.select(isBig, m.constant(2), m.constant(1)), 64);
  const limit = limitOf(m, found.bits);
  requireStackRoom(m, { attributes, limit, pointer: m.and(pointer, mask), bytes }, error);
  const writer = stackWriter(m, { base: baseOf(m, found.bits), mask }, pointer, isBig, "system");
  return { ...writer, enter: () => enter(m, { found, selector, pointer, mask, writer }) };
}

function enter(
  m: SemanticsBuilder,
  stack: {
    readonly found: FoundDescriptor;
    readonly selector: Value;
    readonly pointer: Value;
    readonly mask: Value;
    readonly writer: StackWriter;
  },
): void {
  markAccessed(m, stack.found);
  setSegment(m, SS, segmentFromDescriptor(m, stack.selector, stack.found.bits));
  const kept = m.and(stack.pointer, m.not(stack.mask));
  m.setRegister(4, m.or(kept, m.get(stack.writer.pointer)), 64);
}

/** SSn and ESPn of the current TSS, of whichever size it is. Raises #TS when it ends before them. */
function readStackOfTss(
  m: SemanticsBuilder,
  level: Value,
  external: Value,
): { readonly selector: Value; readonly pointer: Value } {
  const isBig = hasBits(m, m.state(trSlots.attributes), BIG_TYPE);
  const offset = m.select(
    isBig,
    m.add(m.shiftLeft(level, m.constant(3)), m.constant(4)),
    m.add(m.shiftLeft(level, m.constant(2)), m.constant(2)),
  );
  const last = m.add(offset, m.select(isBig, m.constant(5), m.constant(3)));
  const error = selectorError(m, m.state(trSlots.selector), external);
  m.raiseWhen(m.lessThanUnsigned(m.state(trSlots.limit), last), "TS", error);
  const at = m.add(m.state(trSlots.base), offset);
  const pointer = m.variable(m.constant(0));
  const selector = m.variable(m.constant(0));
  m.when(
    isBig,
    () => {
      m.set(pointer, m.load(at, 4, "system"));
      m.set(selector, m.load(m.add(at, m.constant(4)), 2, "system"));
    },
    () => {
      m.set(pointer, m.load(at, 2, "system"));
      m.set(selector, m.load(m.add(at, m.constant(2)), 2, "system"));
    },
  );
  return { selector: m.get(selector), pointer: m.get(pointer) };
}

/** Whether the type of a gate or TSS is one of 32 bits. */
export function isBigType(m: SemanticsBuilder, attributes: Value): Value {
  return hasBits(m, attributes, BIG_TYPE);
}
