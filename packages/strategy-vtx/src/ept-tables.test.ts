import { HostMemory } from "@ringside/isa";
import { MonitorWork } from "@ringside/hypervisor";
import { describe, expect, test } from "vitest";
import { eptFramesFor, EptTables } from "./ept-tables.ts";

const physicalBytes = 1 << 20;

function setup(): {
  readonly memory: HostMemory;
  readonly work: MonitorWork;
  readonly ept: EptTables;
  readonly taken: number[];
} {
  const memory = HostMemory.create({ physicalBytes, codeCacheBytes: 1 << 20 });
  memory.physical.fill(0, 0xff, physicalBytes);
  const work = new MonitorWork();
  const taken: number[] = [];
  const allotTable = (): number => {
    const frame = 0x8000 + taken.length * 0x1000;
    taken.push(frame);
    return frame;
  };
  const ept = new EptTables({ memory: memory.physical, allotTable, work });
  return { memory, work, ept, taken };
}

/** Walks as the processor does; the leaf, or the entry that is not present. */
function walk(memory: HostMemory, pointer: bigint, gpa: bigint): bigint {
  let entry = pointer;
  for (const shift of [39n, 30n, 21n, 12n]) {
    const table = entry & 0x000f_ffff_ffff_f000n;
    entry = memory.physical.readU64(Number(table + ((gpa >> shift) & 511n) * 8n));
    if ((entry & 7n) === 0n) return entry;
  }
  return entry;
}

describe("extended page tables", () => {
  test("name four levels of write-back tables in their pointer", () => {
    expect(setup().ept.pointer & 0xfffn).toBe(0x1en);
  });

  test("map what was mapped, with all rights and write-back memory, and nothing else", () => {
    const { memory, ept } = setup();
    const pages = [
      [0x0n, 0x5_0000],
      [0x1000n, 0x3_0000],
      [0x20_0000n, 0x6_0000],
      [0x4000_0000n, 0x7_0000],
      [0xfee0_0000n, 0x4_0000],
    ] as const;
    const hosts = new Map<number, number>(pages.map(([gpa, host]) => [Number(gpa), host]));
    for (const at of hosts.keys()) ept.mapAround(at, (page) => hosts.get(page));
    for (const [gpa, host] of pages) {
      expect(walk(memory, ept.pointer, gpa)).toBe(BigInt(host) | 0x37n);
    }
    for (const gpa of [0x2000n, 0x20_1000n, 0x8000_0000n, 0x80_0000_0000n]) {
      expect(walk(memory, ept.pointer, gpa)).toBe(0n);
    }
  });

  test("map the 16 pages around one that are not mapped, and leave the others", () => {
    const { memory, ept } = setup();
    ept.mapAround(0x1_5000, (page) => (page === 0x1_2000 ? 0x9_0000 : undefined));
    ept.mapAround(0x1_5000, (page) => (page < 0x1_e000 ? 0x5_0000 : undefined));
    expect(walk(memory, ept.pointer, 0x1_2000n)).toBe(0x9_0037n);
    expect(walk(memory, ept.pointer, 0x1_0000n)).toBe(0x5_0037n);
    expect(walk(memory, ept.pointer, 0x1_d000n)).toBe(0x5_0037n);
    for (const gpa of [0xf000n, 0x1_e000n, 0x2_0000n])
      expect(walk(memory, ept.pointer, gpa)).toBe(0n);
  });

  test("count what the hypervisor wrote, and take no more frames than they say", () => {
    const { work, ept, taken } = setup();
    for (let gpa = 0; gpa < 0x40_0000; gpa += 0x1_0000) ept.mapAround(gpa + 0x3000, () => 0x5_0000);
    expect(taken).toHaveLength(eptFramesFor(0x40_0000));
    expect(work.flat()).toEqual({
      "monitor.pagesCleared": 5,
      "monitor.tableReads": 3 * 64 + 1024,
      "monitor.tableWrites": 1024 + 4,
    });
  });
});
