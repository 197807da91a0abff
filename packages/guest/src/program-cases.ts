/**
 * The programs of the guest as cases: how each is run and what must come out, natively and under every strategy.
 */
import { cases } from "./images/cases.ts";

export interface ProgramCase {
  /** Unique together with {@link args}. */
  readonly name: string;
  /** `hostile` programs misuse the system; they end in the stated way and harm nobody else. */
  readonly category: "test" | "micro-benchmark" | "compute-benchmark" | "hostile";
  /** A name for `userProgram`. */
  readonly program: string;
  /** Arguments after the program's own name. */
  readonly args: readonly string[];
  /** Strings of the form `NAME=value`. */
  readonly env: readonly string[];
  /** Exit statuses as a shell has them (128 + signal), any of which is right; empty when the program never ends. */
  readonly statuses: readonly number[];
  /** What the program prints; absent when that is not fixed. */
  readonly output?: string;
}

export const programCases: readonly ProgramCase[] = cases;
