/**
 * Ordering of floating-point numbers, and conversions between formats and to integers.
 *
 * Intel SDM Vol. 1 §4.8.3.6, "Using SNaNs and QNaNs in Applications" and §11.5.2.1, "Invalid Operation Exception (#I)".
 */
import {
  isNan,
  packIndefinite,
  packInfinity,
  packNan,
  packZero,
  type Format,
  type Unpacked,
} from "./format.ts";
import {
  cut,
  DENORMAL,
  exact,
  INVALID,
  PRECISION,
  round,
  type Environment,
  type Result,
  type RoundingMode,
} from "./round.ts";

export type Ordering = "less" | "equal" | "greater" | "unordered";

/** Orders two numbers; anything with a NaN is unordered. */
export function compare(lhs: Unpacked, rhs: Unpacked): Ordering {
  if (isNan(lhs) || isNan(rhs)) return "unordered";
  if (lhs.class === "unsupported" || rhs.class === "unsupported") return "unordered";
  if (lhs.class === "zero" && rhs.class === "zero") return "equal";
  const order = magnitudeRank(lhs) - magnitudeRank(rhs);
  if (order !== 0) return order < 0 ? "less" : "greater";
  if (lhs.class !== "finite") return "equal";
  const exponent = Math.min(lhs.exponent, rhs.exponent);
  const left = lhs.significand << BigInt(lhs.exponent - exponent);
  const right = rhs.significand << BigInt(rhs.exponent - exponent);
  if (left === right) return "equal";
  return left < right !== lhs.negative ? "less" : "greater";
}

/** Orders what differs by sign or kind: negative infinity, negative, zero, positive, positive infinity. */
function magnitudeRank(value: Unpacked): number {
  const magnitude = value.class === "zero" ? 0 : value.class === "infinity" ? 2 : 1;
  return value.negative ? -magnitude : magnitude;
}

/** Flags of a comparison. Quiet NaNs are invalid only to a signalling one. */
export function comparisonFlags(lhs: Unpacked, rhs: Unpacked, quietIsInvalid: boolean): number {
  const both = [lhs, rhs];
  if (both.some((value) => value.class === "signaling" || value.class === "unsupported")) {
    return INVALID;
  }
  if (both.some(isNan)) return quietIsInvalid ? INVALID : 0;
  return both.some((value) => value.denormal) ? DENORMAL : 0;
}

/** Converts to another format. */
export function convert(to: Format, value: Unpacked, environment: Environment): Result {
  switch (value.class) {
    case "quiet":
      return exact(packNan(to, value));
    case "signaling":
      return exact(packNan(to, value), INVALID);
    case "unsupported":
      return exact(packIndefinite(to), INVALID);
    case "infinity":
      return exact(packInfinity(to, value.negative));
    case "zero":
      return exact(packZero(to, value.negative));
    case "finite": {
      const { negative, significand, exponent, denormal } = value;
      const rounded = round(to, negative, significand, exponent, false, environment);
      return denormal ? { ...rounded, flags: rounded.flags | DENORMAL } : rounded;
    }
  }
}

/** An integer, or undefined when the value does not fit. */
export interface IntegerResult {
  readonly value: bigint | undefined;
  readonly flags: number;
  readonly roundedUp: boolean;
}

/** Rounds to a signed integer of `bits` bits. */
export function toInteger(value: Unpacked, bits: number, mode: RoundingMode): IntegerResult {
  if (value.class === "zero") return { value: 0n, flags: 0, roundedUp: false };
  if (value.class !== "finite") return { value: undefined, flags: INVALID, roundedUp: false };
  const { negative, significand } = value;
  // Far beyond any integer: do not build it.
  if (value.exponent > bits) return { value: undefined, flags: INVALID, roundedUp: false };
  const rounded = cut(negative, significand, -value.exponent, false, mode);
  const signed = negative ? -rounded.value : rounded.value;
  if (BigInt.asIntN(bits, signed) !== signed) {
    return { value: undefined, flags: INVALID, roundedUp: false };
  }
  return { value: signed, flags: rounded.inexact ? PRECISION : 0, roundedUp: rounded.up };
}

/** Converts a signed integer. */
export function fromInteger(to: Format, value: bigint, environment: Environment): Result {
  if (value === 0n) return exact(packZero(to, false));
  const negative = value < 0n;
  return round(to, negative, negative ? -value : value, 0, false, environment);
}
