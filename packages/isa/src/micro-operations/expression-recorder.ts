/**
 * Records arithmetic, comparisons and structured control flow: what needs neither a processor nor memory.
 *
 * The parts of the recorder are classes that build on each other: this one, then state-recorder.ts, then recorder.ts.
 */
import type { Form } from "../decoder/decoded.ts";
import type { Condition, Routine, Value, ValueType, Variable, Width } from "../semantics.ts";
import { wasmOperation } from "../webassembly/operations.ts";
import type {
  Expression,
  OrderedExpression,
  PureExpression,
  RecordedVariable,
  Recording,
  Statement,
} from "./tree.ts";

/** What the recorder needs to know about the thing it records. */
export type Subject =
  | { readonly kind: "form"; readonly form: Form }
  | { readonly kind: "routine"; readonly routine: Routine };

/** A value is an expression that this module made; semantics cannot make one themselves. */
export function expression(value: Value): Expression {
  return value as Expression;
}

export function maskOf(width: Width): bigint {
  return (1n << BigInt(width)) - 1n;
}

/** Builds the tree: statements in order, expressions shared among them. */
export abstract class ExpressionRecorder {
  readonly width: Width;
  readonly mode: 16 | 32 | 64;
  readonly addressWidth: 16 | 32 | 64;
  readonly repeat: "none" | "rep" | "repe" | "repne";

  readonly #subject: Subject;
  readonly #variables: RecordedVariable[] = [];
  protected readonly routines: Map<string, Routine> = new Map();
  #statements: Statement[] = [];
  /** Blocks around what is recorded now; values made inside one are not used outside. */
  protected depth: number = 0;
  /** See {@link Recording.rechecks}. */
  protected rechecks: boolean = false;
  /** After a control transfer, which ends a block. */
  protected ended: boolean = false;

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
      rechecks: this.rechecks,
      routines: this.routines,
    };
  }

  protected statement(statement: Statement): void {
    if (this.ended) {
      throw new SyntaxError(
        `${this.name()}: nothing may follow a control transfer. Record it before the transfer.`,
      );
    }
    this.#statements.push(statement);
  }

  protected name(): string {
    return this.#subject.kind === "form" ? this.#subject.form.name : this.#subject.routine.name;
  }

  protected pure(
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
      this.statement({ kind: "evaluate", value: made });
    }
    return made;
  }

  protected ordered(
    node: Omit<OrderedExpression, "uses"> & { readonly kind: OrderedExpression["kind"] },
  ): Expression {
    const made = { ...node, uses: 0 } as OrderedExpression;
    for (const operand of made.operands) operand.uses += 1;
    this.statement({ kind: "evaluate", value: made });
    return made;
  }

  protected use(value: Value): Expression {
    const used = expression(value);
    used.uses += 1;
    return used;
  }

  protected operation(
    operation: string,
    type: ValueType,
    operands: readonly Value[],
    immediates: readonly number[] = [],
  ): Expression {
    return this.pure({
      kind: "operation",
      type,
      operation,
      operands: operands.map(expression),
      immediates,
    } as Omit<PureExpression, "uses">);
  }

  protected constantOf(type: "i32" | "i64", value: bigint): Expression {
    return this.pure({
      kind: "constant",
      type,
      value: BigInt.asIntN(type === "i32" ? 32 : 64, value),
    } as Omit<PureExpression, "uses">);
  }

  parameter(type: ValueType, index: number): Value {
    return this.pure({ kind: "parameter", type, index } as Omit<PureExpression, "uses">);
  }

  returnValue(value: Value): void {
    this.statement({ kind: "return", value: this.use(value) });
  }

  protected form(what: string): Form {
    if (this.#subject.kind === "form") return this.#subject.form;
    throw new SyntaxError(
      `Routine ${this.#subject.routine.name} uses ${what}, which only an instruction has.`,
    );
  }

  constant(value: bigint | number): Value {
    return this.constantOf("i64", BigInt(value));
  }

  #masked(value: Expression, width: Width): Value {
    return width === 64
      ? value
      : this.operation("i64.and", "i64", [value, this.constant(maskOf(width))]);
  }

  add(a: Value, b: Value, width: Width = this.width): Value {
    return this.#masked(this.operation("i64.add", "i64", [a, b]), width);
  }

  subtract(a: Value, b: Value, width: Width = this.width): Value {
    return this.#masked(this.operation("i64.sub", "i64", [a, b]), width);
  }

  multiply(a: Value, b: Value, width: Width = this.width): Value {
    return this.#masked(this.operation("i64.mul", "i64", [a, b]), width);
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
      this.operation("i64.shr_s", "i64", [value, this.constant(63)]);
    const correction = this.add(this.and(sign(a), b), this.and(sign(b), a), 64);
    return this.subtract(this.multiplyHighUnsigned(a, b), correction, 64);
  }

  divideUnsigned(a: Value, b: Value): Value {
    return this.operation("i64.div_u", "i64", [a, b]);
  }

  divideSigned(a: Value, b: Value): Value {
    return this.operation("i64.div_s", "i64", [a, b]);
  }

  remainderUnsigned(a: Value, b: Value): Value {
    return this.operation("i64.rem_u", "i64", [a, b]);
  }

  and(a: Value, b: Value): Value {
    return this.operation("i64.and", "i64", [a, b]);
  }

  or(a: Value, b: Value): Value {
    return this.operation("i64.or", "i64", [a, b]);
  }

  xor(a: Value, b: Value): Value {
    return this.operation("i64.xor", "i64", [a, b]);
  }

  not(a: Value, width: Width = this.width): Value {
    return this.operation("i64.xor", "i64", [a, this.constant(maskOf(width))]);
  }

  negate(a: Value, width: Width = this.width): Value {
    return this.subtract(this.constant(0), a, width);
  }

  shiftLeft(a: Value, count: Value, width: Width = this.width): Value {
    return this.#masked(this.operation("i64.shl", "i64", [a, count]), width);
  }

  shiftRightUnsigned(a: Value, count: Value): Value {
    return this.operation("i64.shr_u", "i64", [a, count]);
  }

  shiftRightSigned(a: Value, count: Value, width: Width = this.width): Value {
    return this.#masked(
      this.operation("i64.shr_s", "i64", [this.signExtend(a, width), count]),
      width,
    );
  }

  truncate(a: Value, from: Width): Value {
    return this.#masked(expression(a), from);
  }

  signExtend(a: Value, from: Width, to: Width = 64): Value {
    if (from === 64) return a;
    return this.#masked(this.operation(`i64.extend${from}_s`, "i64", [a]), to);
  }

  /** Bit `index` as i64 0 or 1. */
  protected bit64(value: Value, index: number): Expression {
    const shifted =
      index === 0
        ? expression(value)
        : this.operation("i64.shr_u", "i64", [value, this.constant(index)]);
    return index === 63 ? shifted : this.operation("i64.and", "i64", [shifted, this.constant(1)]);
  }

  bit(a: Value, index: number): Value {
    return this.toI32(this.bit64(a, index));
  }

  parity(a: Value): Value {
    const low = this.operation("i32.and", "i32", [this.toI32(a), this.constantOf("i32", 0xffn)]);
    const ones = this.operation("i32.popcnt", "i32", [low]);
    const odd = this.operation("i32.and", "i32", [ones, this.constantOf("i32", 1n)]);
    return this.operation("i32.eqz", "i32", [odd]);
  }

  countLeadingZeros(a: Value): Value {
    return this.operation("i64.clz", "i64", [a]);
  }

  countTrailingZeros(a: Value): Value {
    return this.operation("i64.ctz", "i64", [a]);
  }

  populationCount(a: Value): Value {
    return this.operation("i64.popcnt", "i64", [a]);
  }

  isZero(a: Value): Value {
    return this.operation(a.type === "i32" ? "i32.eqz" : "i64.eqz", "i32", [a]);
  }

  equal(a: Value, b: Value): Value {
    return this.operation(a.type === "i32" ? "i32.eq" : "i64.eq", "i32", [a, b]);
  }

  notEqual(a: Value, b: Value): Value {
    return this.operation(a.type === "i32" ? "i32.ne" : "i64.ne", "i32", [a, b]);
  }

  lessThanUnsigned(a: Value, b: Value): Value {
    return this.operation(a.type === "i32" ? "i32.lt_u" : "i64.lt_u", "i32", [a, b]);
  }

  lessThanSigned(a: Value, b: Value, width: Width = this.width): Value {
    if (a.type === "i32") return this.operation("i32.lt_s", "i32", [a, b]);
    return this.operation("i64.lt_s", "i32", [
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
    return this.operation("i32.ne", "i32", [condition, this.constantOf("i32", 0n)]);
  }

  both(a: Condition, b: Condition): Value {
    return this.operation("i32.and", "i32", [this.#boolean(a), this.#boolean(b)]);
  }

  either(a: Condition, b: Condition): Value {
    return this.operation("i32.or", "i32", [this.#test(a), this.#test(b)]);
  }

  isFalse(a: Condition): Value {
    return this.isZero(a);
  }

  fromCondition(a: Condition): Value {
    return this.fromI32Unsigned(this.#boolean(a));
  }

  select(condition: Condition, whenTrue: Value, whenFalse: Value): Value {
    return this.pure({
      kind: "select",
      type: whenTrue.type,
      operands: [expression(whenTrue), expression(whenFalse), expression(this.#test(condition))],
    } as unknown as Omit<PureExpression, "uses">);
  }

  isCanonical(linear: Value): Value {
    const shifted = this.operation("i64.shl", "i64", [linear, this.constant(16)]);
    return this.equal(this.operation("i64.shr_s", "i64", [shifted, this.constant(16)]), linear);
  }

  protected asI32(value: Value): Expression {
    return value.type === "i64"
      ? this.operation("i32.wrap_i64", "i32", [value])
      : expression(value);
  }

  toI32(a: Value): Value {
    return this.asI32(a);
  }

  fromI32Unsigned(a: Value): Value {
    return a.type === "i64" ? a : this.operation("i64.extend_i32_u", "i64", [a]);
  }

  wasm(operation: string, operands: readonly Value[], immediates: readonly number[] = []): Value {
    const { result, immediates: shape } = wasmOperation(operation);
    if (result === undefined || shape === "memory" || shape === "memory-lane") {
      throw new SyntaxError(
        `${this.name()}: ${operation} touches memory. Use load, store, readAs or writeAs.`,
      );
    }
    return this.operation(operation, result, operands, immediates);
  }

  constantV128(low: bigint, high: bigint): Value {
    return this.pure({ kind: "vector-constant", type: "v128", low, high } as Omit<
      PureExpression,
      "uses"
    >);
  }

  /** An `i32` constant, for the engine's own routines. */
  constantI32(value: number): Value {
    return this.constantOf("i32", BigInt(value));
  }

  variable(initial: Value): Variable {
    const variable: RecordedVariable = { type: initial.type, number: this.#variables.length };
    this.#variables.push(variable);
    this.set(variable, initial);
    return variable;
  }

  get(variable: Variable): Value {
    return this.ordered({
      kind: "variable-get",
      type: variable.type,
      variable,
      operands: [],
    } as unknown as Omit<OrderedExpression, "uses">);
  }

  set(variable: Variable, value: Value): void {
    this.statement({
      kind: "variable-set",
      variable: variable as RecordedVariable,
      value: this.use(value),
    });
  }

  #block(body: () => void): Statement[] {
    const outer = this.#statements;
    const inner: Statement[] = [];
    this.#statements = inner;
    this.depth += 1;
    body();
    this.depth -= 1;
    this.#statements = outer;
    this.ended = false;
    return inner;
  }

  when(condition: Condition, then: () => void, otherwise?: () => void): void {
    const test = this.use(this.#test(condition));
    const thenStatements = this.#block(then);
    const otherwiseStatements = otherwise === undefined ? [] : this.#block(otherwise);
    this.statement({
      kind: "when",
      condition: test,
      then: thenStatements,
      otherwise: otherwiseStatements,
    });
  }

  loop(body: () => Condition): void {
    let again: Expression | undefined;
    const statements = this.#block(() => {
      again = this.use(this.#test(body()));
    });
    if (again !== undefined) this.statement({ kind: "loop", body: statements, condition: again });
  }
}
