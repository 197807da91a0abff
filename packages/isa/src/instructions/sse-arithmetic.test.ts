import { describe, expect, test } from "vitest";
import { assemble } from "../assembler/assemble.ts";
import { ADDRESS, halted, KernelBench } from "../testing/kernel-bench.ts";
import { slots } from "../state/layout.ts";

const SEED = 99n;
/** The precision flag is set: WebAssembly's arithmetic may be used. Clear: the exact way is taken. */
const FAST = 0x1fa0n;
const EXACT = 0x1f80n;
const PRECISION = 0x20n;

const OPERATIONS = ["add", "sub", "mul", "div", "min", "max", "sqrt"] as const;
const CONVERSIONS = [
  ...["cvtsd2ss", "cvtss2sd", "cvtps2pd", "cvtpd2ps", "cvtdq2ps", "cvtdq2pd"],
  ...["cvtps2dq", "cvttps2dq", "cvtpd2dq", "cvttpd2dq"],
];
const INSTRUCTIONS = [
  ...OPERATIONS.flatMap((name) => ["ss", "sd", "ps", "pd"].map((shape) => name + shape)),
  ...CONVERSIONS,
];

/** 128-bit patterns: small integers, fractions, and all sorts of bits. */
function* patterns(): Generator<Uint8Array> {
  let state = SEED;
  for (;;) {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (const at of [0, 8]) {
      state = BigInt.asUintN(64, state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
      const mixed = BigInt.asUintN(64, (state ^ (state >> 29n)) * 0x9e37_79b9_7f4a_7c15n);
      const small = Number(mixed >> 48n) - 0x8000;
      if ((mixed & 3n) === 0n) view.setFloat64(at, small, true);
      else if ((mixed & 3n) === 1n) view.setFloat32(at, small / 7, true);
      else if ((mixed & 3n) === 2n) view.setFloat64(at, small / 3, true);
      else view.setBigUint64(at, mixed, true);
    }
    yield bytes;
  }
}

describe("WebAssembly's arithmetic and the exact one agree on", () => {
  const bench = new KernelBench();

  function run(text: string, operands: readonly Uint8Array[], mxcsr: bigint): readonly unknown[] {
    bench.memory.physical.write(
      ADDRESS.code,
      assemble(text, { mode: 64, address: BigInt(ADDRESS.code) }).bytes,
    );
    bench.enter();
    for (const [number, bytes] of operands.entries()) bench.state.setXmm(number, bytes);
    bench.state.set(slots.mxcsr, mxcsr);
    halted(bench.go());
    return [[...bench.state.xmm(0)], bench.state.get(slots.mxcsr) | PRECISION];
  }

  test.each(INSTRUCTIONS)("%s", (instruction) => {
    const source = patterns();
    for (let round = 0; round < 40; round++) {
      const operands = [source.next().value, source.next().value].filter(
        (bytes) => bytes !== undefined,
      );
      const text = `${instruction} xmm0, xmm1\nhlt`;
      const [fast, exact] = [FAST, EXACT].map((mxcsr) => run(text, operands, mxcsr));
      expect({ operands, seed: SEED, result: fast }).toEqual({
        operands,
        seed: SEED,
        result: exact,
      });
    }
  });
});
