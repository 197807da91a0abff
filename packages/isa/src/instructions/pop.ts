/**
 * POP into general registers and memory, and POPA. Segment registers are in a file of their own.
 *
 * Intel SDM Vol. 2B, "POP—Pop a Value From the Stack" and "POPA/POPAD—Pop All General-Purpose Registers".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder } from "../semantics.ts";
import { operandBytes } from "./stack.ts";

const POPA = "Intel SDM Vol. 2B, POPA/POPAD—Pop All General-Purpose Registers";
const RSP = 4;

/**
 * The destination's address is computed with the stack pointer of afterwards, which must not stay if the store faults.
 * An address that is not one of 64 bits was computed before, and allows for it (`popsBeforeAddress`).
 */
function popMemory(m: SemanticsBuilder, dst: Operand, bytes: 2 | 4 | 8): void {
  const value = m.peek(bytes);
  m.moveStackPointer(m.constant(bytes));
  const linear = m.linearAddress(dst);
  m.moveStackPointer(m.constant(-bytes));
  m.store(linear, bytes, value);
  m.moveStackPointer(m.constant(bytes));
}

export const pop: Instruction = {
  mnemonic: "pop",
  reference: "Intel SDM Vol. 2B, POP—Pop a Value From the Stack",
  popsBeforeAddress: true,

  encodings: opcodes`
    Opcode      | Instruction | Access | Mode
    o16 8F /0   | POP r/m16   | w      |
    o32 8F /0   | POP r/m32   | w      | legacy
    o64 8F /0   | POP r/m64   | w      | 64
    o16 58 +rw  | POP r16     | w      |
    o32 58 +rd  | POP r32     | w      | legacy
    o64 58 +ro  | POP r64     | w      | 64
  `,

  semantics(m, dst) {
    const bytes = operandBytes(m);
    if (dst.kind === "memory") {
      popMemory(m, dst, bytes);
      return;
    }
    const value = m.peek(bytes);
    m.moveStackPointer(m.constant(bytes));
    m.write(dst, value);
  },
};

function popAll(m: SemanticsBuilder): void {
  const bytes = operandBytes(m);
  const values = Array.from({ length: 8 }, (_, position) => m.peek(bytes, position * bytes));
  m.moveStackPointer(m.constant(8 * bytes));
  // DI is on top. The slot of SP is skipped.
  for (const [position, value] of values.entries()) {
    const number = 7 - position;
    if (number !== RSP) m.setRegister(number, value);
  }
}

export const popa: Instruction = {
  mnemonic: "popa",
  reference: POPA,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o16 61 | POPA        | -      | legacy
  `,

  semantics: popAll,
};

export const popad: Instruction = {
  mnemonic: "popad",
  reference: POPA,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o32 61 | POPAD       | -      | legacy
  `,

  semantics: popAll,
};
