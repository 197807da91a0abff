/**
 * Where a debugger outside of the processor wants it to stop: before instructions, after accesses to data.
 *
 * They are not the debug registers, and the guest cannot see them. Addresses are linear, in whatever address space is
 * the present one, so that a breakpoint can be set before the code is mapped.
 */

/** What kind of access to data stops the processor. */
export type WatchedAccess = "read" | "write" | "access";

export interface Watchpoint {
  readonly linear: bigint;
  /** At least 1. */
  readonly lengthBytes: number;
  readonly access: WatchedAccess;
}

/** Why a debugger gets control. */
export type DebugHit =
  /** RIP is at a breakpoint, whose instruction has not been executed. */
  | { readonly kind: "breakpoint"; readonly linear: bigint }
  /** The last instruction made an access that is watched; `linear` is the first watched byte of it. */
  | { readonly kind: "watchpoint"; readonly linear: bigint; readonly access: WatchedAccess };

const PAGE_SHIFT = 12n;
const PAGE_OFFSET = 0xfffn;

export class StopPoints {
  #breakpoints: ReadonlySet<bigint> = new Set();
  #watchpoints: readonly Watchpoint[] = [];
  #watchedPages: ReadonlySet<bigint> = new Set();

  get breakpoints(): ReadonlySet<bigint> {
    return this.#breakpoints;
  }
  set breakpoints(linears: ReadonlySet<bigint>) {
    this.#breakpoints = new Set([...linears].map((linear) => BigInt.asUintN(64, linear)));
  }

  get watchpoints(): readonly Watchpoint[] {
    return this.#watchpoints;
  }
  set watchpoints(points: readonly Watchpoint[]) {
    this.#watchpoints = points.map((point) => ({
      ...point,
      linear: BigInt.asUintN(64, point.linear),
    }));
    const pages = new Set<bigint>();
    for (const { linear, lengthBytes } of this.#watchpoints) {
      const last = (linear + BigInt(lengthBytes) - 1n) >> PAGE_SHIFT;
      for (let page = linear >> PAGE_SHIFT; page <= last; page += 1n) pages.add(page);
    }
    this.#watchedPages = pages;
  }

  /** Offsets in a page at which breakpoints lie. */
  get offsets(): ReadonlySet<number> {
    return new Set([...this.#breakpoints].map((linear) => Number(linear & PAGE_OFFSET)));
  }

  watchesPage(linear: bigint): boolean {
    return this.#watchedPages.has(linear >> PAGE_SHIFT);
  }

  /** The watchpoint that an access meets, as a hit. */
  hitBy(linear: bigint, lengthBytes: number, write: boolean): DebugHit | undefined {
    const end = linear + BigInt(lengthBytes);
    for (const point of this.#watchpoints) {
      if (point.access === (write ? "read" : "write")) continue;
      if (linear >= point.linear + BigInt(point.lengthBytes) || end <= point.linear) continue;
      const first = linear > point.linear ? linear : point.linear;
      return { kind: "watchpoint", linear: first, access: point.access };
    }
    return undefined;
  }
}
