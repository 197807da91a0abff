/**
 * Records semantics as micro-operations: the one implementation of {@link SemanticsBuilder}.
 *
 * What the architecture means by an operand, a flag or the stack is spelled out here in terms of state slots, record
 * fields and memory accesses, so that emitters know nothing of x86.
 */
import type { Form } from "../decoder/decoded.ts";
import type {
  Operand,
  Privilege,
  SemanticsBuilder,
  Value,
  ValueType,
  Width,
} from "../semantics.ts";
import { LINEAR_MASK, registerOffset, segmentSlots, slots } from "../state/layout.ts";
import { wasmOperation } from "../webassembly/operations.ts";
import {
  loadAsOperation,
  loadOf,
  LOADS,
  storeAsOperation,
  storeOf,
  STORES,
} from "./access-operation.ts";
import { expression, maskOf } from "./expression-recorder.ts";
import { StateRecorder } from "./state-recorder.ts";
import type { AccessKind, Expression, Field, OrderedExpression, PureExpression } from "./tree.ts";

const CODE_SEGMENT = segmentSlots(1);
const STACK_SEGMENT = segmentSlots(2);

function accessOf(privilege: Privilege): AccessKind {
  return { privilege: privilege === "system" ? "system" : "current", stack: privilege === "stack" };
}

/** Adds operands, memory, the stack and control transfer: all of the vocabulary. */
export class Recorder extends StateRecorder implements SemanticsBuilder {
  readonly #probes = new Map<Operand, Expression>();
  readonly #addresses = new Map<string, Expression>();
  #retiredCounter: string | undefined;

  /** Counts an execution of `meaning` where it retires: before a transfer, or at its end. One that faults is not counted. */
  countWhenRetired(name: string, meaning: () => void): void {
    this.#retiredCounter = name;
    meaning();
    if (!this.ended) this.#countRetired();
    this.#retiredCounter = undefined;
  }

  #countRetired(): void {
    if (this.#retiredCounter !== undefined) this.count(this.#retiredCounter);
  }

  #field(field: Field): Expression {
    const wide =
      field === "displacement" ||
      field === "immediate" ||
      field === "shift" ||
      field === "immediate2" ||
      field === "thisOffset" ||
      field === "nextOffset";
    return this.pure({ kind: "field", type: wide ? "i64" : "i32", field } as Omit<
      PureExpression,
      "uses"
    >);
  }

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
    return { base: this.stateAddressAt(this.#field(operandField(own.index))), offset: 0 };
  }

  #ownOperand(operand: Operand): Form["operands"][number] {
    const own = this.form("operands").operands.find((candidate) => candidate === operand);
    if (own === undefined)
      throw new SyntaxError(`${this.name()}: the operand is not one of this form's.`);
    return own;
  }

  read(operand: Operand): Value {
    const own = this.#ownOperand(operand);
    switch (operand.kind) {
      case "register": {
        const { base, offset } = this.#registerAddress(operand);
        const value = this.loadState(loadOf(operand.bits / 8), offset, base);
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
          `${this.name()}: a ${operand.kind} operand is not read as a value; use registerNumber or relativeTarget.`,
        );
    }
  }

  #unsized(operand: Operand): never {
    throw new SyntaxError(
      `${this.name()}: a memory operand of ${operand.bits} bits has no integer value; use load or readAs.`,
    );
  }

  write(operand: Operand, value: Value): void {
    switch (operand.kind) {
      case "register": {
        const { base, offset } = this.#registerAddress(operand);
        const whole = operand.bits === 32 ? this.truncate(value, 32) : value;
        this.storeState(
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
          `${this.name()}: a ${operand.kind} operand cannot be written as a value.`,
        );
    }
  }

  readAs(operand: Operand, type: ValueType, bytes: 1 | 2 | 4 | 8 | 16): Value {
    const operation = loadAsOperation(type, bytes);
    if (operand.kind === "memory")
      return this.#readMemory(this.#ownOperand(operand), operation, bytes);
    const { base, offset } = this.#registerAddress(operand);
    return this.loadState(operation, offset, base);
  }

  writeAs(operand: Operand, value: Value, bytes: 1 | 2 | 4 | 8 | 16): void {
    const operation = storeAsOperation(value.type, bytes);
    if (operand.kind === "memory") {
      this.#writeMemory(operand, operation, bytes, value);
      return;
    }
    const { base, offset } = this.#registerAddress(operand);
    this.storeState(operation, offset, value, base);
  }

  #memoryAccess(): AccessKind {
    return accessOf("current");
  }

  #readMemory(operand: Form["operands"][number], operation: string, bytes: number): Expression {
    const linear = this.#linear();
    const type = wasmOperation(operation).result ?? "i64";
    if (operand.access !== "rw") {
      return this.ordered({
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
      probe = this.ordered({
        kind: "write-probe",
        type: "i32",
        bytes,
        access: this.#memoryAccess(),
        operands: [linear],
      } as Omit<OrderedExpression, "uses">);
      if (this.depth === 0) this.#probes.set(operand, probe);
    }
    return this.ordered({
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
      this.statement({
        kind: "memory-store",
        operation,
        bytes,
        access: this.#memoryAccess(),
        linear,
        value: this.use(value),
      });
      return;
    }
    probe.uses += 1;
    this.statement({
      kind: "probed-store",
      operation,
      bytes,
      access: this.#memoryAccess(),
      probe,
      linear,
      value: this.use(value),
    });
  }

  /** Address parts are read once, where first needed; inside a branch they are read again, since the value stays there. */
  #once(name: string, make: () => Expression): Expression {
    const known = this.#addresses.get(name);
    if (known !== undefined) return known;
    const made = make();
    if (this.depth === 0) this.#addresses.set(name, made);
    return made;
  }

  #stateField(field: "base" | "index" | "segment"): Expression {
    return this.loadState("i64.load", 0, this.stateAddressAt(this.#field(field)));
  }

  #effective(): Expression {
    this.form("a memory operand");
    return this.#once("effective", () => {
      const index = this.operation("i64.shl", "i64", [
        this.#stateField("index"),
        this.#field("shift"),
      ]);
      const sum = this.operation("i64.add", "i64", [
        this.#stateField("base"),
        this.#field("displacement"),
      ]);
      return this.operation("i64.add", "i64", [sum, index]);
    });
  }

  #linear(): Expression {
    return this.#once("linear", () =>
      this.operation("i64.add", "i64", [this.#effective(), this.#stateField("segment")]),
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
    this.form("segmentBase");
    return this.#stateField("segment");
  }

  load(linear: Value, bytes: 1 | 2 | 4 | 8, privilege: Privilege = "current"): Value {
    return this.#load(linear, loadOf(bytes), bytes, accessOf(privilege));
  }

  #load(linear: Value, operation: string, bytes: number, access: AccessKind): Value {
    return this.ordered({
      kind: "memory-load",
      type: wasmOperation(operation).result ?? "i64",
      operation,
      bytes,
      access,
      operands: [expression(linear)],
    } as Omit<OrderedExpression, "uses">);
  }

  #store(linear: Value, operation: string, bytes: number, value: Value, access: AccessKind): void {
    this.statement({
      kind: "memory-store",
      operation,
      bytes,
      access,
      linear: this.use(linear),
      value: this.use(value),
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
    this.ordered({
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
    const sum = this.add(within, this.state(STACK_SEGMENT.effectiveBase), 64);
    return this.and(sum, this.constant(LINEAR_MASK));
  }

  #flatStack(): boolean {
    this.form("the stack");
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

  #ripAt(field: "thisOffset" | "nextOffset"): Value {
    this.form("its address");
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
    this.form("jumpRelative");
    this.#countRetired();
    this.statement({ kind: "jump-relative" });
    this.ended = true;
  }

  jumpTo(rip: Value): void {
    this.form("jumpTo");
    if (this.mode === 64)
      this.raiseWhen(this.isFalse(this.isCanonical(rip)), "GP", this.constant(0));
    const target = this.mode === 64 ? rip : this.and(rip, this.state(slots.ripMask));
    if (this.mode !== 64) {
      const isBeyond = this.lessThanUnsigned(this.state(CODE_SEGMENT.limit), target);
      this.raiseWhen(isBeyond, "GP", this.constant(0));
    }
    this.resumeAt(target);
  }

  resumeAt(rip: Value): void {
    this.form("resumeAt");
    this.#countRetired();
    this.statement({ kind: "jump", rip: this.use(rip) });
    this.ended = true;
  }

  repeatRecord(): void {
    this.statement({ kind: "repeat" });
    this.ended = true;
  }
}

function operandField(index: number): Field {
  if (index === 0) return "operand0";
  if (index === 1) return "operand1";
  if (index === 2) return "operand2";
  throw new SyntaxError(
    `An instruction has at most three register operands that its bytes name; this is number ${index}.`,
  );
}
