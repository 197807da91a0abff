/** What routines of the engine share: access to the host's own tables, and to parameters. */
import { Recorder } from "../micro-operations/recorder.ts";
import type { Routine, SemanticsBuilder, Value, ValueType } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { ENGINE, FRAME_ENTRY, FRAME_ENTRY_BYTES, FRAME_IS_RAM } from "./layout.ts";

/** A routine of the engine: it may touch the host's tables, which semantics cannot. */
export function engineRoutine(
  name: string,
  parameters: readonly ValueType[],
  result: ValueType,
  body: (m: Recorder, ...values: Value[]) => Value,
): Routine {
  return {
    name,
    parameters,
    result,
    raises: false,
    body: (m: SemanticsBuilder, ...values: Value[]) => {
      if (!(m instanceof Recorder))
        throw new TypeError(`Routine ${name} belongs to the engine and is only recorded by it.`);
      return body(m, ...values);
    },
  };
}

/** Whether something has recorded a fault that was not taken yet. */
export function faulted(m: Recorder): Value {
  return m.notEqual(m.state(slots.faultVector), m.constant(0));
}

/** Host address of the frame table's entry for a physical address below 4 GiB. */
export function frameEntry(m: Recorder, physical: Value): Value {
  const frame = m.toI32(m.shiftRightUnsigned(physical, m.constant(12)));
  const offset = m.wasm("i32.shl", [frame, m.constantI32(Math.log2(FRAME_ENTRY_BYTES))]);
  return m.wasm("i32.add", [offset, m.toI32(m.state(ENGINE.frameTable))]);
}

/** Whether a physical address is in RAM; addresses outside the frame table are not. */
export function isRam(m: Recorder, physical: Value): Value {
  const inside = m.lessThanUnsigned(physical, m.state(ENGINE.physicalBytes));
  const entry = m.select(inside, frameEntry(m, physical), m.toI32(m.state(ENGINE.frameTable)));
  const flags = m.hostLoad("i32.load8_u", entry, FRAME_ENTRY.flags.offset);
  return m.both(inside, m.wasm("i32.and", [flags, m.constantI32(FRAME_IS_RAM)]));
}

/** Address in the host's memory of a physical address in RAM. */
export function hostOfPhysical(m: Recorder, physical: Value): Value {
  return m.wasm("i32.add", [m.toI32(physical), m.toI32(m.state(ENGINE.physicalBase))]);
}

/** The parameters of a routine that has two; and so on. */
export function pair(values: readonly Value[]): [Value, Value] {
  const [a, b] = values;
  if (a === undefined || b === undefined) throw new RangeError("The routine takes two parameters.");
  return [a, b];
}

export function triple(values: readonly Value[]): [Value, Value, Value] {
  const [a, b, c] = values;
  if (a === undefined || b === undefined || c === undefined)
    throw new RangeError("The routine takes three parameters.");
  return [a, b, c];
}

export function quadruple(values: readonly Value[]): [Value, Value, Value, Value] {
  const [a, b, c, d] = values;
  if (a === undefined || b === undefined || c === undefined || d === undefined)
    throw new RangeError("The routine takes four parameters.");
  return [a, b, c, d];
}
