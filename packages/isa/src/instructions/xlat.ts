/**
 * XLAT: looks AL up in a table of bytes at DS:(R|E)BX.
 *
 * Intel SDM Vol. 2D, "XLAT/XLATB—Table Look-up Translation".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { wrapLinear } from "../exceptions/mode.ts";
import type { SemanticsBuilder } from "../semantics.ts";

const RAX = 0;
const RBX = 3;

export const xlat: Instruction = {
  mnemonic: "xlatb",
  reference: "Intel SDM Vol. 2D, XLAT/XLATB—Table Look-up Translation",
  addressSized: true,

  encodings: opcodes`
    Opcode | Instruction | Access
    D7     | XLATB       | -
  `,

  semantics(m: SemanticsBuilder) {
    const width = m.addressWidth;
    const offset = m.add(m.register(RBX, width), m.register(RAX, 8), width);
    const sum = m.add(m.segmentBase(), offset, 64);
    const linear = wrapLinear(m, sum);
    m.setRegister(RAX, m.load(linear, 1), 8);
  },
};
