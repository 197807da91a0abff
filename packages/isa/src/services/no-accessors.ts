/** What a virtual processor has around it that only holds registers, or walks tables: nothing. */
import type { VirtualAccessors } from "./virtual-processor.ts";

const nothing = (): void => {};

/** Memory and ports that read as zeros and forget what is written; time stands still. To be spread and completed. */
export const noAccessors: VirtualAccessors = {
  readPhysical: (_physical, bytes) => void bytes.fill(0),
  writePhysical: nothing,
  readPort: () => 0,
  writePort: nothing,
  readTaskPriority: () => 0,
  writeTaskPriority: nothing,
  invalidatePage: nothing,
  flushTlb: nothing,
  now: () => 0,
};
