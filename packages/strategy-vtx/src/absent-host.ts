/** What a host's processor and a processor that only holds registers have around them: nothing. */
import type { PortIo, VirtualAccessors } from "@ringside/isa";

/** The host's own bus: all port accesses of guests exit before they get there. */
export const noPorts: PortIo = {
  read: (port) => notReached(port),
  write: (port) => notReached(port),
};

function notReached(port: number): never {
  throw new Error(
    `Bug in ringside: a guest reached port 0x${port.toString(16)} of the host, please report.`,
  );
}

const nothing = (): void => {};
/** For a processor that only holds registers. */
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
