/**
 * Delivery in legacy protected mode: 8-byte gates, 16-bit and 32-bit handlers.
 *
 * Intel SDM Vol. 3A §6.12.1, "Exception- or Interrupt-Handler Procedures".
 */
import { dplOf, limitOf, markAccessed, selectorError } from "../segmentation/descriptor.ts";
import { innerStack, isBigType, stackWriter } from "../segmentation/inner-stack.ts";
import {
  nullSegment,
  segmentFromDescriptor,
  setSegment,
} from "../segmentation/segment-register.ts";
import { isTaskGate, switchToTask, taskOfGate } from "../segmentation/task-gate.ts";
import { TASK_SWITCH } from "../segmentation/task-switch.ts";
import { RFLAGS } from "../profile/registers.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import {
  clearHandlerFlags,
  CS,
  csSlots,
  readHandlerSegment,
  requirePresent,
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
  const isGate = m.equal(m.and(flags, m.constant(0x16)), m.constant(6));
  const isTask = isTaskGate(m, m.and(flags, m.constant(0x1f)));
  m.raiseWhen(m.isFalse(m.either(isGate, isTask)), "GP", idtError);
  const refusesSoftware = m.both(
    m.equal(delivery.kind, m.constant(EVENT.SOFTWARE)),
    m.lessThanUnsigned(dplOf(m, flags), m.state(slots.cpl)),
  );
  m.raiseWhen(refusesSoftware, "GP", idtError);
  m.raiseWhen(m.isFalse(hasBits(m, flags, 0x80n)), "NP", idtError);
  m.when(
    isTask,
    () => deliverToTask(m, delivery, gate),
    () => deliverThroughGate(m, delivery, gate, flags),
  );
}

/** A task of its own handles the event; an error code is pushed on its stack. */
function deliverToTask(m: SemanticsBuilder, delivery: Delivery, gate: Value): void {
  const kind = m.select(
    m.equal(delivery.kind, m.constant(EVENT.SOFTWARE)),
    m.constant(TASK_SWITCH.SOFTWARE_EVENT),
    m.constant(TASK_SWITCH.EVENT),
  );
  switchToTask(m, taskOfGate(m, gate), kind, delivery.returnRip, delivery.savedFlags);
  m.setState(slots.interruptShadow, m.constant(0));
  m.when(delivery.hasErrorCode, () => {
    const isBig = isBigType(m, m.state(trSlots.attributes));
    const mask = m.state(slots.stackMask);
    const old = m.register(4, 64);
    const place = { base: m.state(ssSlots.effectiveBase), mask };
    const stack = stackWriter(m, place, old, isBig, "stack");
    stack.push(delivery.errorCode);
    m.setRegister(4, m.or(m.and(old, m.not(mask)), m.get(stack.pointer)), 64);
  });
}

function deliverThroughGate(
  m: SemanticsBuilder,
  delivery: Delivery,
  gate: Value,
  flags: Value,
): void {
  const { external } = delivery;
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
      const mask = m.state(slots.stackMask);
      const old = m.register(4, 64);
      const place = { base: m.state(ssSlots.effectiveBase), mask };
      const stack = stackWriter(m, place, old, isBig, "stack");
      pushReturn(m, delivery, (value) => stack.push(value));
      m.setRegister(4, m.or(m.and(old, m.not(mask)), m.get(stack.pointer)), 64);
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

function pushReturn(m: SemanticsBuilder, delivery: Delivery, push: (value: Value) => void): void {
  push(delivery.savedFlags);
  push(m.state(csSlots.selector));
  push(delivery.returnRip);
  m.when(delivery.hasErrorCode, () => push(delivery.errorCode));
}

/** A frame for a handler of an inner level. */
interface InnerFrame {
  readonly delivery: Delivery;
  readonly level: Value;
  readonly isBig: Value;
  readonly isVirtual8086: Value;
}

/**
 * Switches to the stack that the TSS names for the handler's level. Data segments of virtual-8086 mode are saved as well.
 * Intel SDM Vol. 3B §21.3.1.1, "Handling an Interrupt or Exception Through a Protected-Mode Trap or Interrupt Gate".
 */
function pushToInnerStack(m: SemanticsBuilder, frame: InnerFrame): void {
  const { delivery, isVirtual8086 } = frame;
  const items = m.add(
    m.select(isVirtual8086, m.constant(9), m.constant(5)),
    m.select(delivery.hasErrorCode, m.constant(1), m.constant(0)),
  );
  const stack = innerStack(m, frame.level, items, frame.isBig, delivery.external);
  m.when(isVirtual8086, () => {
    for (const index of [GS, FS, DS, ES]) stack.push(m.state(segmentSlots(index).selector));
  });
  stack.push(m.state(ssSlots.selector));
  stack.push(m.truncate(m.register(4, 64), 32));
  pushReturn(m, delivery, (value) => stack.push(value));
  stack.enter();
  m.when(isVirtual8086, () => {
    for (const index of [GS, FS, DS, ES]) setSegment(m, index, nullSegment(m, m.constant(0)));
  });
}
