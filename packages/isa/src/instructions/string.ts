/**
 * MOVS, CMPS, SCAS, LODS, STOS: string instructions. The semantics are one iteration; the processor repeats them.
 *
 * Intel SDM Vol. 2B, "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ—Move Data From String to String" and its neighbours, and
 * "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix". Pointers move after the accesses, so that a fault in the middle restarts at the same element.
 */
import { opcodes, type Encoding, type Instruction } from "../dsl.ts";
import type { SemanticsBuilder, Width } from "../semantics.ts";
import { advance, destinationAddress, RDI, RSI, sourceAddress } from "./string-element.ts";

const RAX = 0;

const FLAGS = { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] } as const;

/** Bytes of a string element. */
function elementBytes(width: Width): 1 | 2 | 4 | 8 {
  if (width === 8) return 1;
  if (width === 16) return 2;
  return width === 32 ? 4 : 8;
}

function string(
  mnemonic: string,
  reference: string,
  width: Width,
  encodings: readonly Encoding[],
  iteration: (m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8) => void,
): Instruction {
  return {
    mnemonic,
    reference,
    encodings,
    repeatable: "rep",
    addressSized: true,
    semantics(m) {
      iteration(m, elementBytes(width));
    },
  };
}

function comparingString(
  mnemonic: string,
  reference: string,
  width: Width,
  encodings: readonly Encoding[],
  iteration: (m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8, width: Width) => void,
): Instruction {
  return {
    mnemonic,
    reference,
    flags: FLAGS,
    encodings,
    repeatable: "repe-repne",
    addressSized: true,
    semantics(m) {
      iteration(m, elementBytes(width), width);
    },
  };
}

const MOVS = "Intel SDM Vol. 2B, MOVS/MOVSB/MOVSW/MOVSD/MOVSQ—Move Data From String to String";

function move(m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8): void {
  const value = m.load(sourceAddress(m), bytes);
  m.store(destinationAddress(m), bytes, value);
  advance(m, RSI, bytes);
  advance(m, RDI, bytes);
}

export const movsb: Instruction = string(
  "movsb",
  MOVS,
  8,
  opcodes`
    Opcode   | Instruction | Access
    A4       | MOVSB       | -
  `,
  move,
);

export const movsw: Instruction = string(
  "movsw",
  MOVS,
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 A5   | MOVSW       | -
  `,
  move,
);

export const movsd: Instruction = string(
  "movsd",
  MOVS,
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 A5   | MOVSD       | -
  `,
  move,
);

export const movsq: Instruction = string(
  "movsq",
  MOVS,
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W A5 | MOVSQ       | -
  `,
  move,
);

const CMPS = "Intel SDM Vol. 2A, CMPS/CMPSB/CMPSW/CMPSD/CMPSQ—Compare String Operands";

function compare(m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8, width: Width): void {
  const lhs = m.load(sourceAddress(m), bytes);
  const rhs = m.load(destinationAddress(m), bytes);
  advance(m, RSI, bytes);
  advance(m, RDI, bytes);
  m.setSubtractFlags(lhs, rhs, m.subtract(lhs, rhs, width), width);
}

export const cmpsb: Instruction = comparingString(
  "cmpsb",
  CMPS,
  8,
  opcodes`
    Opcode   | Instruction | Access
    A6       | CMPSB       | -
  `,
  compare,
);

export const cmpsw: Instruction = comparingString(
  "cmpsw",
  CMPS,
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 A7   | CMPSW       | -
  `,
  compare,
);

export const cmpsd: Instruction = comparingString(
  "cmpsd",
  CMPS,
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 A7   | CMPSD       | -
  `,
  compare,
);

export const cmpsq: Instruction = comparingString(
  "cmpsq",
  CMPS,
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W A7 | CMPSQ       | -
  `,
  compare,
);

const SCAS = "Intel SDM Vol. 2B, SCAS/SCASB/SCASW/SCASD—Scan String";

function scan(m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8, width: Width): void {
  const lhs = m.register(RAX, width);
  const rhs = m.load(destinationAddress(m), bytes);
  advance(m, RDI, bytes);
  m.setSubtractFlags(lhs, rhs, m.subtract(lhs, rhs, width), width);
}

export const scasb: Instruction = comparingString(
  "scasb",
  SCAS,
  8,
  opcodes`
    Opcode   | Instruction | Access
    AE       | SCASB       | -
  `,
  scan,
);

export const scasw: Instruction = comparingString(
  "scasw",
  SCAS,
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 AF   | SCASW       | -
  `,
  scan,
);

export const scasd: Instruction = comparingString(
  "scasd",
  SCAS,
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 AF   | SCASD       | -
  `,
  scan,
);

export const scasq: Instruction = comparingString(
  "scasq",
  SCAS,
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W AF | SCASQ       | -
  `,
  scan,
);

const LODS = "Intel SDM Vol. 2A, LODS/LODSB/LODSW/LODSD/LODSQ—Load String";

function load(m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8): void {
  const value = m.load(sourceAddress(m), bytes);
  advance(m, RSI, bytes);
  m.setRegister(RAX, value, widthOf(bytes));
}

function widthOf(bytes: 1 | 2 | 4 | 8): Width {
  if (bytes === 1) return 8;
  if (bytes === 2) return 16;
  return bytes === 4 ? 32 : 64;
}

export const lodsb: Instruction = string(
  "lodsb",
  LODS,
  8,
  opcodes`
    Opcode   | Instruction | Access
    AC       | LODSB       | -
  `,
  load,
);

export const lodsw: Instruction = string(
  "lodsw",
  LODS,
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 AD   | LODSW       | -
  `,
  load,
);

export const lodsd: Instruction = string(
  "lodsd",
  LODS,
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 AD   | LODSD       | -
  `,
  load,
);

export const lodsq: Instruction = string(
  "lodsq",
  LODS,
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W AD | LODSQ       | -
  `,
  load,
);

const STOS = "Intel SDM Vol. 2B, STOS/STOSB/STOSW/STOSD/STOSQ—Store String";

function store(m: SemanticsBuilder, bytes: 1 | 2 | 4 | 8): void {
  m.store(destinationAddress(m), bytes, m.register(RAX, widthOf(bytes)));
  advance(m, RDI, bytes);
}

export const stosb: Instruction = string(
  "stosb",
  STOS,
  8,
  opcodes`
    Opcode   | Instruction | Access
    AA       | STOSB       | -
  `,
  store,
);

export const stosw: Instruction = string(
  "stosw",
  STOS,
  16,
  opcodes`
    Opcode   | Instruction | Access
    o16 AB   | STOSW       | -
  `,
  store,
);

export const stosd: Instruction = string(
  "stosd",
  STOS,
  32,
  opcodes`
    Opcode   | Instruction | Access
    o32 AB   | STOSD       | -
  `,
  store,
);

export const stosq: Instruction = string(
  "stosq",
  STOS,
  64,
  opcodes`
    Opcode   | Instruction | Access
    REX.W AB | STOSQ       | -
  `,
  store,
);
