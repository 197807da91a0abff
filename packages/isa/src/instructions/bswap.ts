/**
 * BSWAP: reverses the bytes of a register.
 *
 * Intel SDM Vol. 2A, "BSWAP—Byte Swap".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import type { SemanticsBuilder, Value } from "../semantics.ts";

/** Swaps neighbours of `bits` bits, where `lower` selects the lower one of each pair. */
function swapNeighbours(m: SemanticsBuilder, value: Value, bits: number, lower: bigint): Value {
  const mask = m.constant(lower);
  const count = m.constant(bits);
  return m.or(
    m.shiftLeft(m.and(value, mask), count, 64),
    m.and(m.shiftRightUnsigned(value, count), mask),
  );
}

export const bswap: Instruction = {
  mnemonic: "bswap",
  reference: "Intel SDM Vol. 2A, BSWAP—Byte Swap",

  // With a 16-bit operand the manual leaves the result undefined; processors store zero.
  encodings: opcodes`
    Opcode          | Instruction | Access
    o16 0F C8 +rw   | BSWAP r16   | rw
    o32 0F C8 +rd   | BSWAP r32   | rw
    REX.W 0F C8 +ro | BSWAP r64   | rw
  `,

  semantics(m, dst) {
    if (m.width === 16) {
      m.write(dst, m.constant(0n));
      return;
    }
    const bytes = swapNeighbours(m, m.read(dst), 8, 0x00ff_00ff_00ff_00ffn);
    const words = swapNeighbours(m, bytes, 16, 0x0000_ffff_0000_ffffn);
    const half = m.constant(32);
    m.write(
      dst,
      m.width === 32
        ? words
        : m.or(m.shiftLeft(words, half, 64), m.shiftRightUnsigned(words, half)),
    );
  },
};
