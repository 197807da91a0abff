/**
 * SSE3 and SSE4.1 on packed floating-point numbers: horizontal sums, alternating sums, dot products, rounding.
 *
 * Intel SDM Vol. 1 §12.3.3, "SSE3 Packed Addition/Subtraction Instructions"; §12.10.4, "Floating-Point Dot Product
 * Instructions"; §12.10.8, "Packed Floating-Point Rounding".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import {
  Arithmetic,
  elements,
  ignoresPrecision,
  isSteady,
  pass,
  PD,
  PS,
  readShape,
  SD,
  shapeBytes,
  SS,
  writeHelped,
  type Shape,
} from "./float-shape.ts";
import { sumOf } from "./sse-arithmetic.ts";
import { readVector, requireSse } from "./sse-operand.ts";
import { laneIndices } from "./ssse3.ts";

type Meaning = (m: SemanticsBuilder, dst: Operand, src: Operand) => void;
type ImmediateMeaning = (m: SemanticsBuilder, dst: Operand, src: Operand, by: Operand) => void;

/** Sums or differences of neighbours: those of the destination in the lower half. */
function horizontal(shape: Shape, operation: "add" | "sub"): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const rhs = readVector(m, src);
    const lhs = m.readAs(dst, "v128", 16);
    const lanes = (first: 0 | 1): Value =>
      m.wasm("i8x16.shuffle", [lhs, rhs], laneIndices(shape.bits / 8, first));
    sumOf(m, shape, dst, { first: lanes(0), second: lanes(1) }, operation);
  };
}

/** Sign bits of the even elements, where differences are taken. */
const EVEN_SIGNS: Readonly<Record<32 | 64, readonly [bigint, bigint]>> = {
  32: [0x8000_0000n, 0x8000_0000n],
  64: [0x8000_0000_0000_0000n, 0n],
};

/** Differences of the even elements, sums of the odd ones. */
function alternating(shape: Shape): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const second = readVector(m, src);
    const first = m.readAs(dst, "v128", 16);
    const flipped = m.wasm("v128.xor", [second, m.constantV128(...EVEN_SIGNS[shape.bits])]);
    const result = float.apply("add", first, flipped);
    const regular = float.and(
      float.isFinite(result),
      float.isRegular(first),
      float.isRegular(second),
    );
    m.when(
      m.both(isSteady(m), float.all(regular)),
      () => m.writeAs(dst, result, 16),
      () => {
        pass(m, shape, "first", first);
        pass(m, shape, "second", second);
        m.helper("sse.addSubtract", [m.constant(shape.bits), m.constant(elements(shape))]);
        writeHelped(m, shape, dst);
      },
    );
  };
}

/** The sum of the products that the immediate's upper half selects, in the elements that its lower half selects. */
function dotProduct(shape: Shape): ImmediateMeaning {
  return (m, dst, src, by) => {
    requireSse(m);
    const second = readVector(m, src);
    pass(m, shape, "first", m.readAs(dst, "v128", 16));
    pass(m, shape, "second", second);
    const parameters = [m.constant(shape.bits), m.constant(elements(shape)), m.read(by)];
    m.helper("sse.dotProduct", parameters);
    writeHelped(m, shape, dst);
  };
}

/** Immediate: bits 1:0 the rounding mode, bit 2 MXCSR's instead, bit 3 no precision exception. */
function rounded(shape: Shape): ImmediateMeaning {
  return (m, dst, src, by) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const value = readShape(m, shape, src);
    const choice = m.read(by);
    const isQuiet = m.bit(choice, 3);
    // Other modes than the immediate's own are rare, and the helper's.
    const mode = m.and(choice, m.constant(7));
    const is = (wanted: number): Value => m.equal(mode, m.constant(wanted));
    const result = m.select(
      is(0),
      float.apply("nearest", value),
      m.select(
        is(1),
        float.apply("floor", value),
        m.select(is(2), float.apply("ceil", value), float.apply("trunc", value)),
      ),
    );
    const isExact = float.all(float.apply("eq", result, value));
    const isSilent = m.either(m.either(isQuiet, isExact), ignoresPrecision(m));
    const isOwnMode = m.isFalse(m.bit(choice, 2));
    m.when(
      m.both(m.both(isSilent, isOwnMode), float.all(float.isRegular(value))),
      () => m.writeAs(dst, result, shapeBytes(shape)),
      () => {
        pass(m, shape, "second", value);
        const parameters = [m.constant(shape.bits), m.constant(elements(shape)), choice];
        m.helper("sse.roundToIntegral", parameters);
        writeHelped(m, shape, dst);
      },
    );
  };
}

export const sse3Arithmetic: readonly Instruction[] = family(
  { feature: "sse3" },
  opcodes`
    Opcode      | Instruction              | Access
    66 0F D0 /r | ADDSUBPD xmm1, xmm2/m128 | rw r
    F2 0F D0 /r | ADDSUBPS xmm1, xmm2/m128 | rw r
    66 0F 7C /r | HADDPD xmm1, xmm2/m128   | rw r
    F2 0F 7C /r | HADDPS xmm1, xmm2/m128   | rw r
    66 0F 7D /r | HSUBPD xmm1, xmm2/m128   | rw r
    F2 0F 7D /r | HSUBPS xmm1, xmm2/m128   | rw r
  `,
  {
    addsubpd: ["ADDSUBPD—Packed Double Precision Floating-Point Add/Subtract", alternating(PD)],
    addsubps: ["ADDSUBPS—Packed Single Precision Floating-Point Add/Subtract", alternating(PS)],
    haddpd: ["HADDPD—Packed Double Precision Floating-Point Horizontal Add", horizontal(PD, "add")],
    haddps: ["HADDPS—Packed Single Precision Floating-Point Horizontal Add", horizontal(PS, "add")],
    hsubpd: [
      "HSUBPD—Packed Double Precision Floating-Point Horizontal Subtract",
      horizontal(PD, "sub"),
    ],
    hsubps: [
      "HSUBPS—Packed Single Precision Floating-Point Horizontal Subtract",
      horizontal(PS, "sub"),
    ],
  },
);

export const sse41Arithmetic: readonly Instruction[] = family(
  { feature: "sse4_1" },
  opcodes`
    Opcode            | Instruction                   | Access
    66 0F 3A 40 /r ib | DPPS xmm1, xmm2/m128, imm8    | rw r r
    66 0F 3A 41 /r ib | DPPD xmm1, xmm2/m128, imm8    | rw r r
    66 0F 3A 08 /r ib | ROUNDPS xmm1, xmm2/m128, imm8 | w r r
    66 0F 3A 09 /r ib | ROUNDPD xmm1, xmm2/m128, imm8 | w r r
    66 0F 3A 0A /r ib | ROUNDSS xmm1, xmm2/m32, imm8  | rw r r
    66 0F 3A 0B /r ib | ROUNDSD xmm1, xmm2/m64, imm8  | rw r r
  `,
  {
    dpps: ["DPPS—Dot Product of Packed Single Precision Floating-Point Values", dotProduct(PS)],
    dppd: ["DPPD—Dot Product of Packed Double Precision Floating-Point Values", dotProduct(PD)],
    roundps: ["ROUNDPS—Round Packed Single Precision Floating-Point Values", rounded(PS)],
    roundpd: ["ROUNDPD—Round Packed Double Precision Floating-Point Values", rounded(PD)],
    roundss: ["ROUNDSS—Round Scalar Single Precision Floating-Point Values", rounded(SS)],
    roundsd: ["ROUNDSD—Round Scalar Double Precision Floating-Point Values", rounded(SD)],
  },
);
