/**
 * The x87's transcendental functions: F2XM1, FYL2X, FYL2XP1, FPATAN, FPTAN, FSIN, FCOS, FSINCOS.
 *
 * Results are correctly rounded but for ties that nobody can construct; the manual allows an error of one unit in the
 * last place. Angles are reduced with the processor's own pi of 66 bits, as the manual says.
 *
 * Intel SDM Vol. 1 §8.3.8, "Approximation of Pi" and §8.3.10, "Transcendental Instruction Accuracy"; the tables of special
 * operands are on each instruction's page in Vol. 2A.
 */
import type { Helper } from "../helpers.ts";
import { add, largerNan } from "../floating-point/arithmetic.ts";
import {
  bitLength,
  EXTENDED,
  isNan,
  pack,
  packInfinity,
  packZero,
  unpack,
  type Unpacked,
} from "../floating-point/format.ts";
import {
  DENORMAL,
  DIVIDE_BY_ZERO,
  exact,
  INVALID,
  PRECISION,
  round,
  type Environment,
  type Result,
} from "../floating-point/round.ts";
import { specialResult } from "./arithmetic.ts";
import {
  arctangent,
  exponentialLessOne,
  FRACTION_BITS,
  LN_2,
  logarithm,
  ONE,
  PI,
  sineAndCosine,
} from "./fixed-point.ts";
import { C1, C2, INDEFINITE, RegisterStack } from "./register-stack.ts";

const W = BigInt(FRACTION_BITS);
/** Below 2 to this power, functions are their first term: the next is too small to be seen. */
const TINY = -70;
const INVALID_RESULT: Result = exact(INDEFINITE, INVALID);
const MINUS_HALF = pack(EXTENDED, true, EXTENDED.bias - 1, 1n << 63n);
const PLUS_ONE = pack(EXTENDED, false, EXTENDED.bias, 1n << 63n);
const MINUS_ONE = pack(EXTENDED, true, EXTENDED.bias, 1n << 63n);

/** Exponent of the leading bit. */
function leading(value: Unpacked): number {
  return value.exponent + bitLength(value.significand) - 1;
}

/** A number that is not below 2^{@link TINY} in units of 2^-256, without its sign. */
function toFixed(value: Unpacked): bigint {
  const shift = BigInt(FRACTION_BITS + value.exponent);
  return shift >= 0n ? value.significand << shift : value.significand >> -shift;
}

/** Rounds an inexact number in units of 2^-256. */
function fromFixed(value: bigint, environment: Environment): Result {
  const negative = value < 0n;
  const magnitude = negative ? -value : value;
  return round(EXTENDED, negative, magnitude, -FRACTION_BITS, true, environment);
}

function withDenormal(result: Result, ...operands: readonly Unpacked[]): Result {
  if ((result.flags & (INVALID | DIVIDE_BY_ZERO)) !== 0) return result;
  if (!operands.some((operand) => operand.denormal)) return result;
  return { ...result, flags: result.flags | DENORMAL };
}

/** F2XM1: 2 to the power of a number between -1 and 1, less 1. */
function powerLessOne(value: Unpacked, bits: bigint, environment: Environment): Result {
  if (value.class === "zero") return exact(bits);
  if (value.class === "infinity") return exact(value.negative ? MINUS_ONE : bits);
  const exponent = leading(value);
  // Both ends are exact. Outside of its domain the result is undefined; processors return the operand.
  if (bits === MINUS_ONE) return exact(MINUS_HALF);
  if (exponent >= 0) return exact(bits, bits === PLUS_ONE ? 0 : PRECISION);
  if (exponent < TINY) {
    const significand = value.significand * LN_2;
    const unit = value.exponent - FRACTION_BITS;
    return round(EXTENDED, value.negative, significand, unit, true, environment);
  }
  const product = (toFixed(value) * LN_2) >> W;
  return fromFixed(exponentialLessOne(value.negative ? -product : product), environment);
}

/** y times a logarithm to base 2 in units of 2^-256, of which `inexact` says whether it was rounded. */
function productWithLogarithm(
  y: Unpacked,
  logarithm2: bigint,
  inexact: boolean,
  environment: Environment,
): Result {
  const negative = y.negative !== logarithm2 < 0n;
  const magnitude = logarithm2 < 0n ? -logarithm2 : logarithm2;
  if (magnitude === 0n || y.class === "zero") return exact(packZero(EXTENDED, negative));
  const unit = y.exponent - FRACTION_BITS;
  return round(EXTENDED, negative, y.significand * magnitude, unit, inexact, environment);
}

/** FYL2X: y log2(x). */
function yTimesLogarithm(x: Unpacked, y: Unpacked, environment: Environment): Result {
  if (x.class === "zero") {
    if (y.class === "zero") return INVALID_RESULT;
    const infinity = packInfinity(EXTENDED, !y.negative);
    return exact(infinity, y.class === "infinity" ? 0 : DIVIDE_BY_ZERO);
  }
  if (x.negative) return INVALID_RESULT;
  if (x.class === "infinity") {
    return y.class === "zero" ? INVALID_RESULT : exact(packInfinity(EXTENDED, y.negative));
  }
  let exponent = leading(x);
  let fraction = x.significand << BigInt(FRACTION_BITS - (bitLength(x.significand) - 1));
  // Between 3/4 and 3/2, so that numbers near 1 lose nothing to cancellation.
  if (2n * fraction > 3n * ONE) {
    fraction >>= 1n;
    exponent += 1;
  }
  const isPower = fraction === ONE;
  const whole = BigInt(exponent) << W;
  const result = isPower ? whole : whole + (logarithm(fraction) << W) / LN_2;
  if (y.class === "infinity") {
    if (result === 0n) return INVALID_RESULT;
    return exact(packInfinity(EXTENDED, y.negative !== result < 0n));
  }
  return productWithLogarithm(y, result, !isPower, environment);
}

/** FYL2XP1: y log2(x + 1). */
function yTimesLogarithmOfSuccessor(x: Unpacked, y: Unpacked, environment: Environment): Result {
  const negative = x.negative !== y.negative;
  if (x.class === "zero") {
    return y.class === "infinity" ? INVALID_RESULT : exact(packZero(EXTENDED, negative));
  }
  if (x.class === "infinity") {
    if (x.negative || y.class === "zero") return INVALID_RESULT;
    return exact(packInfinity(EXTENDED, y.negative));
  }
  if (y.class === "infinity") return exact(packInfinity(EXTENDED, negative));
  if (y.class === "zero") return exact(packZero(EXTENDED, negative));
  if (leading(x) < TINY) {
    const significand = (x.significand * y.significand * ONE * ONE) / LN_2;
    const unit = x.exponent + y.exponent - FRACTION_BITS;
    return round(EXTENDED, negative, significand, unit, true, environment);
  }
  const fixed = toFixed(x);
  const successor = x.negative ? ONE - fixed : ONE + fixed;
  // The manual leaves the result outside of its narrow domain undefined; processors return the operand.
  if (successor <= 0n) {
    const operand = round(EXTENDED, x.negative, x.significand, x.exponent, false, environment);
    return { ...operand, flags: PRECISION };
  }
  const length = bitLength(successor) - 1 - FRACTION_BITS;
  const scaled = length >= 0 ? successor >> BigInt(length) : successor << BigInt(-length);
  const narrow = 2n * scaled > 3n * ONE;
  const exponent = length + (narrow ? 1 : 0);
  const fraction = narrow ? scaled >> 1n : scaled;
  const whole = BigInt(exponent) << W;
  return productWithLogarithm(y, whole + (logarithm(fraction) << W) / LN_2, true, environment);
}

/** FPATAN: the angle of the point (x, y). */
function angleOf(x: Unpacked, y: Unpacked, environment: Environment): Result {
  const signed = (angle: bigint): Result => fromFixed(y.negative ? -angle : angle, environment);
  if (y.class === "zero" || (x.class === "infinity" && y.class !== "infinity")) {
    return x.negative ? signed(PI) : exact(packZero(EXTENDED, y.negative));
  }
  if (y.class === "infinity") {
    if (x.class !== "infinity") return signed(PI / 2n);
    return signed(x.negative ? (3n * PI) / 4n : PI / 4n);
  }
  if (x.class === "zero") return signed(PI / 2n);
  const distance = leading(y) - leading(x);
  if (distance < TINY && !x.negative) {
    const quotient = (y.significand << W) / x.significand;
    const unit = y.exponent - x.exponent - FRACTION_BITS;
    return round(EXTENDED, y.negative, quotient, unit, true, environment);
  }
  const angle = firstQuadrantAngle(x, y, distance);
  return signed(x.negative ? PI - angle : angle);
}

function firstQuadrantAngle(x: Unpacked, y: Unpacked, distance: number): bigint {
  if (distance > -TINY) return PI / 2n;
  if (distance < TINY) return 0n;
  const unit = Math.min(x.exponent, y.exponent);
  const width = x.significand << BigInt(x.exponent - unit);
  const height = y.significand << BigInt(y.exponent - unit);
  if (height <= width) return arctangent((height << W) / width);
  return PI / 2n - arctangent((width << W) / height);
}

/** The processor's pi: 66 bits, so that half of it counts units of 2^-65. */
const PROCESSOR_PI = PI >> BigInt(FRACTION_BITS - 64);
const HALF_PI = PROCESSOR_PI << BigInt(FRACTION_BITS - 65);

/** Sine and cosine of an angle that is neither tiny nor too large. */
function sineAndCosineOf(value: Unpacked): { readonly sine: bigint; readonly cosine: bigint } {
  const angle = value.negative ? -toFixed(value) : toFixed(value);
  const doubled = 2n * angle + HALF_PI;
  const floor = doubled >= 0n ? doubled / (2n * HALF_PI) : -((-doubled - 1n) / (2n * HALF_PI)) - 1n;
  const { sine, cosine } = sineAndCosine(angle - floor * HALF_PI);
  switch (Number(BigInt.asUintN(2, floor))) {
    case 0:
      return { sine, cosine };
    case 1:
      return { sine: cosine, cosine: -sine };
    case 2:
      return { sine: -sine, cosine: -cosine };
    default:
      return { sine: -cosine, cosine: sine };
  }
}

/** A tiny number times one plus or minus next to nothing. */
function nearly(value: Unpacked, direction: -1n | 1n, environment: Environment): Result {
  const extra = 66;
  const significand = (value.significand << BigInt(extra)) + direction;
  return round(EXTENDED, value.negative, significand, value.exponent - extra, true, environment);
}

function sine(value: Unpacked, bits: bigint, environment: Environment): Result {
  if (value.class === "infinity") return INVALID_RESULT;
  if (value.class === "zero") return exact(bits);
  if (leading(value) < TINY) return nearly(value, -1n, environment);
  return fromFixed(sineAndCosineOf(value).sine, environment);
}

function cosine(value: Unpacked, _bits: bigint, environment: Environment): Result {
  if (value.class === "infinity") return INVALID_RESULT;
  if (value.class === "zero") return exact(PLUS_ONE);
  if (leading(value) < TINY) return fromFixed(ONE - 1n, environment);
  return fromFixed(sineAndCosineOf(value).cosine, environment);
}

function tangent(value: Unpacked, bits: bigint, environment: Environment): Result {
  if (value.class === "infinity") return INVALID_RESULT;
  if (value.class === "zero") return exact(bits);
  if (leading(value) < TINY) return nearly(value, 1n, environment);
  const both = sineAndCosineOf(value);
  return fromFixed((both.sine << W) / both.cosine, environment);
}

/** Angles from here on are not reduced: C2 tells the program to do it. */
const TOO_LARGE = 63;

type Unary = (value: Unpacked, bits: bigint, environment: Environment) => Result;

/** A function of ST(0); `angle` for those that refuse large arguments. */
function onTop(operation: Unary, angle: boolean): Helper {
  return (cpu) => {
    const stack = new RegisterStack(cpu);
    stack.setConditions(0, angle ? C1 | C2 : C1);
    if (stack.isEmpty(0)) {
      if (stack.underflow()) stack.set(0, INDEFINITE);
      return;
    }
    const bits = stack.get(0);
    const value = unpack(EXTENDED, bits);
    if (angle && isTooLarge(value)) stack.setConditions(C2, C2);
    else stack.settle(0, evaluate(operation, value, bits, stack.environment()));
  };
}

function isTooLarge(value: Unpacked): boolean {
  return value.class === "finite" && leading(value) >= TOO_LARGE;
}

function evaluate(
  operation: Unary,
  value: Unpacked,
  bits: bigint,
  environment: Environment,
): Result {
  return specialResult(value) ?? withDenormal(operation(value, bits, environment), value);
}

/** FSINCOS and FPTAN: one result in ST(0), and another pushed. */
function onTopAndPush(operation: Unary, pushed: Unary): Helper {
  return (cpu) => {
    const stack = new RegisterStack(cpu);
    stack.setConditions(0, C1 | C2);
    if (stack.isEmpty(0) || !stack.isEmpty(7)) {
      const masked = stack.isEmpty(0) ? stack.underflow() : stack.overflow();
      if (!masked) return;
      stack.set(0, INDEFINITE);
      stack.rotate(-1);
      stack.set(0, INDEFINITE);
      return;
    }
    const bits = stack.get(0);
    const value = unpack(EXTENDED, bits);
    if (isTooLarge(value)) {
      stack.setConditions(C2, C2);
      return;
    }
    const environment = stack.environment();
    const second = evaluate(pushed, value, bits, environment);
    const first = evaluate(operation, value, bits, environment);
    if (!stack.settle(0, { ...first, flags: first.flags | second.flags })) return;
    stack.rotate(-1);
    stack.set(0, second.bits);
  };
}

const one: Unary = (value) => (value.class === "infinity" ? INVALID_RESULT : exact(PLUS_ONE));

type Binary = (x: Unpacked, y: Unpacked, environment: Environment) => Result;

/** A function of ST(0) and ST(1) that replaces both. */
function onTopTwo(operation: Binary): Helper {
  return (cpu) => {
    const stack = new RegisterStack(cpu);
    stack.setConditions(0, C1);
    if (stack.isEmpty(0) || stack.isEmpty(1)) {
      if (!stack.underflow()) return;
      stack.set(1, INDEFINITE);
      stack.pop();
      return;
    }
    const x = unpack(EXTENDED, stack.get(0));
    const y = unpack(EXTENDED, stack.get(1));
    const environment = stack.environment();
    const special = [x, y].some((value) => isNan(value) || value.class === "unsupported");
    const result = special
      ? add(EXTENDED, y, x, environment, largerNan)
      : withDenormal(operation(x, y, environment), x, y);
    if (stack.settle(1, result)) stack.pop();
  };
}

export const transcendentalHelpers: Readonly<Record<string, Helper>> = {
  "x87.powerLessOne": onTop(powerLessOne, false),
  "x87.sine": onTop(sine, true),
  "x87.cosine": onTop(cosine, true),
  "x87.sineAndCosine": onTopAndPush(sine, cosine),
  "x87.tangent": onTopAndPush(tangent, one),
  "x87.angle": onTopTwo(angleOf),
  "x87.yTimesLogarithm": onTopTwo(yTimesLogarithm),
  "x87.yTimesLogarithmOfSuccessor": onTopTwo(yTimesLogarithmOfSuccessor),
};
