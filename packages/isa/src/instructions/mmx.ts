/**
 * The MMX instructions, with those that SSE and SSE2 added.
 *
 * They mean what their SSE2 forms mean, on half of a vector.
 *
 * Intel SDM Vol. 1 §9.4, "MMX Instructions" and §10.4.4, "SSE 64-Bit SIMD Integer Instructions".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { wrapLinear } from "../exceptions/mode.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { family } from "./family.ts";
import { pass, PD, PS, writeHelped, type Shape } from "./float-shape.ts";
import { enterMmx, requireMmx, writeMmx } from "./mmx-operand.ts";
import {
  andNot,
  combined,
  interleave,
  lanes,
  multiplyEven,
  multiplyHigh,
  shiftLanes,
  shiftSigned,
  sumOfDifferences,
  type Meaning,
} from "./sse-integer.ts";
import { half, lowVector, readVector, requireSse, withHalf } from "./sse-operand.ts";
import { byteMask, extractWord, insertWord, shuffleWords } from "./sse-shuffle.ts";

/** Both operands side by side. */
function joined(m: SemanticsBuilder, lhs: Value, rhs: Value): Value {
  return withHalf(m, lhs, 1, half(m, rhs, 0));
}

/** Packs take all lanes of the destination and then those of the source. */
function packed(operation: string): Meaning {
  return combined((m, lhs, rhs) => {
    const both = joined(m, lhs, rhs);
    return m.wasm(operation, [both, both]);
  });
}

/** The upper lanes in turn: the second half of what all lanes in turn would be. */
function interleaveHigh(bytes: number): Meaning {
  const indices: number[] = [];
  for (let at = 4; at < 8; at += bytes) {
    for (const from of [0, 16]) {
      for (let byte = 0; byte < bytes; byte++) indices.push(from + at + byte);
    }
  }
  const repeated = [...indices, ...indices];
  return combined((m, lhs, rhs) => m.wasm("i8x16.shuffle", [lhs, rhs], repeated));
}

/** MOVD, MOVQ and MOVNTQ. */
const move: Meaning = (m, dst, src) => {
  requireMmx(m);
  if (dst.kind === "mmx") {
    const value = src.kind === "mmx" ? m.readAs(src, "i64", 8) : m.read(src);
    enterMmx(m);
    writeMmx(m, dst, value);
    return;
  }
  m.write(dst, m.readAs(src, "i64", dst.bits === 32 ? 4 : 8));
  enterMmx(m);
};

const toVector: Meaning = (m, dst, src) => {
  requireSse(m);
  requireMmx(m);
  enterMmx(m);
  m.writeAs(dst, lowVector(m, m.readAs(src, "i64", 8)), 16);
};

const fromVector: Meaning = (m, dst, src) => {
  requireSse(m);
  requireMmx(m);
  enterMmx(m);
  writeMmx(m, dst, m.readAs(src, "i64", 8));
};

const basic: readonly Instruction[] = family(
  { feature: "mmx" },
  opcodes`
    Opcode            | Instruction          | Access
    NP 0F FC /r       | PADDB mm, mm/m64     | rw r
    NP 0F FD /r       | PADDW mm, mm/m64     | rw r
    NP 0F FE /r       | PADDD mm, mm/m64     | rw r
    NP 0F EC /r       | PADDSB mm, mm/m64    | rw r
    NP 0F ED /r       | PADDSW mm, mm/m64    | rw r
    NP 0F DC /r       | PADDUSB mm, mm/m64   | rw r
    NP 0F DD /r       | PADDUSW mm, mm/m64   | rw r
    NP 0F F8 /r       | PSUBB mm, mm/m64     | rw r
    NP 0F F9 /r       | PSUBW mm, mm/m64     | rw r
    NP 0F FA /r       | PSUBD mm, mm/m64     | rw r
    NP 0F E8 /r       | PSUBSB mm, mm/m64    | rw r
    NP 0F E9 /r       | PSUBSW mm, mm/m64    | rw r
    NP 0F D8 /r       | PSUBUSB mm, mm/m64   | rw r
    NP 0F D9 /r       | PSUBUSW mm, mm/m64   | rw r
    NP 0F D5 /r       | PMULLW mm, mm/m64    | rw r
    NP 0F E5 /r       | PMULHW mm, mm/m64    | rw r
    NP 0F F5 /r       | PMADDWD mm, mm/m64   | rw r
    NP 0F DB /r       | PAND mm, mm/m64      | rw r
    NP 0F DF /r       | PANDN mm, mm/m64     | rw r
    NP 0F EB /r       | POR mm, mm/m64       | rw r
    NP 0F EF /r       | PXOR mm, mm/m64      | rw r
    NP 0F 74 /r       | PCMPEQB mm, mm/m64   | rw r
    NP 0F 75 /r       | PCMPEQW mm, mm/m64   | rw r
    NP 0F 76 /r       | PCMPEQD mm, mm/m64   | rw r
    NP 0F 64 /r       | PCMPGTB mm, mm/m64   | rw r
    NP 0F 65 /r       | PCMPGTW mm, mm/m64   | rw r
    NP 0F 66 /r       | PCMPGTD mm, mm/m64   | rw r
    NP 0F 63 /r       | PACKSSWB mm, mm/m64  | rw r
    NP 0F 6B /r       | PACKSSDW mm, mm/m64  | rw r
    NP 0F 67 /r       | PACKUSWB mm, mm/m64  | rw r
    NP 0F 60 /r       | PUNPCKLBW mm, mm/m32 | rw r
    NP 0F 61 /r       | PUNPCKLWD mm, mm/m32 | rw r
    NP 0F 62 /r       | PUNPCKLDQ mm, mm/m32 | rw r
    NP 0F 68 /r       | PUNPCKHBW mm, mm/m64 | rw r
    NP 0F 69 /r       | PUNPCKHWD mm, mm/m64 | rw r
    NP 0F 6A /r       | PUNPCKHDQ mm, mm/m64 | rw r
    NP 0F F1 /r       | PSLLW mm, mm/m64     | rw r
    NP 0F 71 /6 ib    | PSLLW mm, imm8       | rw r
    NP 0F F2 /r       | PSLLD mm, mm/m64     | rw r
    NP 0F 72 /6 ib    | PSLLD mm, imm8       | rw r
    NP 0F F3 /r       | PSLLQ mm, mm/m64     | rw r
    NP 0F 73 /6 ib    | PSLLQ mm, imm8       | rw r
    NP 0F D1 /r       | PSRLW mm, mm/m64     | rw r
    NP 0F 71 /2 ib    | PSRLW mm, imm8       | rw r
    NP 0F D2 /r       | PSRLD mm, mm/m64     | rw r
    NP 0F 72 /2 ib    | PSRLD mm, imm8       | rw r
    NP 0F D3 /r       | PSRLQ mm, mm/m64     | rw r
    NP 0F 73 /2 ib    | PSRLQ mm, imm8       | rw r
    NP 0F E1 /r       | PSRAW mm, mm/m64     | rw r
    NP 0F 71 /4 ib    | PSRAW mm, imm8       | rw r
    NP 0F E2 /r       | PSRAD mm, mm/m64     | rw r
    NP 0F 72 /4 ib    | PSRAD mm, imm8       | rw r
    NP 0F 6E /r       | MOVD mm, r/m32       | w r
    NP 0F 7E /r       | MOVD r/m32, mm       | w r
    NP REX.W 0F 6E /r | MOVQ mm, r/m64       | w r
    NP REX.W 0F 7E /r | MOVQ r/m64, mm       | w r
    NP 0F 6F /r       | MOVQ mm, mm/m64      | w r
    NP 0F 7F /r       | MOVQ mm/m64, mm      | w r
  `,
  {
    paddb: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i8x16.add")],
    paddw: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i16x8.add")],
    paddd: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i32x4.add")],
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
    pmaddwd: ["PMADDWD—Multiply and Add Packed Integers", lanes("i32x4.dot_i16x8_s")],
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
    packsswb: ["PACKSSWB/PACKSSDW—Pack With Signed Saturation", packed("i8x16.narrow_i16x8_s")],
    packssdw: ["PACKSSWB/PACKSSDW—Pack With Signed Saturation", packed("i16x8.narrow_i32x4_s")],
    packuswb: ["PACKUSWB—Pack With Unsigned Saturation", packed("i8x16.narrow_i16x8_u")],
    punpcklbw: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(1, "low")],
    punpcklwd: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(2, "low")],
    punpckldq: ["PUNPCKLBW/PUNPCKLWD/PUNPCKLDQ/PUNPCKLQDQ—Unpack Low Data", interleave(4, "low")],
    punpckhbw: ["PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data", interleaveHigh(1)],
    punpckhwd: ["PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data", interleaveHigh(2)],
    punpckhdq: ["PUNPCKHBW/PUNPCKHWD/PUNPCKHDQ/PUNPCKHQDQ—Unpack High Data", interleaveHigh(4)],
    psllw: ["PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical", shiftLanes("i16x8", "shl")],
    pslld: ["PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical", shiftLanes("i32x4", "shl")],
    psllq: ["PSLLW/PSLLD/PSLLQ—Shift Packed Data Left Logical", shiftLanes("i64x2", "shl")],
    psrlw: ["PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical", shiftLanes("i16x8", "shr_u")],
    psrld: ["PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical", shiftLanes("i32x4", "shr_u")],
    psrlq: ["PSRLW/PSRLD/PSRLQ—Shift Packed Data Right Logical", shiftLanes("i64x2", "shr_u")],
    psraw: ["PSRAW/PSRAD/PSRAQ—Shift Packed Data Right Arithmetic", shiftSigned("i16x8")],
    psrad: ["PSRAW/PSRAD/PSRAQ—Shift Packed Data Right Arithmetic", shiftSigned("i32x4")],
    movd: ["MOVD/MOVQ—Move Doubleword/Move Quadword", move],
    movq: ["MOVD/MOVQ—Move Doubleword/Move Quadword", move],
  },
);

const addedBySse: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode               | Instruction               | Access
    NP 0F E4 /r          | PMULHUW mm, mm/m64        | rw r
    NP 0F F6 /r          | PSADBW mm, mm/m64         | rw r
    NP 0F E0 /r          | PAVGB mm, mm/m64          | rw r
    NP 0F E3 /r          | PAVGW mm, mm/m64          | rw r
    NP 0F DA /r          | PMINUB mm, mm/m64         | rw r
    NP 0F DE /r          | PMAXUB mm, mm/m64         | rw r
    NP 0F EA /r          | PMINSW mm, mm/m64         | rw r
    NP 0F EE /r          | PMAXSW mm, mm/m64         | rw r
    NP 0F 70 /r ib       | PSHUFW mm1, mm2/m64, imm8 | w r r
    NP 0F C4 /r ib       | PINSRW mm, r32/m16, imm8  | rw r r
    NP 0F C5 /r ib       | PEXTRW r32, mm, imm8      | w r r
    NP REX.W 0F C5 /r ib | PEXTRW r64, mm, imm8      | w r r
    NP 0F D7 /r          | PMOVMSKB r32, mm          | w r
    NP REX.W 0F D7 /r    | PMOVMSKB r64, mm          | w r
    NP 0F E7 /r          | MOVNTQ m64, mm            | w r
  `,
  {
    pmulhuw: ["PMULHUW—Multiply Packed Unsigned Integers and Store High Result", multiplyHigh("u")],
    psadbw: ["PSADBW—Compute Sum of Absolute Differences", sumOfDifferences],
    pavgb: ["PAVGB/PAVGW—Average Packed Integers", lanes("i8x16.avgr_u")],
    pavgw: ["PAVGB/PAVGW—Average Packed Integers", lanes("i16x8.avgr_u")],
    pminub: ["PMINUB/PMINUW—Minimum of Packed Unsigned Integers", lanes("i8x16.min_u")],
    pmaxub: ["PMAXUB/PMAXUW—Maximum of Packed Unsigned Integers", lanes("i8x16.max_u")],
    pminsw: ["PMINSB/PMINSW—Minimum of Packed Signed Integers", lanes("i16x8.min_s")],
    pmaxsw: ["PMAXSB/PMAXSW/PMAXSD/PMAXSQ—Maximum of Packed Signed Integers", lanes("i16x8.max_s")],
    pshufw: ["PSHUFW—Shuffle Packed Words", shuffleWords("low")],
    pinsrw: ["PINSRW—Insert Word", insertWord],
    pextrw: ["PEXTRW—Extract Word", extractWord],
    pmovmskb: ["PMOVMSKB—Move Byte Mask", byteMask],
    movntq: ["MOVNTQ—Store of Quadword Using Non-Temporal Hint", move],
  },
);

const addedBySse2: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode      | Instruction        | Access
    NP 0F D4 /r | PADDQ mm, mm/m64   | rw r
    NP 0F FB /r | PSUBQ mm, mm/m64   | rw r
    NP 0F F4 /r | PMULUDQ mm, mm/m64 | rw r
    F3 0F D6 /r | MOVQ2DQ xmm, mm    | w r
    F2 0F D6 /r | MOVDQ2Q mm, xmm    | w r
  `,
  {
    paddq: ["PADDB/PADDW/PADDD/PADDQ—Add Packed Integers", lanes("i64x2.add")],
    psubq: ["PSUBQ—Subtract Packed Quadword Integers", lanes("i64x2.sub")],
    pmuludq: ["PMULUDQ—Multiply Packed Unsigned Doubleword Integers", multiplyEven],
    movq2dq: ["MOVQ2DQ—Move Quadword from MMX Technology to XMM Register", toVector],
    movdq2q: ["MOVDQ2Q—Move Quadword from XMM to MMX Technology Register", fromVector],
  },
);

/** CVTPI2PS and CVTPI2PD: two integers into the low singles, or two doubles. */
function fromIntegers(shape: Shape): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    if (src.kind === "mmx") requireMmx(m);
    const integers = m.readAs(src, "i64", 8);
    if (src.kind === "mmx") enterMmx(m);
    m.setState(slots.scratch2, integers);
    m.helper("sse.convertFromInteger", [m.constant(32), m.constant(shape.bits), m.constant(2)]);
    if (shape.bits === 64) writeHelped(m, PD, dst);
    else m.writeAs(dst, m.state(slots.scratch0), 8);
  };
}

/** CVTPS2PI, CVTPD2PI and their truncating forms. */
function toIntegers(shape: Shape, truncate: 0 | 1): Meaning {
  return (m, dst, src) => {
    requireSse(m);
    requireMmx(m);
    const value = shape.bits === 64 ? readVector(m, src) : m.readAs(src, "v128", 8);
    // Even an exception of the conversion comes after the x87's state has changed.
    enterMmx(m);
    pass(m, shape, "second", value);
    const parameters = [shape.bits, 32, 2, truncate].map((parameter) => m.constant(parameter));
    m.helper("sse.convertToInteger", parameters);
    writeMmx(m, dst, m.state(slots.scratch0));
  };
}

const conversions: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode      | Instruction              | Access
    NP 0F 2A /r | CVTPI2PS xmm, mm/m64     | rw r
    NP 0F 2D /r | CVTPS2PI mm, xmm/m64     | w r
    NP 0F 2C /r | CVTTPS2PI mm, xmm/m64    | w r
  `,
  {
    cvtpi2ps: [
      "CVTPI2PS—Convert Packed Dword Integers to Packed Single Precision Floating-Point Values",
      fromIntegers(PS),
    ],
    cvtps2pi: [
      "CVTPS2PI—Convert Packed Single Precision Floating-Point Values to Packed Dword Integers",
      toIntegers(PS, 0),
    ],
    cvttps2pi: [
      "CVTTPS2PI—Convert With Truncation Packed Single Precision Floating-Point Values to Packed Dword Integers",
      toIntegers(PS, 1),
    ],
  },
);

const doubleConversions: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode      | Instruction              | Access
    66 0F 2A /r | CVTPI2PD xmm, mm/m64     | w r
    66 0F 2D /r | CVTPD2PI mm, xmm/m128    | w r
    66 0F 2C /r | CVTTPD2PI mm, xmm/m128   | w r
  `,
  {
    cvtpi2pd: [
      "CVTPI2PD—Convert Packed Dword Integers to Packed Double Precision Floating-Point Values",
      fromIntegers(PD),
    ],
    cvtpd2pi: [
      "CVTPD2PI—Convert Packed Double Precision Floating-Point Values to Packed Dword Integers",
      toIntegers(PD, 0),
    ],
    cvttpd2pi: [
      "CVTTPD2PI—Convert With Truncation Packed Double Precision Floating-Point Values to Packed Dword Integers",
      toIntegers(PD, 1),
    ],
  },
);

const RDI = 7;

/** Stores the bytes of a register whose mask bytes have their top bit set, at DS:(R|E)DI. */
const maskmovq: Instruction = {
  mnemonic: "maskmovq",
  reference: "Intel SDM Vol. 2B, MASKMOVQ—Store Selected Bytes of Quadword",
  feature: "sse",
  addressSized: true,

  encodings: opcodes`
    Opcode      | Instruction       | Access
    NP 0F F7 /r | MASKMOVQ mm1, mm2 | r r
  `,

  semantics(m, src, mask) {
    requireMmx(m);
    const sum = m.add(m.segmentBase(), m.register(RDI, m.addressWidth), 64);
    const linear = wrapLinear(m, sum);
    const value = m.readAs(src, "i64", 8);
    const chosen = m.readAs(mask, "i64", 8);
    const at = (byte: number): Value => m.add(linear, m.constant(byte), 64);
    enterMmx(m);
    // The manual leaves open whether bytes that are not stored can fault; here they do.
    m.probeWrite(linear, 8);
    for (let byte = 0; byte < 8; byte++) {
      const moved = m.truncate(m.shiftRightUnsigned(value, m.constant(8 * byte)), 8);
      m.when(m.bit(chosen, 8 * byte + 7), () => m.store(at(byte), 1, moved));
    }
  },
};

export const mmxInstructions: readonly Instruction[] = [
  ...basic,
  ...addedBySse,
  ...addedBySse2,
  maskmovq,
  ...conversions,
  ...doubleConversions,
];
