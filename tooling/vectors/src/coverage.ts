/** What programs and single instructions really did: whether programs end, and how often each row is executed. */
import { CODE_ADDRESS, type PlannedEncoding, type VectorResult } from "@ringside/isa/testing";
import type { Program } from "./program.ts";

export class Coverage {
  readonly #rows: Map<string, number>;
  readonly #faults = new Map<string, number>();
  #instructions = 0;
  #completed = 0;
  #programs = 0;
  #ended = 0;

  constructor(plan: readonly PlannedEncoding[]) {
    this.#rows = new Map(plan.map(({ key }) => [key, 0]));
  }

  /** Notes a single instruction. */
  instruction({ fault }: VectorResult): void {
    this.#instructions += 1;
    if (fault === undefined) this.#completed += 1;
  }

  /** Notes a program. Rows count as executed up to the fault; what a jump left out counts, too. */
  program({ steps }: Program, { fault, rip }: VectorResult): void {
    this.#programs += 1;
    if (fault === undefined) this.#ended += 1;
    let at = BigInt(CODE_ADDRESS);
    for (const { code, encoding } of steps) {
      if (encoding !== undefined) {
        const row = encoding.key;
        this.#rows.set(row, (this.#rows.get(row) ?? 0) + 1);
      }
      if (fault !== undefined && at === rip) break;
      at += BigInt(code.length);
    }
    if (fault !== undefined) {
      const name = `${fault.vector}`;
      this.#faults.set(name, (this.#faults.get(name) ?? 0) + 1);
    }
  }

  /** Lines for a person. */
  lines(): readonly string[] {
    const counts = [...this.#rows.values()].toSorted((a, b) => a - b);
    const never = [...this.#rows].filter(([, count]) => count === 0).map(([key]) => key);
    const share = (part: number, whole: number): string =>
      whole === 0 ? "none" : `${((100 * part) / whole).toFixed(1)} %`;
    const faults = [...this.#faults]
      .toSorted(([, a], [, b]) => b - a)
      .map(([vector, count]) => `vector ${vector} ${count}`);
    return [
      `Single instructions that complete: ${share(this.#completed, this.#instructions)} of ${this.#instructions}.`,
      `Programs that reach their end: ${share(this.#ended, this.#programs)} of ${this.#programs}; exceptions of the others: ${faults.join(", ")}.`,
      `Rows in programs: ${counts.length - never.length} of ${counts.length}; executions of a row: median ${counts[counts.length >> 1] ?? 0}, most ${counts.at(-1) ?? 0}.`,
      ...never.map((key) => `never in a program: ${key}`),
    ];
  }
}
