/** How much memory a host needs for one guest. */
import { maximumMemoryBytes } from "@ringside/machine";
import type { Guest } from "@ringside/strategy";

/** Room for what a strategy keeps in the host's memory beside the guest's, such as page tables and a translation cache. */
const STRATEGY_BYTES = 4 << 20;
const FRAME_BYTES = 4096;

/** Bytes of a host that runs one machine with this guest; at most what a host can have. */
export function hostBytesFor({ memoryBytes }: Guest): number {
  const wanted = Math.ceil((memoryBytes + STRATEGY_BYTES) / FRAME_BYTES) * FRAME_BYTES;
  return memoryBytes <= maximumMemoryBytes ? Math.min(wanted, maximumMemoryBytes) : wanted;
}
