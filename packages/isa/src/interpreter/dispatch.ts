/**
 * Builds the interpreter: dispatch functions of 256 handlers each, and the routines.
 *
 * A dispatch function executes records until control must leave: the next record's handler is a branch-table index,
 * and a handler of another function is reached by a tail call through a table. The measured order of handlers decides
 * the speed (see order.ts): the frequent ones share the first function, which is made at once, in a module with the
 * routines. The others are recorded, emitted and compiled when a record first needs them.
 */
import type { Decoder, Form } from "../decoder/decoded.ts";
import { recordForm, recordRoutine, type Prologue } from "../micro-operations/recording.ts";
import type { Recording, Statement } from "../micro-operations/tree.ts";
import type { Routine, ValueType } from "../semantics.ts";
import { FunctionBody, ModuleBuilder, type FunctionType } from "../webassembly/encoder.ts";
import {
  CONTROL_COUNT,
  DISPATCH,
  emitControl,
  emitGroup,
  GROUP,
  GROUP_SHIFT,
  LEFT,
  LocalPools,
  storeRemaining,
  storeRip,
  type GroupLabels,
} from "./dispatch-function.ts";
import { emitRecording, type Callees, type MemoryModel } from "./emitter.ts";
import { COUNTERS_MAXIMUM, COUNTERS_OFFSET } from "./layout.ts";
import { rankOf } from "./order.ts";

/** A helper that emitted code imports. */
export interface HelperImport {
  readonly name: string;
  readonly parameters: readonly ValueType[];
}

/** A compiled module and what it imports beside memory, table and the core's routines. */
export interface Part {
  readonly module: WebAssembly.Module;
  readonly helpers: readonly HelperImport[];
}

/** The interpreter of one table. */
export interface Interpreter {
  /** The routines, exported by name, and `execute`, the first dispatch function. */
  readonly core: Part;
  /** Dispatch functions in all. */
  readonly groupCount: number;
  /** The module of a later dispatch function, which exports `execute`; made when first asked for. */
  group(number: number): Part;
  /** Counter names so far, in the order of their 64-bit words at COUNTERS_OFFSET. It grows as groups are made. */
  readonly counters: readonly string[];
  handlerOf(form: Form): number;
}

/** The dispatch function that has a handler. */
export function groupOf(handler: number): number {
  return handler >> GROUP_SHIFT;
}

/**
 * Makes the interpreter of a table; `routines` are those that the engine itself calls, `prologuesOf` gives what
 * extensions put in front of a form.
 */
export function buildInterpreter(
  decoder: Decoder,
  routines: readonly Routine[],
  model: MemoryModel,
  prologuesOf: (form: Form) => readonly Prologue[] = () => [],
): Interpreter {
  const forms = decoder.forms.toSorted((a, b) => rankOf(a) - rankOf(b) || a.id - b.id);
  const handlers = new Map<Form, number>();
  for (const [position, form] of forms.entries()) handlers.set(form, position + CONTROL_COUNT);
  const groupCount = Math.ceil((forms.length + CONTROL_COUNT) / GROUP);
  const counters = new CounterNames();

  const recordGroup = (group: number): readonly Recording[] => {
    const first = group * GROUP - CONTROL_COUNT;
    return forms
      .slice(Math.max(first, 0), first + GROUP)
      .map((form) => recordForm(form, prologuesOf(form)));
  };

  const firstRecordings = recordGroup(0);
  const coreRoutines = recordRoutines(routines, firstRecordings, new Map());
  const core = new PartBuilder(model, counters, new Map(), coreRoutines, firstRecordings);
  core.emitMissing();
  core.emitDispatch(0, firstRecordings);
  const groups = new Map<number, Part>();

  return {
    core: core.finish(),
    groupCount,
    counters: counters.names,
    group(number) {
      const known = groups.get(number);
      if (known !== undefined) return known;
      if (number < 1 || number >= groupCount)
        throw new RangeError(
          `Bug in ringside: there is no dispatch function ${number}, please report.`,
        );
      const recordings = recordGroup(number);
      const part = new PartBuilder(
        model,
        counters,
        coreRoutines,
        recordRoutines([], recordings, coreRoutines),
        recordings,
      );
      part.emitDispatch(number, recordings);
      const made = part.finish();
      groups.set(number, made);
      return made;
    },
    handlerOf(form) {
      const id = handlers.get(form);
      if (id === undefined)
        throw new RangeError(`Form ${form.name} is not of this interpreter's table.`);
      return id;
    },
  };
}

/** Names of counters, each with a word of its own. */
class CounterNames {
  readonly names: string[] = [];
  readonly #index = new Map<string, number>();

  /** Offset of a counter's word in the state block. */
  offsetOf(name: string): number {
    let index = this.#index.get(name);
    if (index === undefined) {
      index = this.names.length;
      if (index >= COUNTERS_MAXIMUM)
        throw new RangeError(`More than ${COUNTERS_MAXIMUM} counters are named.`);
      this.names.push(name);
      this.#index.set(name, index);
    }
    return COUNTERS_OFFSET + index * 8;
  }
}

/** One module under construction: some routines, and a dispatch function. */
class PartBuilder {
  readonly #module = new ModuleBuilder();
  readonly #model: MemoryModel;
  readonly #callees: Callees;
  readonly #helpers: readonly HelperImport[];
  readonly #dispatchType: number;

  /** @param imported Routines of the core, which a later part imports. @param own Routines that are in this part. */
  constructor(
    model: MemoryModel,
    counters: CounterNames,
    imported: ReadonlyMap<string, RecordedRoutine>,
    own: ReadonlyMap<string, RecordedRoutine>,
    recordings: readonly Recording[],
  ) {
    this.#model = model;
    // Imports come first in a module, so helpers are collected before anything is emitted.
    const helperTypes = new Map<string, readonly ValueType[]>();
    for (const recording of recordings) collectHelpers(recording.statements, helperTypes);
    for (const { recording } of own.values()) collectHelpers(recording.statements, helperTypes);
    this.#helpers = [...helperTypes].map(([name, parameters]) => ({ name, parameters }));
    const functions = new Map<string, number>();
    const helperIndex = new Map<string, number>();
    for (const { name, parameters } of this.#helpers) {
      helperIndex.set(
        name,
        this.#module.importFunction("helpers", name, {
          parameters: ["i32", ...parameters],
          results: ["i32"],
        }),
      );
    }
    for (const [name, { routine }] of imported)
      functions.set(name, this.#module.importFunction("routines", name, typeOfRoutine(routine)));
    this.#dispatchType = this.#module.typeIndex(DISPATCH);
    for (const [name, { routine }] of own) {
      const index = this.#module.declareFunction(typeOfRoutine(routine));
      functions.set(name, index);
      this.#module.export(name, index);
    }
    this.#callees = {
      routine(name) {
        const found = functions.get(name);
        if (found === undefined)
          throw new RangeError(`Semantics call routine ${name}, which the engine was not given.`);
        return found;
      },
      helper(name) {
        const found = helperIndex.get(name);
        if (found === undefined) throw new RangeError(`Helper ${name} was not collected.`);
        return found;
      },
      counter: (name) => counters.offsetOf(name),
    };
    for (const [name, { routine, recording }] of own) {
      const body = new FunctionBody(1 + routine.parameters.length);
      emitRecording(recording, {
        body,
        callees: this.#callees,
        model,
        handler: undefined,
        result: routine.result ?? "i32",
        allocate: (type) => body.local(type),
      });
      this.#module.define(this.#callees.routine(name), body);
    }
  }

  /** `missing`: stands in the table for dispatch functions that were not made yet. */
  emitMissing(): void {
    const body = new FunctionBody(DISPATCH.parameters.length);
    storeRip(body);
    storeRemaining(body);
    body.i32(LEFT.handler);
    const index = this.#module.declareFunction(DISPATCH);
    this.#module.define(index, body);
    this.#module.export("missing", index);
  }

  /** `execute`: the dispatch function of a group. */
  emitDispatch(group: number, recordings: readonly Recording[]): void {
    const body = new FunctionBody(DISPATCH.parameters.length);
    const pools = new LocalPools(body);
    const members: ((labels: GroupLabels) => void)[] = [];
    if (group === 0) {
      for (let id = 0; id < CONTROL_COUNT; id += 1)
        members.push((labels) => emitControl(id, body, labels, this.#callees, pools));
    }
    for (const recording of recordings) {
      members.push((labels) => {
        pools.restart();
        emitRecording(recording, {
          body,
          callees: this.#callees,
          model: this.#model,
          handler: labels,
          result: undefined,
          allocate: (type) => pools.take(type),
        });
      });
    }
    emitGroup(body, group * GROUP, members, this.#dispatchType);
    const index = this.#module.declareFunction(DISPATCH);
    this.#module.define(index, body);
    this.#module.export("execute", index);
  }

  finish(): Part {
    return { module: new WebAssembly.Module(this.#module.encode()), helpers: this.#helpers };
  }
}

function typeOfRoutine(routine: Routine): FunctionType {
  return { parameters: ["i32", ...routine.parameters], results: [routine.result ?? "i32"] };
}

interface RecordedRoutine {
  readonly routine: Routine;
  readonly recording: Recording;
}

/** The roots and all that semantics and other routines call, each once; without those that are recorded elsewhere. */
function recordRoutines(
  roots: readonly Routine[],
  recordings: readonly Recording[],
  elsewhere: ReadonlyMap<string, RecordedRoutine>,
): ReadonlyMap<string, RecordedRoutine> {
  const found = new Map<string, RecordedRoutine>();
  const add = (routine: Routine): void => {
    const known = elsewhere.get(routine.name) ?? found.get(routine.name);
    if (known !== undefined) {
      if (known.routine !== routine && known.routine.replaces !== routine)
        throw new RangeError(`Two routines are called ${routine.name}.`);
      return;
    }
    const recording = recordRoutine(routine);
    found.set(routine.name, { routine, recording });
    for (const called of recording.routines.values()) add(called);
  };
  for (const routine of roots) add(routine);
  for (const recording of recordings)
    for (const routine of recording.routines.values()) add(routine);
  return found;
}

function collectHelpers(
  statements: readonly Statement[],
  found: Map<string, readonly ValueType[]>,
): void {
  for (const statement of statements) {
    if (statement.kind === "when") {
      collectHelpers(statement.then, found);
      collectHelpers(statement.otherwise, found);
    } else if (statement.kind === "loop") {
      collectHelpers(statement.body, found);
    } else if (statement.kind === "evaluate" && statement.value.kind === "helper-call") {
      const { helper, operands } = statement.value;
      const parameters = operands.map(({ type }) => type);
      const known = found.get(helper);
      if (known !== undefined && known.join() !== parameters.join()) {
        throw new SyntaxError(
          `Helper ${helper} is called with (${known.join()}) and with (${parameters.join()}). Use one signature.`,
        );
      }
      found.set(helper, parameters);
    }
  }
}
