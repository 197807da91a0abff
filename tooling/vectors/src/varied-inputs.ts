/** Inputs of a row as the fuzzer takes them: some with prefixes that mean nothing, some with checks of alignment. */
import { Random, seedOf, type PlannedEncoding, type VectorInput } from "@ringside/isa/testing";
import { withIdlePrefixes } from "./prefixes.ts";

/** Of how many inputs one gets idle prefixes, and one EFLAGS.AC. */
const IDLE_PREFIX_SHARE = 8;
const ALIGNMENT_CHECK_SHARE = 16;
const ALIGNMENT_CHECK = 0x4_0000n;

export function variedInputs(encoding: PlannedEncoding, round: number): readonly VectorInput[] {
  const random = new Random(seedOf(encoding.key) ^ round);
  return encoding.inputs(round).map((input) => {
    const varied = random.oneIn(IDLE_PREFIX_SHARE) ? withIdlePrefixes(input, random) : input;
    if (!random.oneIn(ALIGNMENT_CHECK_SHARE)) return varied;
    const { registers } = varied;
    return { ...varied, registers: { ...registers, flags: registers.flags | ALIGNMENT_CHECK } };
  });
}
