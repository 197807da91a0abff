/** Recordings of forms and routines: their semantics, run once with a recorder. */
import type { Form } from "../decoder/decoded.ts";
import type { Operand, Routine, SemanticsBuilder, Value } from "../semantics.ts";
import { Recorder } from "./recorder.ts";
import type { Recording } from "./tree.ts";

/** Code of an extension in front of a row's meaning. */
export type Prologue = (m: SemanticsBuilder, ...operands: Operand[]) => void;

/** Records one form: its semantics, wrapped into the loop of a REP prefix where it has one, with `prologues` in front. */
export function recordForm(form: Form, prologues: readonly Prologue[] = []): Recording {
  const recorder = new Recorder({ kind: "form", form });
  const { precondition, semantics } = form.instruction;
  const run = (): void => {
    for (const prologue of prologues) prologue(recorder, ...form.operands);
    const meaning = (): void => {
      if (form.repeat === "none") precondition?.(recorder);
      semantics(recorder, ...form.operands);
    };
    if (form.instruction.counted === true)
      recorder.countWhenRetired(`instructions.${form.instruction.mnemonic}`, meaning);
    else meaning();
  };
  if (form.repeat === "none") run();
  else {
    precondition?.(recorder);
    recordRepetition(recorder, form, run);
  }
  return recorder.finish();
}

/**
 * One iteration a unit: the record is executed again while the count lasts, so that interrupts fall between iterations.
 * Intel SDM Vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix".
 */
function recordRepetition(m: Recorder, form: Form, iteration: () => void): void {
  const width = form.addressWidth;
  const count = m.register(1, width);
  m.when(m.notEqual(count, m.constant(0)), () => {
    iteration();
    const left = m.subtract(count, m.constant(1), width);
    m.setRegister(1, left, width);
    let again: Value = m.notEqual(left, m.constant(0));
    if (form.repeat === "repe") again = m.both(again, m.flag("ZF"));
    if (form.repeat === "repne") again = m.both(again, m.isFalse(m.flag("ZF")));
    m.when(again, () => m.repeatRecord());
  });
}

/** Records a routine. Its parameters are WebAssembly parameters after the processor's base. */
export function recordRoutine(routine: Routine): Recording {
  const recorder = new Recorder({ kind: "routine", routine });
  const parameters = routine.parameters.map((type, index) => recorder.parameter(type, index));
  const result = routine.body(recorder, ...parameters);
  if (routine.result !== undefined) {
    if (result === undefined)
      throw new TypeError(`Routine ${routine.name} declares a result and returns none.`);
    recorder.returnValue(result);
  }
  return recorder.finish();
}
