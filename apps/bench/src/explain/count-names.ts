/** Counts as a list of leaves. */
import type { CountTree } from "@ringside/strategy";

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
