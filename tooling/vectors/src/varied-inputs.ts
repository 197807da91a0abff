/**
 * Inputs of a row as the fuzzer takes them: some with prefixes that mean nothing or are odd, some with checks of alignment,
 * some with a stack that leaves its memory.
 */
import {
  DATA_ADDRESS,
  DATA_BYTES,
  Random,
  seedOf,
  type PlannedEncoding,
  type VectorInput,
} from "@ringside/isa/testing";
import { withIdlePrefixes, withOddPrefix } from "./prefixes.ts";

/** Of how many inputs one gets each. */
const SHARE = { idlePrefixes: 8, oddPrefix: 16, alignmentCheck: 16, otherStack: 24 } as const;
const ALIGNMENT_CHECK = 0x4_0000n;
const RSP = 4;

export function variedInputs(encoding: PlannedEncoding, round: number): readonly VectorInput[] {
  const random = new Random(seedOf(encoding.key) ^ round);
  return encoding.inputs(round).map((planned) => {
    let input = planned;
    if (random.oneIn(SHARE.idlePrefixes)) input = withIdlePrefixes(input, random);
    // The signal of #BR is that of #GP, which an odd prefix may give BOUND.
    else if (random.oneIn(SHARE.oddPrefix) && !encoding.key.startsWith("bound "))
      input = withOddPrefix(input, random);
    if (random.oneIn(SHARE.alignmentCheck)) input = withFlags(input, ALIGNMENT_CHECK);
    // What POPF then finds could be TF, which the recorder needs.
    if (random.oneIn(SHARE.otherStack) && !encoding.key.startsWith("popf"))
      input = withStack(input, otherStack(input.mode, random));
    return input;
  });
}

function withFlags(input: VectorInput, flags: bigint): VectorInput {
  const { registers } = input;
  return { ...input, registers: { ...registers, flags: registers.flags | flags } };
}

function withStack(input: VectorInput, pointer: bigint): VectorInput {
  const { registers } = input;
  return { ...input, registers: { ...registers, general: registers.general.with(RSP, pointer) } };
}

/** Near the beginning or the end of the data, odd, or, in 64-bit code, where the canonical addresses end. */
function otherStack(mode: 32 | 64, random: Random): bigint {
  const distance = BigInt(random.below(24));
  const start = BigInt(DATA_ADDRESS);
  const places = [
    start + distance,
    start + BigInt(DATA_BYTES) - distance,
    start + 0x1000n + distance,
    mode === 64 ? 0x8000_0000_0000n - distance : distance,
  ];
  return places[random.below(places.length)] ?? start;
}
