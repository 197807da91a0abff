/**
 * ADD, SUB, MUL, DIV, SQRT, MIN, MAX and the reciprocals, packed and scalar, single and double precision.
 *
 * Intel SDM Vol. 1 §10.4.1.2, "SSE Arithmetic Instructions" and §11.4.1.2, "SSE2 Arithmetic
 * Instructions".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import {
  Arithmetic,
  elements,
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
import { requireSse } from "./sse-operand.ts";

type Meaning = (m: SemanticsBuilder, dst: Operand, src: Operand) => void;

/** Writes WebAssembly's result where it is the processor's, else a helper's. */
function settle(
  m: SemanticsBuilder,
  shape: Shape,
  dst: Operand,
  operands: { readonly first?: Value; readonly second: Value },
  fast: { readonly when: Value; readonly result: Value },
  helper: string,
): void {
  m.when(
    fast.when,
    () => m.writeAs(dst, fast.result, shapeBytes(shape)),
    () => {
      if (operands.first !== undefined) pass(m, shape, "first", operands.first);
      pass(m, shape, "second", operands.second);
      m.helper(helper, [m.constant(shape.bits), m.constant(elements(shape))]);
      writeHelped(m, shape, dst);
    },
  );
}

/** Sums cannot be both tiny and inexact, so only operands and overflow matter. */
function sum(shape: Shape, operation: "add" | "sub"): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const second = readShape(m, shape, src);
    sumOf(m, shape, dst, { first: readShape(m, shape, dst), second }, operation);
  };
}

/** Writes the sum or difference of two values. */
export function sumOf(
  m: SemanticsBuilder,
  shape: Shape,
  dst: Operand,
  operands: { readonly first: Value; readonly second: Value },
  operation: "add" | "sub",
): void {
  const { first, second } = operands;
  const float = new Arithmetic(m, shape);
  const result = float.apply(operation, first, second);
  const regular = float.and(
    float.isFinite(result),
    float.isRegular(first),
    float.isRegular(second),
  );
  const when = m.both(isSteady(m), float.all(regular));
  const helper = operation === "add" ? "sse.add" : "sse.subtract";
  settle(m, shape, dst, { first, second }, { when, result }, helper);
}

/** A product or quotient of zero is tiny unless an operand was zero. */
function product(shape: Shape, operation: "mul" | "div"): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const second = readShape(m, shape, src);
    const first = readShape(m, shape, dst);
    const result = float.apply(operation, first, second);
    const regular = float.and(
      float.isFinite(result),
      float.isRegular(first),
      float.isRegular(second),
      float.or(float.isLarge(result), float.isZero(first), float.isZero(second)),
    );
    const when = m.both(isSteady(m), float.all(regular));
    const helper = operation === "mul" ? "sse.multiply" : "sse.divide";
    settle(m, shape, dst, { first, second }, { when, result }, helper);
  };
}

function squareRoot(shape: Shape): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const second = readShape(m, shape, src);
    const result = float.apply("sqrt", second);
    const notNegative = float.apply("ge", second, float.constant(0n));
    const regular = float.and(float.isRegular(second), notNegative);
    const when = m.both(isSteady(m), float.all(regular));
    settle(m, shape, dst, { second }, { when, result }, "sse.squareRoot");
  };
}

/** The second operand unless the first is strictly on the wanted side; so for two zeros and, with #I, for NaNs. */
function extreme(shape: Shape, side: "lt" | "gt"): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const second = readShape(m, shape, src);
    const first = readShape(m, shape, dst);
    const chosen = float.apply(side, first, second);
    const result = shape.packed
      ? m.wasm("v128.bitselect", [first, second, chosen])
      : m.select(chosen, first, second);
    const when = float.all(float.and(float.isRegular(first), float.isRegular(second)));
    const helper = side === "lt" ? "sse.minimum" : "sse.maximum";
    settle(m, shape, dst, { first, second }, { when, result }, helper);
  };
}

const QUIET_BITS = 0x0040_0000_0040_0000n;
const SIGN_BITS = 0x8000_0000_8000_0000n;

/**
 * RCP and RSQRT: denormals count as zeros, tiny results are zeros, and MXCSR plays no part.
 *
 * Differs from the SDM: RCPPS, RSQRTPS and their like give the correctly rounded result. The manual bounds the relative
 * error by 1.5 * 2^-12, and processors differ within that.
 */
function reciprocal(shape: Shape, ofRoot: boolean): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, PS);
    const source = shape.packed ? readShape(m, PS, src) : m.readAs(src, "v128", 4);
    const sign = m.constantV128(SIGN_BITS, SIGN_BITS);
    const signs = m.wasm("v128.and", [source, sign]);
    const select = (condition: Value, whenTrue: Value, whenFalse: Value): Value =>
      m.wasm("v128.bitselect", [whenTrue, whenFalse, condition]);
    const isNan = float.apply("ne", source, source);
    const operand = select(float.or(float.isRegular(source), isNan), source, signs);
    const base = ofRoot ? float.apply("sqrt", operand) : operand;
    const quotient = float.apply("div", float.constant(0x3f80_0000n), base);
    const flushed = select(float.isRegular(quotient), quotient, signs);
    const indefinite = float.constant(0xffc0_0000n);
    const negative = float.apply("lt", operand, float.constant(0n));
    const number = ofRoot ? select(negative, indefinite, flushed) : flushed;
    const quiet = m.wasm("v128.or", [source, m.constantV128(QUIET_BITS, QUIET_BITS)]);
    const result = select(isNan, quiet, number);
    if (shape.packed) m.writeAs(dst, result, 16);
    else m.writeAs(dst, m.wasm("i32x4.extract_lane", [result], [0]), 4);
  };
}

export const sseArithmetic: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode      | Instruction             | Access
    NP 0F 58 /r | ADDPS xmm1, xmm2/m128   | rw r
    F3 0F 58 /r | ADDSS xmm1, xmm2/m32    | rw r
    NP 0F 59 /r | MULPS xmm1, xmm2/m128   | rw r
    F3 0F 59 /r | MULSS xmm1, xmm2/m32    | rw r
    NP 0F 5C /r | SUBPS xmm1, xmm2/m128   | rw r
    F3 0F 5C /r | SUBSS xmm1, xmm2/m32    | rw r
    NP 0F 5D /r | MINPS xmm1, xmm2/m128   | rw r
    F3 0F 5D /r | MINSS xmm1, xmm2/m32    | rw r
    NP 0F 5E /r | DIVPS xmm1, xmm2/m128   | rw r
    F3 0F 5E /r | DIVSS xmm1, xmm2/m32    | rw r
    NP 0F 5F /r | MAXPS xmm1, xmm2/m128   | rw r
    F3 0F 5F /r | MAXSS xmm1, xmm2/m32    | rw r
    NP 0F 51 /r | SQRTPS xmm1, xmm2/m128  | w r
    F3 0F 51 /r | SQRTSS xmm1, xmm2/m32   | rw r
    NP 0F 52 /r | RSQRTPS xmm1, xmm2/m128 | w r
    F3 0F 52 /r | RSQRTSS xmm1, xmm2/m32  | rw r
    NP 0F 53 /r | RCPPS xmm1, xmm2/m128   | w r
    F3 0F 53 /r | RCPSS xmm1, xmm2/m32    | rw r
  `,
  {
    addps: ["ADDPS—Add Packed Single Precision Floating-Point Values", sum(PS, "add")],
    addss: ["ADDSS—Add Scalar Single Precision Floating-Point Values", sum(SS, "add")],
    mulps: ["MULPS—Multiply Packed Single Precision Floating-Point Values", product(PS, "mul")],
    mulss: ["MULSS—Multiply Scalar Single Precision Floating-Point Value", product(SS, "mul")],
    subps: ["SUBPS—Subtract Packed Single Precision Floating-Point Values", sum(PS, "sub")],
    subss: ["SUBSS—Subtract Scalar Single Precision Floating-Point Value", sum(SS, "sub")],
    minps: ["MINPS—Minimum of Packed Single Precision Floating-Point Values", extreme(PS, "lt")],
    minss: ["MINSS—Return Minimum Scalar Single Precision Floating-Point Value", extreme(SS, "lt")],
    divps: ["DIVPS—Divide Packed Single Precision Floating-Point Values", product(PS, "div")],
    divss: ["DIVSS—Divide Scalar Single Precision Floating-Point Value", product(SS, "div")],
    maxps: ["MAXPS—Maximum of Packed Single Precision Floating-Point Values", extreme(PS, "gt")],
    maxss: ["MAXSS—Return Maximum Scalar Single Precision Floating-Point Value", extreme(SS, "gt")],
    sqrtps: ["SQRTPS—Square Root of Single Precision Floating-Point Values", squareRoot(PS)],
    sqrtss: ["SQRTSS—Compute Square Root of Scalar Single Precision Value", squareRoot(SS)],
    rsqrtps: [
      "RSQRTPS—Compute Reciprocals of Square Roots of Packed Single Precision Floating-Point Values",
      reciprocal(PS, true),
    ],
    rsqrtss: [
      "RSQRTSS—Compute Reciprocal of Square Root of Scalar Single Precision Floating-Point Value",
      reciprocal(SS, true),
    ],
    rcpps: [
      "RCPPS—Compute Reciprocals of Packed Single Precision Floating-Point Values",
      reciprocal(PS, false),
    ],
    rcpss: [
      "RCPSS—Compute Reciprocal of Scalar Single Precision Floating-Point Values",
      reciprocal(SS, false),
    ],
  },
);

export const sse2Arithmetic: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode      | Instruction            | Access
    66 0F 58 /r | ADDPD xmm1, xmm2/m128  | rw r
    F2 0F 58 /r | ADDSD xmm1, xmm2/m64   | rw r
    66 0F 59 /r | MULPD xmm1, xmm2/m128  | rw r
    F2 0F 59 /r | MULSD xmm1, xmm2/m64   | rw r
    66 0F 5C /r | SUBPD xmm1, xmm2/m128  | rw r
    F2 0F 5C /r | SUBSD xmm1, xmm2/m64   | rw r
    66 0F 5D /r | MINPD xmm1, xmm2/m128  | rw r
    F2 0F 5D /r | MINSD xmm1, xmm2/m64   | rw r
    66 0F 5E /r | DIVPD xmm1, xmm2/m128  | rw r
    F2 0F 5E /r | DIVSD xmm1, xmm2/m64   | rw r
    66 0F 5F /r | MAXPD xmm1, xmm2/m128  | rw r
    F2 0F 5F /r | MAXSD xmm1, xmm2/m64   | rw r
    66 0F 51 /r | SQRTPD xmm1, xmm2/m128 | w r
    F2 0F 51 /r | SQRTSD xmm1, xmm2/m64  | rw r
  `,
  {
    addpd: ["ADDPD—Add Packed Double Precision Floating-Point Values", sum(PD, "add")],
    addsd: ["ADDSD—Add Scalar Double Precision Floating-Point Values", sum(SD, "add")],
    mulpd: ["MULPD—Multiply Packed Double Precision Floating-Point Values", product(PD, "mul")],
    mulsd: ["MULSD—Multiply Scalar Double Precision Floating-Point Value", product(SD, "mul")],
    subpd: ["SUBPD—Subtract Packed Double Precision Floating-Point Values", sum(PD, "sub")],
    subsd: ["SUBSD—Subtract Scalar Double Precision Floating-Point Value", sum(SD, "sub")],
    minpd: ["MINPD—Minimum of Packed Double Precision Floating-Point Values", extreme(PD, "lt")],
    minsd: ["MINSD—Return Minimum Scalar Double Precision Floating-Point Value", extreme(SD, "lt")],
    divpd: ["DIVPD—Divide Packed Double Precision Floating-Point Values", product(PD, "div")],
    divsd: ["DIVSD—Divide Scalar Double Precision Floating-Point Value", product(SD, "div")],
    maxpd: ["MAXPD—Maximum of Packed Double Precision Floating-Point Values", extreme(PD, "gt")],
    maxsd: ["MAXSD—Return Maximum Scalar Double Precision Floating-Point Value", extreme(SD, "gt")],
    sqrtpd: ["SQRTPD—Square Root of Double Precision Floating-Point Values", squareRoot(PD)],
    sqrtsd: ["SQRTSD—Compute Square Root of Scalar Double Precision Value", squareRoot(SD)],
  },
);
