/** The processor's counts, by the names of the contract. */
import type { Machine } from "@ringside/machine";
import { processorCounts, type Counts } from "@ringside/strategy";

/** Since the processor was made. */
export function countsOf(machine: Machine): Counts {
  return processorCounts(machine.processor.counts(), machine.units);
}
