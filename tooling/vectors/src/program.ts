/**
 * Programs: instructions one behind the other, with the state before the first, and INT3 behind the last.
 */
import { CODE_ADDRESS, type PlannedEncoding, type VectorInput } from "@ringside/isa/testing";

/** One instruction of a program: a planned one, or one that prepares for it or cleans up behind it. */
export interface Step {
  readonly encoding: PlannedEncoding | undefined;
  readonly code: Uint8Array;
}

export interface Program {
  /** The state before it, and its code. INT3 must follow. */
  readonly input: VectorInput;
  readonly steps: readonly Step[];
}

/** The planned instruction at an address in a program; undefined at others. */
export function encodingAt({ steps }: Program, rip: bigint): PlannedEncoding | undefined {
  let next = BigInt(CODE_ADDRESS);
  for (const { code, encoding } of steps) {
    if (rip === next) return encoding;
    next += BigInt(code.length);
  }
  return undefined;
}

/** The first instructions of a program, as a program. */
export function firstSteps({ input, steps }: Program, count: number): Program {
  const kept = steps.slice(0, count);
  return { input: { ...input, code: codeOf(kept) }, steps: kept };
}

/** Code of steps, one behind the other. */
export function codeOf(steps: readonly Step[]): Uint8Array {
  return Uint8Array.from(steps.flatMap(({ code }) => [...code]));
}
