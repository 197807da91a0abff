/**
 * SSE4.1 that moves elements: blends, insertions, extractions, and the streaming load.
 *
 * Intel SDM Vol. 1 §12.10.5, "Packed Blending Instructions"; §12.10.7, "Insertion and Extractions From XMM Registers".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import { readVector, requireSse } from "./sse-operand.ts";

type Meaning = (m: SemanticsBuilder, dst: Operand, src: Operand, by: Operand) => void;

type Shape = "i8x16" | "i16x8" | "i32x4" | "i64x2";

/** Bit n in lane n. */
const LANE_BITS: Readonly<Record<"i16x8" | "i32x4" | "i64x2", readonly [bigint, bigint]>> = {
  i16x8: [0x0008_0004_0002_0001n, 0x0080_0040_0020_0010n],
  i32x4: [0x0000_0002_0000_0001n, 0x0000_0008_0000_0004n],
  i64x2: [1n, 2n],
};

/** Lanes of the source where the immediate has their bit. */
function blend(shape: "i16x8" | "i32x4" | "i64x2"): Meaning {
  return (m, dst, src, by) => {
    requireSse(m);
    const rhs = readVector(m, src);
    const lhs = m.readAs(dst, "v128", 16);
    const choice = m.read(by);
    const all = m.wasm(`${shape}.splat`, [shape === "i64x2" ? choice : m.toI32(choice)]);
    const bits = m.constantV128(...LANE_BITS[shape]);
    const chosen = m.wasm(`${shape}.eq`, [m.wasm("v128.and", [all, bits]), bits]);
    m.writeAs(dst, m.wasm("v128.bitselect", [rhs, lhs, chosen]), 16);
  };
}

/** Lanes of the source where XMM0 is negative. */
function blendBySign(shape: Shape): Meaning {
  return (m, dst, src, by) => {
    requireSse(m);
    const rhs = readVector(m, src);
    const lhs = m.readAs(dst, "v128", 16);
    const mask = m.readAs(by, "v128", 16);
    const chosen = m.wasm(`${shape}.lt_s`, [mask, m.constantV128(0n, 0n)]);
    m.writeAs(dst, m.wasm("v128.bitselect", [rhs, lhs, chosen]), 16);
  };
}

/** Numbers of bytes, of which those of lane n of `bytes` bytes are chosen. */
function laneBytes(m: SemanticsBuilder, number: Value, bytes: number): Value {
  const first = m.multiply(number, m.constant(bytes), 64);
  const numbers = m.constantV128(0x0706_0504_0302_0100n, 0x0f0e_0d0c_0b0a_0908n);
  return m.wasm("i8x16.add", [numbers, m.wasm("i8x16.splat", [m.toI32(first)])]);
}

function extract(bytes: 1 | 2 | 4 | 8): Meaning {
  return (m, dst, src, by) => {
    requireSse(m);
    const number = m.and(m.read(by), m.constant(16 / bytes - 1));
    const indices = laneBytes(m, number, bytes);
    const moved = m.wasm("i8x16.swizzle", [m.readAs(src, "v128", 16), indices]);
    const low = m.wasm("i64x2.extract_lane", [moved], [0]);
    const mask = bytes === 8 ? m.constant(-1n) : m.constant((1n << BigInt(bytes * 8)) - 1n);
    m.write(dst, m.and(low, mask));
  };
}

/** Bytes of a register that belong to lane n of `bytes` bytes, as a mask. */
function laneMask(m: SemanticsBuilder, number: Value, bytes: 1 | 4 | 8): Value {
  const shape = bytes === 1 ? "i8x16" : bytes === 4 ? "i32x4" : "i64x2";
  const numbers =
    bytes === 1
      ? m.constantV128(0x0706_0504_0302_0100n, 0x0f0e_0d0c_0b0a_0908n)
      : bytes === 4
        ? m.constantV128(0x0000_0001_0000_0000n, 0x0000_0003_0000_0002n)
        : m.constantV128(0n, 1n);
  return m.wasm(`${shape}.eq`, [numbers, splatLane(m, shape, number)]);
}

function splatLane(m: SemanticsBuilder, shape: Shape, value: Value): Value {
  return m.wasm(`${shape}.splat`, [shape === "i64x2" ? value : m.toI32(value)]);
}

function insert(bytes: 1 | 4 | 8): Meaning {
  const shape = bytes === 1 ? "i8x16" : bytes === 4 ? "i32x4" : "i64x2";
  return (m, dst, src, by) => {
    requireSse(m);
    const given = splatLane(m, shape, m.read(src));
    const number = m.and(m.read(by), m.constant(16 / bytes - 1));
    const chosen = laneMask(m, number, bytes);
    m.writeAs(dst, m.wasm("v128.bitselect", [given, m.readAs(dst, "v128", 16), chosen]), 16);
  };
}

/** Immediate: bits 7:6 the source's lane (of a register), 5:4 the destination's, 3:0 lanes that are cleared. */
const insertSingle: Meaning = (m, dst, src, by) => {
  requireSse(m);
  const choice = m.read(by);
  const field = (shift: number): Value =>
    m.and(m.shiftRightUnsigned(choice, m.constant(shift)), m.constant(3));
  const value =
    src.kind === "memory"
      ? splatLane(m, "i32x4", m.read(src))
      : splatLane(m, "i32x4", pick(m, m.readAs(src, "v128", 16), field(6)));
  const placed = m.wasm("v128.bitselect", [
    value,
    m.readAs(dst, "v128", 16),
    laneMask(m, field(4), 4),
  ]);
  const bits = m.constantV128(...LANE_BITS.i32x4);
  const all = m.wasm("i32x4.splat", [m.toI32(choice)]);
  const cleared = m.wasm("i32x4.eq", [m.wasm("v128.and", [all, bits]), bits]);
  m.writeAs(dst, m.wasm("v128.andnot", [placed, cleared]), 16);
};

/** A doubleword by its number. */
function pick(m: SemanticsBuilder, vector: Value, number: Value): Value {
  const moved = m.wasm("i8x16.swizzle", [vector, laneBytes(m, number, 4)]);
  return m.fromI32Unsigned(m.wasm("i32x4.extract_lane", [moved], [0]));
}

const streamingLoad: Instruction["semantics"] = (m, dst, src) => {
  if (dst === undefined || src === undefined) return;
  requireSse(m);
  m.writeAs(dst, readVector(m, src), 16);
};

export const sse41Selections: readonly Instruction[] = family(
  { feature: "sse4_1" },
  opcodes`
    Opcode                  | Instruction                      | Access
    66 0F 3A 0C /r ib       | BLENDPS xmm1, xmm2/m128, imm8    | rw r r
    66 0F 3A 0D /r ib       | BLENDPD xmm1, xmm2/m128, imm8    | rw r r
    66 0F 3A 0E /r ib       | PBLENDW xmm1, xmm2/m128, imm8    | rw r r
    66 0F 38 10 /r          | PBLENDVB xmm1, xmm2/m128, <XMM0> | rw r r
    66 0F 38 14 /r          | BLENDVPS xmm1, xmm2/m128, <XMM0> | rw r r
    66 0F 38 15 /r          | BLENDVPD xmm1, xmm2/m128, <XMM0> | rw r r
    66 0F 38 2A /r          | MOVNTDQA xmm1, m128              | w r
    66 0F 3A 14 /r ib       | PEXTRB r32/m8, xmm2, imm8        | w r r
    66 0F 3A 15 /r ib       | PEXTRW r32/m16, xmm, imm8        | w r r
    66 0F 3A 16 /r ib       | PEXTRD r/m32, xmm2, imm8         | w r r
    66 REX.W 0F 3A 16 /r ib | PEXTRQ r/m64, xmm2, imm8         | w r r
    66 0F 3A 17 /r ib       | EXTRACTPS r/m32, xmm1, imm8      | w r r
    66 0F 3A 20 /r ib       | PINSRB xmm1, r32/m8, imm8        | rw r r
    66 0F 3A 21 /r ib       | INSERTPS xmm1, xmm2/m32, imm8    | rw r r
    66 0F 3A 22 /r ib       | PINSRD xmm1, r/m32, imm8         | rw r r
    66 REX.W 0F 3A 22 /r ib | PINSRQ xmm1, r/m64, imm8         | rw r r
  `,
  {
    blendps: ["BLENDPS—Blend Packed Single Precision Floating-Point Values", blend("i32x4")],
    blendpd: ["BLENDPD—Blend Packed Double Precision Floating-Point Values", blend("i64x2")],
    pblendw: ["PBLENDW—Blend Packed Words", blend("i16x8")],
    pblendvb: ["PBLENDVB—Variable Blend Packed Bytes", blendBySign("i8x16")],
    blendvps: [
      "BLENDVPS—Variable Blend Packed Single Precision Floating-Point Values",
      blendBySign("i32x4"),
    ],
    blendvpd: [
      "BLENDVPD—Variable Blend Packed Double Precision Floating-Point Values",
      blendBySign("i64x2"),
    ],
    movntdqa: ["MOVNTDQA—Load Double Quadword Non-Temporal Aligned Hint", streamingLoad],
    pextrb: ["PEXTRB/PEXTRD/PEXTRQ—Extract Byte/Dword/Qword", extract(1)],
    pextrw: ["PEXTRW—Extract Word", extract(2)],
    pextrd: ["PEXTRB/PEXTRD/PEXTRQ—Extract Byte/Dword/Qword", extract(4)],
    pextrq: ["PEXTRB/PEXTRD/PEXTRQ—Extract Byte/Dword/Qword", extract(8)],
    extractps: ["EXTRACTPS—Extract Packed Floating-Point Values", extract(4)],
    pinsrb: ["PINSRB/PINSRD/PINSRQ—Insert Byte/Dword/Qword", insert(1)],
    insertps: ["INSERTPS—Insert Scalar Single Precision Floating-Point Value", insertSingle],
    pinsrd: ["PINSRB/PINSRD/PINSRQ—Insert Byte/Dword/Qword", insert(4)],
    pinsrq: ["PINSRB/PINSRD/PINSRQ—Insert Byte/Dword/Qword", insert(8)],
  },
);
