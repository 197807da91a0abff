/**
 * CMPXCHG: stores a register where the destination still equals the accumulator, the base of most locks.
 *
 * Intel SDM Vol. 2A, "CMPXCHG—Compare and Exchange".
 */
import { opcodes, type Instruction } from "../dsl.ts";

const RAX = 0;

export const cmpxchg: Instruction = {
  mnemonic: "cmpxchg",
  reference: "Intel SDM Vol. 2A, CMPXCHG—Compare and Exchange",
  flags: { writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction        | Access
    0F B0 /r       | CMPXCHG r/m8, r8   | rw r
    o16 0F B1 /r   | CMPXCHG r/m16, r16 | rw r
    o32 0F B1 /r   | CMPXCHG r/m32, r32 | rw r
    REX.W 0F B1 /r | CMPXCHG r/m64, r64 | rw r
  `,

  semantics(m, dst, src) {
    const accumulator = m.register(RAX);
    const old = m.read(dst);
    const replacement = m.read(src);
    // Of the two registers only the one that changes is written, so that the other keeps its upper half.
    m.when(
      m.equal(accumulator, old),
      () => m.write(dst, replacement),
      () => m.setRegister(RAX, old),
    );
    m.setSubtractFlags(accumulator, old, m.subtract(accumulator, old));
  },
};
