/**
 * SSE and SSE2 moves.
 *
 * Intel SDM Vol. 1 §10.4.1.1, "SSE Data Movement Instructions" and §11.4.1.1, "SSE2 Data Movement Instructions". Nothing
 * here looks at what it moves: signalling NaNs pass unchanged.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { wrapLinear } from "../exceptions/mode.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import { half, lowVector, readVector, requireSse, withHalf, writeVector } from "./sse-operand.ts";

const RDI = 7;

/** 128 bits between registers and memory that must be aligned. */
function moveAligned(m: SemanticsBuilder, dst: Operand, src: Operand): void {
  requireSse(m);
  writeVector(m, dst, readVector(m, src));
}

/** 128 bits between registers and memory at any address. */
function moveUnaligned(m: SemanticsBuilder, dst: Operand, src: Operand): void {
  requireSse(m);
  m.writeAs(dst, m.readAs(src, "v128", 16), 16);
}

/** A scalar: into a register from memory it clears the rest, between registers it leaves it. */
function moveScalar(bytes: 4 | 8): (m: SemanticsBuilder, dst: Operand, src: Operand) => void {
  return (m, dst, src) => {
    requireSse(m);
    if (src.kind === "memory") m.writeAs(dst, m.readAs(src, "v128", bytes), 16);
    else if (bytes === 4) m.writeAs(dst, m.readAs(src, "i32", 4), 4);
    else m.writeAs(dst, m.readAs(src, "i64", 8), 8);
  };
}

/** One half of a register to or from memory. */
function moveHalf(lane: 0 | 1): (m: SemanticsBuilder, dst: Operand, src: Operand) => void {
  return (m, dst, src) => {
    requireSse(m);
    if (dst.kind === "memory") {
      m.writeAs(dst, half(m, m.readAs(src, "v128", 16), lane), 8);
      return;
    }
    const value = m.readAs(src, "i64", 8);
    m.writeAs(dst, withHalf(m, m.readAs(dst, "v128", 16), lane, value), 16);
  };
}

/** One half of a register into the other half of another. */
function moveAcross(
  from: 0 | 1,
  to: 0 | 1,
): (m: SemanticsBuilder, dst: Operand, src: Operand) => void {
  return (m, dst, src) => {
    requireSse(m);
    const value = half(m, m.readAs(src, "v128", 16), from);
    m.writeAs(dst, withHalf(m, m.readAs(dst, "v128", 16), to, value), 16);
  };
}

/** MOVD and MOVQ with general registers, and MOVQ with memory: the rest of the register is cleared. */
function moveInteger(m: SemanticsBuilder, dst: Operand, src: Operand): void {
  requireSse(m);
  if (dst.kind === "xmm") {
    const value = src.kind === "xmm" ? m.readAs(src, "i64", 8) : m.read(src);
    m.writeAs(dst, lowVector(m, value), 16);
  } else if (dst.bits === 32) {
    m.write(dst, m.readAs(src, "i64", 4));
  } else {
    m.write(dst, m.readAs(src, "i64", 8));
  }
}

/** The sign bits of all lanes as an integer. */
function moveMask(operation: string): (m: SemanticsBuilder, dst: Operand, src: Operand) => void {
  return (m, dst, src) => {
    requireSse(m);
    m.write(dst, m.fromI32Unsigned(m.wasm(operation, [m.readAs(src, "v128", 16)])));
  };
}

/** A vector with each lane of `bytes` bytes at the position that `lanes` says. */
export function permuted(
  m: SemanticsBuilder,
  value: Value,
  bytes: number,
  lanes: readonly number[],
): Value {
  const indices = lanes.flatMap((lane) =>
    Array.from({ length: bytes }, (_, byte) => lane * bytes + byte),
  );
  return m.wasm("i8x16.shuffle", [value, value], indices);
}

export const sseMoves: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode            | Instruction            | Access
    NP 0F 28 /r       | MOVAPS xmm1, xmm2/m128 | w r
    NP 0F 29 /r       | MOVAPS xmm2/m128, xmm1 | w r
    NP 0F 10 /r       | MOVUPS xmm1, xmm2/m128 | w r
    NP 0F 11 /r       | MOVUPS xmm2/m128, xmm1 | w r
    F3 0F 10 /r       | MOVSS xmm1, xmm2/m32   | w r
    F3 0F 11 /r       | MOVSS xmm2/m32, xmm1   | w r
    NP 0F 12 /r       | MOVLPS xmm1, m64       | rw r
    NP 0F 13 /r       | MOVLPS m64, xmm1       | w r
    NP 0F 16 /r       | MOVHPS xmm1, m64       | rw r
    NP 0F 17 /r       | MOVHPS m64, xmm1       | w r
    NP 0F 12 /r       | MOVHLPS xmm1, xmm2     | rw r
    NP 0F 16 /r       | MOVLHPS xmm1, xmm2     | rw r
    NP 0F 2B /r       | MOVNTPS m128, xmm1     | w r
    NP 0F 50 /r       | MOVMSKPS r32, xmm2     | w r
    NP REX.W 0F 50 /r | MOVMSKPS r64, xmm2     | w r
  `,
  {
    movaps: ["MOVAPS—Move Aligned Packed Single Precision Floating-Point Values", moveAligned],
    movups: ["MOVUPS—Move Unaligned Packed Single Precision Floating-Point Values", moveUnaligned],
    movss: ["MOVSS—Move or Merge Scalar Single Precision Floating-Point Value", moveScalar(4)],
    movlps: ["MOVLPS—Move Low Packed Single Precision Floating-Point Values", moveHalf(0)],
    movhps: ["MOVHPS—Move High Packed Single Precision Floating-Point Values", moveHalf(1)],
    movhlps: [
      "MOVHLPS—Move Packed Single Precision Floating-Point Values High to Low",
      moveAcross(1, 0),
    ],
    movlhps: [
      "MOVLHPS—Move Packed Single Precision Floating-Point Values Low to High",
      moveAcross(0, 1),
    ],
    movntps: [
      "MOVNTPS—Store Packed Single Precision Floating-Point Values Using Non-Temporal Hint",
      moveAligned,
    ],
    movmskps: [
      "MOVMSKPS—Extract Packed Single Precision Floating-Point Sign Mask",
      moveMask("i32x4.bitmask"),
    ],
  },
);

export const sse2Moves: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode            | Instruction            | Access
    66 0F 28 /r       | MOVAPD xmm1, xmm2/m128 | w r
    66 0F 29 /r       | MOVAPD xmm2/m128, xmm1 | w r
    66 0F 6F /r       | MOVDQA xmm1, xmm2/m128 | w r
    66 0F 7F /r       | MOVDQA xmm2/m128, xmm1 | w r
    66 0F 10 /r       | MOVUPD xmm1, xmm2/m128 | w r
    66 0F 11 /r       | MOVUPD xmm2/m128, xmm1 | w r
    F3 0F 6F /r       | MOVDQU xmm1, xmm2/m128 | w r
    F3 0F 7F /r       | MOVDQU xmm2/m128, xmm1 | w r
    F2 0F 10 /r       | MOVSD xmm1, xmm2/m64   | w r
    F2 0F 11 /r       | MOVSD xmm2/m64, xmm1   | w r
    66 0F 12 /r       | MOVLPD xmm1, m64       | rw r
    66 0F 13 /r       | MOVLPD m64, xmm1       | w r
    66 0F 16 /r       | MOVHPD xmm1, m64       | rw r
    66 0F 17 /r       | MOVHPD m64, xmm1       | w r
    66 0F 2B /r       | MOVNTPD m128, xmm1     | w r
    66 0F E7 /r       | MOVNTDQ m128, xmm1     | w r
    66 0F 50 /r       | MOVMSKPD r32, xmm2     | w r
    66 REX.W 0F 50 /r | MOVMSKPD r64, xmm2     | w r
    66 0F 6E /r       | MOVD xmm, r/m32        | w r
    66 0F 7E /r       | MOVD r/m32, xmm        | w r
    66 REX.W 0F 6E /r | MOVQ xmm, r/m64        | w r
    66 REX.W 0F 7E /r | MOVQ r/m64, xmm        | w r
    F3 0F 7E /r       | MOVQ xmm1, xmm2/m64    | w r
    66 0F D6 /r       | MOVQ xmm2/m64, xmm1    | w r
  `,
  {
    movapd: ["MOVAPD—Move Aligned Packed Double Precision Floating-Point Values", moveAligned],
    movdqa: ["MOVDQA,VMOVDQA32/64—Move Aligned Packed Integer Values", moveAligned],
    movupd: ["MOVUPD—Move Unaligned Packed Double Precision Floating-Point Values", moveUnaligned],
    movdqu: ["MOVDQU,VMOVDQU8/16/32/64—Move Unaligned Packed Integer Values", moveUnaligned],
    movsd: ["MOVSD—Move or Merge Scalar Double Precision Floating-Point Value", moveScalar(8)],
    movlpd: ["MOVLPD—Move Low Packed Double Precision Floating-Point Value", moveHalf(0)],
    movhpd: ["MOVHPD—Move High Packed Double Precision Floating-Point Value", moveHalf(1)],
    movntpd: [
      "MOVNTPD—Store Packed Double Precision Floating-Point Values Using Non-Temporal Hint",
      moveAligned,
    ],
    movntdq: ["MOVNTDQ—Store Packed Integers Using Non-Temporal Hint", moveAligned],
    movmskpd: [
      "MOVMSKPD—Extract Packed Double Precision Floating-Point Sign Mask",
      moveMask("i64x2.bitmask"),
    ],
    movd: ["MOVD/MOVQ—Move Doubleword/Move Quadword", moveInteger],
    movq: ["MOVQ—Move Quadword", moveInteger],
  },
);

function duplicateLow(m: SemanticsBuilder, dst: Operand, src: Operand): void {
  requireSse(m);
  m.writeAs(dst, m.wasm("i64x2.splat", [m.readAs(src, "i64", 8)]), 16);
}

function duplicate(
  lanes: readonly number[],
): (m: SemanticsBuilder, dst: Operand, src: Operand) => void {
  return (m, dst, src) => {
    requireSse(m);
    m.writeAs(dst, permuted(m, readVector(m, src), 4, lanes), 16);
  };
}

export const sse3Moves: readonly Instruction[] = family(
  { feature: "sse3" },
  opcodes`
    Opcode      | Instruction              | Access
    F2 0F F0 /r | LDDQU xmm1, m128         | w r
    F2 0F 12 /r | MOVDDUP xmm1, xmm2/m64   | w r
    F3 0F 12 /r | MOVSLDUP xmm1, xmm2/m128 | w r
    F3 0F 16 /r | MOVSHDUP xmm1, xmm2/m128 | w r
  `,
  {
    lddqu: ["LDDQU—Load Unaligned Integer 128 Bits", moveUnaligned],
    movddup: ["MOVDDUP—Replicate Double Precision Floating-Point Values", duplicateLow],
    movsldup: [
      "MOVSLDUP—Replicate Single Precision Floating-Point Values",
      duplicate([0, 0, 2, 2]),
    ],
    movshdup: [
      "MOVSHDUP—Replicate Single Precision Floating-Point Values",
      duplicate([1, 1, 3, 3]),
    ],
  },
);

/** Stores the bytes of a register whose mask bytes have their top bit set, at DS:(R|E)DI, unaligned. */
export const maskmovdqu: Instruction = {
  mnemonic: "maskmovdqu",
  reference: "Intel SDM Vol. 2B, MASKMOVDQU—Store Selected Bytes of Double Quadword",
  feature: "sse2",
  addressSized: true,

  encodings: opcodes`
    Opcode      | Instruction            | Access
    66 0F F7 /r | MASKMOVDQU xmm1, xmm2  | r r
  `,

  semantics(m, src, mask) {
    requireSse(m);
    const sum = m.add(m.segmentBase(), m.register(RDI, m.addressWidth), 64);
    const linear = wrapLinear(m, sum);
    const value = m.readAs(src, "v128", 16);
    const selected = m.wasm("i8x16.bitmask", [m.readAs(mask, "v128", 16)]);
    const chosen = m.fromI32Unsigned(selected);
    const at = (byte: number): Value => m.add(linear, m.constant(byte), 64);
    // The manual leaves open whether bytes that are not stored can fault; here they do.
    m.probeWrite(linear, 16);
    for (let byte = 0; byte < 16; byte++) {
      const lane = m.fromI32Unsigned(m.wasm("i8x16.extract_lane_u", [value], [byte]));
      m.when(m.bit(chosen, byte), () => m.store(at(byte), 1, lane));
    }
  },
};
