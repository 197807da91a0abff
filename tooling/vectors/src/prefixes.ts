/**
 * Prefixes that mean nothing, so that decoding is fuzzed with what it decodes: segment overrides that 64-bit code ignores,
 * REX prefixes that no opcode follows, and as many of them as it takes to reach or exceed 15 bytes.
 *
 * Intel SDM Vol. 2A §2.1.1, "Instruction Prefixes"; §2.2.1, "REX Prefixes"; §2.3.11, "AVX Instruction Length".
 */
import type { Random, VectorInput } from "@ringside/isa/testing";

const IGNORED_OVERRIDES = [0x26, 0x2e, 0x36, 0x3e] as const;
const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  ...IGNORED_OVERRIDES,
  ...[0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3],
]);
const REX = 0x40;
/** One byte more than an instruction may have. */
const TOO_LONG = 16;

/** An input of 64-bit code with such prefixes in front of its instruction; seldom as many as make it too long. */
export function withIdlePrefixes(input: VectorInput, random: Random): VectorInput {
  const { code } = input;
  const room = TOO_LONG - code.length;
  const count = random.oneIn(8) ? room : 1 + random.below(3);
  if (input.mode !== 64 || room < count) return input;
  const idle: number[] = [];
  for (let added = 0; added < count; added += 1) {
    // A REX prefix counts when nothing but the opcode follows it, so there must be a legacy prefix behind it.
    const isLegacyNext = LEGACY_PREFIXES.has(idle[0] ?? code[0] ?? 0);
    idle.unshift(
      isLegacyNext && random.oneIn(3) ? REX | random.below(16) : random.pick(IGNORED_OVERRIDES),
    );
  }
  return { ...input, code: Uint8Array.of(...idle, ...code) };
}
