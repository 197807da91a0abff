import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, halted, KernelBench } from "../testing/kernel-bench.ts";
import { slots } from "../state/layout.ts";

const C2 = 0x400n;

/** Runs instructions on operands that are loaded in order, and gives 80 bits of ST(0) and the status word. */
function compute(
  operands: readonly number[],
  instructions: string,
): { readonly top: bigint; readonly status: bigint } {
  const bench = new KernelBench();
  const bytes = new Uint8Array(Float64Array.from(operands).buffer);
  bench.memory.physical.write(ADDRESS.data, bytes);
  const loads = operands.map((_, at) => `fld qword ptr [${ADDRESS.data + 8 * at}]\n`).join("");
  const result = ADDRESS.data + 0x100;
  halted(bench.run(`fninit\n${loads}${instructions}\nfnstsw ax\nfstp tbyte ptr [${result}]\nhlt`));
  const { physical } = bench.memory;
  const status = bench.state.rax & 0xffffn;
  expect(bench.state.get(slots.fcw)).toBe(0x37fn);
  return { top: (BigInt(physical.readU16(result + 8)) << 64n) | physical.readU64(result), status };
}

// Expected values were computed with 300 bits; the manual allows an error of one unit in the last place.
// Intel SDM Vol. 1 §8.3.10, "Transcendental Instruction Accuracy".
describe("Transcendental functions of the x87", () => {
  coversEncodings("f2xm1", "fyl2x", "fyl2xp1", "fptan", "fpatan", "fsin", "fcos", "fsincos");

  test.each([
    ["f2xm1", [0.3], 0x3ffc_ecb1_1eff_e0ca_35b4n],
    ["f2xm1", [-1e-10], 0xbfdd_986c_b7a0_f3af_ef10n],
    ["fyl2x", [3, 10], 0x4002_9f73_da38_d9d4_a83fn],
    ["fyl2xp1", [7, 1e-5], 0x3ff1_d3c9_995d_0fad_acfbn],
    ["fsin", [2.5], 0x3ffe_9935_786e_7e55_8405n],
    ["fsin", [1e6], 0xbffd_b332_592b_46c2_8c7fn],
    ["fcos", [2.5], 0xbffe_cd17_bf7c_2c5b_e958n],
    ["fsincos", [2.5], 0xbffe_cd17_bf7c_2c5b_e958n],
    ["fptan\nfstp st(0)", [0.75], 0x3ffe_ee7d_1b08_8777_5f06n],
    ["fpatan", [-3, -2], 0xc000_8a29_c2fd_1d7b_8bf5n],
  ] as const)("%s of %j is right to the last bit but one", (instructions, operands, expected) => {
    const { top } = compute(operands, instructions);
    const distance = top > expected ? top - expected : expected - top;
    expect(distance).toBeLessThanOrEqual(1n);
  });

  test.each([
    ["f2xm1", [-1], 0xbffe_8000_0000_0000_0000n],
    ["f2xm1", [1], 0x3fff_8000_0000_0000_0000n],
    ["fyl2x", [3, 8], 0x4002_9000_0000_0000_0000n],
    ["fyl2x", [5, 1], 0n],
    ["fsin", [-0], 0x8000_0000_0000_0000_0000n],
    ["fcos", [0], 0x3fff_8000_0000_0000_0000n],
    ["fptan", [0], 0x3fff_8000_0000_0000_0000n],
    ["fpatan", [0, 1], 0n],
    ["fyl2x", [2, 0], 0xffff_8000_0000_0000_0000n],
    ["fyl2x", [2, -1], 0xffff_c000_0000_0000_0000n],
  ] as const)("%s of %j is exact", (instructions, operands, expected) => {
    expect(compute(operands, instructions).top).toBe(expected);
  });

  test.each(["fsin", "fcos", "fptan", "fsincos"])(
    "%s leaves an angle of 2^63 and sets C2",
    (name) => {
      const { top, status } = compute([2 ** 63], name);
      expect(top).toBe(0x403e_8000_0000_0000_0000n);
      expect(status & C2).toBe(C2);
    },
  );
});
