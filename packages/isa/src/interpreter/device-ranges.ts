/** The ranges of physical addresses that devices answer. */
import type { PhysicalMemory } from "../memory/host-memory.ts";
import type { MmioRegion } from "../processor-options.ts";
import type { BoundHelper } from "./engine.ts";

export class DeviceRanges {
  readonly #regions: MmioRegion[] = [];
  readonly #memory: PhysicalMemory;

  constructor(memory: PhysicalMemory, regions: readonly MmioRegion[]) {
    this.#memory = memory;
    for (const region of regions) this.add(region);
  }

  /** Frames in the range are no longer RAM. */
  add(region: MmioRegion): void {
    this.#regions.push(region);
    this.#memory.excludeRam(region.base, region.sizeBytes);
  }

  /** What emitted code calls; addresses come in two halves. */
  get helpers(): Readonly<Record<"mmioRead" | "mmioWrite", BoundHelper>> {
    return {
      mmioRead: (low = 0, high = 0, bytes = 0) => {
        const found = this.#find(low, high);
        if (found === undefined) return allOnes(bytes);
        return found.region.read(found.offset, accessSize(bytes));
      },
      mmioWrite: (low = 0, high = 0, bytes = 0, value = 0) => {
        const found = this.#find(low, high);
        found?.region.write(found.offset, accessSize(bytes), value >>> 0);
      },
    };
  }

  #find(
    low: number,
    high: number,
  ): { readonly region: MmioRegion; readonly offset: number } | undefined {
    const physical = (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    for (const region of this.#regions) {
      const offset = physical - region.base;
      if (offset >= 0 && offset < region.sizeBytes) return { region, offset };
    }
    return undefined;
  }
}

/** Bytes of an access to a device or a port. */
export function accessSize(bytes: number): 1 | 2 | 4 {
  if (bytes === 1 || bytes === 2 || bytes === 4) return bytes;
  throw new RangeError(`Bug in ringside: a device access of ${bytes} bytes, please report.`);
}

function allOnes(bytes: number): number {
  return bytes === 4 ? -1 : 2 ** (bytes * 8) - 1;
}
