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
import { slots } from "../state/layout.ts";
import {
  FunctionBody,
  ModuleBuilder,
  type FunctionType,
  type Label,
} from "../webassembly/encoder.ts";
import { RECHECK } from "../micro-operations/state-recorder.ts";
import { emitRecording, LOCAL, type Callees, type MemoryModel } from "./emitter.ts";
import {
  COUNTERS_MAXIMUM,
  COUNTERS_OFFSET,
  ENGINE,
  FIXED_RECORDS_END,
  RECORD,
  RECORD_BYTES,
} from "./layout.ts";
import { rankOf } from "./order.ts";

/** Why a dispatch function returned. */
export const LEFT = {
  /** No units left. */
  limit: 0,
  /** A fault is recorded; RIP is that of the instruction. */
  fault: 1,
  /** The instruction at RIP has no record yet. */
  decode: 2,
  /** The driver is to look at pending events. */
  recheck: 3,
  /** The current record's dispatch function has not been made yet. */
  handler: 4,
} as const;

/** Handlers that no row has: they steer execution between records, and use no unit. */
export const CONTROL = {
  /** The instruction here is to be decoded (again). */
  decode: 0,
  /** Go on at `target`. */
  goto: 1,
  /** Go on in the next page. */
  nextPage: 2,
  fixedDecode: 3,
  fixedFault: 4,
  /** Computes the effective address of the next record at an address size below 64 bits. */
  address: 5,
  /** Checks that the rest of an instruction, in the next page, is still where it was decoded from. */
  straddle: 6,
  /** Raises the exception in `immediate2` (#UD, #GP): bytes that are no instruction. */
  raise: 7,
} as const;
const CONTROL_COUNT = 8;
const GROUP_SHIFT = 8;
const GROUP: number = 1 << GROUP_SHIFT;

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

const DISPATCH: FunctionType = { parameters: ["i32", "i32", "i32"], results: ["i32"] };

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
      if (known.routine !== routine)
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

interface GroupLabels {
  readonly next: Label;
  readonly fault: Label;
  readonly leave: Label;
  readonly decode: Label;
}

function emitGroup(
  body: FunctionBody,
  first: number,
  members: readonly ((labels: GroupLabels) => void)[],
  dispatchType: number,
): void {
  const decode = body.block();
  const fault = body.block();
  const leave = body.block();
  const limit = body.block();
  const next = body.loop();
  const other = body.block();
  const labels: Label[] = [];
  for (let position = members.length - 1; position >= 0; position -= 1)
    labels[position] = body.block();

  body.get(LOCAL.remaining);
  body.i32(1);
  body.op("i32.sub");
  body.tee(LOCAL.remaining);
  body.i32(0);
  body.op("i32.lt_s");
  body.branchIf(limit);
  body.get(LOCAL.record);
  body.memory("i32.load16_u", RECORD.handler.offset);
  if (first > 0) {
    body.i32(first);
    body.op("i32.sub");
  }
  body.branchTable(labels, other);
  for (const member of members) {
    body.end();
    member({ next, fault, leave, decode });
  }

  body.end(); // other
  giveBack(body);
  switchGroup(body, dispatchType);
  body.end(); // next
  body.unreachable();
  body.end(); // limit
  storeRip(body);
  storeRemaining(body, 0);
  body.i32(LEFT.limit);
  body.return();
  body.end(); // leave
  storeRemaining(body);
  body.get(LOCAL.processor);
  body.i32(0);
  body.memory("i32.store8", RECHECK.offset);
  body.i32(LEFT.recheck);
  body.return();
  body.end(); // fault: the instruction did not retire
  giveBack(body);
  storeRip(body);
  storeRemaining(body);
  body.i32(LEFT.fault);
  body.return();
  body.end(); // decode
  giveBack(body);
  storeRip(body);
  storeRemaining(body);
  body.i32(LEFT.decode);
}

function giveBack(body: FunctionBody): void {
  body.get(LOCAL.remaining);
  body.i32(1);
  body.op("i32.add");
  body.set(LOCAL.remaining);
}

function storeRemaining(body: FunctionBody, constant?: number): void {
  body.get(LOCAL.processor);
  if (constant === undefined) body.get(LOCAL.remaining);
  else body.i32(constant);
  body.memory("i32.store", slots.remaining.offset);
}

/** RIP of the current record, and the record itself; fixed records have left RIP as it is to be. */
function storeRip(body: FunctionBody): void {
  body.get(LOCAL.processor);
  body.get(LOCAL.record);
  body.memory("i32.store", ENGINE.currentRecord.offset);
  body.get(LOCAL.record);
  body.i32(FIXED_RECORDS_END);
  body.op("i32.ge_u");
  body.if();
  body.get(LOCAL.processor);
  body.get(LOCAL.processor);
  body.memory("i64.load", slots.codePageRip.offset);
  body.get(LOCAL.record);
  body.memory("i64.load16_u", RECORD.thisOffset.offset);
  body.op("i64.add");
  body.get(LOCAL.processor);
  body.memory("i64.load", slots.ripMask.offset);
  body.op("i64.and");
  body.memory("i64.store", slots.rip.offset);
  body.end();
}

/** Tail call to the function that has the record's handler. */
function switchGroup(body: FunctionBody, dispatchType: number): void {
  body.get(LOCAL.processor);
  body.get(LOCAL.record);
  body.get(LOCAL.remaining);
  body.get(LOCAL.record);
  body.memory("i32.load16_u", RECORD.handler.offset);
  body.i32(GROUP_SHIFT);
  body.op("i32.shr_u");
  body.returnCallIndirect(dispatchType);
}

function emitControl(
  id: number,
  body: FunctionBody,
  labels: GroupLabels,
  callees: Callees,
  pools: LocalPools,
): void {
  pools.restart();
  const follow = (): void => {
    giveBack(body);
    body.branch(labels.next);
  };
  const nextRecord = (): void => {
    body.get(LOCAL.record);
    body.i32(RECORD_BYTES);
    body.op("i32.add");
    body.set(LOCAL.record);
    follow();
  };
  const slotOf = (field: "base" | "index" | "segment"): void => {
    body.get(LOCAL.processor);
    body.get(LOCAL.record);
    body.memory("i32.load16_u", RECORD[field].offset);
    body.op("i32.add");
    body.memory("i64.load", 0);
  };
  switch (id) {
    case CONTROL.decode:
    case CONTROL.fixedDecode:
      body.branch(labels.decode);
      return;
    case CONTROL.fixedFault:
      body.branch(labels.fault);
      return;
    case CONTROL.goto:
      body.get(LOCAL.record);
      body.memory("i32.load", RECORD.target.offset);
      body.set(LOCAL.record);
      follow();
      return;
    case CONTROL.nextPage:
      body.get(LOCAL.processor);
      body.get(LOCAL.processor);
      body.memory("i64.load", slots.codePageRip.offset);
      body.get(LOCAL.record);
      body.memory("i64.load16_u", RECORD.nextOffset.offset);
      body.op("i64.add");
      body.get(LOCAL.processor);
      body.memory("i64.load", slots.ripMask.offset);
      body.op("i64.and");
      body.memory("i64.store", slots.rip.offset);
      // The unit of this turn is given back, so one is left for what comes.
      body.get(LOCAL.processor);
      body.get(LOCAL.remaining);
      body.i32(1);
      body.op("i32.add");
      body.memory("i32.store", slots.remaining.offset);
      body.get(LOCAL.processor);
      body.call(callees.routine("lookup"));
      body.set(LOCAL.record);
      follow();
      return;
    case CONTROL.address: {
      const effective = pools.take("i64");
      body.get(LOCAL.processor);
      slotOf("base");
      slotOf("index");
      body.get(LOCAL.record);
      body.memory("i64.load8_u", RECORD.shift.offset);
      body.op("i64.shl");
      body.op("i64.add");
      body.get(LOCAL.record);
      body.memory("i64.load", RECORD.displacement.offset);
      body.op("i64.add");
      body.get(LOCAL.record);
      body.memory("i64.load", RECORD.immediate.offset);
      body.op("i64.and");
      body.tee(effective);
      body.memory("i64.store", slots.addressScratch.offset);
      // Linear addresses have 32 bits outside 64-bit mode, so the segment's share is what is left after wrapping.
      body.get(LOCAL.processor);
      body.get(effective);
      slotOf("segment");
      body.op("i64.add");
      body.i64(-1n);
      body.i64(0xffff_ffffn);
      body.get(LOCAL.processor);
      body.memory("i32.load8_u", slots.mode.offset);
      body.i32(64);
      body.op("i32.eq");
      body.select("i64");
      body.op("i64.and");
      body.get(effective);
      body.op("i64.sub");
      body.memory("i64.store", ENGINE.segmentScratch.offset);
      nextRecord();
      return;
    }
    case CONTROL.straddle:
      body.get(LOCAL.processor);
      body.call(callees.routine("nextCodePage"));
      body.get(LOCAL.record);
      body.memory("i64.load", RECORD.immediate.offset);
      body.op("i64.ne");
      body.if();
      body.get(LOCAL.processor);
      body.memory("i32.load", slots.faultVector.offset);
      body.branchIf(labels.fault);
      body.branch(labels.decode);
      body.end();
      nextRecord();
      return;
    case CONTROL.raise:
      body.get(LOCAL.processor);
      body.get(LOCAL.record);
      body.memory("i32.load16_u", RECORD.immediate2.offset);
      body.i32(1);
      body.op("i32.add");
      body.memory("i32.store", slots.faultVector.offset);
      body.get(LOCAL.processor);
      body.i32(0);
      body.memory("i32.store", slots.faultErrorCode.offset);
      body.get(LOCAL.processor);
      body.get(LOCAL.record);
      body.memory("i32.load8_u", RECORD.shift.offset);
      body.memory("i32.store8", slots.faultHasErrorCode.offset);
      body.branch(labels.fault);
  }
}

/** Locals of a dispatch function, by type; each handler starts again with the first of each. */
class LocalPools {
  readonly #body: FunctionBody;
  readonly #locals = new Map<ValueType, number[]>();
  readonly #used = new Map<ValueType, number>();

  constructor(body: FunctionBody) {
    this.#body = body;
  }

  restart(): void {
    this.#used.clear();
  }

  take(type: ValueType): number {
    const used = this.#used.get(type) ?? 0;
    this.#used.set(type, used + 1);
    let locals = this.#locals.get(type);
    if (locals === undefined) {
      locals = [];
      this.#locals.set(type, locals);
    }
    const known = locals[used];
    if (known !== undefined) return known;
    const made = this.#body.local(type);
    locals.push(made);
    return made;
  }
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
