/**
 * Conversions between single precision, double precision and integers.
 *
 * Intel SDM Vol. 1 §10.4.3, "SSE Conversion Instructions" and §11.4.1.6, "SSE2 Conversion Instructions". An integer that
 * does not fit is the most negative one, with #I. Conversions that are exact raise nothing, whatever MXCSR says.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { family } from "./family.ts";
import {
  Arithmetic,
  ignoresPrecision,
  isSteady,
  pass,
  PD,
  PS,
  readShape,
  SD,
  SS,
  writeHelped,
  type Shape,
} from "./float-shape.ts";
import { lowVector, readVector, requireSse } from "./sse-operand.ts";

type Meaning = (m: SemanticsBuilder, dst: Operand, src: Operand) => void;

/** The low half of the scratch field that holds a helper's result. */
function helped(m: SemanticsBuilder): Value {
  return m.state(slots.scratch0);
}

/** CVTSI2SS and CVTSI2SD. Integers of up to 24 or 53 bits are exact. */
function fromInteger(shape: Shape): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const type = shape.bits === 32 ? "f32" : "f64";
    const bits = src.bits === 64 ? 64 : 32;
    const integer = m.read(src);
    const operand = bits === 64 ? integer : m.toI32(integer);
    const converted = m.wasm(`${type}.convert_i${bits}_s`, [operand]);
    const bytes = shape.bits === 32 ? 4 : 8;
    if (shape.bits === 64 && bits === 32) {
      m.writeAs(dst, converted, bytes);
      return;
    }
    const limit = shape.bits === 32 ? 1n << 24n : 1n << 53n;
    const shifted = m.add(m.signExtend(integer, bits), m.constant(limit), 64);
    const small = m.lessThanUnsigned(shifted, m.constant(2n * limit));
    m.when(
      m.either(small, isSteady(m)),
      () => m.writeAs(dst, converted, bytes),
      () => {
        m.setState(slots.scratch2, integer);
        const parameters = [m.constant(bits), m.constant(shape.bits), m.constant(1)];
        m.helper("sse.convertFromInteger", parameters);
        m.writeAs(dst, helped(m), bytes);
      },
    );
  };
}

/** 2 to the power of 31 and 63: beyond what integers hold. */
const LIMITS = {
  32: { 32: 0x4f00_0000n, 64: 0x5f00_0000n },
  64: { 32: 0x41e0_0000_0000_0000n, 64: 0x43e0_0000_0000_0000n },
} as const;

/** CVTSS2SI, CVTSD2SI and their truncating forms. */
function toInteger(shape: Shape, truncate: boolean): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const bits = dst.bits === 64 ? 64 : 32;
    const type = shape.bits === 32 ? "f32" : "f64";
    const value = readShape(m, shape, src);
    const rounded = float.apply(truncate ? "trunc" : "nearest", value);
    const exact = float.apply("eq", rounded, value);
    const silent = m.either(exact, truncate ? ignoresPrecision(m) : isSteady(m));
    const limit = float.constant(LIMITS[shape.bits][bits]);
    const fits = float.apply("lt", float.apply("abs", rounded), limit);
    m.when(
      m.both(silent, fits),
      () => {
        const integer = m.wasm(`i${bits}.trunc_sat_${type}_s`, [rounded]);
        m.write(dst, bits === 64 ? integer : m.fromI32Unsigned(integer));
      },
      () => {
        pass(m, shape, "second", value);
        m.helper("sse.convertToInteger", [
          m.constant(shape.bits),
          m.constant(bits),
          m.constant(1),
          m.constant(truncate ? 1 : 0),
        ]);
        m.write(dst, m.truncate(helped(m), bits));
      },
    );
  };
}

function convertByHelper(m: SemanticsBuilder, from: number, to: number, lanes: number): void {
  m.helper("sse.convertFormat", [m.constant(from), m.constant(to), m.constant(lanes)]);
}

/** CVTSS2SD: always exact. */
const singleToDouble: Meaning = (m, dst, src) => {
  requireSse(m);
  const value = readShape(m, SS, src);
  m.when(
    new Arithmetic(m, SS).isRegular(value),
    () => m.writeAs(dst, m.wasm("f64.promote_f32", [value]), 8),
    () => {
      pass(m, SS, "second", value);
      convertByHelper(m, 32, 64, 1);
      m.writeAs(dst, helped(m), 8);
    },
  );
};

/** CVTSD2SS. */
const doubleToSingle: Meaning = (m, dst, src) => {
  requireSse(m);
  const double = new Arithmetic(m, SD);
  const single = new Arithmetic(m, SS);
  const value = readShape(m, SD, src);
  const result = m.wasm("f32.demote_f64", [value]);
  const regular = single.and(
    single.isFinite(result),
    single.or(single.isLarge(result), double.isZero(value)),
  );
  m.when(
    m.both(isSteady(m), regular),
    () => m.writeAs(dst, result, 4),
    () => {
      pass(m, SD, "second", value);
      convertByHelper(m, 64, 32, 1);
      m.writeAs(dst, helped(m), 4);
    },
  );
};

/** CVTPS2PD: two singles. */
const singlesToDoubles: Meaning = (m, dst, src) => {
  requireSse(m);
  const low = m.readAs(src, "v128", 8);
  const float = new Arithmetic(m, PS);
  m.when(
    float.all(float.isRegular(low)),
    () => m.writeAs(dst, m.wasm("f64x2.promote_low_f32x4", [low]), 16),
    () => {
      pass(m, PS, "second", low);
      convertByHelper(m, 32, 64, 2);
      writeHelped(m, PD, dst);
    },
  );
};

/** CVTPD2PS: two singles and zeros above. Without promises about every lane the helper does it. */
const doublesToSingles: Meaning = (m, dst, src) => {
  requireSse(m);
  const float = new Arithmetic(m, PD);
  const value = readVector(m, src);
  const result = m.wasm("f32x4.demote_f64x2_zero", [value]);
  const back = m.wasm("f64x2.promote_low_f32x4", [result]);
  // Larger than the smallest normal single, and not rounded to infinity.
  const large = float.apply("gt", float.apply("abs", back), float.constant(0x3810_0000_0000_0000n));
  const regular = float.and(float.isFinite(back), float.or(large, float.isZero(value)));
  m.when(
    m.both(isSteady(m), float.all(regular)),
    () => m.writeAs(dst, result, 16),
    () => {
      pass(m, PD, "second", value);
      convertByHelper(m, 64, 32, 2);
      m.writeAs(dst, lowVector(m, helped(m)), 16);
    },
  );
};

/** CVTDQ2PD: always exact. */
const integersToDoubles: Meaning = (m, dst, src) => {
  requireSse(m);
  m.writeAs(dst, m.wasm("f64x2.convert_low_i32x4_s", [m.readAs(src, "v128", 8)]), 16);
};

/** CVTDQ2PS. */
const integersToSingles: Meaning = (m, dst, src) => {
  requireSse(m);
  const value = readVector(m, src);
  m.when(
    isSteady(m),
    () => m.writeAs(dst, m.wasm("f32x4.convert_i32x4_s", [value]), 16),
    () => {
      pass(m, PS, "second", value);
      const parameters = [m.constant(32), m.constant(32), m.constant(4)];
      m.helper("sse.convertFromInteger", parameters);
      writeHelped(m, PS, dst);
    },
  );
};

/** CVTPS2DQ, CVTPD2DQ and their truncating forms; two integers from doubles have zeros above. */
function toIntegers(shape: Shape, truncate: boolean): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const value = readVector(m, src);
    const rounded = float.apply(truncate ? "trunc" : "nearest", value);
    const exact = float.apply("eq", rounded, value);
    const silent = m.either(float.all(exact), truncate ? ignoresPrecision(m) : isSteady(m));
    const limit = float.constant(LIMITS[shape.bits][32]);
    const fits = float.all(float.apply("lt", float.apply("abs", rounded), limit));
    const operation =
      shape.bits === 32 ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f64x2_s_zero";
    m.when(
      m.both(silent, fits),
      () => m.writeAs(dst, m.wasm(operation, [rounded]), 16),
      () => {
        pass(m, shape, "second", value);
        m.helper("sse.convertToInteger", [
          m.constant(shape.bits),
          m.constant(32),
          m.constant(shape.bits === 32 ? 4 : 2),
          m.constant(truncate ? 1 : 0),
        ]);
        if (shape.bits === 32) writeHelped(m, PS, dst);
        else m.writeAs(dst, lowVector(m, helped(m)), 16);
      },
    );
  };
}

export const sseConvert: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode            | Instruction             | Access
    F3 0F 2A /r       | CVTSI2SS xmm1, r/m32    | rw r
    F3 REX.W 0F 2A /r | CVTSI2SS xmm1, r/m64    | rw r
    F3 0F 2C /r       | CVTTSS2SI r32, xmm1/m32 | w r
    F3 REX.W 0F 2C /r | CVTTSS2SI r64, xmm1/m32 | w r
    F3 0F 2D /r       | CVTSS2SI r32, xmm1/m32  | w r
    F3 REX.W 0F 2D /r | CVTSS2SI r64, xmm1/m32  | w r
  `,
  {
    cvtsi2ss: [
      "CVTSI2SS—Convert Doubleword Integer to Scalar Single Precision Floating-Point Value",
      fromInteger(SS),
    ],
    cvttss2si: [
      "CVTTSS2SI—Convert With Truncation Scalar Single Precision Floating-Point Value to Integer",
      toInteger(SS, true),
    ],
    cvtss2si: [
      "CVTSS2SI—Convert Scalar Single Precision Floating-Point Value to Doubleword Integer",
      toInteger(SS, false),
    ],
  },
);

export const sse2Convert: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode            | Instruction               | Access
    F2 0F 2A /r       | CVTSI2SD xmm1, r/m32      | rw r
    F2 REX.W 0F 2A /r | CVTSI2SD xmm1, r/m64      | rw r
    F2 0F 2C /r       | CVTTSD2SI r32, xmm1/m64   | w r
    F2 REX.W 0F 2C /r | CVTTSD2SI r64, xmm1/m64   | w r
    F2 0F 2D /r       | CVTSD2SI r32, xmm1/m64    | w r
    F2 REX.W 0F 2D /r | CVTSD2SI r64, xmm1/m64    | w r
    F3 0F 5A /r       | CVTSS2SD xmm1, xmm2/m32   | rw r
    F2 0F 5A /r       | CVTSD2SS xmm1, xmm2/m64   | rw r
    NP 0F 5A /r       | CVTPS2PD xmm1, xmm2/m64   | w r
    66 0F 5A /r       | CVTPD2PS xmm1, xmm2/m128  | w r
    F3 0F E6 /r       | CVTDQ2PD xmm1, xmm2/m64   | w r
    NP 0F 5B /r       | CVTDQ2PS xmm1, xmm2/m128  | w r
    66 0F 5B /r       | CVTPS2DQ xmm1, xmm2/m128  | w r
    F3 0F 5B /r       | CVTTPS2DQ xmm1, xmm2/m128 | w r
    F2 0F E6 /r       | CVTPD2DQ xmm1, xmm2/m128  | w r
    66 0F E6 /r       | CVTTPD2DQ xmm1, xmm2/m128 | w r
  `,
  {
    cvtsi2sd: [
      "CVTSI2SD—Convert Doubleword Integer to Scalar Double Precision Floating-Point Value",
      fromInteger(SD),
    ],
    cvttsd2si: [
      "CVTTSD2SI—Convert With Truncation Scalar Double Precision Floating-Point Value to Signed Integer",
      toInteger(SD, true),
    ],
    cvtsd2si: [
      "CVTSD2SI—Convert Scalar Double Precision Floating-Point Value to Doubleword Integer",
      toInteger(SD, false),
    ],
    cvtss2sd: [
      "CVTSS2SD—Convert Scalar Single Precision Floating-Point Value to Scalar Double Precision Floating-Point Value",
      singleToDouble,
    ],
    cvtsd2ss: [
      "CVTSD2SS—Convert Scalar Double Precision Floating-Point Value to Scalar Single Precision Floating-Point Value",
      doubleToSingle,
    ],
    cvtps2pd: [
      "CVTPS2PD—Convert Packed Single Precision Floating-Point Values to Packed Double Precision Floating-Point Values",
      singlesToDoubles,
    ],
    cvtpd2ps: [
      "CVTPD2PS—Convert Packed Double Precision Floating-Point Values to Packed Single Precision Floating-Point Values",
      doublesToSingles,
    ],
    cvtdq2pd: [
      "CVTDQ2PD—Convert Packed Doubleword Integers to Packed Double Precision Floating-Point Values",
      integersToDoubles,
    ],
    cvtdq2ps: [
      "CVTDQ2PS—Convert Packed Doubleword Integers to Packed Single Precision Floating-Point Values",
      integersToSingles,
    ],
    cvtps2dq: [
      "CVTPS2DQ—Convert Packed Single Precision Floating-Point Values to Packed Signed Doubleword Integer Values",
      toIntegers(PS, false),
    ],
    cvttps2dq: [
      "CVTTPS2DQ—Convert With Truncation Packed Single Precision Floating-Point Values to Packed Signed Doubleword Integer Values",
      toIntegers(PS, true),
    ],
    cvtpd2dq: [
      "CVTPD2DQ—Convert Packed Double Precision Floating-Point Values to Packed Doubleword Integers",
      toIntegers(PD, false),
    ],
    cvttpd2dq: [
      "CVTTPD2DQ—Convert with Truncation Packed Double Precision Floating-Point Values to Packed Doubleword Integers",
      toIntegers(PD, true),
    ],
  },
);
