/** CPUID. What it answers is the processor's profile. Intel SDM Vol. 2A, "CPUID—CPU Identification". */
import { opcodes, type Instruction } from "../dsl.ts";

export const cpuid: Instruction = {
  mnemonic: "cpuid",
  reference: "Intel SDM Vol. 2A, CPUID—CPU Identification",
  classification: {
    privilege: "none",
    sensitive: "behaviour",
    why: "It tells what the real processor is, also where a monitor wants another answer.",
  },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F A2  | CPUID       |
  `,
  semantics(m) {
    // Reads EAX and ECX, and writes EAX, EBX, ECX and EDX.
    m.helper("cpuid");
  },
};
