/**
 * Records semantics as micro-operations: the one implementation of {@link SemanticsBuilder}.
 *
 * What the architecture means by an operand, a flag or the stack is spelled out here in terms of state slots, record
 * fields and memory accesses, so that emitters know nothing of x86.
 */
import type { Form } from "../decoder/decoded.ts";
import type {
  Condition,
  ExceptionName,
  HelperName,
  Operand,
  Privilege,
  Routine,
  SemanticsBuilder,
  StatusFlag,
  Value,
  ValueType,
  Variable,
  Width,
} from "../semantics.ts";
import { registerOffset, segmentSlots, slots, type Slot } from "../state/layout.ts";
import { wasmOperation } from "../webassembly/operations.ts";
import { EXCEPTION_VECTORS, setsErrorCode } from "../exceptions/vectors.ts";
import type {
  AccessKind,
  Expression,
  Field,
  OrderedExpression,
  PureExpression,
  RecordedVariable,
  Recording,
  Statement,
} from "./tree.ts";

const STACK_SEGMENT = segmentSlots(2);
const FLAG_TF = 1n << 8n;
const FLAG_IF = 1n << 9n;
const CARRY_BITS = 0xc000_0000_0000_0000n;
const ARITHMETIC_FLAGS_MASK = 0x8d5n;

const LOADS: Readonly<Record<number, string>> = {
  1: "i64.load8_u",
  2: "i64.load16_u",
  4: "i64.load32_u",
  8: "i64.load",
};
const STORES: Readonly<Record<number, string>> = {
  1: "i64.store8",
  2: "i64.store16",
  4: "i64.store32",
  8: "i64.store",
};

/** Code of an extension in front of a row's meaning. */
export type Prologue = (m: SemanticsBuilder, ...operands: Operand[]) => void;

/** What the recorder needs to know about the thing it records. */
export type Subject =
  | { readonly kind: "form"; readonly form: Form }
  | { readonly kind: "routine"; readonly routine: Routine };

/** Records one form: its semantics, wrapped into the loop of a REP prefix where it has one, with `prologues` in front. */
export function recordForm(form: Form, prologues: readonly Prologue[] = []): Recording {
  const recorder = new Recorder({ kind: "form", form });
  const run = (): void => {
    for (const prologue of prologues) prologue(recorder, ...form.operands);
    if (form.instruction.counted === true)
      recorder.count(`instructions.${form.instruction.mnemonic}`);
    form.instruction.semantics(recorder, ...form.operands);
  };
  if (form.repeat === "none") run();
  else recordRepetition(recorder, form, run);
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

/** A value is an expression that this module made; semantics cannot make one themselves. */
function expression(value: Value): Expression {
  return value as Expression;
}

function accessOf(privilege: Privilege): AccessKind {
  return { privilege: privilege === "system" ? "system" : "current", stack: privilege === "stack" };
}

function bytesOf(width: Width): 1 | 2 | 4 | 8 {
  return (width / 8) as 1 | 2 | 4 | 8;
}

function maskOf(width: Width): bigint {
  return (1n << BigInt(width)) - 1n;
}

export class Recorder implements SemanticsBuilder {
  readonly width: Width;
  readonly mode: 16 | 32 | 64;
  readonly addressWidth: 16 | 32 | 64;
  readonly repeat: "none" | "rep" | "repe" | "repne";

  readonly #subject: Subject;
  readonly #variables: RecordedVariable[] = [];
  readonly #routines = new Map<string, Routine>();
  #statements: Statement[] = [];
  #depth = 0;
  #rechecks = false;
  #ended = false;
  readonly #probes = new Map<Operand, Expression>();
  readonly #addresses = new Map<string, Expression>();

  constructor(subject: Subject) {
    this.#subject = subject;
    const form = subject.kind === "form" ? subject.form : undefined;
    this.width = form?.width ?? 64;
    this.mode = form?.mode ?? 64;
    this.addressWidth = form?.addressWidth ?? 64;
    this.repeat = form?.repeat ?? "none";
  }

  finish(): Recording {
    return {
      statements: this.#statements,
      variables: this.#variables,
      rechecks: this.#rechecks,
      routines: this.#routines,
    };
  }

  // Recording.

  #statement(statement: Statement): void {
    if (this.#ended) {
      throw new SyntaxError(
        `${this.#name()}: nothing may follow a control transfer. Record it before the transfer.`,
      );
    }
    this.#statements.push(statement);
  }

  #name(): string {
    return this.#subject.kind === "form" ? this.#subject.form.name : this.#subject.routine.name;
  }

  #pure(
    node: Omit<PureExpression, "uses"> & { readonly kind: PureExpression["kind"] },
  ): Expression {
    const made = { ...node, uses: 0 } as PureExpression;
    if (
      made.kind !== "constant" &&
      made.kind !== "vector-constant" &&
      made.kind !== "field" &&
      made.kind !== "parameter"
    ) {
      for (const operand of made.operands) operand.uses += 1;
      this.#statement({ kind: "evaluate", value: made });
    }
    return made;
  }

  #ordered(
    node: Omit<OrderedExpression, "uses"> & { readonly kind: OrderedExpression["kind"] },
  ): Expression {
    const made = { ...node, uses: 0 } as OrderedExpression;
    for (const operand of made.operands) operand.uses += 1;
    this.#statement({ kind: "evaluate", value: made });
    return made;
  }

  #use(value: Value): Expression {
    const used = expression(value);
    used.uses += 1;
    return used;
  }

  #operation(
    operation: string,
    type: ValueType,
    operands: readonly Value[],
    immediates: readonly number[] = [],
  ): Expression {
    return this.#pure({
      kind: "operation",
      type,
      operation,
      operands: operands.map(expression),
      immediates,
    } as Omit<PureExpression, "uses">);
  }

  #constantOf(type: "i32" | "i64", value: bigint): Expression {
    return this.#pure({
      kind: "constant",
      type,
      value: BigInt.asIntN(type === "i32" ? 32 : 64, value),
    } as Omit<PureExpression, "uses">);
  }

  #field(field: Field): Expression {
    const wide =
      field === "displacement" ||
      field === "immediate" ||
      field === "shift" ||
      field === "immediate2" ||
      field === "thisOffset" ||
      field === "nextOffset";
    return this.#pure({ kind: "field", type: wide ? "i64" : "i32", field } as Omit<
      PureExpression,
      "uses"
    >);
  }

  parameter(type: ValueType, index: number): Value {
    return this.#pure({ kind: "parameter", type, index } as Omit<PureExpression, "uses">);
  }

  returnValue(value: Value): void {
    this.#statement({ kind: "return", value: this.#use(value) });
  }

  #form(what: string): Form {
    if (this.#subject.kind === "form") return this.#subject.form;
    throw new SyntaxError(
      `Routine ${this.#subject.routine.name} uses ${what}, which only an instruction has.`,
    );
  }

  // State.

  #loadState(operation: string, offset: number, base?: Expression): Expression {
    const { result } = wasmOperation(operation);
    return this.#ordered({
      kind: "state-load",
      type: result ?? "i64",
      operation,
      offset,
      operands: base === undefined ? [] : [base],
    } as Omit<OrderedExpression, "uses">);
  }

  #storeState(operation: string, offset: number, value: Value, base?: Expression): void {
    if (base !== undefined) base.uses += 1;
    this.#statement({
      kind: "state-store",
      operation,
      offset,
      address: base,
      value: this.#use(value),
    });
  }

  state(slot: Slot): Value {
    return slot.bytes === 16
      ? this.#loadState("v128.load", slot.offset)
      : this.#loadState(loadOf(slot.bytes), slot.offset);
  }

  setState(slot: Slot, value: Value): void {
    this.#storeState(slot.bytes === 16 ? "v128.store" : storeOf(slot.bytes), slot.offset, value);
    if (slot === slots.interruptShadow) this.#rechecks = true;
  }

  #stateAddress(byteOffset: Value): Expression {
    return this.#pure({
      kind: "state-address",
      type: "i32",
      operands: [this.#asI32(byteOffset)],
    } as unknown as Omit<PureExpression, "uses">);
  }

  stateAt(slot: Slot, byteOffset: Value): Value {
    const operation = slot.bytes === 16 ? "v128.load" : loadOf(slot.bytes);
    return this.#loadState(operation, slot.offset, this.#stateAddress(byteOffset));
  }

  setStateAt(slot: Slot, byteOffset: Value, value: Value): void {
    this.#storeState(
      slot.bytes === 16 ? "v128.store" : storeOf(slot.bytes),
      slot.offset,
      value,
      this.#stateAddress(byteOffset),
    );
  }

  register(number: number, width: Width = this.width): Value {
    return this.#loadState(loadOf(bytesOf(width)), registerOffset(number));
  }

  setRegister(number: number, value: Value, width: Width = this.width): void {
    const whole = width === 32 ? this.truncate(value, 32) : value;
    this.#storeState(
      width >= 32 ? "i64.store" : storeOf(bytesOf(width)),
      registerOffset(number),
      whole,
    );
  }

  count(name: string): void {
    this.#statement({ kind: "count", counter: name });
  }

  // Operands.

  #registerAddress(operand: Operand): { base: Expression | undefined; offset: number } {
    const own = this.#ownOperand(operand);
    if (own.source === "fixed") {
      const number = own.value;
      const offset =
        operand.kind === "xmm"
          ? slots.xmm.offset + number * 16
          : operand.kind === "mmx"
            ? slots.x87.offset + number * 16
            : registerOffset(number);
      return { base: undefined, offset };
    }
    return { base: this.#stateAddress(this.#field(operandField(own.index))), offset: 0 };
  }

  #ownOperand(operand: Operand): Form["operands"][number] {
    const own = this.#form("operands").operands.find((candidate) => candidate === operand);
    if (own === undefined)
      throw new SyntaxError(`${this.#name()}: the operand is not one of this form's.`);
    return own;
  }

  read(operand: Operand): Value {
    const own = this.#ownOperand(operand);
    switch (operand.kind) {
      case "register": {
        const { base, offset } = this.#registerAddress(operand);
        const value = this.#loadState(loadOf(operand.bits / 8), offset, base);
        return own.access === "sx" && operand.bits < this.width
          ? this.signExtend(value, operand.bits as Width, this.width)
          : value;
      }
      case "memory": {
        if (operand.bits === 128) return this.readAs(operand, "v128", 16);
        const value = this.#readMemory(
          own,
          LOADS[operand.bits / 8] ?? this.#unsized(operand),
          operand.bits / 8,
        );
        return own.access === "sx" && operand.bits < this.width
          ? this.signExtend(value, operand.bits as Width, this.width)
          : value;
      }
      case "xmm":
        return this.readAs(operand, "v128", 16);
      case "mmx":
        return this.readAs(operand, "i64", 8);
      case "immediate": {
        if (own.source === "immediate2") return this.#field("immediate2");
        const immediate = this.#field("immediate");
        return own.access === "sx" && this.width < 64
          ? this.and(immediate, this.constant(maskOf(this.width)))
          : immediate;
      }
      case "constant":
        return this.constant(own.value);
      case "far-pointer":
        return this.#field("immediate");
      default:
        throw new SyntaxError(
          `${this.#name()}: a ${operand.kind} operand is not read as a value; use registerNumber or relativeTarget.`,
        );
    }
  }

  #unsized(operand: Operand): never {
    throw new SyntaxError(
      `${this.#name()}: a memory operand of ${operand.bits} bits has no integer value; use load or readAs.`,
    );
  }

  write(operand: Operand, value: Value): void {
    switch (operand.kind) {
      case "register": {
        const { base, offset } = this.#registerAddress(operand);
        const whole = operand.bits === 32 ? this.truncate(value, 32) : value;
        this.#storeState(
          operand.bits >= 32 ? "i64.store" : storeOf(operand.bits / 8),
          offset,
          whole,
          base,
        );
        return;
      }
      case "memory":
        if (operand.bits === 128) this.writeAs(operand, value, 16);
        else
          this.#writeMemory(
            operand,
            STORES[operand.bits / 8] ?? this.#unsized(operand),
            operand.bits / 8,
            value,
          );
        return;
      case "xmm":
        this.writeAs(operand, value, 16);
        return;
      case "mmx":
        this.writeAs(operand, value, 8);
        return;
      default:
        throw new SyntaxError(
          `${this.#name()}: a ${operand.kind} operand cannot be written as a value.`,
        );
    }
  }

  readAs(operand: Operand, type: ValueType, bytes: 1 | 2 | 4 | 8 | 16): Value {
    const operation = loadAsOperation(type, bytes);
    if (operand.kind === "memory")
      return this.#readMemory(this.#ownOperand(operand), operation, bytes);
    const { base, offset } = this.#registerAddress(operand);
    return this.#loadState(operation, offset, base);
  }

  writeAs(operand: Operand, value: Value, bytes: 1 | 2 | 4 | 8 | 16): void {
    const operation = storeAsOperation(value.type, bytes);
    if (operand.kind === "memory") {
      this.#writeMemory(operand, operation, bytes, value);
      return;
    }
    const { base, offset } = this.#registerAddress(operand);
    this.#storeState(operation, offset, value, base);
  }

  #memoryAccess(): AccessKind {
    return accessOf("current");
  }

  #readMemory(operand: Form["operands"][number], operation: string, bytes: number): Expression {
    const linear = this.#linear();
    const type = wasmOperation(operation).result ?? "i64";
    if (operand.access !== "rw") {
      return this.#ordered({
        kind: "memory-load",
        type,
        operation,
        bytes,
        access: this.#memoryAccess(),
        operands: [linear],
      } as Omit<OrderedExpression, "uses">);
    }
    let probe = this.#probes.get(operand);
    if (probe === undefined) {
      probe = this.#ordered({
        kind: "write-probe",
        type: "i32",
        bytes,
        access: this.#memoryAccess(),
        operands: [linear],
      } as Omit<OrderedExpression, "uses">);
      if (this.#depth === 0) this.#probes.set(operand, probe);
    }
    return this.#ordered({
      kind: "probed-load",
      type,
      operation,
      bytes,
      access: this.#memoryAccess(),
      operands: [probe, linear],
    } as Omit<OrderedExpression, "uses">);
  }

  #writeMemory(operand: Operand, operation: string, bytes: number, value: Value): void {
    const linear = this.#linear();
    const probe = this.#probes.get(operand);
    linear.uses += 1;
    if (probe === undefined) {
      this.#statement({
        kind: "memory-store",
        operation,
        bytes,
        access: this.#memoryAccess(),
        linear,
        value: this.#use(value),
      });
      return;
    }
    probe.uses += 1;
    this.#statement({
      kind: "probed-store",
      operation,
      bytes,
      access: this.#memoryAccess(),
      probe,
      linear,
      value: this.#use(value),
    });
  }

  /** Address parts are read once, where first needed; inside a branch they are read again, since the value stays there. */
  #once(name: string, make: () => Expression): Expression {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const made = make();
    if (this.#depth === 0) this.#addresses.set(name, made);
    return made;
  }

  #stateField(field: "base" | "index" | "segment"): Expression {
    return this.#loadState("i64.load", 0, this.#stateAddress(this.#field(field)));
  }

  #effective(): Expression {
    this.#form("a memory operand");
    return this.#once("effective", () => {
      const index = this.#operation("i64.shl", "i64", [
        this.#stateField("index"),
        this.#field("shift"),
      ]);
      const sum = this.#operation("i64.add", "i64", [
        this.#stateField("base"),
        this.#field("displacement"),
      ]);
      return this.#operation("i64.add", "i64", [sum, index]);
    });
  }

  #linear(): Expression {
    return this.#once("linear", () =>
      this.#operation("i64.add", "i64", [this.#effective(), this.#stateField("segment")]),
    );
  }

  effectiveAddress(_operand: Operand): Value {
    return this.#effective();
  }

  linearAddress(_operand: Operand): Value {
    return this.#linear();
  }

  registerNumber(operand: Operand): Value {
    const own = this.#ownOperand(operand);
    if (own.source === "fixed") return this.constant(own.value);
    if (own.source === "far-pointer") return this.#field("immediate2");
    const field = this.fromI32Unsigned(this.#field(operandField(own.index)));
    if (operand.kind !== "mmx" && operand.kind !== "xmm") return field;
    // The record holds the register's place in the state block.
    const first = operand.kind === "mmx" ? slots.x87.offset : slots.xmm.offset;
    return this.shiftRightUnsigned(
      this.subtract(field, this.constant(first), 64),
      this.constant(4),
    );
  }

  segmentBase(): Value {
    this.#form("segmentBase");
    return this.#stateField("segment");
  }

  // Flags.

  #result(): Expression {
    return this.#loadState("i64.load", slots.flagsResult.offset);
  }

  #auxiliary(): Expression {
    return this.#loadState("i64.load", slots.flagsAuxiliary.offset);
  }

  /** Bit `index` as i64 0 or 1. */
  #bit64(value: Value, index: number): Expression {
    const shifted =
      index === 0
        ? expression(value)
        : this.#operation("i64.shr_u", "i64", [value, this.constant(index)]);
    return index === 63 ? shifted : this.#operation("i64.and", "i64", [shifted, this.constant(1)]);
  }

  #flag64(name: StatusFlag): Expression {
    switch (name) {
      case "CF":
        return this.#bit64(this.#auxiliary(), 63);
      case "AF":
        return this.#bit64(this.#auxiliary(), 3);
      case "OF": {
        const auxiliary = this.#auxiliary();
        return this.#bit64(
          this.xor(auxiliary, this.#operation("i64.shl", "i64", [auxiliary, this.constant(1)])),
          63,
        );
      }
      case "SF": {
        const flipped = this.#operation("i64.shl", "i64", [this.#auxiliary(), this.constant(61)]);
        return this.#bit64(this.xor(this.#result(), flipped), 63);
      }
      case "ZF":
        return expression(this.fromCondition(this.isZero(this.#result())));
      case "PF": {
        const low = this.xor(
          this.#result(),
          this.#operation("i64.shr_u", "i64", [this.#auxiliary(), this.constant(8)]),
        );
        return expression(this.fromCondition(this.parity(low)));
      }
    }
  }

  flag(name: StatusFlag): Value {
    if (name === "ZF") return this.isZero(this.#result());
    return this.toI32(this.#flag64(name));
  }

  #asBit64(value: Value): Expression {
    return value.type === "i32"
      ? this.#operation("i64.extend_i32_u", "i64", [value])
      : expression(value);
  }

  #setAuxiliary(value: Value): void {
    this.#storeState("i64.store", slots.flagsAuxiliary.offset, value);
  }

  #shift64(value: Value, count: number): Expression {
    return count === 0
      ? expression(value)
      : this.#operation("i64.shl", "i64", [value, this.constant(count)]);
  }

  /** The top two bits of the auxiliary word that give these CF and OF. */
  #carryBits(carry: Value, overflow: Value): Value {
    return this.or(this.#shift64(carry, 63), this.#shift64(this.xor(carry, overflow), 62));
  }

  setFlags(flags: Partial<Record<StatusFlag, Value>>): void {
    const given = (name: StatusFlag): Expression => {
      const value = flags[name];
      return value === undefined ? this.#flag64(name) : this.#asBit64(value);
    };
    if (flags.ZF === undefined && flags.SF === undefined && flags.PF === undefined) {
      const carries = this.#carryBits(given("CF"), given("OF"));
      let kept = this.and(this.#auxiliary(), this.constant(~CARRY_BITS));
      if (flags.AF !== undefined) {
        kept = this.or(
          this.and(kept, this.constant(~8n)),
          this.#shift64(this.#asBit64(flags.AF), 3),
        );
      }
      this.#setAuxiliary(this.or(kept, carries));
      return;
    }
    const carries = this.#carryBits(given("CF"), given("OF"));
    const adjust = this.#shift64(given("AF"), 3);
    const sign = this.#shift64(given("SF"), 2);
    const parity = this.#shift64(this.xor(given("PF"), this.constant(1)), 8);
    const zero = given("ZF");
    const auxiliary = this.or(this.or(carries, adjust), this.or(sign, parity));
    // A result whose low byte is 0 and whose sign is clear: PF, SF and ZF then come from the auxiliary word and this bit.
    const result = this.#shift64(this.xor(zero, this.constant(1)), 8);
    this.#storeState("i64.store", slots.flagsResult.offset, result);
    this.#setAuxiliary(auxiliary);
  }

  #setResult(result: Value, width: Width): void {
    this.#storeState("i64.store", slots.flagsResult.offset, this.signExtend(result, width));
  }

  #setCarries(carries: Value, width: Width): void {
    if (width === 64) {
      this.#setAuxiliary(this.and(carries, this.constant(CARRY_BITS | 8n)));
      return;
    }
    const top = this.and(this.#shift64(carries, 64 - width), this.constant(CARRY_BITS));
    this.#setAuxiliary(this.or(top, this.and(carries, this.constant(8))));
  }

  setAddFlags(lhs: Value, rhs: Value, result: Value, width: Width = this.width): void {
    const propagated = this.and(this.or(lhs, rhs), this.not(result, 64));
    this.#setResult(result, width);
    this.#setCarries(this.or(this.and(lhs, rhs), propagated), width);
  }

  setSubtractFlags(lhs: Value, rhs: Value, result: Value, width: Width = this.width): void {
    const borrowed = this.and(this.not(lhs, 64), rhs);
    const propagated = this.and(this.not(this.xor(lhs, rhs), 64), result);
    this.#setResult(result, width);
    this.#setCarries(this.or(borrowed, propagated), width);
  }

  setLogicFlags(result: Value, width: Width = this.width): void {
    this.#setResult(result, width);
    this.#setAuxiliary(this.constant(0));
  }

  conditionCode(code: number): Value {
    const negated = (code & 1) === 1;
    const negate = (value: Value): Value => (negated ? this.isFalse(value) : value);
    switch (code >> 1) {
      case 0:
        return negate(this.flag("OF"));
      case 1:
        return negate(this.flag("CF"));
      case 2:
        return negated
          ? this.notEqual(this.#result(), this.constant(0))
          : this.isZero(this.#result());
      case 3:
        return negate(this.either(this.flag("CF"), this.flag("ZF")));
      case 4:
        return negate(this.flag("SF"));
      case 5:
        return negate(this.flag("PF"));
      case 6:
        return negate(this.#less());
      default:
        return negate(this.either(this.#less(), this.flag("ZF")));
    }
  }

  /** SF is not OF. */
  #less(): Value {
    const auxiliary = this.#auxiliary();
    const overflow = this.xor(auxiliary, this.#shift64(auxiliary, 1));
    const sign = this.xor(this.#result(), this.#shift64(auxiliary, 61));
    return this.toI32(this.#bit64(this.xor(overflow, sign), 63));
  }

  readFlagsRegister(): Value {
    const arithmetic = [
      this.#flag64("CF"),
      this.#shift64(this.#flag64("PF"), 2),
      this.#shift64(this.#flag64("AF"), 4),
      this.#shift64(this.#flag64("ZF"), 6),
      this.#shift64(this.#flag64("SF"), 7),
      this.#shift64(this.#flag64("OF"), 11),
    ];
    return arithmetic.reduce((sum: Value, bit) => this.or(sum, bit), this.state(slots.flagsSystem));
  }

  writeFlagsRegister(value: Value, mask: Value): void {
    const whole = this.or(
      this.and(value, mask),
      this.and(this.readFlagsRegister(), this.not(mask, 64)),
    );
    this.setFlags({
      CF: this.#bit64(whole, 0),
      PF: this.#bit64(whole, 2),
      AF: this.#bit64(whole, 4),
      ZF: this.#bit64(whole, 6),
      SF: this.#bit64(whole, 7),
      OF: this.#bit64(whole, 11),
    });
    const system = this.or(
      this.and(whole, this.constant(~ARITHMETIC_FLAGS_MASK)),
      this.constant(2),
    );
    this.setState(slots.flagsSystem, system);
    const trap = this.notEqual(this.and(system, this.constant(FLAG_TF)), this.constant(0));
    const window = this.both(
      this.notEqual(this.and(system, this.constant(FLAG_IF)), this.constant(0)),
      this.notEqual(this.state(slots.interruptPending), this.constant(0)),
    );
    this.when(this.either(trap, window), () => this.recheckEvents());
  }

  // Integers.

  constant(value: bigint | number): Value {
    return this.#constantOf("i64", BigInt(value));
  }

  #masked(value: Expression, width: Width): Value {
    return width === 64
      ? value
      : this.#operation("i64.and", "i64", [value, this.constant(maskOf(width))]);
  }

  add(a: Value, b: Value, width: Width = this.width): Value {
    return this.#masked(this.#operation("i64.add", "i64", [a, b]), width);
  }

  subtract(a: Value, b: Value, width: Width = this.width): Value {
    return this.#masked(this.#operation("i64.sub", "i64", [a, b]), width);
  }

  multiply(a: Value, b: Value, width: Width = this.width): Value {
    return this.#masked(this.#operation("i64.mul", "i64", [a, b]), width);
  }

  multiplyHighUnsigned(a: Value, b: Value): Value {
    const low = (value: Value): Value => this.truncate(value, 32);
    const high = (value: Value): Value => this.shiftRightUnsigned(value, this.constant(32));
    const cross = this.add(
      this.multiply(high(a), low(b), 64),
      high(this.multiply(low(a), low(b), 64)),
      64,
    );
    const middle = this.add(this.multiply(low(a), high(b), 64), low(cross), 64);
    return this.add(
      this.add(this.multiply(high(a), high(b), 64), high(cross), 64),
      high(middle),
      64,
    );
  }

  multiplyHighSigned(a: Value, b: Value): Value {
    const sign = (value: Value): Value =>
      this.#operation("i64.shr_s", "i64", [value, this.constant(63)]);
    const correction = this.add(this.and(sign(a), b), this.and(sign(b), a), 64);
    return this.subtract(this.multiplyHighUnsigned(a, b), correction, 64);
  }

  divideUnsigned(a: Value, b: Value): Value {
    return this.#operation("i64.div_u", "i64", [a, b]);
  }

  divideSigned(a: Value, b: Value): Value {
    return this.#operation("i64.div_s", "i64", [a, b]);
  }

  remainderUnsigned(a: Value, b: Value): Value {
    return this.#operation("i64.rem_u", "i64", [a, b]);
  }

  and(a: Value, b: Value): Value {
    return this.#operation("i64.and", "i64", [a, b]);
  }

  or(a: Value, b: Value): Value {
    return this.#operation("i64.or", "i64", [a, b]);
  }

  xor(a: Value, b: Value): Value {
    return this.#operation("i64.xor", "i64", [a, b]);
  }

  not(a: Value, width: Width = this.width): Value {
    return this.#operation("i64.xor", "i64", [a, this.constant(maskOf(width))]);
  }

  negate(a: Value, width: Width = this.width): Value {
    return this.subtract(this.constant(0), a, width);
  }

  shiftLeft(a: Value, count: Value, width: Width = this.width): Value {
    return this.#masked(this.#operation("i64.shl", "i64", [a, count]), width);
  }

  shiftRightUnsigned(a: Value, count: Value): Value {
    return this.#operation("i64.shr_u", "i64", [a, count]);
  }

  shiftRightSigned(a: Value, count: Value, width: Width = this.width): Value {
    return this.#masked(
      this.#operation("i64.shr_s", "i64", [this.signExtend(a, width), count]),
      width,
    );
  }

  truncate(a: Value, from: Width): Value {
    return this.#masked(expression(a), from);
  }

  signExtend(a: Value, from: Width, to: Width = 64): Value {
    if (from === 64) return a;
    return this.#masked(this.#operation(`i64.extend${from}_s`, "i64", [a]), to);
  }

  bit(a: Value, index: number): Value {
    return this.toI32(this.#bit64(a, index));
  }

  parity(a: Value): Value {
    const low = this.#operation("i32.and", "i32", [this.toI32(a), this.#constantOf("i32", 0xffn)]);
    const ones = this.#operation("i32.popcnt", "i32", [low]);
    const odd = this.#operation("i32.and", "i32", [ones, this.#constantOf("i32", 1n)]);
    return this.#operation("i32.eqz", "i32", [odd]);
  }

  countLeadingZeros(a: Value): Value {
    return this.#operation("i64.clz", "i64", [a]);
  }

  countTrailingZeros(a: Value): Value {
    return this.#operation("i64.ctz", "i64", [a]);
  }

  populationCount(a: Value): Value {
    return this.#operation("i64.popcnt", "i64", [a]);
  }

  isZero(a: Value): Value {
    return this.#operation(a.type === "i32" ? "i32.eqz" : "i64.eqz", "i32", [a]);
  }

  equal(a: Value, b: Value): Value {
    return this.#operation(a.type === "i32" ? "i32.eq" : "i64.eq", "i32", [a, b]);
  }

  notEqual(a: Value, b: Value): Value {
    return this.#operation(a.type === "i32" ? "i32.ne" : "i64.ne", "i32", [a, b]);
  }

  lessThanUnsigned(a: Value, b: Value): Value {
    return this.#operation(a.type === "i32" ? "i32.lt_u" : "i64.lt_u", "i32", [a, b]);
  }

  lessThanSigned(a: Value, b: Value, width: Width = this.width): Value {
    if (a.type === "i32") return this.#operation("i32.lt_s", "i32", [a, b]);
    return this.#operation("i64.lt_s", "i32", [
      this.signExtend(a, width),
      this.signExtend(b, width),
    ]);
  }

  /** A condition as i32, non-zero when true. */
  #test(condition: Condition): Value {
    return condition.type === "i32" ? condition : this.notEqual(condition, this.constant(0));
  }

  #boolean(condition: Condition): Value {
    if (condition.type !== "i32") return this.notEqual(condition, this.constant(0));
    return this.#operation("i32.ne", "i32", [condition, this.#constantOf("i32", 0n)]);
  }

  both(a: Condition, b: Condition): Value {
    return this.#operation("i32.and", "i32", [this.#boolean(a), this.#boolean(b)]);
  }

  either(a: Condition, b: Condition): Value {
    return this.#operation("i32.or", "i32", [this.#test(a), this.#test(b)]);
  }

  isFalse(a: Condition): Value {
    return this.isZero(a);
  }

  fromCondition(a: Condition): Value {
    return this.fromI32Unsigned(this.#boolean(a));
  }

  select(condition: Condition, whenTrue: Value, whenFalse: Value): Value {
    return this.#pure({
      kind: "select",
      type: whenTrue.type,
      operands: [expression(whenTrue), expression(whenFalse), expression(this.#test(condition))],
    } as unknown as Omit<PureExpression, "uses">);
  }

  // Control flow.

  variable(initial: Value): Variable {
    const variable: RecordedVariable = { type: initial.type, number: this.#variables.length };
    this.#variables.push(variable);
    this.set(variable, initial);
    return variable;
  }

  get(variable: Variable): Value {
    return this.#ordered({
      kind: "variable-get",
      type: variable.type,
      variable,
      operands: [],
    } as unknown as Omit<OrderedExpression, "uses">);
  }

  set(variable: Variable, value: Value): void {
    this.#statement({
      kind: "variable-set",
      variable: variable as RecordedVariable,
      value: this.#use(value),
    });
  }

  #block(body: () => void): Statement[] {
    const outer = this.#statements;
    const inner: Statement[] = [];
    this.#statements = inner;
    this.#depth += 1;
    body();
    this.#depth -= 1;
    this.#statements = outer;
    this.#ended = false;
    return inner;
  }

  when(condition: Condition, then: () => void, otherwise?: () => void): void {
    const test = this.#use(this.#test(condition));
    const thenStatements = this.#block(then);
    const otherwiseStatements = otherwise === undefined ? [] : this.#block(otherwise);
    this.#statement({
      kind: "when",
      condition: test,
      then: thenStatements,
      otherwise: otherwiseStatements,
    });
  }

  loop(body: () => Condition): void {
    let again: Expression | undefined;
    const statements = this.#block(() => {
      again = this.#use(this.#test(body()));
    });
    if (again !== undefined) this.#statement({ kind: "loop", body: statements, condition: again });
  }

  // Memory.

  load(linear: Value, bytes: 1 | 2 | 4 | 8, privilege: Privilege = "current"): Value {
    return this.#load(linear, loadOf(bytes), bytes, accessOf(privilege));
  }

  #load(linear: Value, operation: string, bytes: number, access: AccessKind): Value {
    return this.#ordered({
      kind: "memory-load",
      type: wasmOperation(operation).result ?? "i64",
      operation,
      bytes,
      access,
      operands: [expression(linear)],
    } as Omit<OrderedExpression, "uses">);
  }

  #store(linear: Value, operation: string, bytes: number, value: Value, access: AccessKind): void {
    this.#statement({
      kind: "memory-store",
      operation,
      bytes,
      access,
      linear: this.#use(linear),
      value: this.#use(value),
    });
  }

  store(linear: Value, bytes: 1 | 2 | 4 | 8, value: Value, privilege: Privilege = "current"): void {
    this.#store(linear, storeOf(bytes), bytes, value, accessOf(privilege));
  }

  loadAs(linear: Value, type: ValueType, bytes: 1 | 2 | 4 | 8 | 16): Value {
    return this.#load(linear, loadAsOperation(type, bytes), bytes, this.#memoryAccess());
  }

  storeAs(linear: Value, value: Value, bytes: 1 | 2 | 4 | 8 | 16): void {
    this.#store(linear, storeAsOperation(value.type, bytes), bytes, value, this.#memoryAccess());
  }

  probeWrite(linear: Value, bytes: number, privilege: Privilege = "current"): void {
    this.#ordered({
      kind: "write-probe",
      type: "i32",
      bytes,
      access: accessOf(privilege),
      operands: [expression(linear)],
    } as Omit<OrderedExpression, "uses">);
  }

  loadPhysical(physical: Value): Value {
    return this.callNamed("loadPhysical", "i64", false, [physical]);
  }

  storePhysical(physical: Value, value: Value): void {
    this.callNamed("storePhysical", "i64", false, [physical, value]);
  }

  // The stack.

  #operandBytes(): 2 | 4 | 8 {
    if (this.mode === 64) return this.width === 16 ? 2 : 8;
    return this.width === 16 ? 2 : 4;
  }

  #stackAccess(): AccessKind {
    return accessOf("stack");
  }

  stackAddress(offset: Value): Value {
    if (this.#flatStack()) return offset;
    const within = this.and(offset, this.state(slots.stackMask));
    return this.add(within, this.state(STACK_SEGMENT.effectiveBase), 32);
  }

  #flatStack(): boolean {
    this.#form("the stack");
    return this.mode === 64;
  }

  setStackPointer(pointer: Value): void {
    if (this.#flatStack()) {
      this.setRegister(4, pointer, 64);
      return;
    }
    const mask = this.state(slots.stackMask);
    const kept = this.and(this.register(4, 64), this.not(mask, 64));
    this.setRegister(4, this.or(kept, this.and(pointer, mask)), 64);
  }

  push(value: Value, bytes: 2 | 4 | 8 = this.#operandBytes()): void {
    const pointer = this.subtract(this.register(4, 64), this.constant(bytes), 64);
    this.#store(this.stackAddress(pointer), storeOf(bytes), bytes, value, this.#stackAccess());
    this.setStackPointer(pointer);
  }

  peek(bytes: 2 | 4 | 8 = this.#operandBytes(), byteOffset = 0): Value {
    const pointer = this.register(4, 64);
    const at = byteOffset === 0 ? pointer : this.add(pointer, this.constant(byteOffset), 64);
    return this.#load(this.stackAddress(at), loadOf(bytes), bytes, this.#stackAccess());
  }

  moveStackPointer(bytes: Value): void {
    this.setStackPointer(this.add(this.register(4, 64), bytes, 64));
  }

  // Faults and calls.

  raise(exception: ExceptionName, errorCode?: Value): void {
    const vector = EXCEPTION_VECTORS[exception];
    let code: Expression | undefined;
    if (errorCode !== undefined) code = this.#use(this.#asI32(errorCode));
    else if (setsErrorCode(vector)) code = this.#use(this.#constantOf("i32", 0n));
    this.#statement({ kind: "raise", vector, errorCode: code });
    this.#ended = true;
  }

  raiseWhen(condition: Condition, exception: ExceptionName, errorCode?: Value): void {
    this.when(condition, () => this.raise(exception, errorCode));
  }

  isCanonical(linear: Value): Value {
    const shifted = this.#operation("i64.shl", "i64", [linear, this.constant(16)]);
    return this.equal(this.#operation("i64.shr_s", "i64", [shifted, this.constant(16)]), linear);
  }

  call(routine: Routine, ...parameters: Value[]): Value {
    const known = this.#routines.get(routine.name);
    if (known !== undefined && known !== routine)
      throw new SyntaxError(`${this.#name()}: two routines are called ${routine.name}.`);
    this.#routines.set(routine.name, routine);
    return this.callNamed(routine.name, routine.result ?? "i32", routine.raises, parameters);
  }

  /** Calls a routine of the engine by name, which avoids importing what calls back. */
  callNamed(
    routine: string,
    type: ValueType,
    raises: boolean,
    parameters: readonly Value[],
  ): Value {
    return this.#ordered({
      kind: "routine-call",
      type,
      routine,
      raises,
      operands: parameters.map(expression),
    } as Omit<OrderedExpression, "uses">);
  }

  helper(name: HelperName, parameters: readonly Value[] = [], result?: "i32"): Value {
    const operands = parameters.map((parameter) =>
      parameter.type === "i64" ? this.#asI32(parameter) : expression(parameter),
    );
    return this.#ordered({
      kind: "helper-call",
      type: result ?? "i32",
      helper: name,
      operands,
    } as Omit<OrderedExpression, "uses">);
  }

  #asI32(value: Value): Expression {
    return value.type === "i64"
      ? this.#operation("i32.wrap_i64", "i32", [value])
      : expression(value);
  }

  toI32(a: Value): Value {
    return this.#asI32(a);
  }

  fromI32Unsigned(a: Value): Value {
    return a.type === "i64" ? a : this.#operation("i64.extend_i32_u", "i64", [a]);
  }

  // Control transfer.

  #ripAt(field: "thisOffset" | "nextOffset"): Value {
    this.#form("its address");
    const rip = this.add(this.state(slots.codePageRip), this.#field(field), 64);
    return this.mode === 64 ? rip : this.and(rip, this.state(slots.ripMask));
  }

  nextRip(): Value {
    return this.#ripAt("nextOffset");
  }

  thisRip(): Value {
    return this.#ripAt("thisOffset");
  }

  relativeTarget(_operand: Operand): Value {
    const target = this.add(this.nextRip(), this.#field("immediate"), 64);
    return this.mode === 64 ? target : this.and(target, this.state(slots.ripMask));
  }

  jumpRelative(_operand: Operand): void {
    this.#form("jumpRelative");
    this.#statement({ kind: "jump-relative" });
    this.#ended = true;
  }

  jumpTo(rip: Value): void {
    this.#form("jumpTo");
    if (this.mode === 64)
      this.raiseWhen(this.isFalse(this.isCanonical(rip)), "GP", this.constant(0));
    const target = this.mode === 64 ? rip : this.and(rip, this.state(slots.ripMask));
    this.resumeAt(target);
  }

  resumeAt(rip: Value): void {
    this.#form("resumeAt");
    this.#statement({ kind: "jump", rip: this.#use(rip) });
    this.#ended = true;
  }

  repeatRecord(): void {
    this.#statement({ kind: "repeat" });
    this.#ended = true;
  }

  recheckEvents(): void {
    this.#rechecks = true;
    this.#storeState("i32.store8", RECHECK.offset, this.#constantOf("i32", 1n));
  }

  setPrivilegeLevel(level: Value): void {
    this.callNamed("setPrivilegeLevel", "i32", false, [level]);
  }

  // Everything that WebAssembly has.

  wasm(operation: string, operands: readonly Value[], immediates: readonly number[] = []): Value {
    const { result, immediates: shape } = wasmOperation(operation);
    if (result === undefined || shape === "memory" || shape === "memory-lane") {
      throw new SyntaxError(
        `${this.#name()}: ${operation} touches memory. Use load, store, readAs or writeAs.`,
      );
    }
    return this.#operation(operation, result, operands, immediates);
  }

  constantV128(low: bigint, high: bigint): Value {
    return this.#pure({ kind: "vector-constant", type: "v128", low, high } as Omit<
      PureExpression,
      "uses"
    >);
  }

  /** Loads from an address in the host's memory that is not guest memory: the engine's own tables. */
  hostLoad(operation: string, address: Value, offset = 0): Value {
    return this.#ordered({
      kind: "host-load",
      type: wasmOperation(operation).result ?? "i32",
      operation,
      offset,
      operands: [this.#asI32(address)],
    } as Omit<OrderedExpression, "uses">);
  }

  hostStore(operation: string, address: Value, value: Value, offset = 0): void {
    const at = this.#asI32(address);
    at.uses += 1;
    this.#statement({
      kind: "host-store",
      operation,
      offset,
      address: at,
      value: this.#use(value),
    });
  }

  /** An `i32` constant, for the engine's own routines. */
  constantI32(value: number): Value {
    return this.#constantOf("i32", BigInt(value));
  }

  /** Address of a byte of the state block in the host's memory. */
  stateAddress(byteOffset: number): Value {
    return this.#stateAddress(this.constantI32(byteOffset));
  }
}

/** Asks the driver to look at pending events; beside the architectural slots because only the engine reads it. */
export const RECHECK: Slot = { offset: 0x2c1, bytes: 1 };

function operandField(index: number): Field {
  if (index === 0) return "operand0";
  if (index === 1) return "operand1";
  if (index === 2) return "operand2";
  throw new SyntaxError(
    `An instruction has at most three register operands that its bytes name; this is number ${index}.`,
  );
}

function loadOf(bytes: number): string {
  const operation = LOADS[bytes];
  if (operation === undefined) throw new SyntaxError(`No integer load has ${bytes} bytes.`);
  return operation;
}

function storeOf(bytes: number): string {
  const operation = STORES[bytes];
  if (operation === undefined) throw new SyntaxError(`No integer store has ${bytes} bytes.`);
  return operation;
}

function loadAsOperation(type: ValueType, bytes: number): string {
  if (type === "i64") return loadOf(bytes);
  if (type === "i32" && bytes === 1) return "i32.load8_u";
  if (type === "i32" && bytes === 2) return "i32.load16_u";
  if (type === "v128" && bytes === 4) return "v128.load32_zero";
  if (type === "v128" && bytes === 8) return "v128.load64_zero";
  const natural = { i32: 4, f32: 4, f64: 8, v128: 16 }[type];
  if (natural !== bytes) throw new SyntaxError(`No load makes ${type} of ${bytes} bytes.`);
  return `${type}.load`;
}

function storeAsOperation(type: ValueType, bytes: number): string {
  if (type === "i64") return storeOf(bytes);
  if (type === "i32" && bytes === 1) return "i32.store8";
  if (type === "i32" && bytes === 2) return "i32.store16";
  const natural = { i32: 4, f32: 4, f64: 8, v128: 16 }[type];
  if (natural !== bytes) throw new SyntaxError(`No store writes ${type} as ${bytes} bytes.`);
  return `${type}.store`;
}
