/** The counts of a processor, by the names of the contract. */
import { countTree, type Counts } from "./counts.ts";

/** Where the processor's dotted names go; what is not listed stays as it is. */
function renamed(name: string): string {
  const ring = /^instructions\.(ring[0-3])$/.exec(name);
  if (ring !== null) return `rings.${ring[1]}`;
  if (name.startsWith("instructions.")) return `mnemonics.${name.slice("instructions.".length)}`;
  if (name === "walks" || name === "walkReferences" || name === "tlbFills") {
    return `translation.${name}`;
  }
  if (name === "vmx.eptReferences") return "translation.secondStageReferences";
  return name;
}

/**
 * @param processor What `Processor.counts()` gives.
 * @param units The machine's progress.
 * @param own What a strategy counts itself, by dotted names that the processor does not use.
 */
export function processorCounts(
  processor: Readonly<Record<string, number>>,
  units: number,
  own: Readonly<Record<string, number>> = {},
): Counts {
  const flat: Record<string, number> = { ...own };
  let instructions = 0;
  for (const [name, value] of Object.entries(processor)) {
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
    units,
    instructions,
  };
}
