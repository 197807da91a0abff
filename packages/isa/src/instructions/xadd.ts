/**
 * XADD: addition that gives the old value back.
 *
 * Intel SDM Vol. 2D, "XADD—Exchange and Add".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const xadd: Instruction = {
  mnemonic: "xadd",
  reference: "Intel SDM Vol. 2D, XADD—Exchange and Add",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction     | Access
    0F C0 /r       | XADD r/m8, r8   | rw rw
    o16 0F C1 /r   | XADD r/m16, r16 | rw rw
    o32 0F C1 /r   | XADD r/m32, r32 | rw rw
    REX.W 0F C1 /r | XADD r/m64, r64 | rw rw
  `,

  semantics(m, dst, src) {
    const lhs = m.read(dst);
    const rhs = m.read(src);
    const sum = m.add(lhs, rhs);
    if (dst.kind === "memory") {
      // Memory first: its address may depend on the source register.
      m.write(dst, sum);
      m.write(src, lhs);
    } else {
      // The source first: with one register as both operands the sum stays.
      m.write(src, lhs);
      m.write(dst, sum);
    }
    m.setAddFlags(lhs, rhs, sum);
  },
};
