import { describe, expect, test } from "vitest";
import { add, divide, firstNan, multiply, squareRoot, subtract } from "./arithmetic.ts";
import { DOUBLE, SINGLE, unpack, type Format } from "./format.ts";
import {
  DENORMAL,
  INVALID,
  OVERFLOW,
  PRECISION,
  UNDERFLOW,
  type Environment,
  type RoundingMode,
} from "./round.ts";

const SEED = 4_711n;
const SPECIAL = [0, -0, 1, -1, 3, 0.1, Infinity, -Infinity, 5e-324, 2.3e-308, 1.7e308, 2 ** -149];

function environment(format: Format, mode: RoundingMode = 0): Environment {
  const { precision } = format;
  return { mode, precision, masked: 0x3f, flushToZero: false, denormalsAreZero: false };
}

/** Doubles of all magnitudes, from a fixed sequence. */
function numbers(count: number): readonly number[] {
  const view = new DataView(new ArrayBuffer(8));
  let state = SEED;
  return Array.from({ length: count }, () => {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    const mixed = BigInt.asUintN(64, (state ^ (state >> 31n)) * 0x9e37_79b9_7f4a_7c15n);
    view.setBigUint64(0, mixed);
    return view.getFloat64(0);
  }).filter((value) => !Number.isNaN(value));
}

function bitsOf(format: Format, value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (format === SINGLE) {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

const PAIRS = [...SPECIAL, ...numbers(40)].flatMap((lhs) =>
  [...SPECIAL, ...numbers(40).map((rhs) => rhs * 2 ** 3)].map((rhs) => [lhs, rhs] as const),
);
const NEARBY = numbers(300).map((value, at, all) => {
  const other = all[(at * 7 + 1) % all.length] ?? 1;
  return [value, (other / 2 ** Math.floor(Math.log2(Math.abs(other)))) * value] as const;
});

// JavaScript's own arithmetic rounds to nearest, like the processor by default.
describe("Exact arithmetic rounds to nearest as the host does:", () => {
  test.each([
    ["add", add, (a: number, b: number) => a + b],
    ["subtract", subtract, (a: number, b: number) => a - b],
    ["multiply", multiply, (a: number, b: number) => a * b],
    ["divide", divide, (a: number, b: number) => a / b],
  ])("%s, double and single", (_, operation, host) => {
    for (const format of [DOUBLE, SINGLE]) {
      for (const pair of [...PAIRS, ...NEARBY]) {
        const [lhs, rhs] = format === SINGLE ? pair.map(Math.fround) : pair;
        if (lhs === undefined || rhs === undefined) continue;
        const [left, right] = [lhs, rhs].map((value) => unpack(format, bitsOf(format, value)));
        if (left === undefined || right === undefined) continue;
        const result = operation(format, left, right, environment(format), firstNan);
        const expected = host(lhs, rhs);
        // The host's own NaN may have either sign.
        const indefinite = Number.isNaN(expected) && (result.flags & INVALID) !== 0;
        const bits = indefinite ? result.bits : bitsOf(format, expected);
        expect(result.bits, `${lhs} and ${rhs}`).toBe(bits);
      }
    }
  });

  test("square root, double and single", () => {
    for (const format of [DOUBLE, SINGLE]) {
      for (const each of [...SPECIAL, ...numbers(500)].map(Math.abs)) {
        const value = format === SINGLE ? Math.fround(each) : each;
        const operand = unpack(format, bitsOf(format, value));
        const { bits } = squareRoot(format, operand, environment(format));
        expect(bits, `${value}`).toBe(bitsOf(format, Math.sqrt(value)));
      }
    }
  });
});

// Intel SDM Vol. 1 §4.8.4, "Rounding".
describe("Directed rounding", () => {
  const third = (mode: RoundingMode): { bits: bigint; roundedUp: boolean; flags: number } =>
    divide(
      DOUBLE,
      unpack(DOUBLE, bitsOf(DOUBLE, 1)),
      unpack(DOUBLE, bitsOf(DOUBLE, 3)),
      environment(DOUBLE, mode),
      firstNan,
    );

  test("goes down, up and toward zero", () => {
    const down = bitsOf(DOUBLE, 1 / 3);
    expect([third(0), third(1), third(2), third(3)].map(({ bits }) => bits)).toEqual([
      down,
      down,
      down + 1n,
      down,
    ]);
    expect(third(2)).toMatchObject({ roundedUp: true, flags: PRECISION });
  });

  test("overflows to infinity only away from zero", () => {
    const largest = unpack(DOUBLE, bitsOf(DOUBLE, Number.MAX_VALUE));
    const overflow = (mode: RoundingMode): unknown =>
      add(DOUBLE, largest, largest, environment(DOUBLE, mode), firstNan);
    const infinite = { bits: bitsOf(DOUBLE, Infinity), flags: OVERFLOW | PRECISION };
    const finite = { bits: bitsOf(DOUBLE, Number.MAX_VALUE), flags: OVERFLOW | PRECISION };
    expect(overflow(0)).toMatchObject(infinite);
    expect(overflow(1)).toMatchObject(finite);
    expect(overflow(2)).toMatchObject(infinite);
    expect(overflow(3)).toMatchObject(finite);
  });

  test("detects tininess after rounding", () => {
    const below = unpack(DOUBLE, 0x000f_ffff_ffff_ffffn);
    const times = (factor: bigint): unknown =>
      multiply(DOUBLE, below, unpack(DOUBLE, factor), environment(DOUBLE), firstNan);
    // With all the exponents one could wish for, this would round up to the smallest normal number: not tiny.
    expect(times(0x3ff0_0000_0000_0001n)).toMatchObject({
      bits: 0x0010_0000_0000_0000n,
      flags: PRECISION | DENORMAL,
    });
    expect(times(0x3fe0_0000_0000_0000n)).toMatchObject({
      bits: 0x0008_0000_0000_0000n,
      flags: UNDERFLOW | PRECISION | DENORMAL,
    });
  });
});
