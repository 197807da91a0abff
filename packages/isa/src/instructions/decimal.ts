/**
 * DAA, DAS, AAA, AAS, AAM, AAD: decimal adjustment of AL and AX, outside 64-bit mode.
 *
 * Intel SDM Vol. 2A, "DAA—Decimal Adjust AL After Addition", "AAA—ASCII Adjust After Addition" and their neighbours.
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";

const RAX = 0;
const LOW_DIGIT = 0xfn;
/** A correction of the low digit, and of the high one. */
const LOW_CORRECTION = 6n;
const HIGH_CORRECTION = 0x60n;

/** Whether the low digit of AL is above 9 or a carry went out of it. */
function lowDigitOverflows(m: SemanticsBuilder, al: Value): Value {
  const digit = m.and(al, m.constant(LOW_DIGIT));
  return m.either(m.lessThanUnsigned(m.constant(9n), digit), m.flag("AF"));
}

/** DAA and DAS: corrects both digits of AL. */
function adjustPacked(m: SemanticsBuilder, change: "add" | "subtract"): void {
  const al = m.register(RAX, 8);
  const carryIn = m.flag("CF");
  const low = lowDigitOverflows(m, al);
  const high = m.either(m.lessThanUnsigned(m.constant(0x99n), al), carryIn);
  const zero = m.constant(0n);
  const lowPart = m.select(low, m.constant(LOW_CORRECTION), zero);
  const highPart = m.select(high, m.constant(HIGH_CORRECTION), zero);
  // A borrow of the low correction alone carries too; with the high one the carry is set anyway.
  const borrows = m.both(low, m.lessThanUnsigned(al, m.constant(LOW_CORRECTION)));
  const result = m[change](m[change](al, lowPart, 8), highPart, 8);
  m.setRegister(RAX, result, 8);
  m.setLogicFlags(result, 8);
  m.setFlags({ CF: change === "add" ? high : m.either(high, borrows), AF: low });
}

export const daa: Instruction = {
  mnemonic: "daa",
  reference: "Intel SDM Vol. 2A, DAA—Decimal Adjust AL After Addition",
  flags: {
    reads: ["CF", "AF"],
    writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
    undefined: ["OF"],
  },

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    27     | DAA         | -      | legacy
  `,

  semantics(m) {
    adjustPacked(m, "add");
  },
};

export const das: Instruction = {
  mnemonic: "das",
  reference: "Intel SDM Vol. 2A, DAS—Decimal Adjust AL After Subtraction",
  flags: {
    reads: ["CF", "AF"],
    writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
    undefined: ["OF"],
  },

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    2F     | DAS         | -      | legacy
  `,

  semantics(m) {
    adjustPacked(m, "subtract");
  },
};

/** AAA and AAS: corrects the digit in AL and carries into AH. */
function adjustUnpacked(m: SemanticsBuilder, change: "add" | "subtract"): void {
  const ax = m.register(RAX, 16);
  const carries = lowDigitOverflows(m, ax);
  // AAS takes six from AX, so that a borrow out of AL reaches AH, and one more from AH.
  const corrected = m[change](ax, m.constant(0x106n), 16);
  const adjusted = m.select(carries, corrected, ax);
  m.setRegister(RAX, m.and(adjusted, m.constant(0xff0fn)), 16);
  m.setFlags({ CF: carries, AF: carries });
}

const UNPACKED_FLAGS = {
  reads: ["AF"],
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  undefined: ["OF", "SF", "ZF", "PF"],
} as const;

export const aaa: Instruction = {
  mnemonic: "aaa",
  reference: "Intel SDM Vol. 2A, AAA—ASCII Adjust After Addition",
  flags: UNPACKED_FLAGS,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    37     | AAA         | -      | legacy
  `,

  semantics(m) {
    adjustUnpacked(m, "add");
  },
};

export const aas: Instruction = {
  mnemonic: "aas",
  reference: "Intel SDM Vol. 2A, AAS—ASCII Adjust AL After Subtraction",
  flags: UNPACKED_FLAGS,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    3F     | AAS         | -      | legacy
  `,

  semantics(m) {
    adjustUnpacked(m, "subtract");
  },
};

const DIGIT_FLAGS = {
  writes: ["OF", "SF", "ZF", "AF", "PF", "CF"],
  undefined: ["OF", "AF", "CF"],
} as const;

export const aam: Instruction = {
  mnemonic: "aam",
  reference: "Intel SDM Vol. 2A, AAM—ASCII Adjust AX After Multiply",
  flags: DIGIT_FLAGS,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    D4 ib  | AAM imm8    | r      | legacy
  `,

  semantics(m, base) {
    const divisor = m.read(base);
    m.raiseWhen(m.isZero(divisor), "DE");
    const al = m.register(RAX, 8);
    const quotient = m.divideUnsigned(al, divisor);
    const remainder = m.remainderUnsigned(al, divisor);
    m.setRegister(RAX, m.or(m.shiftLeft(quotient, m.constant(8), 16), remainder), 16);
    m.setLogicFlags(remainder, 8);
  },
};

export const aad: Instruction = {
  mnemonic: "aad",
  reference: "Intel SDM Vol. 2A, AAD—ASCII Adjust AX Before Division",
  flags: DIGIT_FLAGS,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    D5 ib  | AAD imm8    | r      | legacy
  `,

  semantics(m, base) {
    const ax = m.register(RAX, 16);
    const high = m.shiftRightUnsigned(ax, m.constant(8));
    const low = m.truncate(ax, 8);
    const result = m.add(low, m.multiply(high, m.read(base), 8), 8);
    m.setRegister(RAX, result, 16);
    m.setLogicFlags(result, 8);
  },
};
