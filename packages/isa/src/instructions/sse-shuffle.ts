/**
 * Shuffles, insertions and extractions of SSE and SSE2, and bitwise logic on floating-point registers.
 *
 * Intel SDM Vol. 1 §10.4.2.2, "SSE Shuffle and Unpack Instructions" and §11.4.1.5, "SSE2 Shuffle and Unpack Instructions".
 * The immediate is not known when the table is built, so lane numbers become byte indices at run time, which a swizzle
 * takes.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import { enterMmx } from "./mmx-operand.ts";
import { andNot, interleave, lanes } from "./sse-integer.ts";
import {
  half,
  lowVector,
  readPacked,
  readVector,
  requirePacked,
  requireSse,
  withHalf,
  writePacked,
} from "./sse-operand.ts";

type Shuffle = (m: SemanticsBuilder, dst: Operand, src: Operand, order: Operand) => void;

/** Moves the two bits that choose a lane to the top of a byte, from where they are shifted down. */
const FIELD_SCALE_DOUBLEWORDS = [0x0000_0010_0000_0040n, 0x0000_0001_0000_0004n] as const;
const FIELD_SCALE_WORDS = 0x0001_0004_0010_0040n;
const LOW_MASK = 0xffff_ffff_ffff_ffffn;

/** For each doubleword the indices of the bytes of the lane that its two bits of the immediate choose. */
function doublewordIndices(m: SemanticsBuilder, order: Operand): Value {
  const all = m.wasm("i32x4.splat", [m.toI32(m.read(order))]);
  const fields = m.wasm("i32x4.shr_u", [
    m.wasm("i32x4.mul", [all, m.constantV128(...FIELD_SCALE_DOUBLEWORDS)]),
    m.toI32(m.constant(6)),
  ]);
  const chosen = m.wasm("v128.and", [fields, splat(m, 0x0000_0003_0000_0003n)]);
  const starts = m.wasm("i32x4.mul", [chosen, splat(m, 0x0404_0404_0404_0404n)]);
  return m.wasm("v128.or", [starts, splat(m, 0x0302_0100_0302_0100n)]);
}

/** The same for the four words of one half; the other half keeps its order. */
function wordIndices(m: SemanticsBuilder, order: Operand, part: "low" | "high"): Value {
  const all = m.wasm("i16x8.splat", [m.toI32(m.read(order))]);
  const fields = m.wasm("i16x8.shr_u", [
    m.wasm("i16x8.mul", [all, splat(m, FIELD_SCALE_WORDS)]),
    m.toI32(m.constant(6)),
  ]);
  const chosen = m.wasm("v128.and", [fields, splat(m, 0x0003_0003_0003_0003n)]);
  const starts = m.wasm("i16x8.mul", [chosen, splat(m, 0x0202_0202_0202_0202n)]);
  const first = part === "low" ? 0x0100_0100_0100_0100n : 0x0908_0908_0908_0908n;
  const indices = m.wasm("i16x8.add", [starts, splat(m, first)]);
  const identity = m.constantV128(0x0706_0504_0302_0100n, 0x0f0e_0d0c_0b0a_0908n);
  const mask = part === "low" ? m.constantV128(LOW_MASK, 0n) : m.constantV128(0n, LOW_MASK);
  return m.wasm("v128.bitselect", [indices, identity, mask]);
}

function splat(m: SemanticsBuilder, bits: bigint): Value {
  return m.constantV128(bits, bits);
}

const shuffleDoublewords: Shuffle = (m, dst, src, order) => {
  requireSse(m);
  const value = readVector(m, src);
  m.writeAs(dst, m.wasm("i8x16.swizzle", [value, doublewordIndices(m, order)]), 16);
};

export function shuffleWords(part: "low" | "high"): Shuffle {
  return (m, dst, src, order) => {
    requirePacked(m, dst);
    const value = readPacked(m, src);
    writePacked(m, dst, m.wasm("i8x16.swizzle", [value, wordIndices(m, order, part)]));
  };
}

/** The low two lanes from the destination, the high two from the source. */
const shuffleSingles: Shuffle = (m, dst, src, order) => {
  requireSse(m);
  const rhs = readVector(m, src);
  const lhs = m.readAs(dst, "v128", 16);
  const indices = doublewordIndices(m, order);
  const low = m.wasm("i8x16.swizzle", [lhs, indices]);
  const high = m.wasm("i8x16.swizzle", [rhs, indices]);
  m.writeAs(dst, m.wasm("v128.bitselect", [low, high, m.constantV128(LOW_MASK, 0n)]), 16);
};

const shuffleDoubles: Shuffle = (m, dst, src, order) => {
  requireSse(m);
  const rhs = readVector(m, src);
  const lhs = m.readAs(dst, "v128", 16);
  const choice = m.read(order);
  const pick = (value: Value, bit: number): Value =>
    m.select(m.bit(choice, bit), half(m, value, 1), half(m, value, 0));
  m.writeAs(dst, withHalf(m, lowVector(m, pick(lhs, 0)), 1, pick(rhs, 1)), 16);
};

/** Word numbers 0 to 7, one in each word. */
const WORD_NUMBERS = [0x0003_0002_0001_0000n, 0x0007_0006_0005_0004n] as const;

export const insertWord: Shuffle = (m, dst, src, order) => {
  requirePacked(m, dst);
  const word = m.wasm("i16x8.splat", [m.toI32(m.read(src))]);
  const number = m.toI32(m.and(m.read(order), m.constant(dst.bits / 16 - 1)));
  const chosen = m.wasm("i16x8.eq", [
    m.constantV128(...WORD_NUMBERS),
    m.wasm("i16x8.splat", [number]),
  ]);
  writePacked(m, dst, m.wasm("v128.bitselect", [word, readPacked(m, dst), chosen]));
};

export const extractWord: Shuffle = (m, dst, src, order) => {
  requirePacked(m, src);
  const number = m.and(m.read(order), m.constant(src.bits / 16 - 1));
  const start = m.add(m.multiply(number, m.constant(0x0202)), m.constant(0x0100));
  const indices = m.wasm("i16x8.splat", [m.toI32(start)]);
  const moved = m.wasm("i8x16.swizzle", [readPacked(m, src), indices]);
  if (src.kind === "mmx") enterMmx(m);
  m.write(dst, m.fromI32Unsigned(m.wasm("i16x8.extract_lane_u", [moved], [0])));
};

export function byteMask(m: SemanticsBuilder, dst: Operand, src: Operand): void {
  requirePacked(m, src);
  if (src.kind === "mmx") enterMmx(m);
  m.write(dst, m.fromI32Unsigned(m.wasm("i8x16.bitmask", [readPacked(m, src)])));
}

export const sseShuffles: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode         | Instruction                  | Access
    NP 0F C6 /r ib | SHUFPS xmm1, xmm2/m128, imm8 | rw r r
    NP 0F 14 /r    | UNPCKLPS xmm1, xmm2/m128     | rw r
    NP 0F 15 /r    | UNPCKHPS xmm1, xmm2/m128     | rw r
    NP 0F 54 /r    | ANDPS xmm1, xmm2/m128        | rw r
    NP 0F 55 /r    | ANDNPS xmm1, xmm2/m128       | rw r
    NP 0F 56 /r    | ORPS xmm1, xmm2/m128         | rw r
    NP 0F 57 /r    | XORPS xmm1, xmm2/m128        | rw r
  `,
  {
    shufps: [
      "SHUFPS—Packed Interleave Shuffle of Quadruplets of Single Precision Floating-Point Values",
      shuffleSingles,
    ],
    unpcklps: [
      "UNPCKLPS—Unpack and Interleave Low Packed Single Precision Floating-Point Values",
      interleave(4, "low"),
    ],
    unpckhps: [
      "UNPCKHPS—Unpack and Interleave High Packed Single Precision Floating-Point Values",
      interleave(4, "high"),
    ],
    andps: [
      "ANDPS—Bitwise Logical AND of Packed Single Precision Floating-Point Values",
      lanes("v128.and"),
    ],
    andnps: [
      "ANDNPS—Bitwise Logical AND NOT of Packed Single Precision Floating-Point Values",
      andNot,
    ],
    orps: [
      "ORPS—Bitwise Logical OR of Packed Single Precision Floating-Point Values",
      lanes("v128.or"),
    ],
    xorps: [
      "XORPS—Bitwise Logical XOR of Packed Single Precision Floating-Point Values",
      lanes("v128.xor"),
    ],
  },
);

export const sse2Shuffles: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode               | Instruction                   | Access
    66 0F 70 /r ib       | PSHUFD xmm1, xmm2/m128, imm8  | w r r
    F2 0F 70 /r ib       | PSHUFLW xmm1, xmm2/m128, imm8 | w r r
    F3 0F 70 /r ib       | PSHUFHW xmm1, xmm2/m128, imm8 | w r r
    66 0F C6 /r ib       | SHUFPD xmm1, xmm2/m128, imm8  | rw r r
    66 0F C4 /r ib       | PINSRW xmm, r32/m16, imm8     | rw r r
    66 0F C5 /r ib       | PEXTRW r32, xmm, imm8         | w r r
    66 REX.W 0F C5 /r ib | PEXTRW r64, xmm, imm8         | w r r
    66 0F D7 /r          | PMOVMSKB r32, xmm             | w r
    66 REX.W 0F D7 /r    | PMOVMSKB r64, xmm             | w r
    66 0F 14 /r          | UNPCKLPD xmm1, xmm2/m128      | rw r
    66 0F 15 /r          | UNPCKHPD xmm1, xmm2/m128      | rw r
    66 0F 54 /r          | ANDPD xmm1, xmm2/m128         | rw r
    66 0F 55 /r          | ANDNPD xmm1, xmm2/m128        | rw r
    66 0F 56 /r          | ORPD xmm1, xmm2/m128          | rw r
    66 0F 57 /r          | XORPD xmm1, xmm2/m128         | rw r
  `,
  {
    pshufd: ["PSHUFD—Shuffle Packed Doublewords", shuffleDoublewords],
    pshuflw: ["PSHUFLW—Shuffle Packed Low Words", shuffleWords("low")],
    pshufhw: ["PSHUFHW—Shuffle Packed High Words", shuffleWords("high")],
    shufpd: [
      "SHUFPD—Packed Interleave Shuffle of Pairs of Double Precision Floating-Point Values",
      shuffleDoubles,
    ],
    pinsrw: ["PINSRW—Insert Word", insertWord],
    pextrw: ["PEXTRW—Extract Word", extractWord],
    pmovmskb: ["PMOVMSKB—Move Byte Mask", byteMask],
    unpcklpd: [
      "UNPCKLPD—Unpack and Interleave Low Packed Double Precision Floating-Point Values",
      interleave(8, "low"),
    ],
    unpckhpd: [
      "UNPCKHPD—Unpack and Interleave High Packed Double Precision Floating-Point Values",
      interleave(8, "high"),
    ],
    andpd: [
      "ANDPD—Bitwise Logical AND of Packed Double Precision Floating-Point Values",
      lanes("v128.and"),
    ],
    andnpd: [
      "ANDNPD—Bitwise Logical AND NOT of Packed Double Precision Floating-Point Values",
      andNot,
    ],
    orpd: [
      "ORPD—Bitwise Logical OR of Packed Double Precision Floating-Point Values",
      lanes("v128.or"),
    ],
    xorpd: [
      "XORPD—Bitwise Logical XOR of Packed Double Precision Floating-Point Values",
      lanes("v128.xor"),
    ],
  },
);
