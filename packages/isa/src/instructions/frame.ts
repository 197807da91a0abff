/**
 * ENTER and LEAVE: stack frames.
 *
 * Intel SDM Vol. 2A, "ENTER—Make Stack Frame for Procedure Parameters" and "LEAVE—High Level Procedure Exit".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Value } from "../semantics.ts";
import { operandBytes } from "./stack.ts";

const RSP = 4;
const RBP = 5;

export const leave: Instruction = {
  mnemonic: "leave",
  reference: "Intel SDM Vol. 2A, LEAVE—High Level Procedure Exit",

  encodings: opcodes`
    Opcode | Instruction | Access | Mode
    o16 C9 | LEAVE       | -      |
    o32 C9 | LEAVE       | -      | legacy
    o64 C9 | LEAVE       | -      | 64
  `,

  semantics(m) {
    const bytes = operandBytes(m);
    const frame = m.register(RBP, 64);
    const saved = m.load(m.stackAddress(frame), bytes, "stack");
    m.setStackPointer(m.add(frame, m.constant(bytes), 64));
    m.setRegister(RBP, saved);
  },
};

export const enter: Instruction = {
  mnemonic: "enter",
  reference: "Intel SDM Vol. 2A, ENTER—Make Stack Frame for Procedure Parameters",

  encodings: opcodes`
    Opcode       | Instruction       | Access | Mode
    o16 C8 iw ib | ENTER imm16, imm8 | r r    |
    o32 C8 iw ib | ENTER imm16, imm8 | r r    | legacy
    o64 C8 iw ib | ENTER imm16, imm8 | r r    | 64
  `,

  // The registers change after the last access to memory, so that a fault leaves them as they were.
  semantics(m, size, level) {
    const bytes = operandBytes(m);
    const step = m.constant(bytes);
    const locals = m.read(size);
    const nesting = m.and(m.read(level), m.constant(31));
    const outer = m.register(RBP, 64);
    const first = m.subtract(m.register(RSP, 64), step, 64);
    m.store(m.stackAddress(first), bytes, m.truncate(outer, m.width), "stack");
    const top = m.variable(first);
    m.when(m.isFalse(m.isZero(nesting)), () => {
      const left = m.variable(m.subtract(nesting, m.constant(1n), 64));
      const display = m.variable(outer);
      const pushValue = (value: Value): void => {
        m.set(top, m.subtract(m.get(top), step, 64));
        m.store(m.stackAddress(m.get(top)), bytes, value, "stack");
      };
      m.when(m.isFalse(m.isZero(m.get(left))), () => {
        m.loop(() => {
          m.set(display, m.subtract(m.get(display), step, 64));
          pushValue(m.load(m.stackAddress(m.get(display)), bytes, "stack"));
          m.set(left, m.subtract(m.get(left), m.constant(1n), 64));
          return m.isFalse(m.isZero(m.get(left)));
        });
      });
      pushValue(m.truncate(first, m.width));
    });
    const pointer = m.subtract(m.get(top), locals, 64);
    m.probeWrite(m.stackAddress(pointer), bytes, "stack");
    m.setStackPointer(pointer);
    m.setRegister(RBP, m.truncate(first, m.width));
  },
};
