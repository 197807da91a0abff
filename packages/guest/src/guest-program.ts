/** What a program of this package is, and what comes out when it runs. */
export interface GuestProgram {
  /** Unique together with {@link args}. */
  readonly name: string;
  readonly category: "test" | "micro-benchmark" | "compute-benchmark" | "hostile";
  /** For `userProgram`. */
  readonly file: string;
  readonly args: readonly string[];
  /** Strings of the form `NAME=value` that it needs. */
  readonly env: readonly string[];
  /** Exit statuses, as a shell gives them, that are right; none for a program that never ends by itself. */
  readonly statuses: readonly number[];
  /** What it prints on a Linux host, where that is always the same. */
  readonly output?: string;
}
