/** The processor's counts, by the names of the contract. */
import type { Machine } from "@ringside/machine";
import { countTree, type Counts } from "@ringside/strategy";

/** Where the processor's dotted names go; what is not listed stays as it is. */
function renamed(name: string): string {
  const ring = /^instructions\.(ring[0-3])$/.exec(name);
  if (ring !== null) return `rings.${ring[1]}`;
  if (name.startsWith("instructions.")) return `mnemonics.${name.slice("instructions.".length)}`;
  if (name === "walks" || name === "walkReferences" || name === "tlbFills") {
    return `translation.${name}`;
  }
  return name;
}

/** Since the processor was made. */
export function countsOf(machine: Machine): Counts {
  const flat: Record<string, number> = {};
  let instructions = 0;
  for (const [name, value] of Object.entries(machine.processor.counts())) {
    const to = renamed(name);
    flat[to] = value;
    if (to.startsWith("rings.")) instructions += value;
  }
  return {
    rings: {},
    mnemonics: {},
    exceptions: {},
    interrupts: {},
    translation: {},
    ...countTree(flat),
    units: machine.units,
    instructions,
  };
}
