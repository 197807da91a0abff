/**
 * The three binary formats of the processor, taken apart and put together.
 *
 * Everything is exact: significands are bigints and no JavaScript arithmetic on numbers decides a result.
 *
 * Intel SDM Vol. 1 §4.2.2, "Floating-Point Data Types" and §4.8.3, "Real Number and Non-number Encodings".
 */

/** A binary floating-point format. */
export interface Format {
  readonly bits: 32 | 64 | 80;
  /** Bits of a significand, the leading one included. */
  readonly precision: number;
  readonly bias: number;
  /** Exponent field of infinities and NaNs. */
  readonly specialExponent: number;
}

export const SINGLE: Format = { bits: 32, precision: 24, bias: 127, specialExponent: 0xff };
export const DOUBLE: Format = { bits: 64, precision: 53, bias: 1023, specialExponent: 0x7ff };
/** The x87's own format, whose leading bit is stored. */
export const EXTENDED: Format = { bits: 80, precision: 64, bias: 16_383, specialExponent: 0x7fff };

/** Exponents of the leading bit of the smallest and the largest normal number. */
export function smallestExponent(format: Format): number {
  return 1 - format.bias;
}

export function largestExponent(format: Format): number {
  return format.specialExponent - 1 - format.bias;
}

export type NumberClass =
  | "zero"
  | "finite"
  | "infinity"
  | "quiet"
  | "signaling"
  /** Bits that the extended format has no meaning for (unnormals, pseudo-infinities, pseudo-NaNs). */
  | "unsupported";

/** A number in parts. */
export interface Unpacked {
  readonly class: NumberClass;
  readonly negative: boolean;
  /** Value of a finite number: significand times 2 to the power of the exponent. */
  readonly significand: bigint;
  readonly exponent: number;
  /** Whether it is a denormal (or pseudo-denormal), which raises its own exception. */
  readonly denormal: boolean;
  /** Fraction of a NaN as in the extended format: 63 bits, the quiet bit on top. */
  readonly payload: bigint;
}

const QUIET_BIT = 1n << 62n;

function special(numberClass: NumberClass, negative: boolean, payload = 0n): Unpacked {
  return {
    class: numberClass,
    negative,
    significand: 0n,
    exponent: 0,
    denormal: false,
    payload,
  };
}

export function zero(negative: boolean): Unpacked {
  return special("zero", negative);
}

/** Takes a number apart. `value` has the format's bits and nothing above. */
export function unpack(format: Format, value: bigint): Unpacked {
  return format.bits === 80 ? unpackExtended(value) : unpackShort(format, value);
}

function unpackShort(format: Format, value: bigint): Unpacked {
  const fractionBits = format.precision - 1;
  const negative = ((value >> BigInt(format.bits - 1)) & 1n) === 1n;
  const field = Number((value >> BigInt(fractionBits)) & BigInt(format.specialExponent));
  const fraction = value & ((1n << BigInt(fractionBits)) - 1n);
  if (field === format.specialExponent) {
    return nonFinite(negative, fraction << BigInt(63 - fractionBits));
  }
  if (field === 0 && fraction === 0n) return zero(negative);
  const denormal = field === 0;
  return {
    class: "finite",
    negative,
    significand: denormal ? fraction : fraction | (1n << BigInt(fractionBits)),
    exponent: Math.max(field, 1) - format.bias - fractionBits,
    denormal,
    payload: 0n,
  };
}

function unpackExtended(value: bigint): Unpacked {
  const negative = ((value >> 79n) & 1n) === 1n;
  const field = Number((value >> 64n) & 0x7fffn);
  const significand = value & 0xffff_ffff_ffff_ffffn;
  const leading = significand >> 63n === 1n;
  if (field !== 0 && !leading) return special("unsupported", negative);
  if (field === EXTENDED.specialExponent) {
    return nonFinite(negative, significand & ((1n << 63n) - 1n));
  }
  if (significand === 0n) return zero(negative);
  return {
    class: "finite",
    negative,
    significand,
    exponent: Math.max(field, 1) - EXTENDED.bias - 63,
    denormal: field === 0,
    payload: 0n,
  };
}

function nonFinite(negative: boolean, payload: bigint): Unpacked {
  if (payload === 0n) return special("infinity", negative);
  return special((payload & QUIET_BIT) === 0n ? "signaling" : "quiet", negative, payload);
}

export function isNan(value: Unpacked): boolean {
  return value.class === "quiet" || value.class === "signaling";
}

function signBit(format: Format, negative: boolean): bigint {
  return negative ? 1n << BigInt(format.bits - 1) : 0n;
}

/** Bits of the exponent field and a significand that may be short of its leading bit (a denormal, with field 0). */
export function pack(
  format: Format,
  negative: boolean,
  field: number,
  significand: bigint,
): bigint {
  const stored =
    format.bits === 80 ? significand : significand & ((1n << BigInt(format.precision - 1)) - 1n);
  const fieldShift = format.bits === 80 ? 64n : BigInt(format.precision - 1);
  return signBit(format, negative) | (BigInt(field) << fieldShift) | stored;
}

export function packZero(format: Format, negative: boolean): bigint {
  return signBit(format, negative);
}

export function packInfinity(format: Format, negative: boolean): bigint {
  return pack(format, negative, format.specialExponent, 1n << BigInt(format.precision - 1));
}

/** The largest finite number with `precision` significant bits. */
export function packLargest(format: Format, negative: boolean, precision: number): bigint {
  const ones = ((1n << BigInt(precision)) - 1n) << BigInt(format.precision - precision);
  return pack(format, negative, format.specialExponent - 1, ones);
}

/** A NaN with this payload, made quiet; bits that do not fit are cut off. */
export function packNan(format: Format, value: Unpacked): bigint {
  const payload = value.payload | QUIET_BIT;
  const fraction = payload >> BigInt(63 - (format.precision - 1));
  const leading = 1n << BigInt(format.precision - 1);
  return pack(format, value.negative, format.specialExponent, leading | fraction);
}

/** The NaN that invalid operations give: "QNaN floating-point indefinite". */
export function packIndefinite(format: Format): bigint {
  return packNan(format, special("quiet", true, QUIET_BIT));
}

/** Number of bits of a positive integer. */
export function bitLength(value: bigint): number {
  const digits = value.toString(16);
  return digits.length * 4 - (Math.clz32(Number.parseInt(digits.charAt(0), 16)) - 28);
}
