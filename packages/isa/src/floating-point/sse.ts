/**
 * SSE and SSE2 arithmetic for the cases that WebAssembly's does not cover: NaNs, denormals, rounding modes, exceptions,
 * and exception flags that are not set yet.
 *
 * Semantics put up to 128 bits of each operand into the state block's scratch fields, call a helper, and find the
 * result where the first operand was. A helper that raises leaves no result.
 *
 * Intel SDM Vol. 1 §11.5, "SSE, SSE2, and SSE3 Exceptions" and §10.2.3, "MXCSR Control and Status Register".
 */
import type { Helper, HelperContext } from "../helpers.ts";
import { slots, type Slot } from "../state/layout.ts";
import {
  add,
  divide,
  firstNan,
  multiply,
  operand,
  squareRoot,
  subtract,
  type BinaryOperation,
} from "./arithmetic.ts";
import { compare, comparisonFlags, convert, fromInteger, toInteger } from "./compare.ts";
import { DOUBLE, isNan, packNan, packZero, SINGLE, type Format } from "./format.ts";
import {
  cut,
  DENORMAL,
  DIVIDE_BY_ZERO,
  INVALID,
  PRECISION,
  round,
  UNDERFLOW,
  type Environment,
  type Result,
  type RoundingMode,
} from "./round.ts";

const CR4_OSXMMEXCPT = 1 << 10;
const DENORMALS_ARE_ZERO = 1 << 6;
const MASK_SHIFT = 7;
const ROUNDING_SHIFT = 13;
const FLUSH_TO_ZERO = 1 << 15;
const ALL_EXCEPTIONS = 0x3f;
/** Exceptions that are found before the operation: no result is computed when one of them is not masked. */
const BEFORE = INVALID | DENORMAL | DIVIDE_BY_ZERO;

const FIRST = slots.scratch0;
const SECOND = slots.scratch2;

function readMxcsr(cpu: HelperContext): number {
  return cpu.u32[(cpu.base + slots.mxcsr.offset) >>> 2] ?? 0;
}

function asRoundingMode(bits: number): RoundingMode {
  if (bits === 1 || bits === 2 || bits === 3) return bits;
  return 0;
}

function environmentOf(mxcsr: number, format: Format): Environment {
  const masked = (mxcsr >> MASK_SHIFT) & ALL_EXCEPTIONS;
  return {
    mode: asRoundingMode((mxcsr >> ROUNDING_SHIFT) & 3),
    precision: format.precision,
    masked,
    flushToZero: (mxcsr & FLUSH_TO_ZERO) !== 0 && (masked & UNDERFLOW) !== 0,
    denormalsAreZero: (mxcsr & DENORMALS_ARE_ZERO) !== 0,
  };
}

function formatOf(bits: number): Format {
  return bits === 32 ? SINGLE : DOUBLE;
}

/** One element of an operand in the scratch fields. */
function readLane(cpu: HelperContext, slot: Slot, bits: number, lane: number): bigint {
  const at = cpu.base + slot.offset;
  if (bits === 32) return BigInt(cpu.u32[(at >>> 2) + lane] ?? 0);
  return cpu.u64[(at >>> 3) + lane] ?? 0n;
}

function writeLane(cpu: HelperContext, bits: number, lane: number, value: bigint): void {
  const at = cpu.base + FIRST.offset;
  if (bits === 32) cpu.u32[(at >>> 2) + lane] = Number(BigInt.asUintN(32, value));
  else cpu.u64[(at >>> 3) + lane] = BigInt.asUintN(64, value);
}

/** Sets the flags raised, and raises the exception of those that are not masked. */
function settle(cpu: HelperContext, flags: number): boolean {
  const mxcsr = readMxcsr(cpu);
  const unmasked = ~(mxcsr >> MASK_SHIFT) & ALL_EXCEPTIONS;
  const before = flags & BEFORE;
  const raised = (before & unmasked) === 0 ? flags : before;
  cpu.u32[(cpu.base + slots.mxcsr.offset) >>> 2] = mxcsr | raised;
  if ((raised & unmasked) === 0) return true;
  const cr4 = cpu.u32[(cpu.base + slots.cr4.offset) >>> 2] ?? 0;
  cpu.raise((cr4 & CR4_OSXMMEXCPT) === 0 ? "UD" : "XM");
  return false;
}

/** Computes all elements, and stores them when nothing was raised. */
function eachLane(
  cpu: HelperContext,
  lanes: number,
  resultBits: number,
  compute: (lane: number) => { readonly bits: bigint; readonly flags: number },
): void {
  const results = Array.from({ length: lanes }, (_, lane) => compute(lane));
  const flags = results.reduce((all, result) => all | result.flags, 0);
  if (!settle(cpu, flags)) return;
  for (const [lane, result] of results.entries()) {
    writeLane(cpu, resultBits, lane, result.bits);
  }
}

function arithmetic(operation: BinaryOperation): Helper {
  return (cpu, bits = 64, lanes = 1) => {
    const format = formatOf(bits);
    const environment = environmentOf(readMxcsr(cpu), format);
    eachLane(cpu, lanes, bits, (lane) => {
      const lhs = operand(format, readLane(cpu, FIRST, bits, lane), environment);
      const rhs = operand(format, readLane(cpu, SECOND, bits, lane), environment);
      return operation(format, lhs, rhs, environment, firstNan);
    });
  };
}

/** Differences of the even elements, sums of the odd ones. */
const addSubtract: Helper = (cpu, bits = 64, lanes = 1) => {
  const format = formatOf(bits);
  const environment = environmentOf(readMxcsr(cpu), format);
  eachLane(cpu, lanes, bits, (lane) => {
    const lhs = operand(format, readLane(cpu, FIRST, bits, lane), environment);
    const rhs = operand(format, readLane(cpu, SECOND, bits, lane), environment);
    return (lane % 2 === 0 ? subtract : add)(format, lhs, rhs, environment, firstNan);
  });
};

/**
 * DPPS and DPPD: products, then sums of neighbours, then their sum, each rounded and each with its exceptions.
 * Intel SDM Vol. 2A, "DPPS—Dot Product of Packed Single Precision Floating-Point Values" (operation).
 */
const dotProduct: Helper = (cpu, bits = 64, lanes = 2, control = 0) => {
  const format = formatOf(bits);
  const environment = environmentOf(readMxcsr(cpu), format);
  let flags = 0;
  const noted = (result: Result): bigint => {
    flags |= result.flags;
    return result.bits;
  };
  let terms = Array.from({ length: lanes }, (_, lane) => {
    if (((control >> (4 + lane)) & 1) === 0) return 0n;
    const lhs = operand(format, readLane(cpu, FIRST, bits, lane), environment);
    const rhs = operand(format, readLane(cpu, SECOND, bits, lane), environment);
    return noted(multiply(format, lhs, rhs, environment, firstNan));
  });
  // An exception that is not masked ends it: later steps do not happen.
  while (terms.length > 1 && (flags & ~environment.masked) === 0) {
    const sums: bigint[] = [];
    for (let at = 0; at < terms.length; at += 2) {
      const lhs = operand(format, terms[at] ?? 0n, environment);
      const rhs = operand(format, terms[at + 1] ?? 0n, environment);
      sums.push(noted(add(format, lhs, rhs, environment, firstNan)));
    }
    terms = sums;
  }
  eachLane(cpu, lanes, bits, (lane) => ({
    bits: ((control >> lane) & 1) === 0 ? 0n : (terms[0] ?? 0n),
    flags,
  }));
};

/** ROUNDPS and its like. Imm8: bits 1:0 the mode, bit 2 MXCSR's instead, bit 3 no precision exception. */
const roundToIntegral: Helper = (cpu, bits = 64, lanes = 1, control = 0) => {
  const format = formatOf(bits);
  const environment = environmentOf(readMxcsr(cpu), format);
  const mode = (control & 4) === 0 ? asRoundingMode(control & 3) : environment.mode;
  const silenced = (control & 8) === 0 ? 0 : PRECISION;
  eachLane(cpu, lanes, bits, (lane) => {
    const given = readLane(cpu, SECOND, bits, lane);
    const value = operand(format, given, environment);
    if (isNan(value)) {
      const flags = value.class === "signaling" ? INVALID : 0;
      return { bits: packNan(format, value), flags };
    }
    if (value.class !== "finite") {
      return { bits: value.class === "zero" ? packZero(format, value.negative) : given, flags: 0 };
    }
    const integral = cut(value.negative, value.significand, -value.exponent, false, mode);
    if (integral.value === 0n)
      return { bits: packZero(format, value.negative), flags: PRECISION & ~silenced };
    const result = round(format, value.negative, integral.value, 0, false, environment);
    return { bits: result.bits, flags: integral.inexact ? PRECISION & ~silenced : 0 };
  });
};

/** The square root of the second operand. */
const root: Helper = (cpu, bits = 64, lanes = 1) => {
  const format = formatOf(bits);
  const environment = environmentOf(readMxcsr(cpu), format);
  eachLane(cpu, lanes, bits, (lane) =>
    squareRoot(
      format,
      operand(format, readLane(cpu, SECOND, bits, lane), environment),
      environment,
    ),
  );
};

/**
 * MIN and MAX: the second operand as it is when a NaN or two zeros meet, whatever its sign, and no NaN is made quiet.
 */
function extreme(wanted: "less" | "greater"): Helper {
  return (cpu, bits = 64, lanes = 1) => {
    const format = formatOf(bits);
    const environment = environmentOf(readMxcsr(cpu), format);
    const flush = (value: bigint): bigint => {
      const number = operand(format, value, environment);
      return number.class === "zero" ? BigInt(number.negative) << BigInt(bits - 1) : value;
    };
    eachLane(cpu, lanes, bits, (lane) => {
      const left = flush(readLane(cpu, FIRST, bits, lane));
      const right = flush(readLane(cpu, SECOND, bits, lane));
      const lhs = operand(format, left, environment);
      const rhs = operand(format, right, environment);
      const flags = comparisonFlags(lhs, rhs, true);
      return { bits: compare(lhs, rhs) === wanted ? left : right, flags };
    });
  };
}

/** CMPccPS and its like: all ones where the predicate holds. */
const compareLanes: Helper = (cpu, bits = 64, lanes = 1, predicate = 0) => {
  const format = formatOf(bits);
  const environment = environmentOf(readMxcsr(cpu), format);
  const relation = predicate & 3;
  const negated = (predicate & 4) !== 0;
  eachLane(cpu, lanes, bits, (lane) => {
    const lhs = operand(format, readLane(cpu, FIRST, bits, lane), environment);
    const rhs = operand(format, readLane(cpu, SECOND, bits, lane), environment);
    const order = compare(lhs, rhs);
    // 0 equal, 1 less, 2 less or equal, 3 unordered; only less and its like signal quiet NaNs.
    const holds =
      relation === 3
        ? order === "unordered"
        : (order === "equal" && relation !== 1) || (order === "less" && relation !== 0);
    const flags = comparisonFlags(lhs, rhs, relation === 1 || relation === 2);
    return { bits: holds === negated ? 0n : -1n, flags };
  });
};

const CARRY = 1;
const PARITY = 4;
const ZERO = 64;

/** COMIS and UCOMIS: CF, PF and ZF at their places in RFLAGS, or 0 with an exception. */
const compareOrdered: Helper = (cpu, bits = 64, signaling = 0) => {
  const format = formatOf(bits);
  const environment = environmentOf(readMxcsr(cpu), format);
  const lhs = operand(format, readLane(cpu, FIRST, bits, 0), environment);
  const rhs = operand(format, readLane(cpu, SECOND, bits, 0), environment);
  if (!settle(cpu, comparisonFlags(lhs, rhs, signaling !== 0))) return 0;
  switch (compare(lhs, rhs)) {
    case "less":
      return CARRY;
    case "equal":
      return ZERO;
    case "greater":
      return 0;
    case "unordered":
      return CARRY | PARITY | ZERO;
  }
};

/** Between single and double precision, in lanes of the second operand. */
const convertFormat: Helper = (cpu, fromBits = 64, toBits = 32, lanes = 1) => {
  const from = formatOf(fromBits);
  const to = formatOf(toBits);
  const environment = environmentOf(readMxcsr(cpu), to);
  eachLane(cpu, lanes, toBits, (lane) =>
    convert(to, operand(from, readLane(cpu, SECOND, fromBits, lane), environment), environment),
  );
};

/** From signed integers in lanes of the second operand. */
const convertFromInteger: Helper = (cpu, integerBits = 64, toBits = 64, lanes = 1) => {
  const to = formatOf(toBits);
  const environment = environmentOf(readMxcsr(cpu), to);
  eachLane(cpu, lanes, toBits, (lane): Result => {
    const integer = BigInt.asIntN(integerBits, readLane(cpu, SECOND, integerBits, lane));
    return fromInteger(to, integer, environment);
  });
};

/** To signed integers; what does not fit becomes the most negative one, the "integer indefinite". */
const convertToInteger: Helper = (
  cpu,
  fromBits = 64,
  integerBits = 32,
  lanes = 1,
  truncate = 0,
) => {
  const from = formatOf(fromBits);
  const environment = environmentOf(readMxcsr(cpu), from);
  const mode = truncate === 0 ? environment.mode : 3;
  eachLane(cpu, lanes, integerBits, (lane) => {
    const value = operand(from, readLane(cpu, SECOND, fromBits, lane), environment);
    const integer = toInteger(value, integerBits, mode);
    return {
      bits: integer.value ?? 1n << BigInt(integerBits - 1),
      flags: isNan(value) ? INVALID : integer.flags,
    };
  });
};

/** By the names under which semantics call them. Parameters: bits of an element, number of elements, and what follows. */
export const sseHelpers: Readonly<Record<string, Helper>> = {
  "sse.add": arithmetic(add),
  "sse.subtract": arithmetic(subtract),
  "sse.multiply": arithmetic(multiply),
  "sse.divide": arithmetic(divide),
  "sse.addSubtract": addSubtract,
  "sse.dotProduct": dotProduct,
  "sse.roundToIntegral": roundToIntegral,
  "sse.squareRoot": root,
  "sse.minimum": extreme("less"),
  "sse.maximum": extreme("greater"),
  "sse.compare": compareLanes,
  "sse.compareOrdered": compareOrdered,
  "sse.convertFormat": convertFormat,
  "sse.convertFromInteger": convertFromInteger,
  "sse.convertToInteger": convertToInteger,
};
