import { describe, expect, test } from "vitest";
import { assemble } from "../assembler/assemble.ts";
import { ADDRESS, KernelBench } from "../testing/kernel-bench.ts";

const EDGES = [
  1n,
  2n,
  3n,
  0xffff_ffffn,
  0x1_0000_0000n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];
const SEED = 20_260_816n;

/** A fixed sequence of 64-bit numbers of all lengths. */
function* numbers(): Generator<bigint> {
  let state = SEED;
  for (;;) {
    state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    const length = state >> 58n;
    yield BigInt.asUintN(64, state * 0x9e37_79b9_7f4a_7c15n) >> length;
  }
}

/** Quotient and remainder as RAX and RDX, or the vector of the exception. */
function divide(bench: KernelBench, mnemonic: "div" | "idiv", inputs: readonly bigint[]): unknown {
  const [high = 0n, low = 0n, divisor = 0n] = inputs;
  bench.memory.physical.write(
    ADDRESS.code,
    assemble(`${mnemonic} rcx\nhlt`, { mode: 64, address: BigInt(ADDRESS.code) }).bytes,
  );
  bench.enter();
  bench.state.rdx = high;
  bench.state.rax = low;
  bench.state.rcx = divisor;
  const outcome = bench.go();
  return outcome.kind === "event" ? outcome.vector : [bench.state.rax, bench.state.rdx];
}

// Intel SDM Vol. 2A, "DIV—Unsigned Divide" and "IDIV—Signed Divide".
describe("Division of 128 bits by 64", () => {
  const source = numbers();
  const next = (): bigint => source.next().value ?? 0n;
  const divisors = [0n, ...EDGES, ...Array.from({ length: 60 }, next)];
  const cases = divisors.flatMap((divisor) => [
    [divisor === 0n ? 0n : next() % divisor, next(), divisor],
    [divisor, 0n, divisor],
    [divisor === 0n ? 0n : divisor - 1n, (1n << 64n) - 1n, divisor],
  ]);

  test("gives the exact unsigned quotient, or #DE", () => {
    const bench = new KernelBench();
    for (const inputs of cases) {
      const [high = 0n, low = 0n, divisor = 0n] = inputs;
      const dividend = (high << 64n) | low;
      const quotient = divisor === 0n ? 1n << 64n : dividend / divisor;
      const expected = quotient >> 64n === 0n ? [quotient, dividend % divisor] : 0;
      expect(divide(bench, "div", inputs), `${inputs.join(" ")}, seed ${SEED}`).toEqual(expected);
    }
  });

  test("gives the exact signed quotient, or #DE", () => {
    const bench = new KernelBench();
    const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
    const negated = cases.flatMap(([high = 0n, low = 0n, divisor = 0n]) => {
      const minus = BigInt.asUintN(128, -((high << 64n) | low));
      return [
        [high >> 1n, low, divisor],
        [minus >> 64n, unsigned(minus), divisor],
        [minus >> 64n, unsigned(minus), unsigned(-divisor)],
      ];
    });
    for (const inputs of negated) {
      const [high = 0n, low = 0n, divisorBits = 0n] = inputs;
      const dividend = BigInt.asIntN(128, (high << 64n) | low);
      const divisor = BigInt.asIntN(64, divisorBits);
      const quotient = divisor === 0n ? 1n << 64n : dividend / divisor;
      const fits = BigInt.asIntN(64, quotient) === quotient;
      const expected = fits ? [unsigned(quotient), unsigned(dividend % divisor)] : 0;
      expect(divide(bench, "idiv", inputs), `${inputs.join(" ")}, seed ${SEED}`).toEqual(expected);
    }
  });
});
