/**
 * The helper that switches tasks, bound to an engine: memory through the engine's routines, faults through the state
 * block.
 *
 * An exception of the new task cannot end the instruction, which belongs to the old one. It waits in `pendingFault` for
 * the next boundary.
 */
import { enterTask, leaveTask, type TaskContext } from "../segmentation/task-switch.ts";
import type { ExceptionName } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import type { ProcessorState } from "../state/processor-state.ts";
import { ACCESS_SYSTEM } from "./emitter.ts";
import { takeFault, type BoundHelper, type WasmFunction } from "./engine.ts";

/** DR6.BT: the debug exception is a switch to a task whose T flag is set. */
const DR6_TASK_SWITCH = 0x8000;
/** In `pendingFault`: bits 7:0 the vector + 1, bit 8 "there is an error code", bits 31:16 the error code. */
const HAS_ERROR_CODE = 0x100;

/** What the helper needs of its engine. */
export interface TaskHelperOptions {
  readonly functionOf: (name: string) => WasmFunction;
  readonly base: number;
  readonly state: () => ProcessorState;
  readonly flushTlb: (includingGlobal: boolean) => void;
  readonly readDebugRegisters: () => void;
  /** The reason of an EXIT that the switch is instead. */
  readonly intercept?: (selector: number, kind: number) => number | undefined;
  readonly raise: (exception: ExceptionName, errorCode: number) => void;
}

/** Ends a task switch; the fault is in the state block. */
class Faulted extends Error {}

/** Makes the helper: parameters are the selector of a TSS and a value of TASK_SWITCH. */
export function taskHelper(options: TaskHelperOptions): BoundHelper {
  const { functionOf, base } = options;
  const stopOnFault = (): void => {
    if (options.state().getNumber(slots.faultVector) !== 0) throw new Faulted("A fault.");
  };
  const context: TaskContext = {
    get: (slot) => options.state().get(slot),
    set: (slot, value) => options.state().set(slot, value),
    writeFlags(value) {
      options.state().rflags = value;
    },
    load(linear, bytes) {
      const value = functionOf("slowLoad")(base, BigInt.asIntN(64, linear), bytes, ACCESS_SYSTEM);
      stopOnFault();
      return BigInt.asUintN(64, value);
    },
    store(linear, bytes, value) {
      functionOf("slowStore")(base, BigInt.asIntN(64, linear), value, bytes, ACCESS_SYSTEM);
      stopOnFault();
    },
    raise(exception, errorCode) {
      options.raise(exception, errorCode);
      throw new Faulted(exception);
    },
    settle(level) {
      functionOf("setPrivilegeLevel")(base, BigInt(level));
      functionOf("updateMode")(base);
    },
    flushTlb: () => options.flushTlb(false),
    readDebugRegisters: options.readDebugRegisters,
    trapTask() {
      const state = options.state();
      state.setNumber(slots.pendingDebug, state.getNumber(slots.pendingDebug) | DR6_TASK_SWITCH);
    },
  };
  return (selector = 0, kind = 0) => {
    const state = options.state();
    const reason = options.intercept?.(selector & 0xffff, kind);
    if (reason !== undefined) {
      options.raise("EXIT", reason);
      return;
    }
    try {
      const task = leaveTask(
        context,
        selector & 0xffff,
        kind,
        state.get(slots.scratch0),
        state.get(slots.scratch1),
      );
      enterInItsOwnContext(context, task, state);
    } catch (error) {
      if (!(error instanceof Faulted)) throw error;
    }
  };
}

function enterInItsOwnContext(
  context: TaskContext,
  task: ReturnType<typeof leaveTask>,
  state: ProcessorState,
): void {
  try {
    enterTask(context, task);
  } catch (error) {
    if (!(error instanceof Faulted)) throw error;
    const { vector, errorCode } = takeFault(state);
    const code = errorCode === undefined ? 0 : HAS_ERROR_CODE | (errorCode << 16);
    state.setNumber(slots.pendingFault, (code | (vector + 1)) >>> 0);
  }
}

/** Takes the exception that a new task met, if any. */
export function takePendingFault(
  state: ProcessorState,
): { readonly vector: number; readonly errorCode: number | undefined } | undefined {
  const word = state.getNumber(slots.pendingFault);
  if (word === 0) return undefined;
  state.setNumber(slots.pendingFault, 0);
  const hasErrorCode = (word & HAS_ERROR_CODE) !== 0;
  return { vector: (word & 0xff) - 1, errorCode: hasErrorCode ? word >>> 16 : undefined };
}
