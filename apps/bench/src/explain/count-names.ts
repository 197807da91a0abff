/** Counts as a list of leaves. */
import { countTree, type Counts, type CountTree } from "@ringside/strategy";

/** Dotted names and counts, without zeros. */
export function countLeaves(tree: CountTree, prefix = ""): readonly (readonly [string, number])[] {
  return Object.entries(tree).flatMap(([name, value]): readonly (readonly [string, number])[] => {
    if (typeof value === "object") return countLeaves(value, `${prefix}${name}.`);
    return value === 0 ? [] : [[`${prefix}${name}`, value]];
  });
}

/** Dotted names of what was counted at all. */
export function countNames(tree: CountTree): readonly string[] {
  return countLeaves(tree).map(([name]) => name);
}

/** Counts of leaves by dotted name. */
export function countsOf(leaves: Iterable<readonly [string, number]>): Counts {
  const { units = 0, instructions = 0, ...named } = Object.fromEntries(leaves);
  const groups = { rings: {}, mnemonics: {}, exceptions: {}, interrupts: {}, translation: {} };
  return { ...groups, ...countTree(named), units, instructions };
}

/** What two steps counted together. */
export function countsTogether(first: Counts, second: Counts): Counts {
  const sums = new Map(countLeaves(first));
  for (const [name, count] of countLeaves(second)) sums.set(name, (sums.get(name) ?? 0) + count);
  return countsOf(sums);
}
