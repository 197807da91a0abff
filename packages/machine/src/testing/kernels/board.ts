/** Runs kernels that check themselves on a whole {@link Machine}: the ones that are about what is around the processor. */
import { HostMemory } from "@ringside/isa";
import { romImage, ROM_PHYSICAL, SHUTDOWN, type Kernel } from "@ringside/isa/testing";
import { Machine } from "../../machine.ts";

const MEMORY_BYTES = 0x40_0000;
/** Of a kernel; some wait for timers that take milliseconds. */
const LIMIT_UNITS = 200_000_000;

/** Runs a kernel; gives its lines, with the end last where it was another than the exit port. */
export function runOnBoard(kernel: Kernel): readonly string[] {
  const memory = HostMemory.create({ physicalBytes: MEMORY_BYTES, codeCacheBytes: 0x10_0000 });
  const output: number[] = [];
  const machine = new Machine({
    memory,
    memoryBytes: MEMORY_BYTES,
    epochSeconds: 0,
    hardware: {},
    onDebug: (bytes) => void output.push(...bytes),
    ...(kernel.profile === undefined ? {} : { profile: kernel.profile }),
  });
  memory.physical.write(ROM_PHYSICAL, romImage(kernel));
  // The copy of the ROM below 4 GiB, where RESET begins, is not in this memory; the one below 1 MiB is.
  const { state } = machine.processor;
  state.setSegment("cs", { ...state.segment("cs"), base: BigInt(ROM_PHYSICAL) });
  const exit = machine.run(LIMIT_UNITS);
  const lines = String.fromCharCode(...output)
    .trimEnd()
    .split("\n");
  if (exit.reason === "powered-off") return lines;
  return [...lines, exit.reason === "shutdown" ? SHUTDOWN : JSON.stringify(exit)];
}
