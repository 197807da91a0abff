/**
 * x87 loads, stores, exchanges and constants.
 *
 * Stores probe their memory first, so that a fault leaves the stack as it was.
 *
 * Intel SDM Vol. 1 §8.3.3, "Data Transfer Instructions" and §8.3.4, "Load Constant Instructions".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { family } from "./family.ts";
import { callX87, loadSource, requireX87, stackIndex } from "./x87-operand.ts";

type Meaning = (m: SemanticsBuilder, ...operands: Operand[]) => void;

const loadFloat: Meaning = (m, operand) => {
  requireX87(m);
  if (operand === undefined) return;
  if (operand.kind !== "memory") {
    callX87(m, "x87.loadRegister", [stackIndex(m, operand)]);
  } else if (operand.bits === 80) {
    loadTenBytes(m, operand);
    m.helper("x87.loadExtended");
  } else {
    loadSource(m, operand, "float");
    callX87(m, "x87.loadFloat", [operand.bits]);
  }
};

function loadTenBytes(m: SemanticsBuilder, operand: Operand): void {
  const linear = m.linearAddress(operand);
  const low = m.load(linear, 8);
  m.setState(slots.scratch1, m.load(m.add(linear, m.constant(8), 64), 2));
  m.setState(slots.scratch0, low);
}

const loadInteger: Meaning = (m, operand) => {
  requireX87(m);
  if (operand === undefined) return;
  m.setState(slots.scratch0, m.read(operand));
  callX87(m, "x87.loadInteger", [operand.bits]);
};

const loadDecimal: Meaning = (m, operand) => {
  requireX87(m);
  if (operand === undefined) return;
  loadTenBytes(m, operand);
  m.helper("x87.loadDecimal");
};

function loadConstant(number: number): Meaning {
  return (m) => {
    requireX87(m);
    callX87(m, "x87.loadConstant", [number]);
  };
}

/** Calls a helper that leaves its result in the scratch field, and stores that unless an exception forbids it. */
function storeResult(
  m: SemanticsBuilder,
  operand: Operand,
  helper: string,
  parameters: readonly number[],
): void {
  const bytes = operand.bits === 16 ? 2 : operand.bits === 32 ? 4 : 8;
  const linear = m.linearAddress(operand);
  m.probeWrite(linear, bytes);
  const values = parameters.map((parameter): Value => m.constant(parameter));
  m.when(m.helper(helper, values, "i32"), () => {
    m.store(linear, bytes, m.state(slots.scratch0));
  });
}

function storeTenBytes(m: SemanticsBuilder, operand: Operand, helper: string): void {
  const linear = m.linearAddress(operand);
  const upper = m.add(linear, m.constant(8), 64);
  m.probeWrite(linear, 8);
  m.probeWrite(upper, 2);
  m.when(m.helper(helper, [], "i32"), () => {
    m.store(linear, 8, m.state(slots.scratch0));
    m.store(upper, 2, m.state(slots.scratch1));
  });
}

function storeFloat(pops: 0 | 1): Meaning {
  return (m, operand) => {
    requireX87(m);
    if (operand === undefined) return;
    if (operand.kind !== "memory") {
      callX87(m, "x87.storeRegister", [stackIndex(m, operand), pops]);
    } else if (operand.bits === 80) {
      storeTenBytes(m, operand, "x87.storeExtended");
    } else {
      storeResult(m, operand, "x87.storeFloat", [operand.bits, pops]);
    }
  };
}

function storeInteger(pops: 0 | 1, truncates: 0 | 1): Meaning {
  return (m, operand) => {
    requireX87(m);
    if (operand === undefined) return;
    storeResult(m, operand, "x87.storeInteger", [operand.bits, pops, truncates]);
  };
}

const storeDecimal: Meaning = (m, operand) => {
  requireX87(m);
  if (operand !== undefined) storeTenBytes(m, operand, "x87.storeDecimal");
};

const exchange: Meaning = (m, operand) => {
  requireX87(m);
  if (operand !== undefined) callX87(m, "x87.exchange", [stackIndex(m, operand)]);
};

/** Conditions in the manual's order: below, equal, below or equal, unordered. */
const CONDITION_CODES = { b: 2, e: 4, be: 6, u: 10, nb: 3, ne: 5, nbe: 7, nu: 11 } as const;

function conditionalMove(condition: keyof typeof CONDITION_CODES): Meaning {
  return (m, _top, operand) => {
    requireX87(m);
    if (operand === undefined) return;
    const holds = m.conditionCode(CONDITION_CODES[condition]);
    m.helper("x87.conditionalMove", [stackIndex(m, operand), m.fromCondition(holds)]);
  };
}

export const x87Transfers: readonly Instruction[] = family(
  { feature: "fpu" },
  opcodes`
    Opcode  | Instruction  | Access
    D9 /0   | FLD m32fp    | r
    DD /0   | FLD m64fp    | r
    DB /5   | FLD m80fp    | r
    D9 C0+i | FLD ST(i)    | r
    D9 /2   | FST m32fp    | w
    DD /2   | FST m64fp    | w
    DD D0+i | FST ST(i)    | w
    D9 /3   | FSTP m32fp   | w
    DD /3   | FSTP m64fp   | w
    DB /7   | FSTP m80fp   | w
    DD D8+i | FSTP ST(i)   | w
    DF /0   | FILD m16int  | r
    DB /0   | FILD m32int  | r
    DF /5   | FILD m64int  | r
    DF /2   | FIST m16int  | w
    DB /2   | FIST m32int  | w
    DF /3   | FISTP m16int | w
    DB /3   | FISTP m32int | w
    DF /7   | FISTP m64int | w
    DF /4   | FBLD m80bcd  | r
    DF /6   | FBSTP m80bcd | w
    D9 C8+i | FXCH ST(i)   | rw
    D9 E8   | FLD1         | -
    D9 E9   | FLDL2T       | -
    D9 EA   | FLDL2E       | -
    D9 EB   | FLDPI        | -
    D9 EC   | FLDLG2       | -
    D9 ED   | FLDLN2       | -
    D9 EE   | FLDZ         | -
  `,
  {
    fld: ["FLD—Load Floating-Point Value", loadFloat],
    fst: ["FST/FSTP—Store Floating-Point Value", storeFloat(0)],
    fstp: ["FST/FSTP—Store Floating-Point Value", storeFloat(1)],
    fild: ["FILD—Load Integer", loadInteger],
    fist: ["FIST/FISTP—Store Integer", storeInteger(0, 0)],
    fistp: ["FIST/FISTP—Store Integer", storeInteger(1, 0)],
    fbld: ["FBLD—Load Binary Coded Decimal", loadDecimal],
    fbstp: ["FBSTP—Store BCD Integer and Pop", storeDecimal],
    fxch: ["FXCH—Exchange Register Contents", exchange],
    fld1: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(0)],
    fldl2t: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(1)],
    fldl2e: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(2)],
    fldpi: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(3)],
    fldlg2: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(4)],
    fldln2: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(5)],
    fldz: ["FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ—Load Constant", loadConstant(6)],
  },
);

export const sse3X87: readonly Instruction[] = family(
  { feature: "sse3" },
  opcodes`
    Opcode | Instruction   | Access
    DF /1  | FISTTP m16int | w
    DB /1  | FISTTP m32int | w
    DD /1  | FISTTP m64int | w
  `,
  {
    fisttp: ["FISTTP—Store Integer With Truncation", storeInteger(1, 1)],
  },
);

export const x87ConditionalMoves: readonly Instruction[] = family(
  { feature: "cmov", flags: { reads: ["ZF", "PF", "CF"] } },
  opcodes`
    Opcode  | Instruction           | Access
    DA C0+i | FCMOVB ST(0), ST(i)   | rw r
    DA C8+i | FCMOVE ST(0), ST(i)   | rw r
    DA D0+i | FCMOVBE ST(0), ST(i)  | rw r
    DA D8+i | FCMOVU ST(0), ST(i)   | rw r
    DB C0+i | FCMOVNB ST(0), ST(i)  | rw r
    DB C8+i | FCMOVNE ST(0), ST(i)  | rw r
    DB D0+i | FCMOVNBE ST(0), ST(i) | rw r
    DB D8+i | FCMOVNU ST(0), ST(i)  | rw r
  `,
  {
    fcmovb: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("b")],
    fcmove: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("e")],
    fcmovbe: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("be")],
    fcmovu: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("u")],
    fcmovnb: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("nb")],
    fcmovne: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("ne")],
    fcmovnbe: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("nbe")],
    fcmovnu: ["FCMOVcc—Floating-Point Conditional Move", conditionalMove("nu")],
  },
);
