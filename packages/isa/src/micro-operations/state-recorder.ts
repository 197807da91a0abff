/**
 * Records accesses to the processor's state: registers, flags, calls and faults.
 *
 * The arithmetic flags are two words, from which each is worked out when it is read. The result word gives ZF, SF and
 * PF. The auxiliary word has the carries: bit 63 is CF, bits 63 and 62 differ for OF, bit 3 is AF. Its bits 2 and 8 flip
 * SF and PF, for flags that are set one by one.
 */
import { EXCEPTION_VECTORS, setsErrorCode } from "../exceptions/vectors.ts";
import type {
  Condition,
  ExceptionName,
  HelperName,
  Routine,
  StatusFlag,
  Value,
  ValueType,
  Width,
} from "../semantics.ts";
import { registerOffset, slots, type Slot } from "../state/layout.ts";
import { wasmOperation } from "../webassembly/operations.ts";
import { loadOf, storeOf } from "./access-operation.ts";
import { expression, ExpressionRecorder } from "./expression-recorder.ts";
import type { Expression, OrderedExpression, PureExpression } from "./tree.ts";

const FLAG_TF = 1n << 8n;
const FLAG_IF = 1n << 9n;
const CARRY_BITS = 0xc000_0000_0000_0000n;
const ARITHMETIC_FLAGS_MASK = 0x8d5n;

/** Asks the driver to look at pending events; beside the architectural slots because only the engine reads it. */
export const RECHECK: Slot = { offset: 0x2c1, bytes: 1 };

function bytesOf(width: Width): 1 | 2 | 4 | 8 {
  return (width / 8) as 1 | 2 | 4 | 8;
}

/** Adds the state block to expressions. */
export abstract class StateRecorder extends ExpressionRecorder {
  protected loadState(operation: string, offset: number, base?: Expression): Expression {
    const { result } = wasmOperation(operation);
    return this.ordered({
      kind: "state-load",
      type: result ?? "i64",
      operation,
      offset,
      operands: base === undefined ? [] : [base],
    } as Omit<OrderedExpression, "uses">);
  }

  protected storeState(operation: string, offset: number, value: Value, base?: Expression): void {
    if (base !== undefined) base.uses += 1;
    this.statement({
      kind: "state-store",
      operation,
      offset,
      address: base,
      value: this.use(value),
    });
  }

  state(slot: Slot): Value {
    return slot.bytes === 16
      ? this.loadState("v128.load", slot.offset)
      : this.loadState(loadOf(slot.bytes), slot.offset);
  }

  setState(slot: Slot, value: Value): void {
    this.storeState(slot.bytes === 16 ? "v128.store" : storeOf(slot.bytes), slot.offset, value);
    if (slot === slots.interruptShadow) this.rechecks = true;
  }

  protected stateAddressAt(byteOffset: Value): Expression {
    return this.pure({
      kind: "state-address",
      type: "i32",
      operands: [this.asI32(byteOffset)],
    } as unknown as Omit<PureExpression, "uses">);
  }

  stateAt(slot: Slot, byteOffset: Value): Value {
    const operation = slot.bytes === 16 ? "v128.load" : loadOf(slot.bytes);
    return this.loadState(operation, slot.offset, this.stateAddressAt(byteOffset));
  }

  setStateAt(slot: Slot, byteOffset: Value, value: Value): void {
    this.storeState(
      slot.bytes === 16 ? "v128.store" : storeOf(slot.bytes),
      slot.offset,
      value,
      this.stateAddressAt(byteOffset),
    );
  }

  register(number: number, width: Width = this.width): Value {
    return this.loadState(loadOf(bytesOf(width)), registerOffset(number));
  }

  setRegister(number: number, value: Value, width: Width = this.width): void {
    const whole = width === 32 ? this.truncate(value, 32) : value;
    this.storeState(
      width >= 32 ? "i64.store" : storeOf(bytesOf(width)),
      registerOffset(number),
      whole,
    );
  }

  count(name: string): void {
    this.statement({ kind: "count", counter: name });
  }

  /** Address of a byte of the state block in the host's memory. */
  stateAddress(byteOffset: number): Value {
    return this.stateAddressAt(this.constantI32(byteOffset));
  }

  /** Loads from an address in the host's memory that is not guest memory: the engine's own tables. */
  hostLoad(operation: string, address: Value, offset = 0): Value {
    return this.ordered({
      kind: "host-load",
      type: wasmOperation(operation).result ?? "i32",
      operation,
      offset,
      operands: [this.asI32(address)],
    } as Omit<OrderedExpression, "uses">);
  }

  hostStore(operation: string, address: Value, value: Value, offset = 0): void {
    const at = this.asI32(address);
    at.uses += 1;
    this.statement({
      kind: "host-store",
      operation,
      offset,
      address: at,
      value: this.use(value),
    });
  }

  #result(): Expression {
    return this.loadState("i64.load", slots.flagsResult.offset);
  }

  #auxiliary(): Expression {
    return this.loadState("i64.load", slots.flagsAuxiliary.offset);
  }

  #flag64(name: StatusFlag): Expression {
    switch (name) {
      case "CF":
        return this.bit64(this.#auxiliary(), 63);
      case "AF":
        return this.bit64(this.#auxiliary(), 3);
      case "OF": {
        const auxiliary = this.#auxiliary();
        return this.bit64(
          this.xor(auxiliary, this.operation("i64.shl", "i64", [auxiliary, this.constant(1)])),
          63,
        );
      }
      case "SF": {
        const flipped = this.operation("i64.shl", "i64", [this.#auxiliary(), this.constant(61)]);
        return this.bit64(this.xor(this.#result(), flipped), 63);
      }
      case "ZF":
        return expression(this.fromCondition(this.isZero(this.#result())));
      case "PF": {
        const low = this.xor(
          this.#result(),
          this.operation("i64.shr_u", "i64", [this.#auxiliary(), this.constant(8)]),
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
      ? this.operation("i64.extend_i32_u", "i64", [value])
      : expression(value);
  }

  #setAuxiliary(value: Value): void {
    this.storeState("i64.store", slots.flagsAuxiliary.offset, value);
  }

  #shift64(value: Value, count: number): Expression {
    return count === 0
      ? expression(value)
      : this.operation("i64.shl", "i64", [value, this.constant(count)]);
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
    this.storeState("i64.store", slots.flagsResult.offset, result);
    this.#setAuxiliary(auxiliary);
  }

  #setResult(result: Value, width: Width): void {
    this.storeState("i64.store", slots.flagsResult.offset, this.signExtend(result, width));
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
    return this.toI32(this.bit64(this.xor(overflow, sign), 63));
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
      CF: this.bit64(whole, 0),
      PF: this.bit64(whole, 2),
      AF: this.bit64(whole, 4),
      ZF: this.bit64(whole, 6),
      SF: this.bit64(whole, 7),
      OF: this.bit64(whole, 11),
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

  raise(exception: ExceptionName, errorCode?: Value): void {
    const vector = EXCEPTION_VECTORS[exception];
    let code: Expression | undefined;
    if (errorCode !== undefined) code = this.use(this.asI32(errorCode));
    else if (setsErrorCode(vector)) code = this.use(this.constantOf("i32", 0n));
    this.statement({ kind: "raise", vector, errorCode: code });
    this.ended = true;
  }

  raiseWhen(condition: Condition, exception: ExceptionName, errorCode?: Value): void {
    this.when(condition, () => this.raise(exception, errorCode));
  }

  call(routine: Routine, ...parameters: Value[]): Value {
    const known = this.routines.get(routine.name);
    if (known !== undefined && known !== routine)
      throw new SyntaxError(`${this.name()}: two routines are called ${routine.name}.`);
    this.routines.set(routine.name, routine);
    return this.callNamed(routine.name, routine.result ?? "i32", routine.raises, parameters);
  }

  /** Calls a routine of the engine by name, which avoids importing what calls back. */
  callNamed(
    routine: string,
    type: ValueType,
    raises: boolean,
    parameters: readonly Value[],
  ): Value {
    return this.ordered({
      kind: "routine-call",
      type,
      routine,
      raises,
      operands: parameters.map(expression),
    } as Omit<OrderedExpression, "uses">);
  }

  helper(name: HelperName, parameters: readonly Value[] = [], result?: "i32"): Value {
    const operands = parameters.map((parameter) =>
      parameter.type === "i64" ? this.asI32(parameter) : expression(parameter),
    );
    return this.ordered({
      kind: "helper-call",
      type: result ?? "i32",
      helper: name,
      operands,
    } as Omit<OrderedExpression, "uses">);
  }

  recheckEvents(): void {
    this.rechecks = true;
    this.storeState("i32.store8", RECHECK.offset, this.constantOf("i32", 1n));
  }

  setPrivilegeLevel(level: Value): void {
    this.callNamed("setPrivilegeLevel", "i32", false, [level]);
  }
}
