/** HLT: stop until an event. Intel SDM Vol. 2A, "HLT—Halt". */
import { opcodes, type Instruction } from "../dsl.ts";
import { requireSupervisor } from "../exceptions/mode.ts";
import { slots } from "../state/layout.ts";

export const hlt: Instruction = {
  mnemonic: "hlt",
  reference: "Intel SDM Vol. 2A, HLT—Halt",
  classification: { privilege: "cpl0", sensitive: "control", why: "It stops the machine." },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction |
    F4     | HLT         |
  `,
  semantics(m) {
    requireSupervisor(m);
    m.setState(slots.halted, m.constant(1));
    m.recheckEvents();
    m.resumeAt(m.nextRip());
  },
};
