/** Modelled cycles: counts times the constants of a profile. */
import { checkCostProfile, type CostConstant, type CostProfile } from "./cost-profile.ts";
import { countAt, type Counts } from "./counts.ts";

/** What one constant contributes. */
export interface PricePart {
  readonly constant: CostConstant;
  readonly count: number;
  /** `count` times the constant's cycles. */
  readonly cycles: number;
}

export interface Price {
  /** Instructions of the guest and their memory accesses. */
  readonly guestCycles: number;
  /** What the processor itself does to change context: deliver, return, enter, exit. */
  readonly transitionCycles: number;
  /** Work of a hypervisor. */
  readonly monitorCycles: number;
  /** The sum of the three, or null when the run holds work that no profile prices. */
  readonly modelledCycles: number | null;
  /** Why {@link modelledCycles} is null. */
  readonly reason?: string;
  /** Every constant with a count, in the order of the profile. Sums to the three fields. */
  readonly parts: readonly PricePart[];
}

/** Profiles that were found to price nothing twice: whoever prices unit by unit asks very often. */
const checkedProfiles = new WeakSet<CostProfile>();

/**
 * Prices what was counted.
 *
 * @param unmodelled The strategy's `traits.unmodelled`: why there is no total.
 * @throws {RangeError} when the profile prices something twice.
 */
export function price(counts: Counts, profile: CostProfile, unmodelled?: string): Price {
  if (!checkedProfiles.has(profile)) {
    checkCostProfile(profile);
    checkedProfiles.add(profile);
  }
  const parts = profile.constants
    .map((constant) => {
      const count = countOf(counts, profile, constant);
      return { constant, count, cycles: count * constant.cycles };
    })
    .filter(({ count }) => count !== 0);

  const sum = (of: CostConstant["class"]): number =>
    parts.reduce((total, { constant, cycles }) => total + (constant.class === of ? cycles : 0), 0);
  const guestCycles = sum("guest");
  const transitionCycles = sum("transition");
  const monitorCycles = sum("monitor");
  const fields = { guestCycles, transitionCycles, monitorCycles, parts };
  return unmodelled === undefined
    ? { ...fields, modelledCycles: guestCycles + transitionCycles + monitorCycles }
    : { ...fields, modelledCycles: null, reason: unmodelled };
}

function countOf(counts: Counts, profile: CostProfile, { prices }: CostConstant): number {
  const at = (names: readonly string[]): number =>
    names.reduce((total, name) => total + countAt(counts, name), 0);

  switch (prices.kind) {
    case "counts":
      return at(prices.names) - at(prices.except ?? []);
    case "other-instructions": {
      const named = profile.constants.flatMap((other) =>
        other.prices.kind === "counts"
          ? other.prices.names.filter((name) => name.startsWith("mnemonics."))
          : [],
      );
      return counts.instructions - at(named);
    }
  }
}
