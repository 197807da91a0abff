/**
 * x87 arithmetic, comparison and classification.
 *
 * All of it is done by helpers over the register stack: 80-bit numbers have no WebAssembly instructions.
 *
 * Intel SDM Vol. 1 §8.3, "x87 FPU Instruction Set".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder } from "../semantics.ts";
import { SOURCE } from "../x87/arithmetic.ts";
import { family } from "./family.ts";
import { callX87, loadSource, requireX87, stackIndex } from "./x87-operand.ts";

type Meaning = (m: SemanticsBuilder, ...operands: Operand[]) => void;

/** Operations by the field of ModRM that chooses them for ST(0). */
const ADD = 0;
const MULTIPLY = 1;
const SUBTRACT = 4;
const SUBTRACT_REVERSED = 5;
const DIVIDE = 6;
const DIVIDE_REVERSED = 7;

/** ST(0) with memory, or two registers of which the first is the destination. */
function arithmetic(operation: number, memory: "float" | "integer" = "float"): Meaning {
  return (m, first, second) => {
    requireX87(m);
    if (first?.kind === "memory") {
      const source = loadSource(m, first, memory);
      callX87(m, "x87.arithmetic", [operation, 0, source, 0, 0]);
      return;
    }
    if (first === undefined || second === undefined) return;
    const destination = stackIndex(m, first);
    callX87(m, "x87.arithmetic", [
      operation,
      destination,
      SOURCE.register,
      stackIndex(m, second),
      0,
    ]);
  };
}

/** ST(i) with ST(0), which is then popped. */
function arithmeticPop(operation: number): Meaning {
  return (m, destination) => {
    requireX87(m);
    if (destination === undefined) return;
    const index = stackIndex(m, destination);
    callX87(m, "x87.arithmetic", [operation, index, SOURCE.register, 0, 1]);
  };
}

/** ST(0) with memory or ST(i). */
function comparison(
  pops: number,
  signaling: 0 | 1,
  memory: "float" | "integer" = "float",
): Meaning {
  return (m, operand) => {
    requireX87(m);
    if (operand?.kind === "memory") {
      const source = loadSource(m, operand, memory);
      callX87(m, "x87.compare", [source, 0, pops, signaling]);
    } else {
      const index = operand === undefined ? 1 : stackIndex(m, operand);
      callX87(m, "x87.compare", [SOURCE.register, index, pops, signaling]);
    }
  };
}

/** ST(0) with ST(i), into ZF, PF and CF; OF, SF and AF are cleared. */
function flagComparison(pops: 0 | 1, signaling: 0 | 1): Meaning {
  return (m, _top, operand) => {
    requireX87(m);
    if (operand === undefined) return;
    const parameters = [stackIndex(m, operand), m.constant(pops), m.constant(signaling)];
    const flags = m.fromI32Unsigned(m.helper("x87.compareFlags", parameters, "i32"));
    const clear = m.constant(0n);
    m.setFlags({
      ZF: m.bit(flags, 6),
      PF: m.bit(flags, 2),
      CF: m.bit(flags, 0),
      OF: clear,
      SF: clear,
      AF: clear,
    });
  };
}

/** An operation on the top of the stack. */
function onTop(helper: string): Meaning {
  return (m) => {
    requireX87(m);
    m.helper(helper);
  };
}

export const x87Arithmetic: readonly Instruction[] = family(
  { feature: "fpu" },
  opcodes`
    Opcode  | Instruction         | Access
    D8 /0   | FADD m32fp          | r
    DC /0   | FADD m64fp          | r
    D8 C0+i | FADD ST(0), ST(i)   | rw r
    DC C0+i | FADD ST(i), ST(0)   | rw r
    DE C0+i | FADDP ST(i), ST(0)  | rw r
    DA /0   | FIADD m32int        | r
    DE /0   | FIADD m16int        | r
    D8 /1   | FMUL m32fp          | r
    DC /1   | FMUL m64fp          | r
    D8 C8+i | FMUL ST(0), ST(i)   | rw r
    DC C8+i | FMUL ST(i), ST(0)   | rw r
    DE C8+i | FMULP ST(i), ST(0)  | rw r
    DA /1   | FIMUL m32int        | r
    DE /1   | FIMUL m16int        | r
    D8 /4   | FSUB m32fp          | r
    DC /4   | FSUB m64fp          | r
    D8 E0+i | FSUB ST(0), ST(i)   | rw r
    DC E8+i | FSUB ST(i), ST(0)   | rw r
    DE E8+i | FSUBP ST(i), ST(0)  | rw r
    DA /4   | FISUB m32int        | r
    DE /4   | FISUB m16int        | r
    D8 /5   | FSUBR m32fp         | r
    DC /5   | FSUBR m64fp         | r
    D8 E8+i | FSUBR ST(0), ST(i)  | rw r
    DC E0+i | FSUBR ST(i), ST(0)  | rw r
    DE E0+i | FSUBRP ST(i), ST(0) | rw r
    DA /5   | FISUBR m32int       | r
    DE /5   | FISUBR m16int       | r
    D8 /6   | FDIV m32fp          | r
    DC /6   | FDIV m64fp          | r
    D8 F0+i | FDIV ST(0), ST(i)   | rw r
    DC F8+i | FDIV ST(i), ST(0)   | rw r
    DE F8+i | FDIVP ST(i), ST(0)  | rw r
    DA /6   | FIDIV m32int        | r
    DE /6   | FIDIV m16int        | r
    D8 /7   | FDIVR m32fp         | r
    DC /7   | FDIVR m64fp         | r
    D8 F8+i | FDIVR ST(0), ST(i)  | rw r
    DC F0+i | FDIVR ST(i), ST(0)  | rw r
    DE F0+i | FDIVRP ST(i), ST(0) | rw r
    DA /7   | FIDIVR m32int       | r
    DE /7   | FIDIVR m16int       | r
  `,
  {
    fadd: ["FADD/FADDP/FIADD—Add", arithmetic(ADD)],
    faddp: ["FADD/FADDP/FIADD—Add", arithmeticPop(ADD)],
    fiadd: ["FADD/FADDP/FIADD—Add", arithmetic(ADD, "integer")],
    fmul: ["FMUL/FMULP/FIMUL—Multiply", arithmetic(MULTIPLY)],
    fmulp: ["FMUL/FMULP/FIMUL—Multiply", arithmeticPop(MULTIPLY)],
    fimul: ["FMUL/FMULP/FIMUL—Multiply", arithmetic(MULTIPLY, "integer")],
    fsub: ["FSUB/FSUBP/FISUB—Subtract", arithmetic(SUBTRACT)],
    fsubp: ["FSUB/FSUBP/FISUB—Subtract", arithmeticPop(SUBTRACT)],
    fisub: ["FSUB/FSUBP/FISUB—Subtract", arithmetic(SUBTRACT, "integer")],
    fsubr: ["FSUBR/FSUBRP/FISUBR—Reverse Subtract", arithmetic(SUBTRACT_REVERSED)],
    fsubrp: ["FSUBR/FSUBRP/FISUBR—Reverse Subtract", arithmeticPop(SUBTRACT_REVERSED)],
    fisubr: ["FSUBR/FSUBRP/FISUBR—Reverse Subtract", arithmetic(SUBTRACT_REVERSED, "integer")],
    fdiv: ["FDIV/FDIVP/FIDIV—Divide", arithmetic(DIVIDE)],
    fdivp: ["FDIV/FDIVP/FIDIV—Divide", arithmeticPop(DIVIDE)],
    fidiv: ["FDIV/FDIVP/FIDIV—Divide", arithmetic(DIVIDE, "integer")],
    fdivr: ["FDIVR/FDIVRP/FIDIVR—Reverse Divide", arithmetic(DIVIDE_REVERSED)],
    fdivrp: ["FDIVR/FDIVRP/FIDIVR—Reverse Divide", arithmeticPop(DIVIDE_REVERSED)],
    fidivr: ["FDIVR/FDIVRP/FIDIVR—Reverse Divide", arithmetic(DIVIDE_REVERSED, "integer")],
  },
);

export const x87Compare: readonly Instruction[] = family(
  { feature: "fpu" },
  opcodes`
    Opcode  | Instruction   | Access
    D8 /2   | FCOM m32fp    | r
    DC /2   | FCOM m64fp    | r
    D8 D0+i | FCOM ST(i)    | r
    D8 /3   | FCOMP m32fp   | r
    DC /3   | FCOMP m64fp   | r
    D8 D8+i | FCOMP ST(i)   | r
    DE D9   | FCOMPP        | -
    DD E0+i | FUCOM ST(i)   | r
    DD E8+i | FUCOMP ST(i)  | r
    DA E9   | FUCOMPP       | -
    DE /2   | FICOM m16int  | r
    DA /2   | FICOM m32int  | r
    DE /3   | FICOMP m16int | r
    DA /3   | FICOMP m32int | r
    D9 E4   | FTST          | -
    D9 E5   | FXAM          | -
    D9 E0   | FCHS          | -
    D9 E1   | FABS          | -
    D9 FA   | FSQRT         | -
    D9 FC   | FRNDINT       | -
    D9 FD   | FSCALE        | -
    D9 F4   | FXTRACT       | -
    D9 F8   | FPREM         | -
    D9 F5   | FPREM1        | -
  `,
  {
    fcom: ["FCOM/FCOMP/FCOMPP—Compare Floating-Point Values", comparison(0, 1)],
    fcomp: ["FCOM/FCOMP/FCOMPP—Compare Floating-Point Values", comparison(1, 1)],
    fcompp: ["FCOM/FCOMP/FCOMPP—Compare Floating-Point Values", comparison(2, 1)],
    fucom: ["FUCOM/FUCOMP/FUCOMPP—Unordered Compare Floating-Point Values", comparison(0, 0)],
    fucomp: ["FUCOM/FUCOMP/FUCOMPP—Unordered Compare Floating-Point Values", comparison(1, 0)],
    fucompp: ["FUCOM/FUCOMP/FUCOMPP—Unordered Compare Floating-Point Values", comparison(2, 0)],
    ficom: ["FICOM/FICOMP—Compare Integer", comparison(0, 1, "integer")],
    ficomp: ["FICOM/FICOMP—Compare Integer", comparison(1, 1, "integer")],
    ftst: ["FTST—TEST", onTop("x87.test")],
    fxam: ["FXAM—Examine Floating-Point", onTop("x87.examine")],
    fchs: ["FCHS—Change Sign", onTop("x87.changeSign")],
    fabs: ["FABS—Absolute Value", onTop("x87.absolute")],
    fsqrt: ["FSQRT—Square Root", onTop("x87.squareRoot")],
    frndint: ["FRNDINT—Round to Integer", onTop("x87.roundToInteger")],
    fscale: ["FSCALE—Scale", onTop("x87.scale")],
    fxtract: ["FXTRACT—Extract Exponent and Significand", onTop("x87.extract")],
    fprem: ["FPREM—Partial Remainder", onTop("x87.remainder")],
    fprem1: ["FPREM1—Partial Remainder", onTop("x87.remainderNearest")],
  },
);

export const x87CompareFlags: readonly Instruction[] = family(
  { feature: "cmov", flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] } },
  opcodes`
    Opcode  | Instruction          | Access
    DB F0+i | FCOMI ST(0), ST(i)   | r r
    DF F0+i | FCOMIP ST(0), ST(i)  | r r
    DB E8+i | FUCOMI ST(0), ST(i)  | r r
    DF E8+i | FUCOMIP ST(0), ST(i) | r r
  `,
  {
    fcomi: [
      "FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating-Point Values and Set EFLAGS",
      flagComparison(0, 1),
    ],
    fcomip: [
      "FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating-Point Values and Set EFLAGS",
      flagComparison(1, 1),
    ],
    fucomi: [
      "FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating-Point Values and Set EFLAGS",
      flagComparison(0, 0),
    ],
    fucomip: [
      "FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating-Point Values and Set EFLAGS",
      flagComparison(1, 0),
    ],
  },
);

/** Their last bit may differ between processors; a test bounds the error. */
export const x87Transcendentals: readonly Instruction[] = family(
  { feature: "fpu" },
  opcodes`
    Opcode | Instruction | Access
    D9 F0  | F2XM1       | -
    D9 F1  | FYL2X       | -
    D9 F2  | FPTAN       | -
    D9 F3  | FPATAN      | -
    D9 F9  | FYL2XP1     | -
    D9 FB  | FSINCOS     | -
    D9 FE  | FSIN        | -
    D9 FF  | FCOS        | -
  `,
  {
    f2xm1: ["F2XM1—Compute 2x–1", onTop("x87.powerLessOne")],
    fyl2x: ["FYL2X—Compute y ∗ log2x", onTop("x87.yTimesLogarithm")],
    fptan: ["FPTAN—Partial Tangent", onTop("x87.tangent")],
    fpatan: ["FPATAN—Partial Arctangent", onTop("x87.angle")],
    fyl2xp1: ["FYL2XP1—Compute y ∗ log2(x +1)", onTop("x87.yTimesLogarithmOfSuccessor")],
    fsincos: ["FSINCOS—Sine and Cosine", onTop("x87.sineAndCosine")],
    fsin: ["FSIN—Sine", onTop("x87.sine")],
    fcos: ["FCOS—Cosine", onTop("x87.cosine")],
  },
);
