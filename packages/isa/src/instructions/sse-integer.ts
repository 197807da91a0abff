/**
 * SSE2 integer arithmetic, logic, comparison, packing and unpacking of whole registers.
 *
 * Intel SDM Vol. 1 §11.4.2, "SSE2 64-Bit and 128-Bit SIMD Integer Instructions".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import { half, readPacked, requirePacked, requireSse, writePacked } from "./sse-operand.ts";

export type Meaning = (m: SemanticsBuilder, dst: Operand, src: Operand) => void;

/** A destination that is a function of both operands. */
export function combined(combine: (m: SemanticsBuilder, lhs: Value, rhs: Value) => Value): Meaning {
  return (m, dst, src) => {
    requirePacked(m, dst);
    const rhs = readPacked(m, src);
    const lhs = readPacked(m, dst);
    writePacked(m, dst, combine(m, lhs, rhs));
  };
}

/** One WebAssembly instruction. */
export function lanes(operation: string): Meaning {
  return combined((m, lhs, rhs) => m.wasm(operation, [lhs, rhs]));
}

/** The source where the destination is clear. */
export const andNot: Meaning = combined((m, lhs, rhs) => m.wasm("v128.andnot", [rhs, lhs]));

/** Lanes of `bytes` bytes from one half of both operands, in turn. */
export function interleave(bytes: number, part: "low" | "high"): Meaning {
  const start = part === "low" ? 0 : 8;
  const indices: number[] = [];
  for (let at = start; at < start + 8; at += bytes) {
    for (const from of [0, 16]) {
      for (let byte = 0; byte < bytes; byte++) indices.push(from + at + byte);
    }
  }
  return combined((m, lhs, rhs) => m.wasm("i8x16.shuffle", [lhs, rhs], indices));
}

/** The upper halves of eight 32-bit products. */
export function multiplyHigh(sign: "s" | "u"): Meaning {
  const upper = [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31];
  return combined((m, lhs, rhs) => {
    const low = m.wasm(`i32x4.extmul_low_i16x8_${sign}`, [lhs, rhs]);
    const high = m.wasm(`i32x4.extmul_high_i16x8_${sign}`, [lhs, rhs]);
    return m.wasm("i8x16.shuffle", [low, high], upper);
  });
}

/** The 64-bit products of the even doublewords. */
export const multiplyEven: Meaning = combined((m, lhs, rhs) => {
  const mask = m.constantV128(0xffff_ffffn, 0xffff_ffffn);
  const even = (value: Value): Value => m.wasm("v128.and", [value, mask]);
  return m.wasm("i64x2.mul", [even(lhs), even(rhs)]);
});

/** Two sums of eight absolute differences of bytes. */
export const sumOfDifferences: Meaning = combined((m, lhs, rhs) => {
  const difference = m.wasm("v128.or", [
    m.wasm("i8x16.sub_sat_u", [lhs, rhs]),
    m.wasm("i8x16.sub_sat_u", [rhs, lhs]),
  ]);
  const words = m.wasm("i16x8.extadd_pairwise_i8x16_u", [difference]);
  const doublewords = m.wasm("i32x4.extadd_pairwise_i16x8_u", [words]);
  const upper = m.wasm("i64x2.shr_u", [doublewords, m.toI32(m.constant(32))]);
  const lower = m.wasm("v128.and", [doublewords, m.constantV128(0xffff_ffffn, 0xffff_ffffn)]);
  return m.wasm("i64x2.add", [lower, upper]);
});

export const sse2Integers: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode      | Instruction                | Access
    66 0F FC /r | PADDB xmm1, xmm2/m128      | rw r
    66 0F FD /r | PADDW xmm1, xmm2/m128      | rw r
    66 0F FE /r | PADDD xmm1, xmm2/m128      | rw r
    66 0F D4 /r | PADDQ xmm1, xmm2/m128      | rw r
    66 0F EC /r | PADDSB xmm1, xmm2/m128     | rw r
    66 0F ED /r | PADDSW xmm1, xmm2/m128     | rw r
    66 0F DC /r | PADDUSB xmm1, xmm2/m128    | rw r
    66 0F DD /r | PADDUSW xmm1, xmm2/m128    | rw r
    66 0F F8 /r | PSUBB xmm1, xmm2/m128      | rw r
    66 0F F9 /r | PSUBW xmm1, xmm2/m128      | rw r
    66 0F FA /r | PSUBD xmm1, xmm2/m128      | rw r
    66 0F FB /r | PSUBQ xmm1, xmm2/m128      | rw r
    66 0F E8 /r | PSUBSB xmm1, xmm2/m128     | rw r
    66 0F E9 /r | PSUBSW xmm1, xmm2/m128     | rw r
    66 0F D8 /r | PSUBUSB xmm1, xmm2/m128    | rw r
    66 0F D9 /r | PSUBUSW xmm1, xmm2/m128    | rw r
    66 0F D5 /r | PMULLW xmm1, xmm2/m128     | rw r
    66 0F E5 /r | PMULHW xmm1, xmm2/m128     | rw r
    66 0F E4 /r | PMULHUW xmm1, xmm2/m128    | rw r
    66 0F F4 /r | PMULUDQ xmm1, xmm2/m128    | rw r
    66 0F F5 /r | PMADDWD xmm1, xmm2/m128    | rw r
    66 0F F6 /r | PSADBW xmm1, xmm2/m128     | rw r
    66 0F E0 /r | PAVGB xmm1, xmm2/m128      | rw r
    66 0F E3 /r | PAVGW xmm1, xmm2/m128      | rw r
    66 0F DA /r | PMINUB xmm1, xmm2/m128     | rw r
    66 0F DE /r | PMAXUB xmm1, xmm2/m128     | rw r
    66 0F EA /r | PMINSW xmm1, xmm2/m128     | rw r
    66 0F EE /r | PMAXSW xmm1, xmm2/m128     | rw r
    66 0F DB /r | PAND xmm1, xmm2/m128       | rw r
    66 0F DF /r | PANDN xmm1, xmm2/m128      | rw r
    66 0F EB /r | POR xmm1, xmm2/m128        | rw r
    66 0F EF /r | PXOR xmm1, xmm2/m128       | rw r
    66 0F 74 /r | PCMPEQB xmm1, xmm2/m128    | rw r
    66 0F 75 /r | PCMPEQW xmm1, xmm2/m128    | rw r
    66 0F 76 /r | PCMPEQD xmm1, xmm2/m128    | rw r
    66 0F 64 /r | PCMPGTB xmm1, xmm2/m128    | rw r
    66 0F 65 /r | PCMPGTW xmm1, xmm2/m128    | rw r
    66 0F 66 /r | PCMPGTD xmm1, xmm2/m128    | rw r
    66 0F 63 /r | PACKSSWB xmm1, xmm2/m128   | rw r
    66 0F 6B /r | PACKSSDW xmm1, xmm2/m128   | rw r
    66 0F 67 /r | PACKUSWB xmm1, xmm2/m128   | rw r
    66 0F 60 /r | PUNPCKLBW xmm1, xmm2/m128  | rw r
    66 0F 61 /r | PUNPCKLWD xmm1, xmm2/m128  | rw r
    66 0F 62 /r | PUNPCKLDQ xmm1, xmm2/m128  | rw r
    66 0F 6C /r | PUNPCKLQDQ xmm1, xmm2/m128 | rw r
    66 0F 68 /r | PUNPCKHBW xmm1, xmm2/m128  | rw r
    66 0F 69 /r | PUNPCKHWD xmm1, xmm2/m128  | rw r
    66 0F 6A /r | PUNPCKHDQ xmm1, xmm2/m128  | rw r
    66 0F 6D /r | PUNPCKHQDQ xmm1, xmm2/m128 | rw r
  `,
  {
    paddb: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i8x16.add")],
    paddw: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i16x8.add")],
    paddd: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i32x4.add")],
    paddq: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i64x2.add")],
    paddsb: [
      "PADDSB/PADDSW—Add Packed Signed Integers with Signed Saturation",
      lanes("i8x16.add_sat_s"),
    ],
    paddsw: [
      "PADDSB/PADDSW—Add Packed Signed Integers with Signed Saturation",
      lanes("i16x8.add_sat_s"),
    ],
    paddusb: [
      "PADDUSB/PADDUSW—Add Packed Unsigned Integers With Unsigned Saturation",
      lanes("i8x16.add_sat_u"),
    ],
    paddusw: [
      "PADDUSB/PADDUSW—Add Packed Unsigned Integers With Unsigned Saturation",
      lanes("i16x8.add_sat_u"),
    ],
    psubb: ["PSUBB/PSUBW/PSUBD—Subtract Packed Integers", lanes("i8x16.sub")],
    psubw: ["PSUBB/PSUBW/PSUBD—Subtract Packed Integers", lanes("i16x8.sub")],
    psubd: ["PSUBB/PSUBW/PSUBD—Subtract Packed Integers", lanes("i32x4.sub")],
    psubq: ["PSUBQ—Subtract Packed Quadword Integers", lanes("i64x2.sub")],
    psubsb: [
      "PSUBSB/PSUBSW—Subtract Packed Signed Integers With Signed Saturation",
      lanes("i8x16.sub_sat_s"),
    ],
    psubsw: [
      "PSUBSB/PSUBSW—Subtract Packed Signed Integers With Signed Saturation",
      lanes("i16x8.sub_sat_s"),
    ],
    psubusb: [
      "PSUBUSB/PSUBUSW—Subtract Packed Unsigned Integers With Unsigned Saturation",
      lanes("i8x16.sub_sat_u"),
    ],
    psubusw: [
      "PSUBUSB/PSUBUSW—Subtract Packed Unsigned Integers With Unsigned Saturation",
      lanes("i16x8.sub_sat_u"),
    ],
    pmullw: ["PMULLW—Multiply Packed Signed Integers and Store Low Result", lanes("i16x8.mul")],
    pmulhw: ["PMULHW—Multiply Packed Signed Integers and Store High Result", multiplyHigh("s")],
    pmulhuw: ["PMULHUW—Multiply Packed Unsigned Integers and Store High Result", multiplyHigh("u")],
    pmuludq: ["PMULUDQ—Multiply Packed Unsigned Doubleword Integers", multiplyEven],
    pmaddwd: ["PMADDWD—Multiply and Add Packed Integers", lanes("i32x4.dot_i16x8_s")],
    psadbw: ["PSADBW—Compute Sum of Absolute Differences", sumOfDifferences],
    pavgb: ["PAVGB/PAVGW—Average Packed Integers", lanes("i8x16.avgr_u")],
    pavgw: ["PAVGB/PAVGW—Average Packed Integers", lanes("i16x8.avgr_u")],
    pminub: ["PMINUB/PMINUW—Minimum of Packed Unsigned Integers", lanes("i8x16.min_u")],
    pmaxub: ["PMAXUB/PMAXUW—Maximum of Packed Unsigned Integers", lanes("i8x16.max_u")],
    pminsw: ["PMINSB/PMINSW—Minimum of Packed Signed Integers", lanes("i16x8.min_s")],
    pmaxsw: ["PMAXSB/PMAXSW/PMAXSD/PMAXSQ—Maximum of Packed Signed Integers", lanes("i16x8.max_s")],
    pand: ["PAND—Logical AND", lanes("v128.and")],
    pandn: ["PANDN—Logical AND NOT", andNot],
    por: ["POR—Bitwise Logical OR", lanes("v128.or")],
    pxor: ["PXOR—Logical Exclusive OR", lanes("v128.xor")],
    pcmpeqb: ["PCMPEQB/PCMPEQW/PCMPEQD—Compare Packed Data for Equal", lanes("i8x16.eq")],
    pcmpeqw: ["PCMPEQB/PCMPEQW/PCMPEQD—Compare Packed Data for Equal", lanes("i16x8.eq")],
    pcmpeqd: ["PCMPEQB/PCMPEQW/PCMPEQD—Compare Packed Data for Equal", lanes("i32x4.eq")],
    pcmpgtb: [
      "PCMPGTB/PCMPGTW/PCMPGTD—Compare Packed Signed Integers for Greater Than",
      lanes("i8x16.gt_s"),
    ],
    pcmpgtw: [
      "PCMPGTB/PCMPGTW/PCMPGTD—Compare Packed Signed Integers for Greater Than",
      lanes("i16x8.gt_s"),
    ],
    pcmpgtd: [
      "PCMPGTB/PCMPGTW/PCMPGTD—Compare Packed Signed Integers for Greater Than",
      lanes("i32x4.gt_s"),
    ],
    packsswb: ["PACKSSWB/PACKSSDW—Pack With Signed Saturation", lanes("i8x16.narrow_i16x8_s")],
    packssdw: ["PACKSSWB/PACKSSDW—Pack With Signed Saturation", lanes("i16x8.narrow_i32x4_s")],
    packuswb: ["PACKUSWB—Pack With Unsigned Saturation", lanes("i8x16.narrow_i16x8_u")],
    punpcklbw: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(1, "low")],
    punpcklwd: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(2, "low")],
    punpckldq: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(4, "low")],
    punpcklqdq: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(8, "low")],
    punpckhbw: ["PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data", interleave(1, "high")],
    punpckhwd: ["PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data", interleave(2, "high")],
    punpckhdq: ["PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data", interleave(4, "high")],
    punpckhqdq: [
      "PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data",
      interleave(8, "high"),
    ],
  },
);

/** Lanes shifted by one count, from an immediate or the low half of a register. A count beyond the lane clears it. */
export function shiftLanes(
  shape: "i16x8" | "i32x4" | "i64x2",
  direction: "shl" | "shr_u",
): Meaning {
  const bits = shape === "i16x8" ? 16 : shape === "i32x4" ? 32 : 64;
  return (m, dst, by) => {
    requirePacked(m, dst);
    const count = shiftCount(m, by);
    const value = readPacked(m, dst);
    const shifted = m.wasm(`${shape}.${direction}`, [value, m.toI32(count)]);
    const within = m.lessThanUnsigned(count, m.constant(bits));
    writePacked(m, dst, m.select(within, shifted, m.constantV128(0n, 0n)));
  };
}

/** Arithmetic shifts, where a count beyond the lane leaves copies of the sign. */
export function shiftSigned(shape: "i16x8" | "i32x4"): Meaning {
  const last = shape === "i16x8" ? 15 : 31;
  return (m, dst, by) => {
    requirePacked(m, dst);
    const count = shiftCount(m, by);
    const most = m.constant(last);
    const clamped = m.select(m.lessThanUnsigned(most, count), most, count);
    const value = readPacked(m, dst);
    writePacked(m, dst, m.wasm(`${shape}.shr_s`, [value, m.toI32(clamped)]));
  };
}

function shiftCount(m: SemanticsBuilder, by: Operand): Value {
  return by.kind === "immediate" ? m.read(by) : half(m, readPacked(m, by), 0);
}

/** Bytes 0 to 15 in order, as a vector. */
const BYTE_NUMBERS = [0x0706_0504_0302_0100n, 0x0f0e_0d0c_0b0a_0908n] as const;

/** The whole register shifted by bytes: swizzling gives zero for indices outside. */
function shiftBytes(direction: "left" | "right"): Meaning {
  return (m, dst, by) => {
    requireSse(m);
    const most = m.constant(16);
    const count = m.read(by);
    const clamped = m.select(m.lessThanUnsigned(most, count), most, count);
    const distance = m.wasm("i8x16.splat", [m.toI32(clamped)]);
    const numbers = m.constantV128(...BYTE_NUMBERS);
    const operation = direction === "left" ? "i8x16.sub" : "i8x16.add";
    const indices = m.wasm(operation, [numbers, distance]);
    const value = m.readAs(dst, "v128", 16);
    m.writeAs(dst, m.wasm("i8x16.swizzle", [value, indices]), 16);
  };
}

export const sse2Shifts: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode         | Instruction           | Access
    66 0F F1 /r    | PSLLW xmm1, xmm2/m128 | rw r
    66 0F 71 /6 ib | PSLLW xmm1, imm8      | rw r
    66 0F F2 /r    | PSLLD xmm1, xmm2/m128 | rw r
    66 0F 72 /6 ib | PSLLD xmm1, imm8      | rw r
    66 0F F3 /r    | PSLLQ xmm1, xmm2/m128 | rw r
    66 0F 73 /6 ib | PSLLQ xmm1, imm8      | rw r
    66 0F D1 /r    | PSRLW xmm1, xmm2/m128 | rw r
    66 0F 71 /2 ib | PSRLW xmm1, imm8      | rw r
    66 0F D2 /r    | PSRLD xmm1, xmm2/m128 | rw r
    66 0F 72 /2 ib | PSRLD xmm1, imm8      | rw r
    66 0F D3 /r    | PSRLQ xmm1, xmm2/m128 | rw r
    66 0F 73 /2 ib | PSRLQ xmm1, imm8      | rw r
    66 0F E1 /r    | PSRAW xmm1, xmm2/m128 | rw r
    66 0F 71 /4 ib | PSRAW xmm1, imm8      | rw r
    66 0F E2 /r    | PSRAD xmm1, xmm2/m128 | rw r
    66 0F 72 /4 ib | PSRAD xmm1, imm8      | rw r
    66 0F 73 /7 ib | PSLLDQ xmm1, imm8     | rw r
    66 0F 73 /3 ib | PSRLDQ xmm1, imm8     | rw r
  `,
  {
    psllw: ["PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical", shiftLanes("i16x8", "shl")],
    pslld: ["PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical", shiftLanes("i32x4", "shl")],
    psllq: ["PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical", shiftLanes("i64x2", "shl")],
    psrlw: ["PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical", shiftLanes("i16x8", "shr_u")],
    psrld: ["PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical", shiftLanes("i32x4", "shr_u")],
    psrlq: ["PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical", shiftLanes("i64x2", "shr_u")],
    psraw: ["PSRAW/PSRAD/PSRAQ—Shift Packed Data Right Arithmetic", shiftSigned("i16x8")],
    psrad: ["PSRAW/PSRAD/PSRAQ—Shift Packed Data Right Arithmetic", shiftSigned("i32x4")],
    pslldq: ["PSLLDQ—Shift Double Quadword Left Logical", shiftBytes("left")],
    psrldq: ["PSRLDQ—Shift Double Quadword Right Logical", shiftBytes("right")],
  },
);
