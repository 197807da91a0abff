import { describe, expect, test } from "vitest";
import { halted, KernelBench } from "../testing/kernel-bench.ts";
import { coversEncodings } from "../testing.ts";

/** Largest relative error that the manual allows. */
const RELATIVE_ERROR = 1.5 * 2 ** -12;

const bits = new DataView(new ArrayBuffer(4));

function numberOf(pattern: number): number {
  bits.setUint32(0, pattern);
  return bits.getFloat32(0);
}

function patternOf(value: number): number {
  bits.setFloat32(0, value);
  return bits.getUint32(0);
}

/** Runs `instruction xmm1, xmm0` with the source in both registers' lowest lanes. */
function approximate(instruction: string, source: number): { result: number; upper: bigint } {
  const bench = new KernelBench();
  const text = `
    mov rax, 0x1111111122222222
    movq xmm1, rax
    mov eax, ${source}
    movd xmm0, eax
    pshufd xmm0, xmm0, 0
    ${instruction} xmm1, xmm0
    movd ebx, xmm1
    movq rcx, xmm1
    hlt`;
  halted(bench.run(text));
  return { result: Number(bench.state.rbx), upper: bench.state.rcx >> 32n };
}

const VALUES = [1, -1, 2, 3, 0.1, 1.5, -7.25, 1e-30, 1e30, 3.4e37, 1.2e-38];

// Intel SDM Vol. 2B, "RCPPS—Compute Reciprocals of Packed Single Precision Floating-Point Values".
describe.each(["rcpps", "rcpss"])("%s", (instruction) => {
  coversEncodings("rcpps", "rcpss");

  test.each(VALUES)("approximates the reciprocal of %d to 11 bits and a half", (value) => {
    const exact = 1 / numberOf(patternOf(value));
    const { result } = approximate(instruction, patternOf(value));
    expect(Math.abs(numberOf(result) / exact - 1)).toBeLessThanOrEqual(RELATIVE_ERROR);
  });

  test.each([
    ["zero", 0, 0x7f80_0000],
    ["minus zero", 0x8000_0000, 0xff80_0000],
    ["infinity", 0x7f80_0000, 0],
    ["minus infinity", 0xff80_0000, 0x8000_0000],
    ["a denormal", 1, 0x7f80_0000],
    ["a quiet NaN", 0x7fc1_2345, 0x7fc1_2345],
    ["a signalling NaN", 0x7f81_2345, 0x7fc1_2345],
  ])("of %s is as the manual says", (_, source, expected) => {
    expect(approximate(instruction, source).result).toBe(expected);
  });
});

// Intel SDM Vol. 2B, "RSQRTPS—Compute Reciprocals of Square Roots of Packed Single Precision Floating-Point Values".
describe.each(["rsqrtps", "rsqrtss"])("%s", (instruction) => {
  coversEncodings("rsqrtps", "rsqrtss");

  test.each(VALUES.filter((value) => value > 0))(
    "approximates 1 / sqrt(%d) to 11 bits and a half",
    (value) => {
      const exact = 1 / Math.sqrt(numberOf(patternOf(value)));
      const { result } = approximate(instruction, patternOf(value));
      expect(Math.abs(numberOf(result) / exact - 1)).toBeLessThanOrEqual(RELATIVE_ERROR);
    },
  );

  test.each([
    ["zero", 0, 0x7f80_0000],
    ["minus zero", 0x8000_0000, 0xff80_0000],
    ["infinity", 0x7f80_0000, 0],
    ["a negative number", 0xbf80_0000, 0xffc0_0000],
    ["minus infinity", 0xff80_0000, 0xffc0_0000],
    ["a quiet NaN", 0xffc1_2345, 0xffc1_2345],
  ])("of %s is as the manual says", (_, source, expected) => {
    expect(approximate(instruction, source).result).toBe(expected);
  });
});

test("The scalar forms leave the other lanes of the destination, the packed ones do all four", () => {
  expect(approximate("rcpss", patternOf(2)).upper).toBe(0x1111_1111n);
  expect(approximate("rsqrtss", patternOf(4)).upper).toBe(0x1111_1111n);
  const packed = approximate("rcpps", patternOf(2));
  expect(Number(packed.upper)).toBe(packed.result);
});
