/**
 * The ways to another task that an instruction or an event takes: a TSS descriptor, a task gate, the previous task.
 *
 * Intel SDM Vol. 3A §8.3, "Task Switching"; §8.2.5, "Task-Gate Descriptor"; §8.4, "Task Linking".
 */
import { trSlots } from "../exceptions/delivery.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { TASK_SWITCH } from "./task-switch.ts";

/** Types of system descriptors that lead to a task, beside the task gate: an available TSS of 16 or 32 bits. */
const TSS_AVAILABLE_16 = 1;
const TSS_AVAILABLE_32 = 9;
const TASK_GATE = 5;

/** Whether a system type is a task gate. */
export function isTaskGate(m: SemanticsBuilder, type: Value): Value {
  return m.equal(type, m.constant(TASK_GATE));
}

/** Whether a system type is a TSS that can be switched to. */
export function isAvailableTss(m: SemanticsBuilder, type: Value): Value {
  return m.either(
    m.equal(type, m.constant(TSS_AVAILABLE_16)),
    m.equal(type, m.constant(TSS_AVAILABLE_32)),
  );
}

/** The selector of a TSS in a task gate. */
export function taskOfGate(m: SemanticsBuilder, gate: Value): Value {
  return m.and(m.shiftRightUnsigned(gate, m.constant(16)), m.constant(0xffff));
}

/**
 * Switches to the task of a TSS selector; the state's `rip` is then the new task's. `kind` is a value of TASK_SWITCH,
 * `returnRip` and `flags` are what the old task's TSS gets.
 */
export function switchToTask(
  m: SemanticsBuilder,
  selector: Value,
  kind: Value,
  returnRip: Value,
  flags: Value,
): void {
  m.setState(slots.scratch0, returnRip);
  m.setState(slots.scratch1, flags);
  m.helper("switchTask", [m.toI32(selector), m.toI32(kind)]);
  // Loading the new task's segments may have met an exception, which is its own and waits for the driver.
  m.recheckEvents();
}

/** IRET with NT = 1: back to the task that the current TSS links to. */
export function returnToPreviousTask(m: SemanticsBuilder, nextRip: Value): void {
  const link = m.load(m.state(trSlots.base), 2, "system");
  const kind = m.constant(TASK_SWITCH.RETURN);
  switchToTask(m, link, kind, nextRip, m.readFlagsRegister());
}
