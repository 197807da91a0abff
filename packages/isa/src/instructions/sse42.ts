/**
 * SSE4.2: comparisons of strings in registers, PCMPGTQ and CRC32.
 *
 * Intel SDM Vol. 1 §12.12, "SSE4.2 Instruction Set"; Vol. 2B §4.1, "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM
 * / PCMPISTRI / PCMPISTRM".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { family } from "./family.ts";
import { lanes } from "./sse-integer.ts";
import { requireSse } from "./sse-operand.ts";

type Meaning = (m: SemanticsBuilder, dst: Operand, src: Operand, by: Operand) => void;

const RAX = 0;
const RCX = 1;
const RDX = 2;
const XMM0 = { offset: slots.xmm.offset, bytes: 16 } as const;
/** No string in a register is longer. */
const LONGEST = 16;

/** The magnitude of a length in a register, of which no more than 16 counts. */
function explicitLength(m: SemanticsBuilder, register: number, width: 32 | 64): Value {
  const signed = m.signExtend(m.register(register, width), width);
  const isNegative = m.lessThanSigned(signed, m.constant(0), 64);
  const magnitude = m.select(isNegative, m.negate(signed, 64), signed);
  const most = m.constant(LONGEST);
  return m.select(m.lessThanUnsigned(most, magnitude), most, magnitude);
}

/**
 * Compares strings whose lengths are in EAX and EDX, in RAX and RDX, or that end with a null. The result is an index in
 * ECX or a mask in XMM0. Memory need not be aligned.
 */
function compareStrings(lengths: 32 | 64 | "implicit", result: "index" | "mask"): Meaning {
  return (m, dst, src, by) => {
    requireSse(m);
    const second = m.readAs(src, "v128", 16);
    m.setState({ offset: slots.scratch0.offset, bytes: 16 }, m.readAs(dst, "v128", 16));
    m.setState({ offset: slots.scratch2.offset, bytes: 16 }, second);
    const unknown = m.constant(-1);
    const found = m.fromI32Unsigned(
      m.helper(
        "sse.compareStrings",
        [
          m.read(by),
          lengths === "implicit" ? unknown : explicitLength(m, RAX, lengths),
          lengths === "implicit" ? unknown : explicitLength(m, RDX, lengths),
          m.constant(result === "mask" ? 1 : 0),
        ],
        "i32",
      ),
    );
    if (result === "mask") {
      m.setState(XMM0, m.state({ offset: slots.scratch0.offset, bytes: 16 }));
    } else {
      m.setRegister(RCX, m.and(found, m.constant(0xff)), 32);
    }
    const clear = m.constant(0);
    m.setFlags({
      CF: m.bit(found, 8),
      ZF: m.bit(found, 9),
      SF: m.bit(found, 10),
      OF: m.bit(found, 11),
      AF: clear,
      PF: clear,
    });
  };
}

/** The polynomial 11EDC6F41H, its bits reversed. */
const POLYNOMIAL = 0x82f6_3b78n;

/** Folds up to 32 bits of data into a checksum whose bits are reversed, as all bits here are. */
function fold(m: SemanticsBuilder, checksum: Value, data: Value, bits: number): Value {
  const rest = m.variable(m.xor(checksum, data));
  const left = m.variable(m.constant(bits));
  m.loop(() => {
    const value = m.get(rest);
    const divisor = m.select(m.bit(value, 0), m.constant(POLYNOMIAL), m.constant(0));
    m.set(rest, m.xor(m.shiftRightUnsigned(value, m.constant(1)), divisor));
    m.set(left, m.subtract(m.get(left), m.constant(1), 64));
    return m.notEqual(m.get(left), m.constant(0));
  });
  return m.get(rest);
}

const checksum: Instruction["semantics"] = (m, dst, src) => {
  if (dst === undefined || src === undefined) return;
  const data = m.read(src);
  const start = m.truncate(m.read(dst), 32);
  if (src.bits < 64) {
    m.write(dst, fold(m, start, data, src.bits));
    return;
  }
  const lower = fold(m, start, m.truncate(data, 32), 32);
  m.write(dst, fold(m, lower, m.shiftRightUnsigned(data, m.constant(32)), 32));
};

const EXPLICIT_INDEX = "PCMPESTRI—Packed Compare Explicit Length Strings, Return Index";
const EXPLICIT_MASK = "PCMPESTRM—Packed Compare Explicit Length Strings, Return Mask";
const IMPLICIT_INDEX = "PCMPISTRI—Packed Compare Implicit Length Strings, Return Index";
const IMPLICIT_MASK = "PCMPISTRM—Packed Compare Implicit Length Strings, Return Mask";

const COMPARISON = {
  feature: "sse4_2",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
} as const;

const comparisons: readonly Instruction[] = family(
  COMPARISON,
  opcodes`
    Opcode                  | Instruction                     | Access
    66 0F 3A 60 /r ib       | PCMPESTRM xmm1, xmm2/m128, imm8 | r r r
    66 0F 3A 61 /r ib       | PCMPESTRI xmm1, xmm2/m128, imm8 | r r r
    66 0F 3A 62 /r ib       | PCMPISTRM xmm1, xmm2/m128, imm8 | r r r
    66 0F 3A 63 /r ib       | PCMPISTRI xmm1, xmm2/m128, imm8 | r r r
  `,
  {
    pcmpestrm: [EXPLICIT_MASK, compareStrings(32, "mask")],
    pcmpestri: [EXPLICIT_INDEX, compareStrings(32, "index")],
    pcmpistrm: [IMPLICIT_MASK, compareStrings("implicit", "mask")],
    pcmpistri: [IMPLICIT_INDEX, compareStrings("implicit", "index")],
  },
);

/** The same with lengths of 64 bits. */
const wideComparisons: readonly Instruction[] = family(
  COMPARISON,
  opcodes`
    Opcode                  | Instruction                     | Access
    66 REX.W 0F 3A 60 /r ib | PCMPESTRM xmm1, xmm2/m128, imm8 | r r r
    66 REX.W 0F 3A 61 /r ib | PCMPESTRI xmm1, xmm2/m128, imm8 | r r r
  `,
  {
    pcmpestrm: [EXPLICIT_MASK, compareStrings(64, "mask")],
    pcmpestri: [EXPLICIT_INDEX, compareStrings(64, "index")],
  },
);

const others: readonly Instruction[] = family(
  { feature: "sse4_2" },
  opcodes`
    Opcode               | Instruction             | Access
    66 0F 38 37 /r       | PCMPGTQ xmm1, xmm2/m128 | rw r
    F2 0F 38 F0 /r       | CRC32 r32, r/m8         | rw r
    F2 REX.W 0F 38 F0 /r | CRC32 r64, r/m8         | rw r
    F2 o16 0F 38 F1 /r   | CRC32 r32, r/m16        | rw r
    F2 o32 0F 38 F1 /r   | CRC32 r32, r/m32        | rw r
    F2 REX.W 0F 38 F1 /r | CRC32 r64, r/m64        | rw r
  `,
  {
    pcmpgtq: ["PCMPGTQ—Compare Packed Data for Greater Than", lanes("i64x2.gt_s")],
    crc32: ["CRC32—Accumulate CRC32 Value", checksum],
  },
);

export const sse42Instructions: readonly Instruction[] = [
  ...comparisons,
  ...wideComparisons,
  ...others,
];
