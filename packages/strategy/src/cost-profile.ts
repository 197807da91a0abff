/**
 * Cost profiles: what things cost on one generation of processors, as data with its provenance.
 *
 * A profile never moves guest time; it prices the counts of a run afterwards, and any run under any profile.
 */

/**
 * Where a constant comes from, best first.
 *
 * - `published`: read in the source.
 * - `derived`: arithmetic on published values.
 * - `calibrated`: chosen so that a published native figure comes out; a cell that rests on it is no prediction.
 * - `estimated`: a judgement, said to be one.
 */
export type Provenance = "published" | "derived" | "calibrated" | "estimated";

/** The three disjoint fields of a price. */
export type CostClass = "guest" | "transition" | "monitor";

/** Which counted facts a constant multiplies. */
export type Priced =
  /** The sums at these dotted names of the counts, less those at `except`: parts of them, or the same events by another name. */
  | {
      readonly kind: "counts";
      readonly names: readonly string[];
      readonly except?: readonly string[];
    }
  /** All retired instructions that no other constant prices by mnemonic. */
  | { readonly kind: "other-instructions" };

export interface CostConstant {
  /** Unique in its profile, kebab-case. */
  readonly id: string;
  readonly class: CostClass;
  readonly cycles: number;
  /** What is counted, in the plural, for sentences: `VM exits`. */
  readonly events: string;
  /** What one costs that: `instruction`, `exception`, `reference`. */
  readonly unit: string;
  /** Where the cost begins. */
  readonly from: string;
  /** Where it ends. */
  readonly to: string;
  readonly prices: Priced;
  readonly provenance: Provenance;
  /** Publication and place, or the reasoning behind an estimate. */
  readonly source: string;
  /** True when the figure was not found in a source that can be checked. */
  readonly unverified: boolean;
}

export interface CostProfile {
  /** Unique, kebab-case. */
  readonly id: string;
  /** For headings. */
  readonly name: string;
  /** Year in which the processor was sold. */
  readonly year: number;
  /** Clock, to turn cycles into time. */
  readonly hertz: number;
  readonly constants: readonly CostConstant[];
}

/**
 * Checks that every counted fact is priced at most once, so that the parts of a price sum to the whole.
 *
 * @throws {RangeError} when two constants share an id or a count, or a number is negative or not finite.
 */
export function checkCostProfile(profile: CostProfile): void {
  const fail = (what: string): never => {
    throw new RangeError(`The cost profile "${profile.id}" ${what}.`);
  };
  const ids = new Set<string>();
  const names: {
    readonly name: string;
    readonly id: string;
    readonly except: readonly string[];
  }[] = [];
  let others = 0;
  for (const { id, cycles, prices } of profile.constants) {
    if (ids.has(id)) fail(`has two constants "${id}"`);
    ids.add(id);
    if (!Number.isFinite(cycles) || cycles < 0) fail(`says that "${id}" costs ${cycles} cycles`);
    if (prices.kind === "other-instructions") {
      others += 1;
      continue;
    }
    for (const name of prices.names) {
      // All retired instructions are priced through their mnemonics or as the others.
      if (name === "instructions" || name === "rings" || name === "mnemonics") {
        fail(`prices "${name}" as a whole in "${id}"`);
      }
      names.push({ name, id, except: prices.except ?? [] });
    }
  }
  if (others > 1) fail("prices the other instructions twice");
  for (const [at, a] of names.entries()) {
    for (const b of names.slice(at + 1)) {
      if (overlap(a, b)) fail(`prices "${b.name}" in "${a.id}" and in "${b.id}"`);
    }
  }
}

type Selection = { readonly name: string; readonly except: readonly string[] };

function overlap(a: Selection, b: Selection): boolean {
  if (isWithin(a.name, b.name)) return !b.except.some((name) => isWithin(a.name, name));
  if (isWithin(b.name, a.name)) return !a.except.some((name) => isWithin(b.name, name));
  return false;
}

/** True when the dotted `name` is `group` or lies under it. */
function isWithin(name: string, group: string): boolean {
  return name === group || name.startsWith(`${group}.`);
}
