/**
 * Counted facts of a run: a tree of named numbers.
 *
 * They are the same in every tier of the processor and under every cost profile, and they only grow while a
 * machine runs. What a strategy counts beyond {@link Counts} is its own; nested names keep it readable.
 */

export interface CountTree {
  readonly [name: string]: number | CountTree;
}

/** What every strategy counts. */
export interface Counts extends CountTree {
  /** Progress: retired instructions, delivered events, monitor entries. The clock of the guest. */
  readonly units: number;
  /** Retired instructions, each iteration of a repeated one as one. */
  readonly instructions: number;
  /** The same by privilege level: `ring0` to `ring3` on x86. Sums to {@link instructions}. */
  readonly rings: CountTree;
  /** Those of {@link instructions} that cost models price one by one, by mnemonic. */
  readonly mnemonics: CountTree;
  /** Exceptions by vector that were delivered through the guest's own tables; a monitor's are in `monitor.exceptions`. */
  readonly exceptions: CountTree;
  /** Delivered external interrupts by vector. */
  readonly interrupts: CountTree;
  /** Page walks, the references to table entries that they made, and TLB entries filled. */
  readonly translation: CountTree;
}

/** Makes a tree of dotted names: `{ "a.b": 1 }` becomes `{ a: { b: 1 } }`, with keys in sorted order. */
export function countTree(flat: Readonly<Record<string, number>>): CountTree {
  const root = new Map<string, Node>();
  for (const name of Object.keys(flat).toSorted(byName)) {
    const path = name.split(".");
    const last = path.pop() ?? "";
    let level = root;
    for (const part of path) {
      const next = level.get(part) ?? new Map<string, Node>();
      if (typeof next === "number") {
        throw new RangeError(`The count "${name}" lies under a name that is a count itself.`);
      }
      level.set(part, next);
      level = next;
    }
    if (level.has(last)) throw new RangeError(`The count "${name}" is also the name of a group.`);
    level.set(last, flat[name] ?? 0);
  }
  return plain(root);
}

/** What was counted between two snapshots of one machine. A name that the earlier one lacks counts from zero. */
export function countsBetween<T extends CountTree>(earlier: CountTree, later: T): T {
  const result: Record<string, number | CountTree> = {};
  for (const [name, value] of Object.entries(later)) {
    const before = earlier[name];
    if (typeof value === "number") {
      result[name] = value - (typeof before === "number" ? before : 0);
    } else {
      result[name] = countsBetween(typeof before === "object" ? before : {}, value);
    }
  }
  return result as T; // The same names at every level, and numbers where there were numbers.
}

/** The count or the sum of the group at a dotted name; 0 where nothing was counted. */
export function countAt(counts: CountTree, name: string): number {
  let node: number | CountTree | undefined = counts;
  for (const part of name.split(".")) {
    if (typeof node !== "object") return 0;
    node = Object.hasOwn(node, part) ? node[part] : undefined;
  }
  return sumOf(node ?? 0);
}

function sumOf(node: number | CountTree): number {
  if (typeof node === "number") return node;
  return Object.values(node).reduce((sum: number, child) => sum + sumOf(child), 0);
}

type Node = number | Map<string, Node>;

function plain(level: ReadonlyMap<string, Node>): CountTree {
  return Object.fromEntries(
    [...level].map(([name, node]) => [name, typeof node === "number" ? node : plain(node)]),
  );
}

/** Vectors sort as numbers, names as text; the same on every host, whatever its language. */
function byName(a: string, b: string): number {
  const numeric = Number(a.slice(a.lastIndexOf(".") + 1)) - Number(b.slice(b.lastIndexOf(".") + 1));
  if (!Number.isNaN(numeric) && numeric !== 0) return numeric;
  return a < b ? -1 : Number(a > b);
}
