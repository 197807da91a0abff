/**
 * SSSE3: packed integers, horizontally, by sign, and shuffled by bytes. On XMM and on MMX registers.
 *
 * Intel SDM Vol. 1 §12.6, "SSSE3 Instructions".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import { combined, type Meaning } from "./sse-integer.ts";
import { half, readPacked, requirePacked, withHalf, writePacked } from "./sse-operand.ts";

type ImmediateMeaning = (m: SemanticsBuilder, dst: Operand, src: Operand, by: Operand) => void;

/** Bytes of the even or odd lanes of two vectors, in order. */
export function laneIndices(bytes: number, first: 0 | 1): number[] {
  const indices: number[] = [];
  for (let lane = first; lane < 32 / bytes; lane += 2)
    for (let byte = 0; byte < bytes; byte++) indices.push(lane * bytes + byte);
  return indices;
}

/** An operation on neighbouring lanes: those of the destination give the lower half of the result. */
function horizontal(bytes: number, operation: string): Meaning {
  return (m, dst, src) => {
    requirePacked(m, dst);
    const given = readPacked(m, src);
    const own = readPacked(m, dst);
    // Two MMX operands are the halves of one vector, whose pairs are those wanted.
    const lhs = dst.kind === "mmx" ? withHalf(m, own, 1, half(m, given, 0)) : own;
    const rhs = dst.kind === "mmx" ? lhs : given;
    const even = m.wasm("i8x16.shuffle", [lhs, rhs], laneIndices(bytes, 0));
    const odd = m.wasm("i8x16.shuffle", [lhs, rhs], laneIndices(bytes, 1));
    writePacked(m, dst, m.wasm(operation, [even, odd]));
  };
}

function splat(m: SemanticsBuilder, bits: bigint): Value {
  return m.constantV128(bits, bits);
}

/** Bit 7 of an index gives zero; of the others as many count as the register has bytes. */
const shuffleBytes: Meaning = (m, dst, src) => {
  requirePacked(m, dst);
  const kept = dst.kind === "mmx" ? 0x8787_8787_8787_8787n : 0x8f8f_8f8f_8f8f_8f8fn;
  const indices = m.wasm("v128.and", [readPacked(m, src), splat(m, kept)]);
  writePacked(m, dst, m.wasm("i8x16.swizzle", [readPacked(m, dst), indices]));
};

/** Unsigned bytes of the destination times signed ones of the source; neighbours are added with saturation. */
const multiplyAddBytes: Meaning = combined((m, lhs, rhs) => {
  const product = (part: "low" | "high"): Value =>
    m.wasm("i16x8.mul", [
      m.wasm(`i16x8.extend_${part}_i8x16_u`, [lhs]),
      m.wasm(`i16x8.extend_${part}_i8x16_s`, [rhs]),
    ]);
  const both = [product("low"), product("high")];
  const even = m.wasm("i8x16.shuffle", both, laneIndices(2, 0));
  const odd = m.wasm("i8x16.shuffle", both, laneIndices(2, 1));
  return m.wasm("i16x8.add_sat_s", [even, odd]);
});

/** Only the square of the most negative number differs from WebAssembly's: it overflows instead of saturating. */
const multiplyRounded: Meaning = combined((m, lhs, rhs) => {
  const least = splat(m, 0x8000_8000_8000_8000n);
  const overflows = m.wasm("v128.and", [
    m.wasm("i16x8.eq", [lhs, least]),
    m.wasm("i16x8.eq", [rhs, least]),
  ]);
  return m.wasm("v128.xor", [m.wasm("i16x8.q15mulr_sat_s", [lhs, rhs]), overflows]);
});

/** The destination, negated or cleared as the source's sign is. */
function sign(shape: "i8x16" | "i16x8" | "i32x4"): Meaning {
  return combined((m, lhs, rhs) => {
    const zero = m.constantV128(0n, 0n);
    const isNegative = m.wasm(`${shape}.lt_s`, [rhs, zero]);
    const signed = m.wasm("v128.bitselect", [m.wasm(`${shape}.neg`, [lhs]), lhs, isNegative]);
    return m.wasm("v128.and", [signed, m.wasm(`${shape}.ne`, [rhs, zero])]);
  });
}

function absolute(shape: "i8x16" | "i16x8" | "i32x4"): Meaning {
  return (m, dst, src) => {
    requirePacked(m, dst);
    writePacked(m, dst, m.wasm(`${shape}.abs`, [readPacked(m, src)]));
  };
}

/** The bytes from the immediate on of source and, above it, destination. Indices beyond a vector give zero. */
const alignRight: ImmediateMeaning = (m, dst, src, by) => {
  requirePacked(m, dst);
  const size = dst.kind === "mmx" ? 8 : 16;
  const most = m.constant(2 * size);
  const given = m.read(by);
  const count = m.select(m.lessThanUnsigned(most, given), most, given);
  const numbers = m.constantV128(0x0706_0504_0302_0100n, 0x0f0e_0d0c_0b0a_0908n);
  const distance = m.wasm("i8x16.splat", [m.toI32(count)]);
  const inSource = m.wasm("i8x16.add", [numbers, distance]);
  const sizes = m.wasm("i8x16.splat", [m.toI32(m.constant(size))]);
  const inDestination = m.wasm("i8x16.sub", [inSource, sizes]);
  const low = m.wasm("i8x16.swizzle", [readPacked(m, src), inSource]);
  const high = m.wasm("i8x16.swizzle", [readPacked(m, dst), inDestination]);
  writePacked(m, dst, m.wasm("v128.or", [low, high]));
};

const HADD = "PHADDW/PHADDD—Packed Horizontal Add";
const HSUB = "PHSUBW/PHSUBD—Packed Horizontal Subtract";
const SIGN = "PSIGNB/PSIGNW/PSIGND—Packed SIGN";
const ABS = "PABSB/PABSW/PABSD/PABSQ—Packed Absolute Value";

export const ssse3Instructions: readonly Instruction[] = family(
  { feature: "ssse3" },
  opcodes`
    Opcode            | Instruction                   | Access
    NP 0F 38 00 /r    | PSHUFB mm1, mm2/m64           | rw r
    66 0F 38 00 /r    | PSHUFB xmm1, xmm2/m128        | rw r
    NP 0F 38 01 /r    | PHADDW mm1, mm2/m64           | rw r
    66 0F 38 01 /r    | PHADDW xmm1, xmm2/m128        | rw r
    NP 0F 38 02 /r    | PHADDD mm1, mm2/m64           | rw r
    66 0F 38 02 /r    | PHADDD xmm1, xmm2/m128        | rw r
    NP 0F 38 03 /r    | PHADDSW mm1, mm2/m64          | rw r
    66 0F 38 03 /r    | PHADDSW xmm1, xmm2/m128       | rw r
    NP 0F 38 04 /r    | PMADDUBSW mm1, mm2/m64        | rw r
    66 0F 38 04 /r    | PMADDUBSW xmm1, xmm2/m128     | rw r
    NP 0F 38 05 /r    | PHSUBW mm1, mm2/m64           | rw r
    66 0F 38 05 /r    | PHSUBW xmm1, xmm2/m128        | rw r
    NP 0F 38 06 /r    | PHSUBD mm1, mm2/m64           | rw r
    66 0F 38 06 /r    | PHSUBD xmm1, xmm2/m128        | rw r
    NP 0F 38 07 /r    | PHSUBSW mm1, mm2/m64          | rw r
    66 0F 38 07 /r    | PHSUBSW xmm1, xmm2/m128       | rw r
    NP 0F 38 08 /r    | PSIGNB mm1, mm2/m64           | rw r
    66 0F 38 08 /r    | PSIGNB xmm1, xmm2/m128        | rw r
    NP 0F 38 09 /r    | PSIGNW mm1, mm2/m64           | rw r
    66 0F 38 09 /r    | PSIGNW xmm1, xmm2/m128        | rw r
    NP 0F 38 0A /r    | PSIGND mm1, mm2/m64           | rw r
    66 0F 38 0A /r    | PSIGND xmm1, xmm2/m128        | rw r
    NP 0F 38 0B /r    | PMULHRSW mm1, mm2/m64         | rw r
    66 0F 38 0B /r    | PMULHRSW xmm1, xmm2/m128      | rw r
    NP 0F 38 1C /r    | PABSB mm1, mm2/m64            | w r
    66 0F 38 1C /r    | PABSB xmm1, xmm2/m128         | w r
    NP 0F 38 1D /r    | PABSW mm1, mm2/m64            | w r
    66 0F 38 1D /r    | PABSW xmm1, xmm2/m128         | w r
    NP 0F 38 1E /r    | PABSD mm1, mm2/m64            | w r
    66 0F 38 1E /r    | PABSD xmm1, xmm2/m128         | w r
    NP 0F 3A 0F /r ib | PALIGNR mm1, mm2/m64, imm8    | rw r r
    66 0F 3A 0F /r ib | PALIGNR xmm1, xmm2/m128, imm8 | rw r r
  `,
  {
    pshufb: ["PSHUFB—Packed Shuffle Bytes", shuffleBytes],
    phaddw: [HADD, horizontal(2, "i16x8.add")],
    phaddd: [HADD, horizontal(4, "i32x4.add")],
    phaddsw: ["PHADDSW—Packed Horizontal Add and Saturate", horizontal(2, "i16x8.add_sat_s")],
    pmaddubsw: ["PMADDUBSW—Multiply and Add Packed Signed and Unsigned Bytes", multiplyAddBytes],
    phsubw: [HSUB, horizontal(2, "i16x8.sub")],
    phsubd: [HSUB, horizontal(4, "i32x4.sub")],
    phsubsw: ["PHSUBSW—Packed Horizontal Subtract and Saturate", horizontal(2, "i16x8.sub_sat_s")],
    psignb: [SIGN, sign("i8x16")],
    psignw: [SIGN, sign("i16x8")],
    psignd: [SIGN, sign("i32x4")],
    pmulhrsw: ["PMULHRSW—Packed Multiply High With Round and Scale", multiplyRounded],
    pabsb: [ABS, absolute("i8x16")],
    pabsw: [ABS, absolute("i16x8")],
    pabsd: [ABS, absolute("i32x4")],
    palignr: ["PALIGNR—Packed Align Right", alignRight],
  },
);
