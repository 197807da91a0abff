/** The bus of a host whose guests never reach it: their port accesses trap or exit before they get there. */
import type { PortIo } from "@ringside/isa";

export const closedPorts: PortIo = {
  read: (port) => notReached(port),
  write: (port) => notReached(port),
};

function notReached(port: number): never {
  throw new Error(
    `Bug in ringside: a guest reached port 0x${port.toString(16)} of the host, please report.`,
  );
}
