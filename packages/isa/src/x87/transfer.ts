/**
 * The x87's loads, stores, exchanges and control.
 *
 * Semantics load memory into the state block's scratch fields before they call, and store from there after. A helper for
 * a store returns whether there is something to store.
 *
 * Intel SDM Vol. 1 §8.3.3, "Data Transfer Instructions" and §8.3.11, "x87 FPU Control Instructions".
 */
import type { Helper, HelperContext } from "../helpers.ts";
import { convert, toInteger } from "../floating-point/compare.ts";
import { bitLength, DOUBLE, EXTENDED, pack, SINGLE, unpack } from "../floating-point/format.ts";
import { INVALID, PRECISION, round } from "../floating-point/round.ts";
import { slots } from "../state/layout.ts";
import { fromExactInteger, scratch, setScratch } from "./arithmetic.ts";
import { abridgeTags, expandTags } from "./tags.ts";
import { C1, INDEFINITE, RegisterStack } from "./register-stack.ts";

/** Bits of an exact integer. */
function packInteger(value: bigint): bigint {
  const { negative, significand } = fromExactInteger(value);
  if (significand === 0n) return 0n;
  const length = bitLength(significand);
  const field = length - 1 + EXTENDED.bias;
  return pack(EXTENDED, negative, field, significand << BigInt(64 - length));
}

/** FLD of single and double precision. */
const loadFloat: Helper = (cpu, bits = 64) => {
  const stack = new RegisterStack(cpu);
  const format = bits === 32 ? SINGLE : DOUBLE;
  const value = unpack(format, BigInt.asUintN(bits, scratch(cpu)));
  const { bits: loaded, flags } = convert(EXTENDED, value, stack.environment());
  stack.push(loaded, flags);
};

function readHigh(cpu: HelperContext): bigint {
  return (cpu.u64[(cpu.base + slots.scratch1.offset) >>> 3] ?? 0n) & 0xffffn;
}

function writeHigh(cpu: HelperContext, value: bigint): void {
  cpu.u64[(cpu.base + slots.scratch1.offset) >>> 3] = value;
}

/** FLD of 80 bits: bits are bits. */
const loadExtended: Helper = (cpu) => {
  new RegisterStack(cpu).push(scratch(cpu) | (readHigh(cpu) << 64n));
};

/** FLD ST(i). */
const loadRegister: Helper = (cpu, index = 0) => {
  const stack = new RegisterStack(cpu);
  if (!stack.isEmpty(index)) {
    stack.push(stack.get(index));
    return;
  }
  if (!stack.underflow()) return;
  stack.rotate(-1);
  stack.set(0, INDEFINITE);
};

/** FILD. */
const loadInteger: Helper = (cpu, bits = 64) => {
  new RegisterStack(cpu).push(packInteger(BigInt.asIntN(bits, scratch(cpu))));
};

/** Constants with 72 significant bits, as rounding needs some below the 64th: significand and its exponent. */
const CONSTANTS: readonly (readonly [significand: bigint, exponent: number])[] = [
  [1n, 0],
  [0xd4_9a78_4bcd_1b8a_fe49n, -70], // log2(10)
  [0xb8_aa3b_295c_17f0_bbben, -71], // log2(e)
  [0xc9_0fda_a221_68c2_34c4n, -70], // pi
  [0x9a_209a_84fb_cff7_988fn, -73], // log10(2)
  [0xb1_7217_f7d1_cf79_abc9n, -72], // ln(2)
];

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ by the last three bits of their opcodes. */
const loadConstant: Helper = (cpu, number = 0) => {
  const stack = new RegisterStack(cpu);
  const constant = CONSTANTS[number];
  if (constant === undefined) {
    stack.push(0n);
    return;
  }
  const [significand, exponent] = constant;
  const { bits } = round(EXTENDED, false, significand, exponent, false, stack.environment());
  stack.push(bits);
};

/** FST and FSTP to memory; the result, single or double, is left in the scratch field. */
const storeFloat: Helper = (cpu, bits = 64, pops = 0) => {
  const stack = new RegisterStack(cpu);
  const format = bits === 32 ? SINGLE : DOUBLE;
  stack.setConditions(0, C1);
  let stored: boolean;
  if (stack.isEmpty(0)) {
    stored = stack.underflow();
    setScratch(cpu, bits === 32 ? 0xffc0_0000n : 0xfff8_0000_0000_0000n);
  } else {
    const environment = { ...stack.environment(), precision: format.precision };
    const value = unpack(EXTENDED, stack.get(0));
    const result = convert(format, value, environment);
    // A denormal operand is no exception to a store.
    stored = stack.raiseForStore(value.denormal ? result.flags & ~2 : result.flags);
    if (stored && result.roundedUp) stack.setConditions(C1, C1);
    setScratch(cpu, result.bits);
  }
  if (stored && pops !== 0) stack.pop();
  return stored ? 1 : 0;
};

/** FSTP of 80 bits. */
const storeExtended: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  const empty = stack.isEmpty(0);
  if (empty && !stack.underflow()) return 0;
  const value = empty ? INDEFINITE : stack.get(0);
  setScratch(cpu, value);
  writeHigh(cpu, value >> 64n);
  stack.pop();
  return 1;
};

/** FST and FSTP to a register. */
const storeRegister: Helper = (cpu, index = 0, pops = 0) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  const empty = stack.isEmpty(0);
  if (empty && !stack.underflow()) return;
  stack.set(index, empty ? INDEFINITE : stack.get(0));
  if (pops !== 0) stack.pop();
};

/** FIST, FISTP and FISTTP. */
const storeInteger: Helper = (cpu, bits = 64, pops = 0, truncates = 0) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  let stored: boolean;
  let value: bigint | undefined;
  if (stack.isEmpty(0)) {
    stored = stack.underflow();
  } else {
    const mode = truncates === 0 ? stack.environment().mode : 3;
    const result = toInteger(unpack(EXTENDED, stack.get(0)), bits, mode);
    ({ value } = result);
    stored = stack.raiseForStore(result.flags);
    if (stored && result.roundedUp) stack.setConditions(C1, C1);
  }
  setScratch(cpu, value ?? 1n << BigInt(bits - 1));
  if (stored && pops !== 0) stack.pop();
  return stored ? 1 : 0;
};

const DIGITS = 18;
/** What FBSTP stores for a number that does not fit. */
const BCD_INDEFINITE_LOW = 0xc000_0000_0000_0000n;

/** FBLD: 18 decimal digits, two a byte, and a sign in the last byte. */
const loadDecimal: Helper = (cpu) => {
  const low = scratch(cpu);
  const high = readHigh(cpu);
  const digits = low | ((high & 0xffn) << 64n);
  let value = 0n;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    value = value * 10n + ((digits >> BigInt(4 * digit)) & 15n);
  }
  const negative = (high & 0x8000n) !== 0n;
  const bits = packInteger(value);
  new RegisterStack(cpu).push(negative ? bits | (1n << 79n) : bits);
};

/** FBSTP. */
const storeDecimal: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  let stored: boolean;
  let low = BCD_INDEFINITE_LOW;
  let high = 0xffffn;
  if (stack.isEmpty(0)) {
    stored = stack.underflow();
  } else {
    const bits = stack.get(0);
    const result = toInteger(unpack(EXTENDED, bits), 64, stack.environment().mode);
    const magnitude =
      result.value === undefined || result.value >= 0n ? result.value : -result.value;
    const fits = magnitude !== undefined && magnitude < 10n ** BigInt(DIGITS);
    stored = stack.raiseForStore(fits ? result.flags : INVALID);
    if (fits) {
      if (stored && result.roundedUp && (result.flags & PRECISION) !== 0) {
        stack.setConditions(C1, C1);
      }
      let rest = magnitude;
      let digits = 0n;
      for (let digit = 0; digit < DIGITS; digit++) {
        digits |= (rest % 10n) << BigInt(4 * digit);
        rest /= 10n;
      }
      low = BigInt.asUintN(64, digits);
      high = (digits >> 64n) | (bits >> 79n === 1n ? 0x8000n : 0n);
    }
  }
  setScratch(cpu, low);
  writeHigh(cpu, high);
  if (stored) stack.pop();
  return stored ? 1 : 0;
};

/** FXCH. */
const exchange: Helper = (cpu, index = 0) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  const missing = stack.isEmpty(0) || stack.isEmpty(index);
  if (missing && !stack.underflow()) return;
  const first = stack.isEmpty(0) ? INDEFINITE : stack.get(0);
  const second = stack.isEmpty(index) ? INDEFINITE : stack.get(index);
  stack.set(0, second);
  stack.set(index, first);
};

/** FCMOVcc, when its condition holds. */
const conditionalMove: Helper = (cpu, index = 0, condition = 0) => {
  const stack = new RegisterStack(cpu);
  if (stack.isEmpty(0) || stack.isEmpty(index)) {
    if (stack.underflow()) stack.set(0, INDEFINITE);
    return;
  }
  if (condition !== 0) stack.set(0, stack.get(index));
};

/** FFREE and FFREEP. */
const free: Helper = (cpu, index = 0, pops = 0) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  stack.free(index);
  if (pops !== 0) stack.pop();
};

/** FINCSTP and FDECSTP. */
const rotate: Helper = (cpu, distance = 1) => {
  const stack = new RegisterStack(cpu);
  stack.setConditions(0, C1);
  stack.rotate(distance);
};

/** FNCLEX: exceptions, ES, SF and B. */
const clearExceptions: Helper = (cpu) => {
  new RegisterStack(cpu).status &= 0x7f00;
};

/** After the control or status word was loaded: ES says whether an exception is flagged and not masked. */
const summarize: Helper = (cpu) => {
  const stack = new RegisterStack(cpu);
  const pending = (stack.status & ~stack.control & 0x3f) !== 0;
  stack.status = (stack.status & ~0x8080) | (pending ? 0x8080 : 0);
};

/** After FLDENV and FRSTOR: a tag that is not "empty" says what its register holds. */
const refreshTags: Helper = (cpu) => {
  expandTags(cpu, abridgeTags(cpu));
  summarize(cpu);
};

export const transferHelpers: Readonly<Record<string, Helper>> = {
  "x87.loadFloat": loadFloat,
  "x87.loadExtended": loadExtended,
  "x87.loadRegister": loadRegister,
  "x87.loadInteger": loadInteger,
  "x87.loadConstant": loadConstant,
  "x87.loadDecimal": loadDecimal,
  "x87.storeFloat": storeFloat,
  "x87.storeExtended": storeExtended,
  "x87.storeRegister": storeRegister,
  "x87.storeInteger": storeInteger,
  "x87.storeDecimal": storeDecimal,
  "x87.exchange": exchange,
  "x87.conditionalMove": conditionalMove,
  "x87.free": free,
  "x87.rotate": rotate,
  "x87.clearExceptions": clearExceptions,
  "x87.summarize": summarize,
  "x87.refreshTags": refreshTags,
};
