/**
 * ADC: integer addition with the carry of a previous one.
 *
 * Intel SDM Vol. 2A, "ADC—Add With Carry".
 */
import { opcodes, type Instruction } from "../dsl.ts";

export const adc: Instruction = {
  mnemonic: "adc",
  reference: "Intel SDM Vol. 2A, ADC—Add With Carry",
  flags: { reads: ["CF"], writes: ["OF", "SF", "ZF", "AF", "PF", "CF"] },
  lockable: true,

  encodings: opcodes`
    Opcode         | Instruction      | Access
    14 ib          | ADC AL, imm8     | rw r
    o16 15 iw      | ADC AX, imm16    | rw r
    o32 15 id      | ADC EAX, imm32   | rw r
    REX.W 15 id    | ADC RAX, imm32   | rw sx
    80 /2 ib       | ADC r/m8, imm8   | rw r
    o16 81 /2 iw   | ADC r/m16, imm16 | rw r
    o32 81 /2 id   | ADC r/m32, imm32 | rw r
    REX.W 81 /2 id | ADC r/m64, imm32 | rw sx
    o16 83 /2 ib   | ADC r/m16, imm8  | rw sx
    o32 83 /2 ib   | ADC r/m32, imm8  | rw sx
    REX.W 83 /2 ib | ADC r/m64, imm8  | rw sx
    10 /r          | ADC r/m8, r8     | rw r
    o16 11 /r      | ADC r/m16, r16   | rw r
    o32 11 /r      | ADC r/m32, r32   | rw r
    REX.W 11 /r    | ADC r/m64, r64   | rw r
    12 /r          | ADC r8, r/m8     | rw r
    o16 13 /r      | ADC r16, r/m16   | rw r
    o32 13 /r      | ADC r32, r/m32   | rw r
    REX.W 13 /r    | ADC r64, r/m64   | rw r
  `,

  semantics(m, dst, src) {
    const lhs = m.read(dst);
    const rhs = m.read(src);
    const carry = m.fromCondition(m.flag("CF"));
    const sum = m.add(m.add(lhs, rhs), carry);
    m.write(dst, sum);
    m.setAddFlags(lhs, rhs, sum);
  },
};
