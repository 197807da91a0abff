/**
 * Rounding of exact results into a format, with the exception flags that this raises.
 *
 * Intel SDM Vol. 1 §4.8.4, "Rounding" and §4.9.1, "Floating-Point Exception Conditions". Tininess is detected after
 * rounding, as the processor does.
 */
import {
  bitLength,
  largestExponent,
  pack,
  packInfinity,
  packLargest,
  packZero,
  smallestExponent,
  type Format,
} from "./format.ts";

/** Exception flags, at their place in MXCSR and in the x87 status word. */
export const INVALID = 0x01;
export const DENORMAL = 0x02;
export const DIVIDE_BY_ZERO = 0x04;
export const OVERFLOW = 0x08;
export const UNDERFLOW = 0x10;
export const PRECISION = 0x20;

/** RC: to nearest or even, down, up, toward zero. */
export type RoundingMode = 0 | 1 | 2 | 3;

/** How results are rounded, and which exceptions do not interrupt. */
export interface Environment {
  readonly mode: RoundingMode;
  /** Significant bits of results: the format's, or fewer by the x87's precision control. */
  readonly precision: number;
  /** Exceptions that are masked, as flags. */
  readonly masked: number;
  /** Results that are tiny become zero (MXCSR.FTZ with underflow masked). */
  readonly flushToZero: boolean;
  /** Denormal operands count as zero (MXCSR.DAZ). */
  readonly denormalsAreZero: boolean;
}

/** A result with the flags that it raised. */
export interface Result {
  readonly bits: bigint;
  readonly flags: number;
  /** Whether its magnitude was rounded up (C1 of the x87). */
  readonly roundedUp: boolean;
}

export function exact(bits: bigint, flags = 0): Result {
  return { bits, flags, roundedUp: false };
}

interface Cut {
  readonly value: bigint;
  readonly inexact: boolean;
  readonly up: boolean;
}

/** Drops the low `shift` bits by the rounding mode. `sticky` says that more non-zero bits follow. */
export function cut(
  negative: boolean,
  significand: bigint,
  shift: number,
  sticky: boolean,
  mode: RoundingMode,
): Cut {
  // With bits to spare the rest is below half a unit.
  const value = shift > 0 ? significand >> BigInt(shift) : significand << BigInt(-shift);
  const rest = shift > 0 ? significand - (value << BigInt(shift)) : 0n;
  const inexact = rest !== 0n || sticky;
  const up = inexact && roundsUp(negative, value, rest, shift, sticky, mode);
  return { value: up ? value + 1n : value, inexact, up };
}

function roundsUp(
  negative: boolean,
  value: bigint,
  rest: bigint,
  shift: number,
  sticky: boolean,
  mode: RoundingMode,
): boolean {
  if (mode === 1) return negative;
  if (mode === 2) return !negative;
  if (mode === 3 || shift <= 0) return false;
  const half = 1n << BigInt(shift - 1);
  return rest > half || (rest === half && (sticky || (value & 1n) === 1n));
}

/** How far the x87 moves the exponent of a result whose overflow or underflow is not masked. */
const EXPONENT_ADJUSTMENT = 24_576;

/**
 * Rounds `significand * 2^exponent`, which is not zero, into a format.
 *
 * @param sticky More non-zero bits follow; the significand then has at least two bits more than the precision.
 */
export function round(
  format: Format,
  negative: boolean,
  significand: bigint,
  exponent: number,
  sticky: boolean,
  environment: Environment,
): Result {
  const { precision, mode } = environment;
  const length = bitLength(significand);
  let leading = exponent + length - 1;
  const normal = cut(negative, significand, length - precision, sticky, mode);
  let value = normal.value;
  if (bitLength(value) > precision) {
    value >>= 1n;
    leading += 1;
  }
  const inexact = normal.inexact ? PRECISION : 0;
  const place = (adjusted: number, flags: number): Result => ({
    bits: pack(
      format,
      negative,
      adjusted + format.bias,
      value << BigInt(format.precision - precision),
    ),
    flags,
    roundedUp: normal.up,
  });
  if (leading > largestExponent(format)) {
    const adjusted = leading - EXPONENT_ADJUSTMENT;
    if ((environment.masked & OVERFLOW) === 0 && adjusted <= largestExponent(format)) {
      return place(adjusted, OVERFLOW | inexact);
    }
    return overflow(format, negative, environment);
  }
  if (leading >= smallestExponent(format)) return place(leading, inexact);
  if ((environment.masked & UNDERFLOW) === 0) {
    const adjusted = leading + EXPONENT_ADJUSTMENT;
    if (adjusted >= smallestExponent(format)) return place(adjusted, UNDERFLOW | inexact);
    return exact(packZero(format, negative), UNDERFLOW | PRECISION);
  }
  if (environment.flushToZero) return exact(packZero(format, negative), UNDERFLOW | PRECISION);
  return denormalize(format, negative, significand, exponent, sticky, environment);
}

function overflow(format: Format, negative: boolean, environment: Environment): Result {
  const { mode, masked } = environment;
  // Too large even for a moved exponent (FSCALE), it is infinite whatever the rounding mode.
  const infinite =
    (masked & OVERFLOW) === 0 ||
    mode === 0 ||
    (mode === 1 && negative) ||
    (mode === 2 && !negative);
  return {
    bits: infinite
      ? packInfinity(format, negative)
      : packLargest(format, negative, environment.precision),
    flags: OVERFLOW | PRECISION,
    roundedUp: infinite,
  };
}

function denormalize(
  format: Format,
  negative: boolean,
  significand: bigint,
  exponent: number,
  sticky: boolean,
  environment: Environment,
): Result {
  const spare = format.precision - environment.precision;
  const unit = smallestExponent(format) - (environment.precision - 1);
  const { value, inexact, up } = cut(
    negative,
    significand,
    unit - exponent,
    sticky,
    environment.mode,
  );
  const stored = value << BigInt(spare);
  // Rounding may have made the smallest normal number.
  const field = stored >> BigInt(format.precision - 1) === 0n ? 0 : 1;
  return {
    bits: pack(format, negative, field, stored),
    flags: inexact ? UNDERFLOW | PRECISION : 0,
    roundedUp: up,
  };
}
