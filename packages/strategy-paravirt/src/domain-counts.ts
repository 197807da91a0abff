/** What Xen counts beside its work, by dotted name. */
import { hypercallNames } from "./abi/hypercall-names.ts";

export class DomainCounts {
  readonly #hypercalls: Float64Array = new Float64Array(hypercallNames.length + 1);
  readonly #entries: Float64Array = new Float64Array(hypercallNames.length + 1);
  #writableTables = 0;
  #returnsFast = 0;
  #returnsSlow = 0;

  /** A hypercall of its own. */
  hypercall(number: number): void {
    addTo(this.#hypercalls, number);
  }

  /** One inside a multicall. */
  multicallEntry(number: number): void {
    addTo(this.#entries, number);
  }

  writableTable(): void {
    this.#writableTables += 1;
  }

  returned(fast: boolean): void {
    if (fast) this.#returnsFast += 1;
    else this.#returnsSlow += 1;
  }

  /** Only what was counted at least once. */
  flat(): Readonly<Record<string, number>> {
    const flat: Record<string, number> = {};
    const add = (name: string, count: number): void => {
      if (count > 0) flat[name] = (flat[name] ?? 0) + count;
    };
    for (const [number, count] of this.#hypercalls.entries()) {
      add(`hypercalls.${nameOf(number)}`, count);
    }
    for (const [number, count] of this.#entries.entries()) {
      add(`multicallEntries.${nameOf(number)}`, count);
    }
    add("writableTables", this.#writableTables);
    add("returns.sysret", this.#returnsFast);
    add("returns.iret", this.#returnsSlow);
    return flat;
  }
}

function addTo(counts: Float64Array, number: number): void {
  const index = Math.min(number, hypercallNames.length);
  counts[index] = (counts[index] ?? 0) + 1;
}

function nameOf(number: number): string {
  return hypercallNames[number] ?? "unknown";
}
