/**
 * Delivery in legacy protected mode: 8-byte gates, 16-bit and 32-bit handlers.
 *
 * Differs from the SDM: task gates raise #GP with the gate's error code; there is no hardware task switching.
 *
 * Intel SDM Vol. 3A §6.12.1, "Exception- or Interrupt-Handler Procedures".
 */
import { ATTRIBUTES } from "../segmentation/attributes.ts";
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
} from "../segmentation/descriptor.ts";
import {
  nullSegment,
  segmentFromDescriptor,
  setSegment,
} from "../segmentation/segment-register.ts";
import { requireStackRoom } from "../segmentation/stack-room.ts";
import { RFLAGS } from "../profile/registers.ts";
import type { Privilege, SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
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
} from "./delivery.ts";
import { EVENT } from "./event.ts";
import { hasBits, updateMode } from "./mode.ts";

const [ES, DS, FS, GS] = [0, 3, 4, 5] as const;
/** Type bit that tells a 32-bit gate from a 16-bit one, and a trap gate from an interrupt gate. */
const GATE_BIG = 8n;
const GATE_TRAP = 1n;

/** Records delivery in protected mode with IA-32e mode inactive. */
export function deliverProtected(m: SemanticsBuilder, delivery: Delivery): void {
  const { vector, external } = delivery;
  const idtError = m.or(m.or(m.shiftLeft(vector, m.constant(3)), m.constant(2)), external);
  const offset = m.shiftLeft(vector, m.constant(3));
  m.raiseWhen(
    m.lessThanUnsigned(m.state(slots.idtrLimit), m.or(offset, m.constant(7))),
    "GP",
    idtError,
  );
  const gate = m.load(m.add(m.state(slots.idtrBase), offset), 8, "system");

  const flags = m.and(m.shiftRightUnsigned(gate, m.constant(40)), m.constant(0xff));
  // Types 6, 7, 14 and 15: S = 0 and bits 2:1 set, whatever the size bit and the trap bit are.
  m.raiseWhen(m.notEqual(m.and(flags, m.constant(0x16)), m.constant(6)), "GP", idtError);
  const refusesSoftware = m.both(
    m.equal(delivery.kind, m.constant(EVENT.SOFTWARE)),
    m.lessThanUnsigned(dplOf(m, flags), m.state(slots.cpl)),
  );
  m.raiseWhen(refusesSoftware, "GP", idtError);
  m.raiseWhen(m.isFalse(hasBits(m, flags, 0x80n)), "NP", idtError);

  const selector = m.and(m.shiftRightUnsigned(gate, m.constant(16)), m.constant(0xffff));
  const handler = readHandlerSegment(m, selector, external);
  const isVirtual8086 = hasBits(m, m.state(slots.flagsSystem), RFLAGS.VM);
  // Virtual-8086 code is interrupted to privilege level 0 only.
  m.raiseWhen(m.both(isVirtual8086, handler.level), "GP", selectorError(m, selector, external));
  requirePresent(m, handler, external);
  const isBig = hasBits(m, flags, GATE_BIG);
  const offsetHigh = m.select(
    isBig,
    m.and(m.shiftRightUnsigned(gate, m.constant(32)), m.constant(0xffff_0000n)),
    m.constant(0),
  );
  const target = m.or(m.and(gate, m.constant(0xffff)), offsetHigh);
  m.raiseWhen(m.lessThanUnsigned(limitOf(m, handler.bits), target), "GP", external);

  // Every store comes before the first register changes.
  markAccessed(m, handler);
  m.when(
    handler.isInner,
    () => pushToInnerStack(m, { delivery, level: handler.level, isBig, isVirtual8086 }),
    () => {
      const stack = { base: m.state(ssSlots.effectiveBase), mask: m.state(slots.stackMask) };
      const pointer = m.variable(m.and(m.register(4, 64), stack.mask));
      const push = pusher(m, stack, pointer, isBig, "stack");
      pushReturn(m, delivery, push);
      setStackPointer(m, m.get(pointer), stack.mask);
    },
  );

  setSegment(
    m,
    CS,
    segmentFromDescriptor(m, withPrivilege(m, selector, handler.level), handler.bits),
  );
  clearHandlerFlags(m, m.isFalse(hasBits(m, flags, GATE_TRAP)));
  m.setState(slots.interruptShadow, m.constant(0));
  m.setPrivilegeLevel(handler.level);
  m.call(updateMode);
  m.setState(slots.rip, target);
}

interface StackPlace {
  readonly base: Value;
  readonly mask: Value;
}

type Push = (value: Value) => void;

function pusher(
  m: SemanticsBuilder,
  stack: StackPlace,
  pointer: ReturnType<SemanticsBuilder["variable"]>,
  isBig: Value,
  privilege: Privilege,
): Push {
  const linear = (): Value => m.and(m.add(stack.base, m.get(pointer)), m.state(slots.linearMask));
  return (value) => {
    const bytes = m.select(isBig, m.constant(4), m.constant(2));
    m.set(pointer, m.and(m.subtract(m.get(pointer), bytes), stack.mask));
    m.when(
      isBig,
      () => m.store(linear(), 4, value, privilege),
      () => m.store(linear(), 2, value, privilege),
    );
  };
}

function pushReturn(m: SemanticsBuilder, delivery: Delivery, push: Push): void {
  push(delivery.savedFlags);
  push(m.state(csSlots.selector));
  push(delivery.returnRip);
  m.when(delivery.hasErrorCode, () => push(delivery.errorCode));
}

/** Writes the low bits of RSP that the stack's size covers. */
function setStackPointer(m: SemanticsBuilder, pointer: Value, mask: Value): void {
  m.setRegister(4, m.or(m.and(m.register(4, 64), m.not(mask)), m.and(pointer, mask)), 64);
}

/** A frame for a handler of an inner level. */
interface InnerStack {
  readonly delivery: Delivery;
  readonly level: Value;
  readonly isBig: Value;
  readonly isVirtual8086: Value;
}

/** Switches to the stack that the 32-bit TSS names for `level`. Intel SDM Vol. 3A §7.2.1, "Task-State Segment (TSS)". */
function pushToInnerStack(
  m: SemanticsBuilder,
  { delivery, level, isBig, isVirtual8086 }: InnerStack,
): void {
  const { external } = delivery;
  const field = m.add(m.shiftLeft(level, m.constant(3)), m.constant(4));
  const tssError = selectorError(m, m.state(trSlots.selector), external);
  m.raiseWhen(
    m.lessThanUnsigned(m.state(trSlots.limit), m.add(field, m.constant(5))),
    "TS",
    tssError,
  );
  const tss = m.state(trSlots.base);
  const newEsp = m.load(m.add(tss, field), 4, "system");
  const selector = m.load(m.add(tss, m.add(field, m.constant(4))), 2, "system");
  const ssError = selectorError(m, selector, external);
  m.raiseWhen(isNullSelector(m, selector), "TS", external);
  const found = readDescriptor(m, selector, "TS", external);
  const attributes = attributesOf(m, found.bits);
  const fits = m.both(
    isWritableData(m, attributes),
    m.both(m.equal(m.and(selector, m.constant(3)), level), m.equal(dplOf(m, attributes), level)),
  );
  m.raiseWhen(m.isFalse(fits), "TS", ssError);
  m.raiseWhen(m.isFalse(hasBits(m, attributes, ATTRIBUTES.PRESENT)), "SS", ssError);

  const mask = m.select(
    hasBits(m, attributes, ATTRIBUTES.BIG),
    m.constant(0xffff_ffffn),
    m.constant(0xffff),
  );
  const stack = { base: baseOf(m, found.bits), mask };
  const pointer = m.variable(m.and(newEsp, mask));
  const items = m.select(isVirtual8086, m.constant(9), m.constant(5));
  const withCode = m.add(items, m.fromCondition(m.isFalse(m.isZero(delivery.hasErrorCode))));
  const bytes = m.shiftLeft(withCode, m.select(isBig, m.constant(2), m.constant(1)), 64);
  requireStackRoom(
    m,
    { attributes, limit: limitOf(m, found.bits), pointer: m.get(pointer), bytes },
    ssError,
  );
  const push = pusher(m, stack, pointer, isBig, "system");
  m.when(isVirtual8086, () => {
    for (const index of [GS, FS, DS, ES]) push(m.state(segmentSlots(index).selector));
  });
  push(m.state(ssSlots.selector));
  push(m.and(m.register(4, 64), m.constant(0xffff_ffffn)));
  pushReturn(m, delivery, push);

  markAccessed(m, found);
  setSegment(m, SS, segmentFromDescriptor(m, selector, found.bits));
  m.when(isVirtual8086, () => {
    for (const index of [GS, FS, DS, ES]) setSegment(m, index, nullSegment(m, m.constant(0)));
  });
  m.setRegister(4, m.or(m.and(newEsp, m.not(mask)), m.get(pointer)), 64);
}
