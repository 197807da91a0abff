/**
 * CMPXCHG8B and CMPXCHG16B: CMPXCHG of twice a register, with the pairs (E|R)DX:(E|R)AX and (E|R)CX:(E|R)BX.
 *
 * Intel SDM Vol. 2A, "CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;

const REFERENCE = "Intel SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes";

function compareAndExchange(m: SemanticsBuilder, linear: Value, half: 32 | 64): void {
  const bytes = half === 32 ? 4 : 8;
  m.probeWrite(linear, 2 * bytes);
  const upper = m.add(linear, m.constant(bytes), 64);
  const low = m.load(linear, bytes);
  const high = m.load(upper, bytes);
  const equal = m.both(m.equal(low, m.register(RAX, half)), m.equal(high, m.register(RDX, half)));
  m.when(
    equal,
    () => {
      m.store(linear, bytes, m.register(RBX, half));
      m.store(upper, bytes, m.register(RCX, half));
    },
    () => {
      m.setRegister(RAX, low, half);
      m.setRegister(RDX, high, half);
    },
  );
  m.setFlags({ ZF: equal });
}

export const cmpxchg8b: Instruction = {
  mnemonic: "cmpxchg8b",
  reference: REFERENCE,
  flags: { writes: ["ZF"] },
  feature: "cx8",
  lockable: true,

  encodings: opcodes`
    Opcode       | Instruction   | Access
    o16 0F C7 /1 | CMPXCHG8B m64 | rw
    o32 0F C7 /1 | CMPXCHG8B m64 | rw
  `,

  semantics(m: SemanticsBuilder, dst: Operand) {
    compareAndExchange(m, m.linearAddress(dst), 32);
  },
};

export const cmpxchg16b: Instruction = {
  mnemonic: "cmpxchg16b",
  reference: REFERENCE,
  flags: { writes: ["ZF"] },
  feature: "cx16",
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction     | Access | Mode
    REX.W 0F C7 /1 | CMPXCHG16B m128 | rw     | 64
  `,

  semantics(m: SemanticsBuilder, dst: Operand) {
    const linear = m.linearAddress(dst);
    m.raiseWhen(m.and(linear, m.constant(15n)), "GP", m.constant(0n));
    compareAndExchange(m, linear, 64);
  },
};
