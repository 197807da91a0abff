/**
 * Exact arithmetic on the processor's floating-point numbers: sums, products, quotients, square roots.
 *
 * Intel SDM Vol. 1 §4.8.3.5, "Operating on SNaNs and QNaNs" (Table 4-7) and §4.9.2, "Floating-Point Exception Priority".
 * The x87 and SSE differ in which of two NaNs they give; the caller says which rule holds.
 */
import {
  bitLength,
  isNan,
  packIndefinite,
  packInfinity,
  packNan,
  packZero,
  unpack,
  zero,
  type Format,
  type Unpacked,
} from "./format.ts";
import {
  DENORMAL,
  DIVIDE_BY_ZERO,
  exact,
  INVALID,
  round,
  type Environment,
  type Result,
} from "./round.ts";

/** Which of two operands, of which at least one is a NaN, makes the result. */
export type NanRule = (lhs: Unpacked, rhs: Unpacked) => Unpacked;

/** SSE: the first operand, if it is a NaN. */
export const firstNan: NanRule = (lhs, rhs) => (isNan(lhs) ? lhs : rhs);

/** x87: a quiet NaN rather than a signalling one, then the larger significand, then the positive one. */
export const largerNan: NanRule = (lhs, rhs) => {
  if (!isNan(rhs)) return lhs;
  if (!isNan(lhs)) return rhs;
  if (lhs.class !== rhs.class) return lhs.class === "quiet" ? lhs : rhs;
  if (lhs.payload !== rhs.payload) return lhs.payload > rhs.payload ? lhs : rhs;
  return lhs.negative ? rhs : lhs;
};

/** What an operation does with two finite numbers, zeros or infinities. */
type Operation = (format: Format, lhs: Unpacked, rhs: Unpacked, environment: Environment) => Result;

/** Reads an operand; with DAZ a denormal is a zero. */
export function operand(format: Format, bits: bigint, environment: Environment): Unpacked {
  const value = unpack(format, bits);
  return value.denormal && environment.denormalsAreZero ? zero(value.negative) : value;
}

function invalid(format: Format): Result {
  return exact(packIndefinite(format), INVALID);
}

/** NaNs and unsupported encodings, or undefined when there are none. */
function nanResult(
  format: Format,
  lhs: Unpacked,
  rhs: Unpacked,
  rule: NanRule,
): Result | undefined {
  if (lhs.class === "unsupported" || rhs.class === "unsupported") return invalid(format);
  if (!isNan(lhs) && !isNan(rhs)) return undefined;
  const signaling = lhs.class === "signaling" || rhs.class === "signaling";
  return exact(packNan(format, rule(lhs, rhs)), signaling ? INVALID : 0);
}

/** Adds the denormal-operand flag unless something of higher priority happened. */
function withDenormals(result: Result, ...operands: readonly Unpacked[]): Result {
  if ((result.flags & (INVALID | DIVIDE_BY_ZERO)) !== 0) return result;
  if (!operands.some((value) => value.denormal)) return result;
  return { ...result, flags: result.flags | DENORMAL };
}

function binary(operation: Operation) {
  return (
    format: Format,
    lhs: Unpacked,
    rhs: Unpacked,
    environment: Environment,
    rule: NanRule,
  ): Result =>
    nanResult(format, lhs, rhs, rule) ??
    withDenormals(operation(format, lhs, rhs, environment), lhs, rhs);
}

export type BinaryOperation = ReturnType<typeof binary>;

function signed(value: Unpacked): bigint {
  return value.negative ? -value.significand : value.significand;
}

/** Bits beyond which the smaller of two summands only says on which side of the larger the sum lies. */
const FAR_APART = 300;

function sum(format: Format, lhs: Unpacked, rhs: Unpacked, environment: Environment): Result {
  if (lhs.class === "infinity" || rhs.class === "infinity") {
    const clash = lhs.class === rhs.class && lhs.negative !== rhs.negative;
    if (clash) return invalid(format);
    const negative = lhs.class === "infinity" ? lhs.negative : rhs.negative;
    return exact(packInfinity(format, negative));
  }
  if (lhs.class === "zero" && rhs.class === "zero") {
    const negative = lhs.negative === rhs.negative ? lhs.negative : environment.mode === 1;
    return exact(packZero(format, negative));
  }
  if (lhs.class === "zero") {
    return round(format, rhs.negative, rhs.significand, rhs.exponent, false, environment);
  }
  if (rhs.class === "zero") {
    return round(format, lhs.negative, lhs.significand, lhs.exponent, false, environment);
  }
  const [large, small] = lhs.exponent >= rhs.exponent ? [lhs, rhs] : [rhs, lhs];
  const distance = large.exponent - small.exponent;
  const far = distance > FAR_APART;
  const exponent = far ? large.exponent - FAR_APART : small.exponent;
  const shifted = signed(large) << BigInt(far ? FAR_APART : distance);
  const other = far ? (small.negative ? -1n : 1n) : signed(small);
  const total = shifted + other;
  if (total === 0n) return exact(packZero(format, environment.mode === 1));
  const negative = total < 0n;
  return round(format, negative, negative ? -total : total, exponent, false, environment);
}

export const add: BinaryOperation = binary(sum);

export const subtract: BinaryOperation = binary((format, lhs, rhs, environment) =>
  sum(format, lhs, { ...rhs, negative: !rhs.negative }, environment),
);

export const multiply: BinaryOperation = binary((format, lhs, rhs, environment) => {
  const negative = lhs.negative !== rhs.negative;
  const zeroFactor = lhs.class === "zero" || rhs.class === "zero";
  if (lhs.class === "infinity" || rhs.class === "infinity") {
    return zeroFactor ? invalid(format) : exact(packInfinity(format, negative));
  }
  if (zeroFactor) return exact(packZero(format, negative));
  const significand = lhs.significand * rhs.significand;
  return round(format, negative, significand, lhs.exponent + rhs.exponent, false, environment);
});

export const divide: BinaryOperation = binary((format, lhs, rhs, environment) => {
  const negative = lhs.negative !== rhs.negative;
  if (lhs.class === "infinity") {
    return rhs.class === "infinity" ? invalid(format) : exact(packInfinity(format, negative));
  }
  if (rhs.class === "infinity") return exact(packZero(format, negative));
  if (rhs.class === "zero") {
    if (lhs.class === "zero") return invalid(format);
    return exact(packInfinity(format, negative), DIVIDE_BY_ZERO);
  }
  if (lhs.class === "zero") return exact(packZero(format, negative));
  // Two bits more than the precision, and the rest says whether anything follows.
  const shift = Math.max(
    0,
    format.precision + 3 - bitLength(lhs.significand) + bitLength(rhs.significand),
  );
  const dividend = lhs.significand << BigInt(shift);
  const quotient = dividend / rhs.significand;
  const sticky = quotient * rhs.significand !== dividend;
  const exponent = lhs.exponent - rhs.exponent - shift;
  return round(format, negative, quotient, exponent, sticky, environment);
});

/** Largest integer whose square is not above `value`. */
export function integerSquareRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

export function squareRoot(format: Format, value: Unpacked, environment: Environment): Result {
  const nan = nanResult(format, value, value, firstNan);
  if (nan !== undefined) return nan;
  if (value.class === "zero") return exact(packZero(format, value.negative));
  if (value.negative) return invalid(format);
  if (value.class === "infinity") return exact(packInfinity(format, false));
  let shift = Math.max(0, 2 * (format.precision + 3) - bitLength(value.significand));
  if (((value.exponent - shift) & 1) !== 0) shift += 1;
  const radicand = value.significand << BigInt(shift);
  const root = integerSquareRoot(radicand);
  const exponent = (value.exponent - shift) / 2;
  const sticky = root * root !== radicand;
  return withDenormals(round(format, false, root, exponent, sticky, environment), value);
}
