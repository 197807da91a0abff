/**
 * DIV and IDIV: integer division of a double-width dividend.
 *
 * Intel SDM Vol. 2A, "DIV—Unsigned Divide" and "IDIV—Signed Divide". A quotient that does not fit is #DE like a zero
 * divisor. Compilers clear or sign-extend the upper half of the dividend first, so that case is the fast one.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Routine, SemanticsBuilder, Value } from "../semantics.ts";

const RAX = 0;
const RDX = 2;

const FLAGS = {
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  undefined: ["OF", "SF", "ZF", "AF", "PF", "CF"],
} as const;

const LOW_HALF = 0xffff_ffffn;
const MOST_NEGATIVE = 0x8000_0000_0000_0000n;

/**
 * One 32-bit digit of a long division: `upper * 2^32 + next` divided by the normalized divisor.
 * The estimate from the divisor's upper half is at most two too large.
 */
function quotientDigit(
  m: SemanticsBuilder,
  upper: Value,
  next: Value,
  divisorHigh: Value,
  divisorLow: Value,
): Value {
  const base = m.constant(0x1_0000_0000n);
  const shift = m.constant(32);
  let digit = m.divideUnsigned(upper, divisorHigh);
  let rest = m.subtract(upper, m.multiply(digit, divisorHigh));
  for (let correction = 0; correction < 2; correction++) {
    const tooLarge = m.either(
      m.isFalse(m.lessThanUnsigned(digit, base)),
      m.lessThanUnsigned(m.or(m.shiftLeft(rest, shift), next), m.multiply(digit, divisorLow)),
    );
    const correct = m.fromCondition(m.both(m.lessThanUnsigned(rest, base), tooLarge));
    digit = m.subtract(digit, correct);
    rest = m.add(rest, m.multiply(correct, divisorHigh));
  }
  return digit;
}

/**
 * Quotient of the 128-bit number `high:low` by `divisor`, which is greater than `high`.
 * Knuth, The Art of Computer Programming, Vol. 2, algorithm D, with digits of 32 bits.
 */
export const divide128: Routine = {
  name: "divide128",
  parameters: ["i64", "i64", "i64"],
  result: "i64",
  raises: false,
  body(m, high, low, divisor): Value {
    if (high === undefined || low === undefined || divisor === undefined) {
      throw new TypeError("divide128 takes three parameters.");
    }
    const mask = m.constant(LOW_HALF);
    const shift = m.constant(32);
    const normalize = m.countLeadingZeros(divisor);
    const normalized = m.shiftLeft(divisor, normalize);
    const divisorHigh = m.shiftRightUnsigned(normalized, shift);
    const divisorLow = m.and(normalized, mask);
    // Two shifts, because a shift by 64 would be one by 0.
    const spill = m.shiftRightUnsigned(
      m.shiftRightUnsigned(low, m.constant(1n)),
      m.subtract(m.constant(63), normalize),
    );
    const upper = m.or(m.shiftLeft(high, normalize), spill);
    const lower = m.shiftLeft(low, normalize);

    const nextHigh = m.shiftRightUnsigned(lower, shift);
    const first = quotientDigit(m, upper, nextHigh, divisorHigh, divisorLow);
    const rest = m.subtract(
      m.or(m.shiftLeft(upper, shift), nextHigh),
      m.multiply(first, normalized),
    );
    const second = quotientDigit(m, rest, m.and(lower, mask), divisorHigh, divisorLow);
    return m.add(m.shiftLeft(first, shift), second);
  },
};

/** The dividend of a division of 8 to 32 bits, as one integer. */
function dividend(m: SemanticsBuilder): Value {
  if (m.width === 8) return m.register(RAX, 16);
  const high = m.shiftLeft(m.register(RDX), m.constant(m.width), 64);
  return m.or(high, m.register(RAX));
}

function setQuotient(m: SemanticsBuilder, quotient: Value, remainder: Value): void {
  if (m.width === 8) {
    const high = m.shiftLeft(m.truncate(remainder, 8), m.constant(8), 16);
    m.setRegister(RAX, m.or(m.truncate(quotient, 8), high), 16);
    return;
  }
  m.setRegister(RAX, m.truncate(quotient, m.width));
  m.setRegister(RDX, m.truncate(remainder, m.width));
}

function divideWideUnsigned(m: SemanticsBuilder, divisor: Value): void {
  const high = m.register(RDX);
  const low = m.register(RAX);
  // Also true of a zero divisor.
  m.raiseWhen(m.isFalse(m.lessThanUnsigned(high, divisor)), "DE");
  const quotient = m.variable(m.constant(0n));
  m.when(
    m.isZero(high),
    () => m.set(quotient, m.divideUnsigned(low, divisor)),
    () => m.set(quotient, m.call(divide128, high, low, divisor)),
  );
  const result = m.get(quotient);
  setQuotient(m, result, m.subtract(low, m.multiply(result, divisor)));
}

function divideWideSigned(m: SemanticsBuilder, divisor: Value): void {
  const zero = m.constant(0n);
  const high = m.register(RDX);
  const low = m.register(RAX);
  m.raiseWhen(m.isZero(divisor), "DE");
  const quotient = m.variable(zero);
  const short = m.both(
    m.equal(high, m.shiftRightSigned(low, m.constant(63))),
    // The quotient of the most negative number by -1 overflows: the long way finds it.
    m.notEqual(low, m.constant(MOST_NEGATIVE)),
  );
  m.when(
    short,
    () => m.set(quotient, m.divideSigned(low, divisor)),
    () => {
      const negative = m.lessThanSigned(high, zero);
      const divisorNegative = m.lessThanSigned(divisor, zero);
      const lowMagnitude = m.select(negative, m.negate(low), low);
      const borrow = m.fromCondition(m.notEqual(low, zero));
      const highNegated = m.subtract(m.negate(high), borrow);
      const highMagnitude = m.select(negative, highNegated, high);
      const magnitude = m.select(divisorNegative, m.negate(divisor), divisor);
      m.raiseWhen(m.isFalse(m.lessThanUnsigned(highMagnitude, magnitude)), "DE");
      const unsigned = m.call(divide128, highMagnitude, lowMagnitude, magnitude);
      const differ = m.notEqual(negative, divisorNegative);
      // The largest magnitude is 2^63 - 1, or 2^63 for a negative quotient.
      const largest = m.add(m.constant(MOST_NEGATIVE - 1n), m.fromCondition(differ));
      m.raiseWhen(m.lessThanUnsigned(largest, unsigned), "DE");
      m.set(quotient, m.select(differ, m.negate(unsigned), unsigned));
    },
  );
  const result = m.get(quotient);
  setQuotient(m, result, m.subtract(low, m.multiply(result, divisor)));
}

export const div: Instruction = {
  mnemonic: "div",
  reference: "Intel SDM Vol. 2A, DIV—Unsigned Divide",
  flags: FLAGS,

  encodings: opcodes`
    Opcode      | Instruction | Access
    F6 /6       | DIV r/m8    | r
    o16 F7 /6   | DIV r/m16   | r
    o32 F7 /6   | DIV r/m32   | r
    REX.W F7 /6 | DIV r/m64   | r
  `,

  semantics(m, src) {
    const divisor = m.read(src);
    if (m.width === 64) {
      divideWideUnsigned(m, divisor);
      return;
    }
    m.raiseWhen(m.isZero(divisor), "DE");
    const whole = dividend(m);
    const quotient = m.divideUnsigned(whole, divisor);
    m.raiseWhen(m.notEqual(quotient, m.truncate(quotient, m.width)), "DE");
    setQuotient(m, quotient, m.subtract(whole, m.multiply(quotient, divisor, 64), 64));
  },
};

export const idiv: Instruction = {
  mnemonic: "idiv",
  reference: "Intel SDM Vol. 2A, IDIV—Signed Divide",
  flags: FLAGS,

  encodings: opcodes`
    Opcode      | Instruction | Access
    F6 /7       | IDIV r/m8   | r
    o16 F7 /7   | IDIV r/m16  | r
    o32 F7 /7   | IDIV r/m32  | r
    REX.W F7 /7 | IDIV r/m64  | r
  `,

  semantics(m, src) {
    if (m.width === 64) {
      divideWideSigned(m, m.read(src));
      return;
    }
    const divisor = m.signExtend(m.read(src), m.width);
    m.raiseWhen(m.isZero(divisor), "DE");
    const bits = m.width === 8 ? 16 : m.width === 16 ? 32 : 64;
    const whole = m.signExtend(dividend(m), bits);
    // The one quotient that WebAssembly cannot give; it does not fit either.
    m.raiseWhen(
      m.both(m.equal(divisor, m.constant(-1n)), m.equal(whole, m.constant(MOST_NEGATIVE))),
      "DE",
    );
    const quotient = m.divideSigned(whole, divisor);
    m.raiseWhen(m.notEqual(quotient, m.signExtend(quotient, m.width)), "DE");
    setQuotient(m, quotient, m.subtract(whole, m.multiply(quotient, divisor, 64), 64));
  },
};
