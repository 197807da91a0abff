/**
 * BOUND: #BR unless a signed index lies between two bounds in memory. Outside 64-bit mode.
 *
 * Intel SDM Vol. 2A, "BOUND—Check Array Index Against Bounds".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const bound: Instruction = {
  mnemonic: "bound",
  reference: "Intel SDM Vol. 2A, BOUND—Check Array Index Against Bounds",

  encodings: opcodes`
    Opcode    | Instruction       | Access | Mode
    o16 62 /r | BOUND r16, m16&16 | r n    | legacy
    o32 62 /r | BOUND r32, m32&32 | r n    | legacy
  `,

  semantics(m, index, bounds) {
    const bytes = m.width === 16 ? 2 : 4;
    const linear = m.linearAddress(bounds);
    const value = m.read(index);
    const lower = m.load(linear, bytes);
    const upper = m.load(m.add(linear, m.constant(bytes), 64), bytes);
    m.raiseWhen(m.either(m.lessThanSigned(value, lower), m.lessThanSigned(upper, value)), "BR");
  },
};
