/**
 * A compiled interpreter bound to a memory: what a processor and a virtual processor share.
 *
 * The same rows and routines are emitted twice: over the TLB for processors that run code, and over accessors for
 * virtual processors, whose memory somebody else holds.
 */
import type { Decoder, Form } from "../decoder/decoded.ts";
import { decoderFor } from "../decoder/decoder.ts";
import { deliverRoutine, deliverSoftwareInterrupt } from "../exceptions/deliver.ts";
import { setAccessMasks, updateMode } from "../exceptions/mode.ts";
import { EXCEPTION_VECTORS, setsErrorCode } from "../exceptions/vectors.ts";
import { floatingPointHelpers } from "../floating-point/index.ts";
import type { ProcessorExtension } from "../extension.ts";
import type { HelperContext } from "../helpers.ts";
import { instructions } from "../instructions/index.ts";
import { loadPointers } from "../paging/page-directory-pointers.ts";
import { twoStagePointerLoad, twoStageWalk } from "../paging/two-stage-walk.ts";
import { walkRoutine } from "../paging/walk.ts";
import type { Prologue } from "../micro-operations/recording.ts";
import type { ProcessorProfile } from "../profile/profile.ts";
import { checkSegment } from "../segmentation/check-segment.ts";
import type { ExceptionName, Routine } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import type { ProcessorState, StateEngine } from "../state/processor-state.ts";
import { detachedRoutines } from "./accessor-memory.ts";
import { link, lookup, lookupSlowly, nextCodePage } from "./code-lookup.ts";
import { buildInterpreter, groupOf, type Interpreter, type Part } from "./dispatch.ts";
import type { MemoryModel } from "./emitter.ts";
import { engineRoutine } from "./engine-routine.ts";
import { setPrivilegeLevel, settleRing } from "./ring.ts";
import {
  loadPhysical,
  resolve,
  slowLoad,
  slowProbe,
  slowStore,
  storePhysical,
} from "./translation.ts";

/** A table's decoder and its interpreter, compiled. */
export interface Compiled {
  readonly decoder: Decoder;
  readonly interpreter: Interpreter;
}

/** A function that the interpreter's module exports; the first parameter is the processor's base. */
export type WasmFunction = (...parameters: (number | bigint)[]) => number & bigint;

/** A helper bound to its processor. */
export type BoundHelper = (...parameters: number[]) => number | void;

const readFlags: Routine = engineRoutine("readFlags", [], "i32", (m) => {
  m.setState(slots.scratch0, m.readFlagsRegister());
  return m.constantI32(0);
});

const writeFlags: Routine = engineRoutine("writeFlags", [], "i32", (m) => {
  m.writeFlagsRegister(m.state(slots.scratch0), m.constant(-1n));
  // EFLAGS.AC is part of what an access may do.
  setAccessMasks(m);
  return m.constantI32(0);
});

const SHARED: readonly Routine[] = [
  walkRoutine,
  loadPointers,
  settleRing,
  setPrivilegeLevel,
  updateMode,
  deliverRoutine,
  deliverSoftwareInterrupt,
  readFlags,
  writeFlags,
  checkSegment,
];

const ROUTINES: Readonly<Record<MemoryModel, readonly Routine[]>> = {
  tlb: [
    ...SHARED,
    resolve,
    slowLoad,
    slowStore,
    slowProbe,
    loadPhysical,
    storePhysical,
    lookup,
    lookupSlowly,
    link,
    nextCodePage,
  ],
  accessors: [...SHARED, ...detachedRoutines],
};

const compiled = new Map<string, Compiled>();
/** A number for each extension seen, so that sets of them have keys. */
const extensionNumbers = new WeakMap<ProcessorExtension, number>();
let extensionCount = 0;

function numberOf(extension: ProcessorExtension): number {
  let number = extensionNumbers.get(extension);
  if (number === undefined) {
    number = extensionCount;
    extensionCount += 1;
    extensionNumbers.set(extension, number);
  }
  return number;
}

/**
 * The interpreter of the instructions that a profile has, with those of extensions, compiled once for each memory model.
 *
 * @throws {RangeError} Two extensions have a second stage of translation.
 */
export function compile(
  profile: ProcessorProfile,
  model: MemoryModel,
  extensions: readonly ProcessorExtension[] = [],
): Compiled {
  const key = [model, ...[...profile.features].toSorted(), ...extensions.map(numberOf)].join(" ");
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const table = [
    ...instructions,
    ...extensions.flatMap((extension) => extension.instructions ?? []),
  ];
  const decoder = decoderFor(table, profile.features);
  const prologuesOf = (form: Form): Prologue[] =>
    extensions.flatMap((extension) => extension.intercept?.(form.instruction, form) ?? []);
  const [secondStage, another] = extensions.flatMap((extension) => extension.secondStage ?? []);
  if (another !== undefined)
    throw new RangeError("Two extensions have a second stage of translation. Use one of them.");
  const routines = ROUTINES[model].map((routine) => behind(routine, secondStage));
  const interpreter = buildInterpreter(decoder, routines, model, prologuesOf);
  const made = { decoder, interpreter };
  compiled.set(key, made);
  return made;
}

/** What a routine is where there is a second stage: those that read paging structures read them through it. */
function behind(routine: Routine, secondStage: Routine | undefined): Routine {
  if (secondStage === undefined) return routine;
  if (routine === walkRoutine) return twoStageWalk(secondStage);
  return routine === loadPointers ? twoStagePointerLoad(secondStage) : routine;
}

/** A compiled interpreter bound to a memory and to helpers. */
export class Engine {
  readonly #interpreter: Interpreter;
  readonly #memory: WebAssembly.Memory;
  readonly #helperOf: (name: string) => BoundHelper;
  readonly #table: WebAssembly.Table;
  readonly #core: WebAssembly.Exports;

  /** @param helperOf Gives the helper of a name. @throws {RangeError} There is none. */
  constructor(
    interpreter: Interpreter,
    memory: WebAssembly.Memory,
    helperOf: (name: string) => BoundHelper,
  ) {
    this.#interpreter = interpreter;
    this.#memory = memory;
    this.#helperOf = helperOf;
    this.#table = new WebAssembly.Table({ element: "anyfunc", initial: interpreter.groupCount });
    this.#core = this.#instantiate(interpreter.core, {});
    for (let group = 0; group < interpreter.groupCount; group += 1)
      this.#table.set(group, this.function("missing"));
    this.#table.set(0, this.function("execute"));
  }

  #instantiate(part: Part, routines: WebAssembly.Exports): WebAssembly.Exports {
    const helpers: Record<string, (...parameters: number[]) => number> = {};
    for (const { name } of part.helpers) {
      const helper = this.#helperOf(name);
      helpers[name] = (_base, ...parameters) => helper(...parameters) ?? 0;
    }
    const host = { memory: this.#memory, table: this.#table };
    return new WebAssembly.Instance(part.module, { host, helpers, routines }).exports;
  }

  /** A routine, or `execute`, by name. */
  function(name: string): WasmFunction {
    return asFunction(this.#core[name], name);
  }

  /** Makes the dispatch function that has a handler, after handlers left for want of it. */
  loadHandler(handler: number): void {
    const group = groupOf(handler);
    this.#table.set(
      group,
      asFunction(
        this.#instantiate(this.#interpreter.group(group), this.#core)["execute"],
        "execute",
      ),
    );
  }
}

function asFunction(value: WebAssembly.ExportValue | undefined, name: string): WasmFunction {
  if (typeof value === "function") return value as WasmFunction;
  throw new RangeError(`Bug in ringside: the interpreter has no function ${name}, please report.`);
}

/** What helpers in TypeScript see of the processor whose state block lies at `base`. */
export function helperContext(
  buffer: ArrayBuffer,
  base: number,
  state: () => ProcessorState,
): HelperContext {
  return {
    u8: new Uint8Array(buffer),
    u32: new Uint32Array(buffer),
    u64: new BigUint64Array(buffer),
    f64: new Float64Array(buffer),
    base,
    raise(exception: ExceptionName, errorCode?: number): void {
      const vector = EXCEPTION_VECTORS[exception];
      const code = errorCode ?? (setsErrorCode(vector) ? 0 : undefined);
      state().setNumber(slots.faultVector, vector + 1);
      state().setNumber(slots.faultErrorCode, code ?? 0);
      state().setNumber(slots.faultHasErrorCode, code === undefined ? 0 : 1);
    },
  };
}

/** The helpers of floating point, bound to a processor. */
export function boundFloatingPoint(context: HelperContext): Readonly<Record<string, BoundHelper>> {
  return Object.fromEntries(
    Object.entries(floatingPointHelpers).map(
      ([name, helper]) =>
        [name, (...parameters: number[]) => helper(context, ...parameters)] as const,
    ),
  );
}

/** The work of a state block that the shared semantics define; `flush` empties the TLB, if there is one. */
export function stateEngine(
  functionOf: (name: string) => WasmFunction,
  base: number,
  state: () => ProcessorState,
  flush: () => void,
): StateEngine {
  return {
    settle() {
      functionOf("updateMode")(base);
      flush();
    },
    readFlags() {
      functionOf("readFlags")(base);
      return state().get(slots.scratch0);
    },
    writeFlags(value) {
      state().set(slots.scratch0, value);
      functionOf("writeFlags")(base);
    },
  };
}

/** Takes the recorded fault out of the state block. */
export function takeFault(state: ProcessorState): {
  readonly vector: number;
  readonly errorCode: number | undefined;
} {
  const vector = state.getNumber(slots.faultVector) - 1;
  const errorCode =
    state.getNumber(slots.faultHasErrorCode) !== 0
      ? state.getNumber(slots.faultErrorCode)
      : undefined;
  state.setNumber(slots.faultVector, 0);
  return { vector, errorCode };
}
