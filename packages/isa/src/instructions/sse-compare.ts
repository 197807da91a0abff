/**
 * CMPccPS and its like, COMIS and UCOMIS.
 *
 * Intel SDM Vol. 2A, "CMPPS—Compare Packed Single Precision Floating-Point Values" (Table 3-1, predicates) and "COMISS—
 * Compare Scalar Ordered Single Precision Floating-Point Values and Set EFLAGS". Numbers that are neither NaNs nor
 * denormals raise nothing, whatever MXCSR says.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { family } from "./family.ts";
import {
  Arithmetic,
  elements,
  pass,
  PD,
  PS,
  readShape,
  SD,
  SS,
  writeHelped,
  type Shape,
} from "./float-shape.ts";
import { requireSse } from "./sse-operand.ts";

/** Predicate 0 equal, 1 less, 2 less or equal, 3 unordered; 4 to 7 negate these. Bits above are ignored. */
function compare(
  shape: Shape,
): (m: SemanticsBuilder, dst: Operand, src: Operand, order: Operand) => void {
  return (m, dst, src, order) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const second = readShape(m, shape, src);
    const first = readShape(m, shape, dst);
    const predicate = m.and(m.read(order), m.constant(7));
    const regular = float.all(float.and(float.isRegular(first), float.isRegular(second)));
    m.when(
      regular,
      () => {
        const relation = m.and(predicate, m.constant(3));
        const less = float.apply("lt", first, second);
        const equal = float.apply("eq", first, second);
        const orEqual = float.apply("le", first, second);
        const never = float.apply("ne", first, first);
        const holds = choose(m, relation, [equal, less, orEqual, never]);
        const negated = m.bit(predicate, 2);
        if (shape.packed) {
          const opposite = m.wasm("v128.not", [holds]);
          m.writeAs(dst, m.select(negated, opposite, holds), 16);
        } else {
          const set = m.fromI32Unsigned(m.wasm("i32.xor", [holds, negated]));
          m.writeAs(dst, m.negate(set, 64), shape.bits === 32 ? 4 : 8);
        }
      },
      () => {
        pass(m, shape, "first", first);
        pass(m, shape, "second", second);
        const count = m.constant(elements(shape));
        m.helper("sse.compare", [m.constant(shape.bits), count, predicate]);
        writeHelped(m, shape, dst);
      },
    );
  };
}

/** One of four values by a number from 0 to 3. */
function choose(
  m: SemanticsBuilder,
  number: Value,
  [zero, one, two, three]: readonly [Value, Value, Value, Value],
): Value {
  const odd = m.bit(number, 0);
  return m.select(m.bit(number, 1), m.select(odd, three, two), m.select(odd, one, zero));
}

/** ZF, PF and CF: 000 greater, 001 less, 100 equal, 111 unordered; the others are cleared. */
function compareOrdered(
  shape: Shape,
  signaling: 0 | 1,
): (m: SemanticsBuilder, dst: Operand, src: Operand) => void {
  return (m, dst, src) => {
    requireSse(m);
    const float = new Arithmetic(m, shape);
    const second = readShape(m, shape, src);
    const first = readShape(m, shape, dst);
    const clear = m.constant(0n);
    m.when(
      float.and(float.isRegular(first), float.isRegular(second)),
      () =>
        m.setFlags({
          ZF: float.apply("eq", first, second),
          PF: clear,
          CF: float.apply("lt", first, second),
          OF: clear,
          SF: clear,
          AF: clear,
        }),
      () => {
        pass(m, shape, "first", first);
        pass(m, shape, "second", second);
        const parameters = [m.constant(shape.bits), m.constant(signaling)];
        const flags = m.fromI32Unsigned(m.helper("sse.compareOrdered", parameters, "i32"));
        m.setFlags({
          ZF: m.bit(flags, 6),
          PF: m.bit(flags, 2),
          CF: m.bit(flags, 0),
          OF: clear,
          SF: clear,
          AF: clear,
        });
      },
    );
  };
}

export const sseCompare: readonly Instruction[] = family(
  { feature: "sse" },
  opcodes`
    Opcode            | Instruction                  | Access
    NP 0F C2 /r ib    | CMPPS xmm1, xmm2/m128, imm8  | rw r r
    F3 0F C2 /r ib    | CMPSS xmm1, xmm2/m32, imm8   | rw r r
  `,
  {
    cmpps: ["CMPPS—Compare Packed Single Precision Floating-Point Values", compare(PS)],
    cmpss: ["CMPSS—Compare Scalar Single Precision Floating-Point Value", compare(SS)],
  },
);

export const sse2Compare: readonly Instruction[] = family(
  { feature: "sse2" },
  opcodes`
    Opcode            | Instruction                  | Access
    66 0F C2 /r ib    | CMPPD xmm1, xmm2/m128, imm8  | rw r r
    F2 0F C2 /r ib    | CMPSD xmm1, xmm2/m64, imm8   | rw r r
  `,
  {
    cmppd: ["CMPPD—Compare Packed Double Precision Floating-Point Values", compare(PD)],
    cmpsd: ["CMPSD—Compare Scalar Double Precision Floating-Point Value", compare(SD)],
  },
);

const FLAGS = { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] } as const;

export const sseCompareOrdered: readonly Instruction[] = family(
  { feature: "sse", flags: FLAGS },
  opcodes`
    Opcode      | Instruction            | Access
    NP 0F 2E /r | UCOMISS xmm1, xmm2/m32 | r r
    NP 0F 2F /r | COMISS xmm1, xmm2/m32  | r r
  `,
  {
    ucomiss: [
      "UCOMISS—Unordered Compare Scalar Single Precision Floating-Point Values and Set EFLAGS",
      compareOrdered(SS, 0),
    ],
    comiss: [
      "COMISS—Compare Scalar Ordered Single Precision Floating-Point Values and Set EFLAGS",
      compareOrdered(SS, 1),
    ],
  },
);

export const sse2CompareOrdered: readonly Instruction[] = family(
  { feature: "sse2", flags: FLAGS },
  opcodes`
    Opcode      | Instruction            | Access
    66 0F 2E /r | UCOMISD xmm1, xmm2/m64 | r r
    66 0F 2F /r | COMISD xmm1, xmm2/m64  | r r
  `,
  {
    ucomisd: [
      "UCOMISD—Unordered Compare Scalar Double Precision Floating-Point Values and Set EFLAGS",
      compareOrdered(SD, 0),
    ],
    comisd: [
      "COMISD—Compare Scalar Ordered Double Precision Floating-Point Values and Set EFLAGS",
      compareOrdered(SD, 1),
    ],
  },
);
