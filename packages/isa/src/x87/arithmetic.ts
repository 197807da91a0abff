/**
 * The x87's basic arithmetic: sums, products, quotients, roots, and what changes a number's sign, exponent or fraction.
 *
 * Intel SDM Vol. 1 §8.3.5, "Basic Arithmetic Instructions" and §8.3.6, "Comparison and Classification Instructions".
 */
import type { Helper, HelperContext } from "../helpers.ts";
import {
  add,
  divide,
  largerNan,
  multiply,
  squareRoot,
  subtract,
  type BinaryOperation,
} from "../floating-point/arithmetic.ts";
import { compare, comparisonFlags, toInteger } from "../floating-point/compare.ts";
import {
  bitLength,
  DOUBLE,
  EXTENDED,
  isNan,
  pack,
  packIndefinite,
  packInfinity,
  packNan,
  packZero,
  SINGLE,
  unpack,
  zero,
  type Unpacked,
} from "../floating-point/format.ts";
import {
  cut,
  DENORMAL,
  DIVIDE_BY_ZERO,
  exact,
  INVALID,
  PRECISION,
  round,
  type Environment,
  type Result,
} from "../floating-point/round.ts";
import { slots } from "../state/layout.ts";
import { C0, C1, C2, C3, INDEFINITE, RegisterStack } from "./register-stack.ts";

/** Where the second operand of arithmetic is: a register, or memory that semantics have put into the scratch field. */
export const SOURCE = { register: 0, single: 1, double: 2, word: 3, doubleword: 4 } as const;

/** A signed integer as an exact number. */
export function fromExactInteger(value: bigint): Unpacked {
  if (value === 0n) return zero(false);
  const negative = value < 0n;
  return {
    class: "finite",
    negative,
    significand: negative ? -value : value,
    exponent: 0,
    denormal: false,
    payload: 0n,
  };
}

export function scratch(cpu: HelperContext): bigint {
  return cpu.u64[(cpu.base + slots.scratch0.offset) >>> 3] ?? 0n;
}

export function setScratch(cpu: HelperContext, value: bigint): void {
  cpu.u64[(cpu.base + slots.scratch0.offset) >>> 3] = BigInt.asUintN(64, value);
}

function sourceOperand(
  cpu: HelperContext,
  stack: RegisterStack,
  source: number,
  index: number,
): Unpacked {
  const bits = scratch(cpu);
  switch (source) {
    case SOURCE.register:
      return unpack(EXTENDED, stack.get(index));
    case SOURCE.single:
      return unpack(SINGLE, bits & 0xffff_ffffn);
    case SOURCE.double:
      return unpack(DOUBLE, bits);
    case SOURCE.word:
      return fromExactInteger(BigInt.asIntN(16, bits));
    default:
      return fromExactInteger(BigInt.asIntN(32, bits));
  }
}

const reversed =
  (operation: BinaryOperation): BinaryOperation =>
  (format, lhs, rhs, environment, rule) =>
    operation(format, rhs, lhs, environment, rule);

/** By the field of ModRM that chooses them; 2 and 3 compare. */
const OPERATIONS: Readonly<Record<number, BinaryOperation>> = {
  0: add,
  1: multiply,
  4: subtract,
  5: reversed(subtract),
  6: divide,
  7: reversed(divide),
};

/** Parameters: operation, destination register, kind of source, source register, whether to pop. */
const arithmetic: Helper = (cpu, number = 0, destination = 0, source = 0, index = 0, pops = 0) => {
  const stack = new RegisterStack(cpu);
  const operation = OPERATIONS[number];
  if (operation === undefined) {
    throw new RangeError(`Bug in ringside: no x87 operation ${number}, please report.`);
  }
  const missing = stack.isEmpty(destination) || (source === 0 && stack.isEmpty(index));
  let done: boolean;
  if (missing) {
    done = stack.underflow();
    if (done) stack.set(destination, INDEFINITE);
  } else {
    const lhs = unpack(EXTENDED, stack.get(destination));
    const rhs = sourceOperand(cpu, stack, source, index);
    const environment = stack.environment(true);
    done = stack.settle(destination, operation(EXTENDED, lhs, rhs, environment, largerNan));
  }
  if (done && pops !== 0) stack.pop();
};

const CONDITIONS = { greater: 0, less: C0, equal: C3, unordered: C0 | C2 | C3 } as const;

/**
 * Compares ST(0); parameters: kind of source, source register, number of pops, whether quiet NaNs are invalid.
 * An exception that is not masked prevents the pops, not the result.
 */
const compareTop: Helper = (cpu, source = 0, index = 0, pops = 0, signaling = 1) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  let done: boolean;
  if (stack.isEmpty(0) || (source === 0 && stack.isEmpty(index))) {
    done = stack.underflow();
    stack.setConditions(CONDITIONS.unordered);
  } else {
    const lhs = unpack(EXTENDED, stack.get(0));
    const rhs = sourceOperand(cpu, stack, source, index);
    done = stack.raise(comparisonFlags(lhs, rhs, signaling !== 0));
    stack.setConditions(CONDITIONS[compare(lhs, rhs)]);
  }
  if (!done) return;
  for (let pop = 0; pop < pops; pop++) stack.pop();
};

const FLAG_BITS = { greater: 0, less: 1, equal: 64, unordered: 69 } as const;

/** FCOMI and its like: CF, PF and ZF at their places in RFLAGS. */
const compareFlags: Helper = (cpu, index = 0, pops = 0, signaling = 1) => {
  const stack = new RegisterStack(cpu);
  let order: keyof typeof FLAG_BITS = "unordered";
  let done: boolean;
  if (stack.isEmpty(0) || stack.isEmpty(index)) {
    done = stack.underflow();
  } else {
    const lhs = unpack(EXTENDED, stack.get(0));
    const rhs = unpack(EXTENDED, stack.get(index));
    done = stack.raise(comparisonFlags(lhs, rhs, signaling !== 0));
    order = compare(lhs, rhs);
  }
  if (done && pops !== 0) stack.pop();
  return FLAG_BITS[order];
};

/** FTST: compares ST(0) with zero. */
const test: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  if (stack.isEmpty(0)) {
    stack.underflow();
    stack.setConditions(CONDITIONS.unordered);
    return;
  }
  const value = unpack(EXTENDED, stack.get(0));
  stack.raise(comparisonFlags(value, zero(false), true));
  stack.setConditions(CONDITIONS[compare(value, zero(false))]);
};

/** FXAM: the class of ST(0) in C3, C2 and C0, its sign in C1. */
const examine: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  const bits = stack.get(0);
  const value = unpack(EXTENDED, bits);
  const sign = bits >> 79n === 1n ? C1 : 0;
  stack.setConditions((stack.isEmpty(0) ? C3 | C0 : classOf(value)) | sign);
};

function classOf(value: Unpacked): number {
  switch (value.class) {
    case "unsupported":
      return 0;
    case "quiet":
    case "signaling":
      return C0;
    case "infinity":
      return C2 | C0;
    case "zero":
      return C3;
    case "finite":
      return value.denormal ? C3 | C2 : C2;
  }
}

/** An operation on ST(0) alone that rounds. */
function unary(
  operation: (value: Unpacked, environment: Environment, bits: bigint) => Result,
  controlled: boolean,
): Helper {
  return (cpu) => {
    const stack = new RegisterStack(cpu);
    if (stack.isEmpty(0)) {
      if (stack.underflow()) stack.set(0, INDEFINITE);
      return;
    }
    const bits = stack.get(0);
    stack.settle(0, operation(unpack(EXTENDED, bits), stack.environment(controlled), bits));
  };
}

const SIGN = 1n << 79n;

/** FCHS and FABS touch only the sign, of any bits, and know no exception but an empty register. */
function onSign(change: (bits: bigint) => bigint): Helper {
  return (cpu) => {
    const stack = new RegisterStack(cpu);
    stack.setConditions(0, C1);
    if (!stack.isEmpty(0)) stack.set(0, change(stack.get(0)));
    else if (stack.underflow()) stack.set(0, INDEFINITE);
  };
}

/** NaNs and encodings without a meaning, or undefined. */
export function specialResult(value: Unpacked): Result | undefined {
  if (value.class === "unsupported") return exact(packIndefinite(EXTENDED), INVALID);
  if (!isNan(value)) return undefined;
  return exact(packNan(EXTENDED, value), value.class === "signaling" ? INVALID : 0);
}

function roundToInteger(value: Unpacked, environment: Environment, bits: bigint): Result {
  const special = specialResult(value);
  if (special !== undefined) return special;
  if (value.class !== "finite" || value.exponent >= 0) return exact(bits);
  const { negative, significand, exponent, denormal } = value;
  const rounded = cut(negative, significand, -exponent, false, environment.mode);
  const flags = (rounded.inexact ? PRECISION : 0) | (denormal ? DENORMAL : 0);
  const whole =
    rounded.value === 0n
      ? packZero(EXTENDED, negative)
      : round(EXTENDED, negative, rounded.value, 0, false, environment).bits;
  return { bits: whole, flags, roundedUp: rounded.up };
}

/** FSCALE: adds the integer part of ST(1) to the exponent of ST(0). */
const scale: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  if (stack.isEmpty(0) || stack.isEmpty(1)) {
    if (stack.underflow()) stack.set(0, INDEFINITE);
    return;
  }
  const value = unpack(EXTENDED, stack.get(0));
  const by = unpack(EXTENDED, stack.get(1));
  stack.settle(0, scaled(value, by, stack.environment()));
};

function scaled(value: Unpacked, by: Unpacked, environment: Environment): Result {
  // NaNs are chosen as a sum chooses them.
  if ([value, by].some((each) => isNan(each) || each.class === "unsupported")) {
    return add(EXTENDED, value, by, environment, largerNan);
  }
  const denormal = value.denormal || by.denormal ? DENORMAL : 0;
  const invalid = exact(INDEFINITE, INVALID);
  if (by.class === "infinity") {
    if (by.negative) {
      if (value.class === "infinity") return invalid;
      return exact(packZero(EXTENDED, value.negative), denormal);
    }
    if (value.class === "zero") return invalid;
    return exact(packInfinity(EXTENDED, value.negative), denormal);
  }
  if (value.class === "infinity") return exact(packInfinity(EXTENDED, value.negative), denormal);
  if (value.class === "zero") return exact(packZero(EXTENDED, value.negative), denormal);
  // Beyond this every number overflows or vanishes.
  const limit = 0x1_0000;
  const integer = toInteger(by, 32, 3).value ?? BigInt(by.negative ? -limit : limit);
  const distance = Math.max(-limit, Math.min(limit, Number(integer)));
  const { negative, significand, exponent } = value;
  const rounded = round(EXTENDED, negative, significand, exponent + distance, false, environment);
  return { ...rounded, flags: rounded.flags | denormal };
}

/** FXTRACT: the exponent stays in ST(0) and the significand is pushed. */
const extract: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
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
  const [exponent, significand] = extracted(value, bits);
  if (!stack.raise(exponent.flags)) return;
  stack.set(0, exponent.bits);
  stack.rotate(-1);
  stack.set(0, significand);
};

function extracted(value: Unpacked, bits: bigint): readonly [Result, bigint] {
  const special = specialResult(value);
  if (special !== undefined) return [special, special.bits];
  if (value.class === "infinity") return [exact(packInfinity(EXTENDED, false)), bits];
  if (value.class === "zero") {
    return [exact(packInfinity(EXTENDED, true), DIVIDE_BY_ZERO), bits];
  }
  const length = bitLength(value.significand);
  const leading = value.exponent + length - 1;
  const normal = value.significand << BigInt(64 - length);
  const integer = fromExactInteger(BigInt(leading));
  const exponent =
    integer.class === "zero"
      ? packZero(EXTENDED, false)
      : packExact(integer.negative, integer.significand, 0);
  const flags = value.denormal ? DENORMAL : 0;
  return [exact(exponent, flags), pack(EXTENDED, value.negative, EXTENDED.bias, normal)];
}

/** Bits of a number that needs no rounding. */
function packExact(negative: boolean, significand: bigint, exponent: number): bigint {
  const length = bitLength(significand);
  const field = exponent + length - 1 + EXTENDED.bias;
  return pack(EXTENDED, negative, field, significand << BigInt(64 - length));
}

/**
 * FPREM and FPREM1: the exact remainder of ST(0) by ST(1), or a step toward it (C2) when the quotient has more than
 * 63 bits. C0, C3 and C1 are the quotient's low three bits.
 */
function remainder(nearest: boolean): Helper {
  return (cpu) => {
    const stack = new RegisterStack(cpu);
    stack.setConditions(0, C1 | C2);
    if (stack.isEmpty(0) || stack.isEmpty(1)) {
      if (stack.underflow()) stack.set(0, INDEFINITE);
      return;
    }
    const value = unpack(EXTENDED, stack.get(0));
    const divisor = unpack(EXTENDED, stack.get(1));
    const environment = stack.environment();
    if ([value, divisor].some((each) => isNan(each) || each.class === "unsupported")) {
      stack.settle(0, add(EXTENDED, value, divisor, environment, largerNan));
      return;
    }
    const denormal = value.denormal || divisor.denormal ? DENORMAL : 0;
    if (value.class === "infinity" || divisor.class === "zero") {
      stack.settle(0, exact(INDEFINITE, INVALID));
      return;
    }
    if (value.class === "zero" || divisor.class === "infinity") {
      if (stack.settle(0, exact(withOwnExponent(stack.get(0)), denormal))) stack.setConditions(0);
      return;
    }
    const { bits, flags, quotient } = reduced(value, divisor, nearest, environment);
    if (!stack.settle(0, exact(bits, flags | denormal))) return;
    stack.setConditions(quotient === undefined ? C2 : quotientConditions(quotient));
  };
}

/** A pseudo-denormal, whose integer bit is set with an exponent of 0, as the number that it is, with an exponent of 1. */
function withOwnExponent(bits: bigint): bigint {
  const integerBit = 1n << 63n;
  const hasNoExponent = (bits & (0x7fffn << 64n)) === 0n;
  return hasNoExponent && (bits & integerBit) !== 0n ? bits | (1n << 64n) : bits;
}

function quotientConditions(quotient: bigint): number {
  return (
    ((quotient & 4n) === 0n ? 0 : C0) |
    ((quotient & 2n) === 0n ? 0 : C3) |
    ((quotient & 1n) === 0n ? 0 : C1)
  );
}

interface Reduced {
  readonly bits: bigint;
  readonly flags: number;
  /** Undefined while the remainder is partial. */
  readonly quotient: bigint | undefined;
}

function reduced(
  value: Unpacked,
  divisor: Unpacked,
  nearest: boolean,
  environment: Environment,
): Reduced {
  const leading = (each: Unpacked): number => each.exponent + bitLength(each.significand) - 1;
  const distance = leading(value) - leading(divisor);
  const complete = distance < 64;
  // A partial step removes between 32 and 63 bits of the quotient.
  const left = complete ? 0 : distance - ((distance & 31) | 32);
  const unit = Math.min(value.exponent, divisor.exponent + left);
  const dividend = value.significand << BigInt(value.exponent - unit);
  const modulus = divisor.significand << BigInt(divisor.exponent + left - unit);
  let quotient = dividend / modulus;
  let rest = dividend - quotient * modulus;
  let { negative } = value;
  if (nearest && complete) {
    const twice = 2n * rest;
    if (twice > modulus || (twice === modulus && (quotient & 1n) === 1n)) {
      quotient += 1n;
      rest = modulus - rest;
      negative = !negative;
    }
  }
  const result =
    rest === 0n
      ? exact(packZero(EXTENDED, value.negative))
      : round(EXTENDED, negative, rest, unit, false, environment);
  return { bits: result.bits, flags: result.flags, quotient: complete ? quotient : undefined };
}

export const arithmeticHelpers: Readonly<Record<string, Helper>> = {
  "x87.arithmetic": arithmetic,
  "x87.compare": compareTop,
  "x87.compareFlags": compareFlags,
  "x87.test": test,
  "x87.examine": examine,
  "x87.squareRoot": unary((value, environment) => squareRoot(EXTENDED, value, environment), true),
  "x87.roundToInteger": unary(roundToInteger, false),
  "x87.changeSign": onSign((bits) => bits ^ SIGN),
  "x87.absolute": onSign((bits) => bits & ~SIGN),
  "x87.scale": scale,
  "x87.extract": extract,
  "x87.remainder": remainder(false),
  "x87.remainderNearest": remainder(true),
};
