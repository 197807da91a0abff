/** What a processor that only holds registers has around it: nothing. */
import type { VirtualAccessors } from "@ringside/isa";

const nothing = (): void => {};
export const noAccessors: VirtualAccessors = {
  readPhysical: nothing,
  writePhysical: nothing,
  readPort: () => 0,
  writePort: nothing,
  readTaskPriority: () => 0,
  writeTaskPriority: nothing,
  invalidatePage: nothing,
  flushTlb: nothing,
  now: () => 0,
};
