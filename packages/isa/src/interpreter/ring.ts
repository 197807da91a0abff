/** Changes of the privilege level, and the instructions that each ring has retired. */
import { setAccessMasks } from "../exceptions/mode.ts";
import type { Routine } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { engineRoutine } from "./engine-routine.ts";

/** Changes CPL: instructions so far belong to the old ring. */
export const setPrivilegeLevel: Routine = engineRoutine(
  "setPrivilegeLevel",
  ["i64"],
  "i32",
  (m, ...values) => {
    const [level] = values;
    if (level === undefined) throw new RangeError("setPrivilegeLevel takes a level.");
    m.callNamed("settleRing", "i32", false, []);
    m.setState(slots.cpl, level);
    setAccessMasks(m);
    return m.constantI32(0);
  },
);

/** Adds the instructions since the last change of ring to the current ring's count. */
export const settleRing: Routine = engineRoutine("settleRing", [], "i32", (m) => {
  const remaining = m.signExtend(m.state(slots.remaining), 32);
  const retired = m.subtract(m.signExtend(m.state(slots.remainingAtRing), 32), remaining);
  const counter = m.shiftLeft(m.state(slots.cpl), m.constant(3));
  m.setStateAt(
    slots.instructionsByRing,
    counter,
    m.add(m.stateAt(slots.instructionsByRing, counter), retired),
  );
  m.setState(slots.remainingAtRing, remaining);
  return m.constantI32(0);
});
