/**
 * ENTER and LEAVE: stack frames.
 *
 * Intel SDM Vol. 2A, "ENTER—Make Stack Frame for Procedure Parameters" and "LEAVE—High Level Procedure Exit".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";
import { operandBytes, stackAddress } from "./stack.ts";

const RSP = 4;
const RBP = 5;

/** Sets the stack pointer, of which a stack of 16 bits has only the low half. */
function setStackPointer(m: SemanticsBuilder, value: Value): void {
  if (m.mode === 64) {
    m.setRegister(RSP, value, 64);
    return;
  }
  const mask = m.state(slots.stackMask);
  const kept = m.and(m.register(RSP, 32), m.not(mask, 32));
  m.setRegister(RSP, m.or(kept, m.and(value, mask)), 32);
}

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
    const saved = m.load(stackAddress(m, frame), bytes, "stack");
    setStackPointer(m, m.add(frame, m.constant(bytes), 64));
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
    m.store(stackAddress(m, first), bytes, m.truncate(outer, m.width), "stack");
    const top = m.variable(first);
    m.when(m.isFalse(m.isZero(nesting)), () => {
      const left = m.variable(m.subtract(nesting, m.constant(1n), 64));
      const display = m.variable(outer);
      const pushValue = (value: Value): void => {
        m.set(top, m.subtract(m.get(top), step, 64));
        m.store(stackAddress(m, m.get(top)), bytes, value, "stack");
      };
      m.when(m.isFalse(m.isZero(m.get(left))), () => {
        m.loop(() => {
          m.set(display, m.subtract(m.get(display), step, 64));
          pushValue(m.load(stackAddress(m, m.get(display)), bytes, "stack"));
          m.set(left, m.subtract(m.get(left), m.constant(1n), 64));
          return m.isFalse(m.isZero(m.get(left)));
        });
      });
      pushValue(m.truncate(first, m.width));
    });
    const pointer = m.subtract(m.get(top), locals, 64);
    m.probeWrite(stackAddress(m, pointer), bytes, "stack");
    setStackPointer(m, pointer);
    m.setRegister(RBP, m.truncate(first, m.width));
  },
};
