/**
 * A dispatch function: a loop around a branch table, the ways out of it, and the handlers that steer between records.
 */
import type { ValueType } from "../semantics.ts";
import { RECHECK } from "../micro-operations/state-recorder.ts";
import { slots } from "../state/layout.ts";
import type { FunctionBody, FunctionType, Label } from "../webassembly/encoder.ts";
import { LOCAL, type Callees } from "./emitter.ts";
import { ENGINE, FIXED_RECORDS_END, RECORD, RECORD_BYTES } from "./layout.ts";

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
  /** A debugger may want to stop before the instruction at RIP. */
  breakpoint: 5,
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
  /** Leaves for the driver. */
  fixedRecheck: 8,
  /** Leaves, so that the driver can see whether a debugger stops before the instruction of the next record. */
  breakpoint: 9,
} as const;
export const CONTROL_COUNT = 10;
/** A handler number is a dispatch function and, in its low bits, a place in it. */
export const GROUP_SHIFT = 8;
/** Handlers of one dispatch function. */
export const GROUP: number = 1 << GROUP_SHIFT;

/** Parameters: state block, record, units left. Result: a value of {@link LEFT}. */
export const DISPATCH: FunctionType = { parameters: ["i32", "i32", "i32"], results: ["i32"] };

/** Where a handler goes on. */
export interface GroupLabels {
  readonly next: Label;
  readonly fault: Label;
  readonly leave: Label;
  readonly decode: Label;
}

/** Emits the whole function; `members` emit its handlers, of which the first has number `first`. */
export function emitGroup(
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

export function storeRemaining(body: FunctionBody, constant?: number): void {
  body.get(LOCAL.processor);
  if (constant === undefined) body.get(LOCAL.remaining);
  else body.i32(constant);
  body.memory("i32.store", slots.remaining.offset);
}

/** RIP of the current record, and the record itself; fixed records have left RIP as it is to be. */
export function storeRip(body: FunctionBody): void {
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

/** Emits a handler of {@link CONTROL}. */
export function emitControl(
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
    case CONTROL.fixedRecheck:
      giveBack(body);
      body.branch(labels.leave);
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
      body.get(LOCAL.processor);
      body.memory("i64.load", slots.linearMask.offset);
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
    case CONTROL.breakpoint:
      giveBack(body);
      storeRip(body);
      storeRemaining(body);
      body.i32(LEFT.breakpoint);
      body.return();
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
export class LocalPools {
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
