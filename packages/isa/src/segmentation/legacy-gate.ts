/**
 * Call gates of 16 and 32 bits, which copy parameters between stacks.
 *
 * ```
 * 63            48 47 46 45 44 43    40 39  37 36   32 31           16 15            0
 * +---------------+--+-----+--+--------+------+-------+---------------+--------------+
 * | offset 31:16  |P | DPL |0 | 4 or 12|      | count | selector      | offset 15:0  |
 * +---------------+--+-----+--+--------+------+-------+---------------+--------------+
 * ```
 *
 * Intel SDM Vol. 3A §5.8.3, "Call Gates"; §5.8.4, "Accessing a Code Segment Through a Call Gate"; §5.8.5, "Stack
 * Switching".
 */
import { readHandlerSegment, requirePresent, withPrivilege } from "../exceptions/delivery.ts";
import { updateMode } from "../exceptions/mode.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { limitOf, markAccessed, selectorError } from "./descriptor.ts";
import { innerStack, isBigType, stackWriter, type StackPlace } from "./inner-stack.ts";
import { segmentFromDescriptor, setSegment } from "./segment-register.ts";

const CS = 1;
const SS = 2;
const COUNT_SHIFT = 32;
const COUNT_MASK = 0x1f;

/** A transfer through a gate whose privilege and presence were checked. */
export interface GateTransfer {
  readonly gate: Value;
  readonly attributes: Value;
  readonly isCall: Value;
  readonly nextRip: Value;
}

/** Raises #GP, #NP, #TS and #SS. Leaves `rip` in the state. */
export function transferThroughLegacyGate(m: SemanticsBuilder, transfer: GateTransfer): void {
  const { gate, isCall } = transfer;
  const none = m.constant(0);
  const isBig = isBigType(m, transfer.attributes);
  const selector = m.and(m.shiftRightUnsigned(gate, m.constant(16)), m.constant(0xffff));
  const handler = readHandlerSegment(m, selector, none);
  // JMP does not change the privilege level.
  m.raiseWhen(m.both(m.isFalse(isCall), handler.isInner), "GP", selectorError(m, selector));
  requirePresent(m, handler, none);
  const high = m.and(m.shiftRightUnsigned(gate, m.constant(32)), m.constant(0xffff_0000n));
  const target = m.or(m.and(gate, m.constant(0xffff)), m.select(isBig, high, none));
  m.raiseWhen(m.lessThanUnsigned(limitOf(m, handler.bits), target), "GP", none);

  // Every store comes before the first register changes.
  markAccessed(m, handler);
  const old: StackPlace = {
    base: m.state(segmentSlots(SS).effectiveBase),
    mask: m.state(slots.stackMask),
  };
  const oldPointer = m.register(4, 64);
  const oldSs = m.state(segmentSlots(SS).selector);
  const oldCs = m.state(segmentSlots(CS).selector);
  m.when(isCall, () => {
    m.when(
      handler.isInner,
      () => {
        const count = m.and(
          m.shiftRightUnsigned(gate, m.constant(COUNT_SHIFT)),
          m.constant(COUNT_MASK),
        );
        const stack = innerStack(m, handler.level, m.add(count, m.constant(4)), isBig, none);
        stack.push(oldSs);
        stack.push(m.truncate(oldPointer, 32));
        copyParameters(m, { old, oldPointer, count, isBig }, (value) => stack.push(value));
        stack.push(oldCs);
        stack.push(transfer.nextRip);
        stack.enter();
      },
      () => {
        const stack = stackWriter(m, old, oldPointer, isBig, "stack");
        stack.push(oldCs);
        stack.push(transfer.nextRip);
        const kept = m.and(oldPointer, m.not(old.mask));
        m.setRegister(4, m.or(kept, m.get(stack.pointer)), 64);
      },
    );
  });
  setSegment(
    m,
    CS,
    segmentFromDescriptor(m, withPrivilege(m, selector, handler.level), handler.bits),
  );
  m.when(handler.isInner, () => m.setPrivilegeLevel(handler.level));
  m.call(updateMode);
  m.setState(slots.rip, target);
}

/** Pushes the topmost `count` values of the old stack, the uppermost first, so that they lie as they did. */
function copyParameters(
  m: SemanticsBuilder,
  from: {
    readonly old: StackPlace;
    readonly oldPointer: Value;
    readonly count: Value;
    readonly isBig: Value;
  },
  push: (value: Value) => void,
): void {
  const left = m.variable(from.count);
  m.when(m.get(left), () => {
    m.loop(() => {
      m.set(left, m.subtract(m.get(left), m.constant(1)));
      const shift = m.select(from.isBig, m.constant(2), m.constant(1));
      const distance = m.shiftLeft(m.get(left), shift, 64);
      const offset = m.and(m.add(from.oldPointer, distance), from.old.mask);
      const linear = m.and(m.add(from.old.base, offset), m.state(slots.linearMask));
      const value = m.variable(m.constant(0));
      m.when(
        from.isBig,
        () => m.set(value, m.load(linear, 4, "stack")),
        () => m.set(value, m.load(linear, 2, "stack")),
      );
      push(m.get(value));
      return m.notEqual(m.get(left), m.constant(0));
    });
  });
}
