/**
 * SSE4.1 on packed integers: minima, products, widening, sums of differences, and PTEST.
 *
 * Intel SDM Vol. 1 §12.10, "SSE4.1 Instruction Set".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import { combined, lanes, type Meaning } from "./sse-integer.ts";
import { lowVector, readVector, requireSse } from "./sse-operand.ts";

type ImmediateMeaning = (m: SemanticsBuilder, dst: Operand, src: Operand, by: Operand) => void;

/** The 64-bit products of the even doublewords, signed. */
const multiplyEvenSigned: Meaning = combined((m, lhs, rhs) => {
  const even = (value: Value): Value =>
    m.wasm("i64x2.shr_s", [
      m.wasm("i64x2.shl", [value, m.toI32(m.constant(32))]),
      m.toI32(m.constant(32)),
    ]);
  return m.wasm("i64x2.mul", [even(lhs), even(rhs)]);
});

/** Extends the lowest elements of the source, whose size gives how many bytes of memory are read. */
function widen(bytes: 2 | 4 | 8, ...operations: readonly string[]): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const low =
      src.kind === "memory"
        ? bytes === 2
          ? lowVector(m, m.read(src))
          : m.readAs(src, "v128", bytes)
        : m.readAs(src, "v128", 16);
    const value = operations.reduce((all, operation) => m.wasm(operation, [all]), low);
    m.writeAs(dst, value, 16);
  };
}

function widening(from: 8 | 16 | 32, to: 16 | 32 | 64, sign: "s" | "u"): Meaning {
  const steps: string[] = [];
  for (let bits = from; bits < to; bits *= 2) {
    const narrow = `i${bits}x${128 / bits}`;
    steps.push(`i${bits * 2}x${64 / bits}.extend_low_${narrow}_${sign}`);
  }
  const bytes = (128 / to) * (from / 8);
  return widen(bytes === 2 ? 2 : bytes === 4 ? 4 : 8, ...steps);
}

/** ZF: the source has no bit of the destination. CF: it has no other bits. */
const test: Meaning = (m, dst, src) => {
  requireSse(m);
  const rhs = readVector(m, src);
  const lhs = m.readAs(dst, "v128", 16);
  const none = (operation: string, operands: readonly Value[]): Value =>
    m.isFalse(m.wasm("v128.any_true", [m.wasm(operation, operands)]));
  const clear = m.constant(0);
  m.setFlags({
    ZF: none("v128.and", [rhs, lhs]),
    CF: none("v128.andnot", [rhs, lhs]),
    OF: clear,
    SF: clear,
    AF: clear,
    PF: clear,
  });
};

/** The least word, and its number above it. */
const leastWord: Meaning = (m, dst, src) => {
  requireSse(m);
  const words = readVector(m, src);
  // The number of a word below it decides between equal words.
  const keys = Array.from({ length: 8 }, (_, lane) => {
    const word = m.fromI32Unsigned(m.wasm("i16x8.extract_lane_u", [words], [lane]));
    return m.or(m.shiftLeft(word, m.constant(3), 64), m.constant(lane));
  });
  const least = keys.reduce((best, key) => m.select(m.lessThanUnsigned(key, best), key, best));
  const number = m.shiftLeft(m.and(least, m.constant(7)), m.constant(16), 64);
  m.writeAs(dst, lowVector(m, m.or(number, m.shiftRightUnsigned(least, m.constant(3)))), 16);
};

/** Eight sums of four absolute differences, between four bytes of the source and each four neighbours of the destination. */
const sumsOfDifferences: ImmediateMeaning = (m, dst, src, by) => {
  requireSse(m);
  const rhs = readVector(m, src);
  const lhs = m.readAs(dst, "v128", 16);
  const choice = m.read(by);
  const start = (shift: number, mask: number): Value =>
    m.shiftLeft(
      m.and(m.shiftRightUnsigned(choice, m.constant(shift)), m.constant(mask)),
      m.constant(2),
      64,
    );
  const numbers = m.constantV128(0x0706_0504_0302_0100n, 0x0f0e_0d0c_0b0a_0908n);
  const splat = (value: Value): Value => m.wasm("i8x16.splat", [m.toI32(value)]);
  const sourceStart = start(0, 3);
  const destinationStart = start(2, 1);
  let sum: Value | undefined;
  for (let byte = 0; byte < 4; byte++) {
    const from = splat(m.add(destinationStart, m.constant(byte)));
    const left = m.wasm("i8x16.swizzle", [lhs, m.wasm("i8x16.add", [numbers, from])]);
    const right = m.wasm("i8x16.swizzle", [rhs, splat(m.add(sourceStart, m.constant(byte)))]);
    const difference = m.wasm("v128.or", [
      m.wasm("i8x16.sub_sat_u", [left, right]),
      m.wasm("i8x16.sub_sat_u", [right, left]),
    ]);
    const wide = m.wasm("i16x8.extend_low_i8x16_u", [difference]);
    sum = sum === undefined ? wide : m.wasm("i16x8.add", [sum, wide]);
  }
  if (sum !== undefined) m.writeAs(dst, sum, 16);
};

const MAX_SIGNED = "PMAXSB/PMAXSW/PMAXSD/PMAXSQ—Maximum of Packed Signed Integers";
const SX = "PMOVSX—Packed Move With Sign Extend";
const ZX = "PMOVZX—Packed Move With Zero Extend";

export const sse41Integers: readonly Instruction[] = family(
  { feature: "sse4_1" },
  opcodes`
    Opcode            | Instruction                   | Access
    66 0F 38 29 /r    | PCMPEQQ xmm1, xmm2/m128       | rw r
    66 0F 38 2B /r    | PACKUSDW xmm1, xmm2/m128      | rw r
    66 0F 38 28 /r    | PMULDQ xmm1, xmm2/m128        | rw r
    66 0F 38 40 /r    | PMULLD xmm1, xmm2/m128        | rw r
    66 0F 38 38 /r    | PMINSB xmm1, xmm2/m128        | rw r
    66 0F 38 39 /r    | PMINSD xmm1, xmm2/m128        | rw r
    66 0F 38 3A /r    | PMINUW xmm1, xmm2/m128        | rw r
    66 0F 38 3B /r    | PMINUD xmm1, xmm2/m128        | rw r
    66 0F 38 3C /r    | PMAXSB xmm1, xmm2/m128        | rw r
    66 0F 38 3D /r    | PMAXSD xmm1, xmm2/m128        | rw r
    66 0F 38 3E /r    | PMAXUW xmm1, xmm2/m128        | rw r
    66 0F 38 3F /r    | PMAXUD xmm1, xmm2/m128        | rw r
    66 0F 38 20 /r    | PMOVSXBW xmm1, xmm2/m64       | w r
    66 0F 38 21 /r    | PMOVSXBD xmm1, xmm2/m32       | w r
    66 0F 38 22 /r    | PMOVSXBQ xmm1, xmm2/m16       | w r
    66 0F 38 23 /r    | PMOVSXWD xmm1, xmm2/m64       | w r
    66 0F 38 24 /r    | PMOVSXWQ xmm1, xmm2/m32       | w r
    66 0F 38 25 /r    | PMOVSXDQ xmm1, xmm2/m64       | w r
    66 0F 38 30 /r    | PMOVZXBW xmm1, xmm2/m64       | w r
    66 0F 38 31 /r    | PMOVZXBD xmm1, xmm2/m32       | w r
    66 0F 38 32 /r    | PMOVZXBQ xmm1, xmm2/m16       | w r
    66 0F 38 33 /r    | PMOVZXWD xmm1, xmm2/m64       | w r
    66 0F 38 34 /r    | PMOVZXWQ xmm1, xmm2/m32       | w r
    66 0F 38 35 /r    | PMOVZXDQ xmm1, xmm2/m64       | w r
    66 0F 38 17 /r    | PTEST xmm1, xmm2/m128         | r r
    66 0F 38 41 /r    | PHMINPOSUW xmm1, xmm2/m128    | w r
    66 0F 3A 42 /r ib | MPSADBW xmm1, xmm2/m128, imm8 | rw r r
  `,
  {
    pcmpeqq: ["PCMPEQQ—Compare Packed Qword Data for Equal", lanes("i64x2.eq")],
    packusdw: ["PACKUSDW—Pack With Unsigned Saturation", lanes("i16x8.narrow_i32x4_u")],
    pmuldq: ["PMULDQ—Multiply Packed Doubleword Integers", multiplyEvenSigned],
    pmulld: ["PMULLD/PMULLQ—Multiply Packed Integers and Store Low Result", lanes("i32x4.mul")],
    pminsb: ["PMINSB/PMINSW—Minimum of Packed Signed Integers", lanes("i8x16.min_s")],
    pminsd: ["PMINSD/PMINSQ—Minimum of Packed Signed Integers", lanes("i32x4.min_s")],
    pminuw: ["PMINUB/PMINUW—Minimum of Packed Unsigned Integers", lanes("i16x8.min_u")],
    pminud: ["PMINUD/PMINUQ—Minimum of Packed Unsigned Integers", lanes("i32x4.min_u")],
    pmaxsb: [MAX_SIGNED, lanes("i8x16.max_s")],
    pmaxsd: [MAX_SIGNED, lanes("i32x4.max_s")],
    pmaxuw: ["PMAXUB/PMAXUW—Maximum of Packed Unsigned Integers", lanes("i16x8.max_u")],
    pmaxud: ["PMAXUD/PMAXUQ—Maximum of Packed Unsigned Integers", lanes("i32x4.max_u")],
    pmovsxbw: [SX, widening(8, 16, "s")],
    pmovsxbd: [SX, widening(8, 32, "s")],
    pmovsxbq: [SX, widening(8, 64, "s")],
    pmovsxwd: [SX, widening(16, 32, "s")],
    pmovsxwq: [SX, widening(16, 64, "s")],
    pmovsxdq: [SX, widening(32, 64, "s")],
    pmovzxbw: [ZX, widening(8, 16, "u")],
    pmovzxbd: [ZX, widening(8, 32, "u")],
    pmovzxbq: [ZX, widening(8, 64, "u")],
    pmovzxwd: [ZX, widening(16, 32, "u")],
    pmovzxwq: [ZX, widening(16, 64, "u")],
    pmovzxdq: [ZX, widening(32, 64, "u")],
    ptest: ["PTEST—Logical Compare", test],
    phminposuw: ["PHMINPOSUW—Packed Horizontal Word Minimum", leastWord],
    mpsadbw: ["MPSADBW—Compute Multiple Packed Sums of Absolute Difference", sumsOfDifferences],
  },
);
