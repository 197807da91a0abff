/**
 * Delivery in IA-32e mode: 16-byte gates, 64-bit handlers, stacks from the TSS.
 *
 * ```
 *   +40  SS            always pushed, also without a change of privilege
 *   +32  RSP
 *   +24  RFLAGS
 *   +16  CS
 *    +8  RIP
 *     0  error code    when the event has one
 * ```
 *
 * Intel SDM Vol. 3A §6.14.1, "64-Bit Mode IDT"; §6.14.2, "64-Bit Mode Stack Frame"; §6.14.4, "Stack Switching in
 * IA-32e Mode"; §6.14.5, "Interrupt Stack Table".
 */
import { ATTRIBUTES } from "../segmentation/attributes.ts";
import { dplOf, markAccessed, selectorError } from "../segmentation/descriptor.ts";
import {
  nullSegment,
  segmentFromDescriptor,
  setSegment,
} from "../segmentation/segment-register.ts";
import type { Privilege, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import {
  clearHandlerFlags,
  CS,
  csSlots,
  readHandlerSegment,
  requirePresent,
  SS,
  ssSlots,
  trSlots,
  withPrivilege,
  type Delivery,
  type HandlerSegment,
} from "./delivery.ts";
import { EVENT } from "./event.ts";
import { hasBits, updateMode } from "./mode.ts";

/** Bits 47:40 of a gate, moved down: P, DPL, S and type. */
const GATE_TYPE = 0x1fn;
const GATE_PRESENT = 0x80n;
/** Types 14 and 15, interrupt and trap gate, but for the bit that tells them apart. */
const GATE_TYPE_MASK = 0x1en;
const GATE_TYPE_INTERRUPT = 0xen;

/** Records delivery in IA-32e mode. */
export function deliverLong(m: SemanticsBuilder, delivery: Delivery): void {
  const { vector, external } = delivery;
  const idtError = m.or(m.or(m.shiftLeft(vector, m.constant(3)), m.constant(2)), external);
  const offset = m.shiftLeft(vector, m.constant(4));
  m.raiseWhen(
    m.lessThanUnsigned(m.state(slots.idtrLimit), m.or(offset, m.constant(15))),
    "GP",
    idtError,
  );
  const gateLinear = m.add(m.state(slots.idtrBase), offset);
  const low = m.load(gateLinear, 8, "system");
  const high = m.load(m.add(gateLinear, m.constant(8)), 8, "system");

  const flags = m.and(m.shiftRightUnsigned(low, m.constant(40)), m.constant(0xff));
  const isGate = m.equal(m.and(flags, m.constant(GATE_TYPE_MASK)), m.constant(GATE_TYPE_INTERRUPT));
  m.raiseWhen(m.isFalse(isGate), "GP", idtError);
  const refusesSoftware = m.both(
    m.equal(delivery.kind, m.constant(EVENT.SOFTWARE)),
    m.lessThanUnsigned(dplOf(m, flags), m.state(slots.cpl)),
  );
  m.raiseWhen(refusesSoftware, "GP", idtError);
  m.raiseWhen(m.isFalse(hasBits(m, flags, GATE_PRESENT)), "NP", idtError);

  const selector = m.and(m.shiftRightUnsigned(low, m.constant(16)), m.constant(0xffff));
  const handler = readHandlerSegment(m, selector, external);
  const size = m.and(handler.attributes, m.constant(ATTRIBUTES.LONG | ATTRIBUTES.BIG));
  m.raiseWhen(
    m.notEqual(size, m.constant(ATTRIBUTES.LONG)),
    "GP",
    selectorError(m, selector, external),
  );
  requirePresent(m, handler, external);

  const stack = handlerStack(
    m,
    handler,
    m.and(m.shiftRightUnsigned(low, m.constant(32)), m.constant(7)),
    external,
  );
  const target = m.or(
    m.or(
      m.and(low, m.constant(0xffff)),
      m.and(m.shiftRightUnsigned(low, m.constant(32)), m.constant(0xffff_0000n)),
    ),
    m.shiftLeft(high, m.constant(32)),
  );
  m.raiseWhen(m.isFalse(m.isCanonical(target)), "GP", external);

  const newRsp = pushFrame(m, delivery, handler, stack);
  markAccessed(m, handler);

  m.setRegister(4, newRsp, 64);
  m.when(handler.isInner, () => setSegment(m, SS, nullSegment(m, handler.level, handler.level)));
  setSegment(
    m,
    CS,
    segmentFromDescriptor(m, withPrivilege(m, selector, handler.level), handler.bits),
  );
  const isInterruptGate = m.equal(
    m.and(flags, m.constant(GATE_TYPE)),
    m.constant(GATE_TYPE_INTERRUPT),
  );
  clearHandlerFlags(m, isInterruptGate);
  m.setState(slots.interruptShadow, m.constant(0));
  m.setPrivilegeLevel(handler.level);
  m.call(updateMode);
  m.setState(slots.rip, target);
}

/** RSP before the frame, aligned to 16 bytes: from the IST, from the TSS's RSP n, or the current one. */
function handlerStack(
  m: SemanticsBuilder,
  handler: HandlerSegment,
  ist: Value,
  external: Value,
): Value {
  const stack = m.variable(m.register(4, 64));
  m.when(m.either(ist, handler.isInner), () => {
    // Intel SDM Vol. 3A §8.7, "Task Management in 64-bit Mode": RSP0 at 4, IST1 at 36.
    const istField = m.add(m.shiftLeft(ist, m.constant(3)), m.constant(28));
    const rspField = m.add(m.shiftLeft(handler.level, m.constant(3)), m.constant(4));
    const field = m.select(ist, istField, rspField);
    m.set(stack, readTssStack(m, field, external));
  });
  return m.and(m.get(stack), m.constant(~0xfn));
}

/** A stack pointer from the 64-bit TSS, at byte `field` of it. */
export function readTssStack(m: SemanticsBuilder, field: Value, external: Value): Value {
  const beyond = m.lessThanUnsigned(m.state(trSlots.limit), m.add(field, m.constant(7)));
  m.raiseWhen(beyond, "TS", selectorError(m, m.state(trSlots.selector), external));
  const stack = m.load(m.add(m.state(trSlots.base), field), 8, "system");
  m.raiseWhen(m.isFalse(m.isCanonical(stack)), "SS", external);
  return stack;
}

/** Stores the frame and returns RSP below it. */
function pushFrame(
  m: SemanticsBuilder,
  delivery: Delivery,
  handler: HandlerSegment,
  stack: Value,
): Value {
  const below = (bytes: number): Value => m.subtract(stack, m.constant(bytes));
  const storeFrame = (privilege: Privilege): void => {
    m.store(below(8), 8, m.state(ssSlots.selector), privilege);
    m.store(below(16), 8, m.register(4, 64), privilege);
    m.store(below(24), 8, delivery.savedFlags, privilege);
    m.store(below(32), 8, m.state(csSlots.selector), privilege);
    m.store(below(40), 8, delivery.returnRip, privilege);
    m.when(delivery.hasErrorCode, () => m.store(below(48), 8, delivery.errorCode, privilege));
  };
  // A handler at CPL 3 gets its frame with user rights; every other one is the supervisor's.
  m.when(
    m.equal(handler.level, m.constant(3)),
    () => storeFrame("current"),
    () => storeFrame("system"),
  );
  return m.select(delivery.hasErrorCode, below(48), below(40));
}
