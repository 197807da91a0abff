/**
 * Emits recorded micro-operations as WebAssembly.
 *
 * One emitter serves handlers, which read operands from a decoded record, and routines. Memory is reached through the
 * TLB inline, or, in a detached module, through imported accessors: that is the {@link MemoryModel}.
 */
import type { Expression, Field, Recording, Statement } from "../micro-operations/tree.ts";
import { isPure } from "../micro-operations/tree.ts";
import { RECHECK } from "../micro-operations/state-recorder.ts";
import type { ValueType } from "../semantics.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import type { FunctionBody, Label } from "../webassembly/encoder.ts";
import { wasmOperation } from "../webassembly/operations.ts";
import {
  ENGINE,
  RECORD,
  RECORD_BYTES,
  TLB_ENTRY,
  TLB_OFFSET,
  TLB_SETS,
  TLB_SET_BYTES,
} from "./layout.ts";
import {
  DENY_SUPERVISOR_READ,
  DENY_SUPERVISOR_WRITE,
  TAG_DENIAL_SHIFT,
  TAG_PAGE_NUMBER,
} from "../paging/tag.ts";

/** Kinds of access that the slow functions are told. */
export const ACCESS_SYSTEM = 1;
export const ACCESS_STACK_SEGMENT = 2;

/** Whether memory is reached through the inline TLB or through functions alone. */
export type MemoryModel = "tlb" | "accessors";

/** Functions that emitted code calls, by name. */
export interface Callees {
  routine(name: string): number;
  helper(name: string, parameters: readonly ValueType[], result: ValueType | undefined): number;
  counter(name: string): number;
}

/** Branch targets of a handler in the dispatch function. */
export interface HandlerLabels {
  readonly next: Label;
  readonly fault: Label;
  readonly leave: Label;
}

const SS_EFFECTIVE_BASE = segmentSlots(2).effectiveBase.offset;

/** Locals of a dispatch function: its parameters. */
export const LOCAL = { processor: 0, record: 1, remaining: 2 } as const;

interface Target {
  readonly body: FunctionBody;
  readonly callees: Callees;
  readonly model: MemoryModel;
  /** Labels of a handler; a routine has none and returns instead. */
  readonly handler: HandlerLabels | undefined;
  /** Result type of a routine, for the value returned on a fault. */
  readonly result: ValueType | undefined;
  /** Hands out locals; handlers of one dispatch function share theirs. */
  readonly allocate: (type: ValueType) => number;
}

/** Emits a recording into the current position of `target.body`. */
export function emitRecording(recording: Recording, target: Target): void {
  new Emission(recording, target).run();
}

class Emission {
  readonly #recording: Recording;
  readonly #target: Target;
  readonly #body: FunctionBody;
  readonly #locals = new Map<Expression, number>();
  readonly #variables: readonly number[];

  constructor(recording: Recording, target: Target) {
    this.#recording = recording;
    this.#target = target;
    this.#body = target.body;
    this.#variables = recording.variables.map(({ type }) => target.allocate(type));
  }

  run(): void {
    this.#block(this.#recording.statements);
    const { handler, result } = this.#target;
    if (handler !== undefined) {
      const last = this.#recording.statements.at(-1);
      if (last === undefined || !endsControl(last)) this.#fallThrough(handler);
    } else if (result !== undefined) {
      this.#zero(result);
    }
  }

  #fallThrough(handler: HandlerLabels): void {
    const body = this.#body;
    if (this.#recording.rechecks) {
      this.#recheck(handler, () => {
        this.#ripFromRecord("nextOffset");
      });
    }
    body.get(LOCAL.record);
    body.i32(RECORD_BYTES);
    body.op("i32.add");
    body.set(LOCAL.record);
    body.branch(handler.next);
  }

  /** Leaves for the driver when a recheck was asked for; `rip` pushes where execution goes on. */
  #recheck(handler: HandlerLabels, rip: () => void): void {
    const body = this.#body;
    body.get(LOCAL.processor);
    body.memory("i32.load8_u", RECHECK.offset);
    body.if();
    body.get(LOCAL.processor);
    rip();
    body.memory("i64.store", slots.rip.offset);
    body.branch(handler.leave);
    body.end();
  }

  #ripFromRecord(field: "thisOffset" | "nextOffset"): void {
    const body = this.#body;
    body.get(LOCAL.processor);
    body.memory("i64.load", slots.codePageRip.offset);
    body.get(LOCAL.record);
    body.memory("i64.load16_u", RECORD[field].offset);
    body.op("i64.add");
    body.get(LOCAL.processor);
    body.memory("i64.load", slots.ripMask.offset);
    body.op("i64.and");
  }

  #block(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    const body = this.#body;
    switch (statement.kind) {
      case "evaluate":
        this.#evaluate(statement.value);
        return;
      case "state-store":
        this.#stateBase(statement.address);
        this.#value(statement.value);
        body.memory(statement.operation, statement.offset);
        return;
      case "host-store":
        this.#value(statement.address);
        this.#value(statement.value);
        body.memory(statement.operation, statement.offset);
        return;
      case "variable-set":
        this.#value(statement.value);
        body.set(this.#variables[statement.variable.number] ?? 0);
        return;
      case "memory-store":
        this.#memoryStore(statement);
        return;
      case "probed-store":
        this.#probedStore(statement);
        return;
      case "when":
        this.#value(statement.condition);
        body.if();
        this.#block(statement.then);
        if (statement.otherwise.length > 0) {
          body.else();
          this.#block(statement.otherwise);
        }
        body.end();
        return;
      case "loop": {
        const label = body.loop();
        this.#block(statement.body);
        this.#value(statement.condition);
        body.branchIf(label);
        body.end();
        return;
      }
      case "count": {
        const offset = this.#target.callees.counter(statement.counter);
        body.get(LOCAL.processor);
        body.get(LOCAL.processor);
        body.memory("i64.load", offset);
        body.i64(1n);
        body.op("i64.add");
        body.memory("i64.store", offset);
        return;
      }
      case "raise":
        this.#raise(statement.vector, statement.errorCode);
        return;
      case "return":
        if (statement.value !== undefined) this.#value(statement.value);
        body.return();
        return;
      case "jump-relative":
        this.#jumpRelative();
        return;
      case "jump":
        this.#jump(statement.rip);
        return;
      case "repeat": {
        const handler = this.#handler();
        if (this.#recording.rechecks)
          this.#recheck(handler, () => this.#ripFromRecord("thisOffset"));
        body.branch(handler.next);
        return;
      }
    }
  }

  #handler(): HandlerLabels {
    const { handler } = this.#target;
    if (handler === undefined) throw new SyntaxError("A routine cannot transfer control.");
    return handler;
  }

  #jumpRelative(): void {
    const body = this.#body;
    const handler = this.#handler();
    const target = this.#target.allocate("i32");
    body.get(LOCAL.record);
    body.memory("i32.load", RECORD.target.offset);
    body.tee(target);
    body.if("i32");
    body.get(target);
    body.else();
    this.#storeProgress();
    body.get(LOCAL.processor);
    body.get(LOCAL.record);
    body.call(this.#target.callees.routine("link"));
    body.end();
    body.set(LOCAL.record);
    body.branch(handler.next);
  }

  #jump(rip: Expression): void {
    const body = this.#body;
    const handler = this.#handler();
    body.get(LOCAL.processor);
    this.#value(rip);
    body.memory("i64.store", slots.rip.offset);
    if (this.#recording.rechecks) {
      body.get(LOCAL.processor);
      body.memory("i32.load8_u", RECHECK.offset);
      body.branchIf(handler.leave);
    }
    this.#storeProgress();
    body.get(LOCAL.processor);
    body.call(this.#target.callees.routine("lookup"));
    body.set(LOCAL.record);
    body.branch(handler.next);
  }

  #raise(vector: number, errorCode: Expression | undefined): void {
    const body = this.#body;
    body.get(LOCAL.processor);
    body.i32(vector + 1);
    body.memory("i32.store", slots.faultVector.offset);
    body.get(LOCAL.processor);
    if (errorCode === undefined) body.i32(0);
    else this.#value(errorCode);
    body.memory("i32.store", slots.faultErrorCode.offset);
    body.get(LOCAL.processor);
    body.i32(errorCode === undefined ? 0 : 1);
    body.memory("i32.store8", slots.faultHasErrorCode.offset);
    this.#leaveForFault();
  }

  #leaveForFault(): void {
    const { handler, result } = this.#target;
    if (handler !== undefined) {
      this.#body.branch(handler.fault);
      return;
    }
    if (result !== undefined) this.#zero(result);
    this.#body.return();
  }

  #zero(type: ValueType): void {
    const body = this.#body;
    if (type === "i32") body.i32(0);
    else if (type === "i64") body.i64(0n);
    else if (type === "v128") body.v128(0n, 0n);
    else {
      body.i32(0);
      body.op("f32.convert_i32_s");
      if (type === "f64") body.op("f64.promote_f32");
    }
  }

  /** Leaves when a fault is recorded: after everything that can raise one. */
  #checkFault(): void {
    const body = this.#body;
    body.get(LOCAL.processor);
    body.memory("i32.load", slots.faultVector.offset);
    if (this.#target.handler !== undefined) {
      body.branchIf(this.#target.handler.fault);
      return;
    }
    body.if();
    this.#leaveForFault();
    body.end();
  }

  // Expressions.

  /** A recorded expression at its place: computed now when its time matters or when several uses share it. */
  #evaluate(value: Expression): void {
    if (isPure(value)) {
      if (value.uses < 2) return;
      this.#compute(value);
      this.#keep(value);
      return;
    }
    if (
      value.uses === 0 &&
      (value.kind === "state-load" || value.kind === "host-load" || value.kind === "variable-get")
    )
      return;
    this.#compute(value);
    // Every call leaves a value: routines without a result return a zero that nobody uses.
    if (value.uses === 0) this.#body.drop();
    else this.#keep(value);
  }

  #keep(value: Expression): void {
    const local = this.#target.allocate(value.type);
    this.#body.set(local);
    this.#locals.set(value, local);
  }

  /** Pushes an expression's value. */
  #value(value: Expression): void {
    const local = this.#locals.get(value);
    if (local === undefined) this.#compute(value);
    else this.#body.get(local);
  }

  /** A local that holds the value. */
  #inLocal(value: Expression): number {
    const known = this.#locals.get(value);
    if (known !== undefined) return known;
    this.#compute(value);
    const local = this.#target.allocate(value.type);
    this.#body.set(local);
    return local;
  }

  #compute(value: Expression): void {
    const body = this.#body;
    switch (value.kind) {
      case "constant":
        body.constant(value.type, value.value);
        return;
      case "vector-constant":
        body.v128(value.low, value.high);
        return;
      case "field":
        this.#field(value.field);
        return;
      case "parameter":
        body.get(value.index + 1);
        return;
      case "operation": {
        for (const operand of value.operands) this.#value(operand);
        const { immediates } = wasmOperation(value.operation);
        if (immediates === "sixteen") body.op(value.operation, { sixteen: value.immediates });
        else body.op(value.operation, { lane: value.immediates[0] ?? 0 });
        return;
      }
      case "select":
        for (const operand of value.operands) this.#value(operand);
        body.select(value.type);
        return;
      case "state-address":
        body.get(LOCAL.processor);
        for (const operand of value.operands) this.#value(operand);
        body.op("i32.add");
        return;
      case "state-load":
        this.#stateBase(value.operands[0]);
        body.memory(value.operation, value.offset);
        return;
      case "host-load":
        for (const operand of value.operands) this.#value(operand);
        body.memory(value.operation, value.offset);
        return;
      case "variable-get":
        body.get(this.#variables[value.variable.number] ?? 0);
        return;
      case "memory-load":
        this.#memoryLoad(value);
        return;
      case "write-probe":
        this.#writeProbe(value);
        return;
      case "probed-load":
        this.#probedLoad(value);
        return;
      case "routine-call":
        this.#routineCall(value);
        return;
      case "helper-call":
        this.#helperCall(value);
        return;
    }
  }

  #stateBase(address: Expression | undefined): void {
    if (address === undefined) this.#body.get(LOCAL.processor);
    else this.#value(address);
  }

  #field(field: Field): void {
    const body = this.#body;
    body.get(LOCAL.record);
    switch (field) {
      case "displacement":
      case "immediate":
        body.memory("i64.load", RECORD[field].offset);
        return;
      case "shift":
        body.memory("i64.load8_u", RECORD.shift.offset);
        return;
      case "immediate2":
      case "thisOffset":
      case "nextOffset":
        body.memory("i64.load16_u", RECORD[field].offset);
        return;
      default:
        body.memory("i32.load16_u", RECORD[field].offset);
    }
  }

  // Calls.

  #routineCall(call: Extract<Expression, { kind: "routine-call" }>): void {
    const body = this.#body;
    const { handler, callees } = this.#target;
    const plain = call.routine === "loadPhysical" || call.routine === "storePhysical";
    if (handler !== undefined && !plain) this.#storeProgress();
    body.get(LOCAL.processor);
    for (const operand of call.operands) this.#value(operand);
    body.call(callees.routine(call.routine));
    if (plain) return;
    if (!call.raises && handler === undefined) return;
    const result = this.#target.allocate(call.type);
    body.set(result);
    if (handler !== undefined) this.#loadProgress();
    if (call.raises) this.#checkFault();
    body.get(result);
  }

  #helperCall(call: Extract<Expression, { kind: "helper-call" }>): void {
    const body = this.#body;
    const { handler, callees } = this.#target;
    if (handler !== undefined) this.#storeProgress();
    body.get(LOCAL.processor);
    for (const operand of call.operands) this.#value(operand);
    body.call(
      callees.helper(
        call.helper,
        call.operands.map(({ type }) => type),
        call.type,
      ),
    );
    const result = this.#target.allocate(call.type);
    body.set(result);
    if (handler !== undefined) this.#loadProgress();
    this.#checkFault();
    body.get(result);
  }

  /** Makes the counters and the record visible to whoever is called. */
  #storeProgress(): void {
    const body = this.#body;
    body.get(LOCAL.processor);
    body.get(LOCAL.remaining);
    body.memory("i32.store", slots.remaining.offset);
    body.get(LOCAL.processor);
    body.get(LOCAL.record);
    body.memory("i32.store", ENGINE.currentRecord.offset);
  }

  #loadProgress(): void {
    const body = this.#body;
    body.get(LOCAL.processor);
    body.memory("i32.load", slots.remaining.offset);
    body.set(LOCAL.remaining);
  }

  // Memory.

  /** Pushes whether the access may go straight to memory, and leaves the address of the TLB entry in a local. */
  #probe(linear: number, bytes: number, write: boolean, system: boolean): number {
    const body = this.#body;
    const entry = this.#target.allocate("i32");
    body.get(linear);
    body.i64(12n);
    body.op("i64.shr_u");
    body.op("i32.wrap_i64");
    body.i32(TLB_SETS - 1);
    body.op("i32.and");
    body.i32(Math.log2(TLB_SET_BYTES));
    body.op("i32.shl");
    body.get(LOCAL.processor);
    body.op("i32.add");
    body.tee(entry);
    body.memory("i64.load", TLB_OFFSET + TLB_ENTRY.tag.offset);
    if (system) {
      const denial = BigInt(write ? DENY_SUPERVISOR_WRITE : DENY_SUPERVISOR_READ);
      body.i64(TAG_PAGE_NUMBER | (denial << BigInt(TAG_DENIAL_SHIFT)));
    } else {
      body.get(LOCAL.processor);
      body.memory("i64.load", write ? slots.writeMask.offset : slots.readMask.offset);
    }
    body.op("i64.and");
    body.get(linear);
    if (bytes > 1) {
      // An access that crosses a page has its last byte in another page than the entry's, and so misses.
      body.i64(BigInt(bytes - 1));
      body.op("i64.add");
    }
    body.i64(12n);
    body.op("i64.shr_u");
    body.op("i64.eq");
    return entry;
  }

  /** Pushes the host address of `linear`, whose TLB entry was hit. */
  #hostAddress(linear: number, entry: number): void {
    const body = this.#body;
    body.get(linear);
    body.op("i32.wrap_i64");
    body.get(entry);
    body.memory("i32.load", TLB_OFFSET + TLB_ENTRY.addend.offset);
    body.op("i32.add");
  }

  /** Pushes the kind of access for the slow functions. An operand refers to the stack when its segment is SS. */
  #accessKind(access: { readonly privilege: string; readonly stack: boolean }): void {
    const body = this.#body;
    const fixed =
      (access.privilege === "system" ? ACCESS_SYSTEM : 0) |
      (access.stack ? ACCESS_STACK_SEGMENT : 0);
    if (this.#target.handler === undefined || access.stack || access.privilege === "system") {
      body.i32(fixed);
      return;
    }
    body.get(LOCAL.record);
    body.memory("i32.load16_u", RECORD.segment.offset);
    body.i32(SS_EFFECTIVE_BASE);
    body.op("i32.eq");
    body.i32(Math.log2(ACCESS_STACK_SEGMENT));
    body.op("i32.shl");
  }

  /** Slow functions may reach devices, which look at the counters. */
  #slowCall(name: string, push: () => void): void {
    const body = this.#body;
    const { handler } = this.#target;
    if (handler !== undefined) this.#storeProgress();
    body.get(LOCAL.processor);
    push();
    body.call(this.#target.callees.routine(name));
    if (handler !== undefined) this.#loadProgress();
  }

  /** Pushes the loaded value, by the functions that handle misses, page crossings and devices. */
  #slowLoad(
    type: ValueType,
    bytes: number,
    linear: number,
    access: { readonly privilege: string; readonly stack: boolean },
  ): void {
    const body = this.#body;
    this.#slowCall("slowLoad", () => {
      body.get(linear);
      body.i32(bytes);
      this.#accessKind(access);
    });
    const raw = this.#target.allocate("i64");
    body.set(raw);
    this.#checkFault();
    if (bytes === 16) {
      body.get(LOCAL.processor);
      body.memory("v128.load", ENGINE.wideScratch.offset);
      return;
    }
    if (type === "v128") {
      body.v128(0n, 0n);
      body.get(raw);
      body.op("i64x2.replace_lane", { lane: 0 });
      return;
    }
    body.get(raw);
    fromBits(body, type);
  }

  #slowStore(
    type: ValueType,
    bytes: number,
    linear: number,
    access: { readonly privilege: string; readonly stack: boolean },
    value: () => void,
  ): void {
    const body = this.#body;
    if (bytes === 16) {
      body.get(LOCAL.processor);
      value();
      body.memory("v128.store", ENGINE.wideScratch.offset);
    }
    this.#slowCall("slowStore", () => {
      body.get(linear);
      if (bytes === 16) body.i64(0n);
      else {
        value();
        toBits(body, type);
      }
      body.i32(bytes);
      this.#accessKind(access);
    });
    body.drop();
    this.#checkFault();
  }

  #memoryLoad(load: Extract<Expression, { kind: "memory-load" }>): void {
    const body = this.#body;
    const linear = this.#inLocal(operandOf(load, 0));
    if (this.#target.model === "accessors") {
      this.#slowLoad(load.type, load.bytes, linear, load.access);
      return;
    }
    const entry = this.#probe(linear, load.bytes, false, load.access.privilege === "system");
    body.if(load.type);
    this.#hostAddress(linear, entry);
    body.memory(load.operation, 0);
    body.else();
    this.#slowLoad(load.type, load.bytes, linear, load.access);
    body.end();
  }

  #memoryStore(store: Extract<Statement, { kind: "memory-store" }>): void {
    const body = this.#body;
    const linear = this.#inLocal(store.linear);
    const value = this.#pusher(store.value);
    if (this.#target.model === "accessors") {
      this.#slowStore(store.value.type, store.bytes, linear, store.access, value);
      return;
    }
    const entry = this.#probe(linear, store.bytes, true, store.access.privilege === "system");
    body.if();
    this.#hostAddress(linear, entry);
    value();
    body.memory(store.operation, 0);
    body.else();
    this.#slowStore(store.value.type, store.bytes, linear, store.access, value);
    body.end();
  }

  /** How to push a value more than once without computing it twice. */
  #pusher(value: Expression): () => void {
    if (value.kind === "constant" || value.kind === "vector-constant" || value.kind === "field")
      return () => this.#value(value);
    const local = this.#inLocal(value);
    return () => this.#body.get(local);
  }

  #writeProbe(probe: Extract<Expression, { kind: "write-probe" }>): void {
    const body = this.#body;
    const linear = this.#inLocal(operandOf(probe, 0));
    const slow = (): void => {
      this.#slowCall("slowProbe", () => {
        body.get(linear);
        body.i32(probe.bytes);
        this.#accessKind(probe.access);
      });
      const host = this.#target.allocate("i32");
      body.set(host);
      this.#checkFault();
      body.get(host);
    };
    if (this.#target.model === "accessors") {
      slow();
      return;
    }
    const entry = this.#probe(linear, probe.bytes, true, probe.access.privilege === "system");
    body.if("i32");
    this.#hostAddress(linear, entry);
    body.else();
    slow();
    body.end();
  }

  #probedLoad(load: Extract<Expression, { kind: "probed-load" }>): void {
    const body = this.#body;
    const host = this.#inLocal(operandOf(load, 0));
    const linear = this.#inLocal(operandOf(load, 1));
    body.get(host);
    body.if(load.type);
    body.get(host);
    body.memory(load.operation, 0);
    body.else();
    this.#slowLoad(load.type, load.bytes, linear, load.access);
    body.end();
  }

  #probedStore(store: Extract<Statement, { kind: "probed-store" }>): void {
    const body = this.#body;
    const host = this.#inLocal(store.probe);
    const linear = this.#inLocal(store.linear);
    const value = this.#pusher(store.value);
    body.get(host);
    body.if();
    body.get(host);
    value();
    body.memory(store.operation, 0);
    body.else();
    this.#slowStore(store.value.type, store.bytes, linear, store.access, value);
    body.end();
  }
}

function operandOf(value: { readonly operands: readonly Expression[] }, index: number): Expression {
  const operand = value.operands[index];
  if (operand === undefined) throw new RangeError(`A recorded expression lacks operand ${index}.`);
  return operand;
}

function endsControl(statement: Statement): boolean {
  return (
    statement.kind === "raise" ||
    statement.kind === "jump" ||
    statement.kind === "jump-relative" ||
    statement.kind === "repeat"
  );
}

/** Turns 64 raw bits on the stack into a value of `type`. */
function fromBits(body: FunctionBody, type: ValueType): void {
  if (type === "i64") return;
  if (type === "f64") {
    body.op("f64.reinterpret_i64");
    return;
  }
  body.op("i32.wrap_i64");
  if (type === "f32") body.op("f32.reinterpret_i32");
}

function toBits(body: FunctionBody, type: ValueType): void {
  switch (type) {
    case "i64":
      return;
    case "f64":
      body.op("i64.reinterpret_f64");
      return;
    case "f32":
      body.op("i32.reinterpret_f32");
      body.op("i64.extend_i32_u");
      return;
    case "i32":
      body.op("i64.extend_i32_u");
      return;
    case "v128":
      body.op("i64x2.extract_lane", { lane: 0 });
  }
}
