import { HostMemory } from "@ringside/isa";
import { describe, expect, test } from "vitest";
import { ControlGroup } from "../namespaces/control-group.ts";
import { AddressSpace } from "./address-space.ts";
import type { MemoryCounts } from "./resident-pages.ts";
import type { Area } from "./area.ts";
import { Frames } from "./frames.ts";

const PAGE = 4096;
const memoryBytes = 2 * 1024 * 1024;

function kernelMemory(limitBytes: number = memoryBytes) {
  const { physical } = HostMemory.create({ physicalBytes: memoryBytes });
  const frames = new Frames(physical, PAGE, memoryBytes - PAGE);
  const group = new ControlGroup({ memoryBytes: limitBytes, pids: 10 });
  const counts: MemoryCounts = {
    faultsResolved: 0,
    pagesZeroed: 0,
    pagesCopied: 0,
    filePagesMapped: 0,
    entriesForked: 0,
  };
  const invalidated: number[] = [];
  const translations = {
    activeRoot: 0,
    invalidatePage: (linear: number) => void invalidated.push(linear),
    flush: () => {},
  };
  const host = { frames, counts, translations };
  const space = AddressSpace.create(host, group);
  if (space === undefined) throw new Error("no memory for the tables");
  return { space, frames, group, counts, translations, invalidated, physical };
}

function area(start: number, pages: number, protection = 3, rest: Partial<Area> = {}): Area {
  return {
    start,
    end: start + pages * PAGE,
    protection,
    shared: false,
    growsDown: false,
    source: undefined,
    name: "",
    ...rest,
  };
}

/** The leaf entry that the processor will find, by walking the tables in physical memory. */
function leaf({ space, physical }: ReturnType<typeof kernelMemory>, linear: number): bigint {
  let table = BigInt(space.tables.root);
  for (const shift of [39n, 30n, 21n]) {
    const entry = physical.readU64(Number(table + ((BigInt(linear) >> shift) & 511n) * 8n));
    if ((entry & 1n) === 0n) return 0n;
    table = entry & 0x000f_ffff_ffff_f000n;
  }
  return physical.readU64(Number(table + ((BigInt(linear) >> 12n) & 511n) * 8n));
}

describe("a page of anonymous memory", () => {
  test("has no entry before it is touched, and a writable user entry without execution afterwards", () => {
    const memory = kernelMemory();
    memory.space.map(area(0x40_0000, 4));
    expect(leaf(memory, 0x40_1000)).toBe(0n);
    expect(memory.space.fault(0x40_1234, "write")).toBe("resolved");
    const entry = leaf(memory, 0x40_1000);
    expect(entry & 0x7n).toBe(7n);
    expect(entry >> 63n).toBe(1n);
    expect(leaf(memory, 0x40_0000)).toBe(0n);
  });

  test("is the shared frame of zeros, read-only, after a read", () => {
    const memory = kernelMemory();
    memory.space.map(area(0x40_0000, 1));
    const before = memory.group.frames;
    expect(memory.space.fault(0x40_0000, "read")).toBe("resolved");
    expect(Number(leaf(memory, 0x40_0000) & 0xf_f000n)).toBe(memory.frames.zeroFrame);
    expect(leaf(memory, 0x40_0000) & 0x2n).toBe(0n);
    // Three tables and no page.
    expect(memory.group.frames - before).toBe(3);
    expect(memory.space.fault(0x40_0000, "write")).toBe("resolved");
    expect(Number(leaf(memory, 0x40_0000) & 0xf_f000n)).not.toBe(memory.frames.zeroFrame);
  });
});

describe("a fault that cannot be resolved", () => {
  test.each([
    ["below the area", 0x3f_ffff, "read", "unmapped"],
    ["behind the area", 0x40_1000, "read", "unmapped"],
    ["by a write to memory that is only read", 0x40_0000, "write", "forbidden"],
    ["by an instruction fetch", 0x40_0fff, "execute", "forbidden"],
  ] as const)("says so: %s", (_what, linear, access, expected) => {
    const { space } = kernelMemory();
    space.map(area(0x40_0000, 1, 1));
    expect(space.fault(linear, access)).toBe(expected);
  });

  test("says when the group's memory is used up, and leaves the group at its limit", () => {
    const { space, group } = kernelMemory(64 * PAGE);
    space.map(area(0x40_0000, 1000));
    let result = "resolved";
    let pages = 0;
    for (; result === "resolved"; pages++) result = space.fault(0x40_0000 + pages * PAGE, "write");
    expect(result).toBe("out-of-memory");
    expect(group.usedBytes).toBeLessThanOrEqual(64 * PAGE);
    expect(pages).toBeGreaterThan(50);
  });
});

describe("fork", () => {
  test("shares pages until one side writes, and then copies only that page", () => {
    const memory = kernelMemory();
    const { space, counts } = memory;
    space.map(area(0x40_0000, 2));
    space.put(0x40_0000, new Uint8Array([1]));
    space.put(0x40_1000, new Uint8Array([2]));
    const child = space.fork();
    if (child === undefined) throw new Error("fork failed");
    expect(leaf(memory, 0x40_0000) & 0x2n).toBe(0n);
    expect(child.locate(0x40_0000)).toBe(space.locate(0x40_0000));
    child.put(0x40_0000, new Uint8Array([9]));
    expect(child.locate(0x40_0000)).not.toBe(space.locate(0x40_0000));
    expect(child.locate(0x40_1000)).toBe(space.locate(0x40_1000));
    expect(space.get(0x40_0000, 1)).toEqual(new Uint8Array([1]));
    expect(counts.pagesCopied).toBe(1);
    // The parent is alone with its page again: no copy.
    space.put(0x40_0000, new Uint8Array([3]));
    expect(counts.pagesCopied).toBe(1);
  });

  test("gives every frame back when both sides are gone", () => {
    const { space, frames, group } = kernelMemory();
    const free = frames.freeFrames + 1;
    space.map(area(0x40_0000, 20));
    space.map(area(0x7fff_0000_0000, 3));
    space.clear(0x40_0000, 20 * PAGE);
    space.clear(0x7fff_0000_0000, 3 * PAGE);
    const child = space.fork();
    child?.clear(0x40_0000, 5 * PAGE);
    child?.release();
    space.release();
    expect(frames.freeFrames).toBe(free);
    expect(group.frames).toBe(0);
    expect(group.recordBytes).toBe(0);
  });

  test("fails without a trace when memory does not suffice", () => {
    const { space, group, frames } = kernelMemory(40 * PAGE);
    space.map(area(0x40_0000, 1));
    space.map(area(0x40_0000_0000, 1));
    for (const linear of [0x40_0000, 0x40_0000_0000]) space.clear(linear, PAGE);
    const hold: number[] = [];
    while (group.usedBytes + 4 * PAGE <= group.limits.memoryBytes) hold.push(frames.allot(group));
    const before = group.usedBytes;
    expect(space.fork()).toBeUndefined();
    expect(group.usedBytes).toBe(before);
  });
});

describe("munmap", () => {
  test("cuts an area in two and frees the pages and tables between", () => {
    const { space, frames } = kernelMemory();
    space.map(area(0x40_0000, 1024));
    space.clear(0x60_0000, (512 * PAGE) / 2);
    const free = frames.freeFrames;
    expect(space.unmap(0x60_0000, 0x80_0000)).toBe(0);
    expect(space.areas.map(({ start, end }) => [start, end])).toEqual([[0x40_0000, 0x60_0000]]);
    // 256 pages and their page table; the others are gone with it, for nothing is left below them.
    expect(frames.freeFrames - free).toBe(256 + 3);
  });
});

describe("mprotect", () => {
  test("takes the right to write from pages that are there, and gives it back", () => {
    const memory = kernelMemory();
    const { space } = memory;
    space.map(area(0x40_0000, 3));
    space.clear(0x40_0000, 3 * PAGE);
    expect(space.protect(0x40_1000, 0x40_2000, 1)).toBe(0);
    expect(space.areas.length).toBe(3);
    expect(leaf(memory, 0x40_1000) & 0x7n).toBe(5n);
    expect(space.put(0x40_1000, new Uint8Array([1]))).toBe(false);
    expect(space.protect(0x40_1000, 0x40_2000, 3)).toBe(0);
    expect(space.areas.length).toBe(1);
    expect(space.put(0x40_1000, new Uint8Array([1]))).toBe(true);
  });

  test("makes pages absent for the processor with PROT_NONE, and keeps what is in them", () => {
    const memory = kernelMemory();
    const { space } = memory;
    space.map(area(0x40_0000, 1));
    space.put(0x40_0000, new Uint8Array([7]));
    space.protect(0x40_0000, 0x40_1000, 0);
    expect(leaf(memory, 0x40_0000) & 1n).toBe(0n);
    expect(space.get(0x40_0000, 1)).toBeUndefined();
    space.protect(0x40_0000, 0x40_1000, 1);
    expect(space.get(0x40_0000, 1)).toEqual(new Uint8Array([7]));
  });
});

describe("a stack", () => {
  const stack = () => {
    const memory = kernelMemory();
    memory.space.stackLimitBytes = 64 * PAGE;
    memory.space.map(area(0x1000_0000, 1, 3, { growsDown: true, name: "[stack]" }));
    return memory.space;
  };

  test("grows down to its limit, and no further", () => {
    const space = stack();
    expect(space.fault(0x1000_0000 - 63 * PAGE, "write")).toBe("resolved");
    expect(space.fault(0x1000_0000 - 64 * PAGE, "write")).toBe("unmapped");
  });

  test("does not grow into the neighbourhood of another area", () => {
    const space = stack();
    space.map(area(0x1000_0000 - 300 * PAGE, 1));
    space.stackLimitBytes = 1000 * PAGE;
    expect(space.fault(0x1000_0000 - 43 * PAGE, "write")).toBe("resolved");
    expect(space.fault(0x1000_0000 - 44 * PAGE, "write")).toBe("unmapped");
  });
});

describe("mmap's choice of an address", () => {
  test("goes down from below the stack, reuses what was freed, and keeps areas apart", () => {
    const { space } = kernelMemory();
    const first = space.findGap(4 * PAGE);
    expect(first).toBe(0x7fff_f7ff_f000 - 4 * PAGE);
    space.map(area(first, 4, 3));
    const second = space.findGap(2 * PAGE);
    expect(second).toBe(first - 2 * PAGE);
    space.map(area(second, 2, 1));
    space.unmap(first, first + 4 * PAGE);
    expect(space.findGap(4 * PAGE)).toBe(first);
    expect(space.findGap(5 * PAGE)).toBe(second - 5 * PAGE);
    expect(space.findGap(4 * PAGE)).toBe(first);
  });
});

describe("access on the program's behalf", () => {
  test("stops at the first page that is not there", () => {
    const { space } = kernelMemory();
    space.map(area(0x40_0000, 1));
    expect(space.write(0x40_0ffe, new Uint8Array(10))).toBe(2);
    expect(space.get(0x40_0ffe, 3)).toBeUndefined();
    expect(space.getString(0x40_0ffe, 100)).toEqual(new Uint8Array());
    space.put(0x40_0ffe, new Uint8Array([65, 65]));
    expect(space.getString(0x40_0ffe, 100)).toBe("fault");
    expect(space.getString(0x40_0ffe, 2)).toBe("long");
  });

  test("refuses addresses that no program has", () => {
    const { space } = kernelMemory();
    for (const linear of [
      -1,
      0,
      0x7fff_ffff_f000,
      0x8000_0000_0000,
      2 ** 63,
      2 ** 64,
      Number.NaN,
    ]) {
      expect(space.translate(linear, false)).toBe(-1);
    }
  });

  test("invalidates a translation that it changed under the running program", () => {
    const { space, translations, invalidated } = kernelMemory();
    space.map(area(0x40_0000, 1));
    translations.activeRoot = space.tables.root;
    space.get(0x40_0000, 1);
    space.put(0x40_0000, new Uint8Array([1]));
    expect(invalidated).toEqual([0x40_0000]);
  });
});
