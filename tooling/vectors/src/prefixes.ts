/**
 * Prefixes, so that decoding is fuzzed with what it decodes. Some mean nothing: segment overrides that 64-bit code ignores,
 * REX prefixes that no opcode follows, and as many of them as it takes to reach or exceed 15 bytes. Others are odd ones:
 * LOCK where it may not be, REP where there is nothing to repeat, segments that 32-bit code cannot use.
 *
 * Intel SDM Vol. 2A §2.1.1, "Instruction Prefixes"; §2.2.1, "REX Prefixes"; §2.3.11, "AVX Instruction Length".
 */
import { decode, isDecodeFault } from "@ringside/isa";
import type { Random, VectorInput } from "@ringside/isa/testing";

const IGNORED_OVERRIDES = [0x26, 0x2e, 0x36, 0x3e] as const;
const LEGACY_PREFIXES: ReadonlySet<number> = new Set([
  ...IGNORED_OVERRIDES,
  ...[0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3],
]);
const REX = 0x40;
const LOCK = 0xf0;
const REPEAT_PREFIXES = [0xf2, 0xf3] as const;
/** CS and SS can be used, but CS not be written; FS and GS of the recorder are null in 32-bit code. */
const SEGMENT_PREFIXES = [...IGNORED_OVERRIDES, 0x64, 0x65] as const;
/** Opcodes of one byte; but 90, which REP makes PAUSE. Of the others REP selects some that processors have and rows lack. */
const ONE_BYTE = /^(?:[ao]\d\d |REX\.W )*(?!0F|66|F2|F3|90|NP)[\dA-F]{2}/u;
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

/** An input with an odd prefix in front of its instruction, where that leaves it the same one, or none. */
export function withOddPrefix(input: VectorInput, random: Random): VectorInput {
  const { code, mode } = input;
  const plain = decode(code, 0, { mode });
  if (isDecodeFault(plain)) return input;
  const { encoding, instruction } = plain.form;
  const mayRepeat = ONE_BYTE.test(encoding.opcode) && instruction.repeatable === undefined;
  const choices = [
    LOCK,
    ...(mayRepeat ? REPEAT_PREFIXES : []),
    ...(mode === 32 ? SEGMENT_PREFIXES : []),
  ];
  const odd = Uint8Array.of(choices[random.below(choices.length)] ?? LOCK, ...code);
  const decoded = decode(odd, 0, { mode });
  const isSame = isDecodeFault(decoded) || decoded.form.encoding === encoding;
  return isSame ? { ...input, code: odd } : input;
}
