/**
 * Arithmetic on packed and scalar floating-point operands, written once for the four shapes that SSE has.
 *
 * WebAssembly's arithmetic rounds to nearest and raises nothing, so it gives the processor's result when MXCSR says the
 * same and no flag can change. The tests here find that out from operands and result; everything else goes to a helper.
 */
import type { SemanticsBuilder, Value } from "../semantics.ts";
import type { Operand } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { readVector } from "./sse-operand.ts";

/** Element size, and whether all elements of a register take part or only the first. */
export interface Shape {
  readonly bits: 32 | 64;
  readonly packed: boolean;
}

export const PS: Shape = { bits: 32, packed: true };
export const PD: Shape = { bits: 64, packed: true };
export const SS: Shape = { bits: 32, packed: false };
export const SD: Shape = { bits: 64, packed: false };

/** MXCSR without the flags of the exceptions that {@link Arithmetic.isRegular} rules out. */
const STEADY_MASK = 0xffe0n;
/** All exceptions masked, rounding to nearest, no flushing, and the precision flag already set. */
const STEADY = 0x1fa0n;

/** True when inexact results change nothing: see {@link STEADY}. */
export function isSteady(m: SemanticsBuilder): Value {
  return m.equal(m.and(m.state(slots.mxcsr), m.constant(STEADY_MASK)), m.constant(STEADY));
}

/** True when the precision exception is masked and its flag already set, whatever the rounding mode. */
export function ignoresPrecision(m: SemanticsBuilder): Value {
  const bits = m.constant(0x1020n);
  return m.equal(m.and(m.state(slots.mxcsr), bits), bits);
}

export function elements(shape: Shape): number {
  return shape.packed ? 128 / shape.bits : 1;
}

/** Bytes of the elements that take part. */
export function shapeBytes(shape: Shape): 4 | 8 | 16 {
  if (shape.packed) return 16;
  return shape.bits === 32 ? 4 : 8;
}

function typeOf(shape: Shape): "f32" | "f64" | "v128" {
  if (shape.packed) return "v128";
  return shape.bits === 32 ? "f32" : "f64";
}

/** Reads an operand of a shape; packed memory must be aligned. */
export function readShape(m: SemanticsBuilder, shape: Shape, operand: Operand): Value {
  if (shape.packed) return readVector(m, operand);
  return m.readAs(operand, typeOf(shape), shapeBytes(shape));
}

/** Bits of the infinity and of the smallest normal number. */
const INFINITY = { 32: 0x7f80_0000n, 64: 0x7ff0_0000_0000_0000n } as const;
const SMALLEST = { 32: 0x0080_0000n, 64: 0x0010_0000_0000_0000n } as const;

/** WebAssembly's operations on one shape, and predicates that hold for all its elements. */
export class Arithmetic {
  readonly #m: SemanticsBuilder;
  readonly #shape: Shape;
  readonly #prefix: string;

  constructor(m: SemanticsBuilder, shape: Shape) {
    this.#m = m;
    this.#shape = shape;
    const scalar = shape.bits === 32 ? "f32" : "f64";
    this.#prefix = shape.packed ? `${scalar}x${elements(shape)}` : scalar;
  }

  /** An operation by WebAssembly's name without the shape: `add`, `sqrt`. */
  apply(operation: string, ...operands: readonly Value[]): Value {
    return this.#m.wasm(`${this.#prefix}.${operation}`, operands);
  }

  /** The same number in all elements. */
  constant(bits: bigint): Value {
    const m = this.#m;
    if (this.#shape.packed) {
      const whole = this.#shape.bits === 32 ? (bits << 32n) | bits : bits;
      return m.constantV128(whole, whole);
    }
    return this.#shape.bits === 32
      ? m.wasm("f32.reinterpret_i32", [m.toI32(m.constant(bits))])
      : m.wasm("f64.reinterpret_i64", [m.constant(bits)]);
  }

  and(...conditions: readonly Value[]): Value {
    const operation = this.#shape.packed ? "v128.and" : "i32.and";
    return conditions.reduce((all, condition) => this.#m.wasm(operation, [all, condition]));
  }

  or(...conditions: readonly Value[]): Value {
    const operation = this.#shape.packed ? "v128.or" : "i32.or";
    return conditions.reduce((all, condition) => this.#m.wasm(operation, [all, condition]));
  }

  /** Whether a condition holds for all elements. */
  all(condition: Value): Value {
    if (!this.#shape.packed) return condition;
    const operation = this.#shape.bits === 32 ? "i32x4.all_true" : "i64x2.all_true";
    return this.#m.wasm(operation, [condition]);
  }

  isZero(value: Value): Value {
    return this.apply("eq", value, this.constant(0n));
  }

  /** Neither a NaN nor a denormal. */
  isRegular(value: Value): Value {
    const smallest = this.constant(SMALLEST[this.#shape.bits]);
    return this.or(this.apply("ge", this.apply("abs", value), smallest), this.isZero(value));
  }

  /** Neither a NaN nor an infinity. */
  isFinite(value: Value): Value {
    return this.apply("lt", this.apply("abs", value), this.constant(INFINITY[this.#shape.bits]));
  }

  /** Not tiny: larger than the smallest normal number, which may have been rounded up to. */
  isLarge(value: Value): Value {
    const smallest = this.constant(SMALLEST[this.#shape.bits]);
    return this.apply("gt", this.apply("abs", value), smallest);
  }
}

/** Leaves an operand for a helper: the first one where its result will be, or the second. */
export function pass(
  m: SemanticsBuilder,
  shape: Shape,
  position: "first" | "second",
  value: Value,
): void {
  const slot = position === "first" ? slots.scratch0 : slots.scratch2;
  if (shape.packed) m.setState({ offset: slot.offset, bytes: 16 }, value);
  else if (shape.bits === 64) m.setState(slot, m.wasm("i64.reinterpret_f64", [value]));
  else m.setState(slot, m.fromI32Unsigned(m.wasm("i32.reinterpret_f32", [value])));
}

/** Writes a helper's result into the elements of a register that take part. */
export function writeHelped(m: SemanticsBuilder, shape: Shape, dst: Operand): void {
  if (shape.packed) {
    m.writeAs(dst, m.state({ offset: slots.scratch0.offset, bytes: 16 }), 16);
  } else {
    m.writeAs(dst, m.state(slots.scratch0), shape.bits === 64 ? 8 : 4);
  }
}
