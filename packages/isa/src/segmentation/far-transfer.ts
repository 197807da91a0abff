/**
 * Far JMP and CALL: to code segments, through call gates, and to other tasks.
 *
 * Intel SDM Vol. 2A, "JMP—Jump" and "CALL—Call Procedure" (operation); Vol. 3A §5.8, "Privilege Level Checking When
 * Transferring Program Control Between Code Segments"; §5.8.3.1, "IA-32e Mode Call Gates".
 */
import { readHandlerSegment, requirePresent, withPrivilege } from "../exceptions/delivery.ts";
import { readTssStack } from "../exceptions/deliver-long.ts";
import { hasBits, isProtected, updateMode } from "../exceptions/mode.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { ATTRIBUTES, SYSTEM_TYPE, TYPE } from "./attributes.ts";
import {
  attributesOf,
  dplOf,
  isCode,
  isNullSelector,
  limitOf,
  markAccessed,
  readDescriptor,
  selectorError,
  type FoundDescriptor,
} from "./descriptor.ts";
import { transferThroughLegacyGate } from "./legacy-gate.ts";
import { nullSegment, segmentFromDescriptor, setSegment } from "./segment-register.ts";
import { isAvailableTss, isTaskGate, switchToTask, taskOfGate } from "./task-gate.ts";

const CS = 1;
const SS = 2;
const CALL_GATE_16 = 4;

/** What {@link transferFar} did. */
export const TRANSFER = {
  /** The state's `rip`, CS and, for calls through gates, the stack are those of the target. */
  DONE: 0,
  /** The selector names a gate or a TSS, and monitor delivery is on: nothing was changed. */
  GATE_FOR_MONITOR: 1,
} as const;

/**
 * Far JMP and CALL.
 *
 * Parameters: selector, offset, operand size in bytes (2, 4 or 8), 1 for CALL and 0 for JMP, RIP of the next
 * instruction. Result: a value of TRANSFER.
 */
export const transferFar: Routine = {
  name: "transferFar",
  parameters: ["i64", "i64", "i64", "i64", "i64"],
  result: "i64",
  raises: true,
  body(m, ...[selector, offset, operandBytes, isCall, nextRip]) {
    if (
      selector === undefined ||
      offset === undefined ||
      operandBytes === undefined ||
      isCall === undefined ||
      nextRip === undefined
    ) {
      throw new RangeError("transferFar takes five parameters.");
    }
    const transfer: Transfer = { m, selector, offset, operandBytes, isCall, nextRip };
    const outcome = m.variable(m.constant(TRANSFER.DONE));
    m.when(
      isProtected(m),
      () => {
        m.raiseWhen(isNullSelector(m, selector), "GP", m.constant(0));
        const found = readDescriptor(m, selector, "GP");
        const attributes = attributesOf(m, found.bits);
        m.when(
          isCode(m, attributes),
          () => transferToSegment(transfer, found, attributes),
          () => {
            const type = m.and(attributes, m.constant(ATTRIBUTES.TYPE | ATTRIBUTES.CODE_OR_DATA));
            const isBigGate = m.equal(type, m.constant(SYSTEM_TYPE.CALL_GATE));
            const isLegacyType = m.either(
              m.equal(type, m.constant(CALL_GATE_16)),
              m.either(isTaskGate(m, type), isAvailableTss(m, type)),
            );
            const isLegacy = m.both(isLegacyType, m.isZero(m.state(slots.longMode)));
            m.raiseWhen(m.isFalse(m.either(isBigGate, isLegacy)), "GP", selectorError(m, selector));
            checkGate(transfer, attributes);
            m.when(
              m.state(slots.monitorDelivery),
              () => m.set(outcome, m.constant(TRANSFER.GATE_FOR_MONITOR)),
              () => {
                m.when(
                  m.state(slots.longMode),
                  () => transferThroughGate(transfer, found),
                  () => transferThroughLegacySystem(transfer, found, type),
                );
              },
            );
          },
        );
      },
      () => transferInRealMode(transfer),
    );
    return m.get(outcome);
  },
};

interface Transfer {
  readonly m: SemanticsBuilder;
  readonly selector: Value;
  readonly offset: Value;
  readonly operandBytes: Value;
  readonly isCall: Value;
  readonly nextRip: Value;
}

function transferToSegment(transfer: Transfer, found: FoundDescriptor, attributes: Value): void {
  const { m, selector, offset } = transfer;
  const cpl = m.state(slots.cpl);
  const error = selectorError(m, selector);
  const dpl = dplOf(m, attributes);
  const rplFits = m.isFalse(m.lessThanUnsigned(cpl, m.and(selector, m.constant(3))));
  const allowed = m.select(
    hasBits(m, attributes, TYPE.CONFORMING),
    m.isFalse(m.lessThanUnsigned(cpl, dpl)),
    m.both(rplFits, m.equal(dpl, cpl)),
  );
  m.raiseWhen(m.isFalse(allowed), "GP", error);
  const isLong = m.both(m.state(slots.longMode), hasBits(m, attributes, ATTRIBUTES.LONG));
  m.raiseWhen(m.both(isLong, hasBits(m, attributes, ATTRIBUTES.BIG)), "GP", error);
  m.raiseWhen(m.isFalse(hasBits(m, attributes, ATTRIBUTES.PRESENT)), "NP", error);
  const reachable = m.select(
    isLong,
    m.isCanonical(offset),
    m.isFalse(m.lessThanUnsigned(limitOf(m, found.bits), offset)),
  );
  m.raiseWhen(m.isFalse(reachable), "GP", m.constant(0));
  // Every store comes before the first register changes.
  markAccessed(m, found);
  m.when(transfer.isCall, () => pushReturnAddress(transfer));
  setSegment(m, CS, segmentFromDescriptor(m, withPrivilege(m, selector, cpl), found.bits));
  m.call(updateMode);
  m.setState(slots.rip, offset);
}

/** Pushes CS and RIP on the current stack, each with the operand's size. */
function pushReturnAddress(transfer: Transfer): void {
  const { m, operandBytes } = transfer;
  const mask = m.state(slots.stackMask);
  const base = m.state(segmentSlots(SS).effectiveBase);
  const pointer = m.register(4, 64);
  const storeAt = (count: number, value: Value): void => {
    const below = m.and(m.subtract(pointer, m.multiply(operandBytes, m.constant(count))), mask);
    const linear = m.and(m.add(below, base), m.state(slots.linearMask));
    storeSized(m, linear, operandBytes, value);
  };
  storeAt(1, m.state(segmentSlots(CS).selector));
  storeAt(2, transfer.nextRip);
  const moved = m.subtract(pointer, m.shiftLeft(operandBytes, m.constant(1)));
  m.setRegister(4, m.or(m.and(pointer, m.not(mask)), m.and(moved, mask)), 64);
}

function storeSized(m: SemanticsBuilder, linear: Value, bytes: Value, value: Value): void {
  m.when(
    m.equal(bytes, m.constant(8)),
    () => m.store(linear, 8, value, "stack"),
    () => {
      m.when(
        m.equal(bytes, m.constant(4)),
        () => m.store(linear, 4, value, "stack"),
        () => m.store(linear, 2, value, "stack"),
      );
    },
  );
}

/** A gate may be used by code whose CPL and whose selector's RPL are both at least as privileged as its DPL. */
function checkGate(transfer: Transfer, attributes: Value): void {
  const { m, selector } = transfer;
  const error = selectorError(m, selector);
  const dpl = dplOf(m, attributes);
  const refused = m.either(
    m.lessThanUnsigned(dpl, m.state(slots.cpl)),
    m.lessThanUnsigned(dpl, m.and(selector, m.constant(3))),
  );
  m.raiseWhen(refused, "GP", error);
  m.raiseWhen(m.isFalse(hasBits(m, attributes, ATTRIBUTES.PRESENT)), "NP", error);
}

/** A call gate, a task gate or a TSS outside IA-32e mode. */
function transferThroughLegacySystem(
  transfer: Transfer,
  found: FoundDescriptor,
  type: Value,
): void {
  const { m, isCall, nextRip, selector } = transfer;
  const switchTo = (task: Value): void =>
    switchToTask(m, task, isCall, nextRip, m.readFlagsRegister());
  m.when(
    isTaskGate(m, type),
    () => switchTo(taskOfGate(m, found.bits)),
    () => {
      m.when(
        isAvailableTss(m, type),
        () => switchTo(selector),
        () => transferThroughLegacyGate(m, { gate: found.bits, attributes: type, isCall, nextRip }),
      );
    },
  );
}

function transferThroughGate(transfer: Transfer, gate: FoundDescriptor): void {
  const { m, isCall } = transfer;
  const none = m.constant(0);
  const gateError = selectorError(m, transfer.selector);
  const tableLimit = m.select(
    m.and(transfer.selector, m.constant(4)),
    m.state(segmentSlots(6).limit),
    m.state(slots.gdtrLimit),
  );
  const last = m.add(m.and(transfer.selector, m.constant(0xfff8)), m.constant(15));
  m.raiseWhen(m.lessThanUnsigned(tableLimit, last), "GP", gateError);
  const high = m.load(m.add(gate.linear, m.constant(8)), 8, "system");
  m.raiseWhen(hasBits(m, high, 0x1f00_0000_0000n), "GP", gateError);

  const selector = m.and(m.shiftRightUnsigned(gate.bits, m.constant(16)), m.constant(0xffff));
  const handler = readHandlerSegment(m, selector, none);
  const size = m.and(handler.attributes, m.constant(ATTRIBUTES.LONG | ATTRIBUTES.BIG));
  m.raiseWhen(m.notEqual(size, m.constant(ATTRIBUTES.LONG)), "GP", selectorError(m, selector));
  // JMP does not change the privilege level.
  m.raiseWhen(m.both(m.isFalse(isCall), handler.isInner), "GP", selectorError(m, selector));
  requirePresent(m, handler, none);
  const target = m.or(
    m.or(
      m.and(gate.bits, m.constant(0xffff)),
      m.and(m.shiftRightUnsigned(gate.bits, m.constant(32)), m.constant(0xffff_0000n)),
    ),
    m.shiftLeft(high, m.constant(32)),
  );
  m.raiseWhen(m.isFalse(m.isCanonical(target)), "GP", none);

  markAccessed(m, handler);
  m.when(isCall, () => {
    const oldRsp = m.register(4, 64);
    const oldSs = m.state(segmentSlots(SS).selector);
    const oldCs = m.state(segmentSlots(CS).selector);
    m.when(
      handler.isInner,
      () => {
        const field = m.add(m.shiftLeft(handler.level, m.constant(3)), m.constant(4));
        const stack = readTssStack(m, field, none);
        const below = (bytes: number): Value => m.subtract(stack, m.constant(bytes));
        m.store(below(8), 8, oldSs, "system");
        m.store(below(16), 8, oldRsp, "system");
        m.store(below(24), 8, oldCs, "system");
        m.store(below(32), 8, transfer.nextRip, "system");
        m.setRegister(4, below(32), 64);
        setSegment(m, SS, nullSegment(m, handler.level, handler.level));
      },
      () => {
        m.store(m.subtract(oldRsp, m.constant(8)), 8, oldCs);
        m.store(m.subtract(oldRsp, m.constant(16)), 8, transfer.nextRip);
        m.setRegister(4, m.subtract(oldRsp, m.constant(16)), 64);
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

/** In real-address and virtual-8086 mode a selector is a paragraph. */
function transferInRealMode(transfer: Transfer): void {
  const { m, selector, offset } = transfer;
  const { base, limit } = segmentSlots(CS);
  m.raiseWhen(m.lessThanUnsigned(m.state(limit), offset), "GP", m.constant(0));
  m.when(transfer.isCall, () => pushReturnAddress(transfer));
  m.setState(segmentSlots(CS).selector, selector);
  m.setState(base, m.shiftLeft(selector, m.constant(4)));
  m.call(updateMode);
  m.setState(slots.rip, offset);
}
