/**
 * PUSH of general registers, memory and immediates, and PUSHA. Segment registers are in a file of their own.
 *
 * Intel SDM Vol. 2B, "PUSH—Push Word, Doubleword, or Quadword Onto the Stack" and "PUSHA/PUSHAD—Push All
 * General-Purpose Registers".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { SemanticsBuilder } from "../semantics.ts";
import { operandBytes } from "./stack.ts";

const PUSHA = "Intel SDM Vol. 2B, PUSHA/PUSHAD—Push All General-Purpose Registers";
const RSP = 4;

export const push: Instruction = {
  mnemonic: "push",
  reference: "Intel SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack",

  encodings: opcodes`
    Opcode      | Instruction | Access | Mode
    o16 FF /6   | PUSH r/m16  | r      |
    o32 FF /6   | PUSH r/m32  | r      | legacy
    o64 FF /6   | PUSH r/m64  | r      | 64
    o16 50 +rw  | PUSH r16    | r      |
    o32 50 +rd  | PUSH r32    | r      | legacy
    o64 50 +ro  | PUSH r64    | r      | 64
    o16 6A ib   | PUSH imm8   | sx     |
    o32 6A ib   | PUSH imm8   | sx     | legacy
    o64 6A ib   | PUSH imm8   | sx     | 64
    o16 68 iw   | PUSH imm16  | r      |
    o32 68 id   | PUSH imm32  | r      | legacy
    o64 68 id   | PUSH imm32  | sx     | 64
  `,

  semantics(m, src) {
    m.push(m.read(src), operandBytes(m));
  },
};

/**
 * Pushes AX, CX, DX, BX, the SP of before, BP, SI and DI. One after the other, so that those before one that faults are
 * in memory; the stack pointer moves when all are.
 */
function pushAll(m: SemanticsBuilder): void {
  const bytes = operandBytes(m);
  const pointer = m.register(RSP, 32);
  for (let number = 0; number < 8; number++) {
    const at = m.subtract(pointer, m.constant((number + 1) * bytes), 32);
    m.store(m.stackAddress(at), bytes, m.register(number), "stack");
  }
  m.moveStackPointer(m.constant(-8 * bytes));
}

export const pusha: Instruction = {
  mnemonic: "pusha",
  reference: PUSHA,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o16 60 | PUSHA       | -      | legacy
  `,

  semantics: pushAll,
};

export const pushad: Instruction = {
  mnemonic: "pushad",
  reference: PUSHA,

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o32 60 | PUSHAD      | -      | legacy
  `,

  semantics: pushAll,
};
