import { frameBytes } from "@ringside/machine";
import { beforeEach, describe, expect, test } from "vitest";
import { EBUSY, EINVAL, EPERM } from "../abi/errno.ts";
import type { Domain } from "../domain.ts";
import { TYPE } from "../memory/frame-table.ts";
import { brokenInvariants } from "../testing/invariants.ts";
import { testMachine, tinyKernel } from "../testing/tiny-kernel.ts";
import { ACCESSED, DIRTY, GLOBAL, PRESENT, USER, WRITABLE, type Level } from "./entry.ts";

const image = tinyKernel("again: jmp again");
let domain: Domain;
let used = 0;

beforeEach(() => {
  domain = testMachine({ image }).machine.domain;
  used = 0;
});

/** A frame of the domain that nothing maps. */
function spare(): number {
  used += 1;
  return domain.memory.frames[domain.memory.frames.length - used] ?? 0;
}

/** Writes an entry as the guest would into plain memory. */
function fill(table: number, index: number, frame: number, flags: number): void {
  domain.types.writeRaw(table * frameBytes + index * 8, frame * frameBytes + flags, 0);
}

function entry(table: number, index: number): number {
  return domain.types.readLow(table * frameBytes + index * 8);
}

/** Changes an entry by mmu_update's rules. */
function update(
  table: number,
  index: number,
  frame: number,
  flags: number,
  preserve = false,
): number {
  const at = table * frameBytes + index * 8;
  return domain.paging.update(at, 0, flags === 0 ? 0 : frame * frameBytes + flags, 0, preserve);
}

/** An empty table of a level, pinned. */
function pinned(level: Level): number {
  const table = spare();
  expect(domain.paging.pin(table, level)).toBe(0);
  return table;
}

function holds(): void {
  expect(brokenInvariants(domain)).toEqual([]);
}

// Xen, xen/arch/x86/mm.c, the comment at its head.
describe("types of frames", () => {
  test("hold for a new domain", holds);

  test("a writable mapping makes a frame writable, and holds it", () => {
    const [table, target] = [pinned(1), spare()];
    expect(update(table, 0, target, PRESENT | WRITABLE | USER)).toBe(0);
    expect([domain.frames.type(target), domain.frames.typeCount(target)]).toEqual([
      TYPE.WRITABLE,
      1,
    ]);
    holds();
  });

  test("a frame that is mapped writable can be no table", () => {
    const [table, target] = [pinned(1), spare()];
    update(table, 0, target, PRESENT | WRITABLE);
    expect(domain.paging.pin(target, 1)).toBe(EINVAL);
    expect(update(table, 0, 0, 0)).toBe(0);
    expect(domain.paging.pin(target, 1)).toBe(0);
    holds();
  });

  test("a table cannot be mapped writable, but can be read-only", () => {
    const table = pinned(1);
    expect(update(table, 0, table, PRESENT | WRITABLE)).toBe(EBUSY);
    expect(update(table, 0, table, PRESENT)).toBe(0);
    holds();
  });

  test("a table of one level is none of another", () => {
    const [directory, leaf] = [pinned(2), pinned(1)];
    expect(domain.paging.pin(leaf, 2)).toBe(EINVAL);
    expect(update(directory, 0, directory, PRESENT)).toBe(EINVAL);
    expect(update(directory, 0, leaf, PRESENT | WRITABLE)).toBe(0);
    holds();
  });

  test("a pinned table is pinned once", () => {
    const table = pinned(1);
    expect(domain.paging.pin(table, 1)).toBe(EINVAL);
    expect(domain.paging.unpin(table)).toBe(0);
    expect(domain.paging.unpin(table)).toBe(EINVAL);
    expect(domain.frames.typeCount(table)).toBe(0);
    holds();
  });

  test("a table stays one while another refers to it", () => {
    const [directory, leaf] = [pinned(2), pinned(1)];
    update(directory, 0, leaf, PRESENT);
    domain.paging.unpin(leaf);
    expect(domain.frames.type(leaf)).toBe(TYPE.L1);
    expect(update(directory, 0, 0, 0)).toBe(0);
    expect(domain.frames.type(leaf)).toBe(TYPE.NONE);
    holds();
  });
});

describe("validation of a table", () => {
  test("takes everything below with it", () => {
    const [top, pointers, directory, leaf, page] = [spare(), spare(), spare(), spare(), spare()];
    fill(top, 0, pointers, PRESENT);
    fill(pointers, 1, directory, PRESENT);
    fill(directory, 2, leaf, PRESENT);
    fill(leaf, 3, page, PRESENT | WRITABLE);
    expect(domain.paging.pin(top, 4)).toBe(0);
    const found = [top, pointers, directory, leaf, page].map((frame) => domain.frames.type(frame));
    expect(found).toEqual([TYPE.L4, TYPE.L3, TYPE.L2, TYPE.L1, TYPE.WRITABLE]);
    holds();
    expect(domain.paging.unpin(top)).toBe(0);
    expect(domain.frames.type(page)).toBe(TYPE.NONE);
    holds();
  });

  test("fails for a frame that is not the domain's, and then holds nothing", () => {
    const [table, page] = [spare(), spare()];
    fill(table, 0, page, PRESENT | WRITABLE);
    fill(table, 1, 0, PRESENT); // Xen's own.
    expect(domain.paging.pin(table, 1)).toBe(EINVAL);
    expect(domain.frames.typeCount(page)).toBe(0);
    holds();
  });

  test("fails for frames beyond all memory", () => {
    const table = spare();
    domain.types.writeRaw(table * frameBytes, PRESENT, 0x000f_ffff);
    expect(domain.paging.pin(table, 1)).toBe(EPERM);
    holds();
  });

  test.each([2, 3, 4] as const)("fails for large pages at level %i", (level) => {
    const table = spare();
    fill(table, 0, spare(), PRESENT | 0x80);
    expect(domain.paging.pin(table, level)).toBe(EINVAL);
    holds();
  });

  test("fails for tables that refer to themselves", () => {
    const [two, four] = [spare(), spare()];
    fill(two, 0, two, PRESENT);
    expect(domain.paging.pin(two, 2)).toBe(EINVAL);
    fill(four, 5, four, PRESENT);
    expect(domain.paging.pin(four, 4)).toBe(EINVAL);
    holds();
  });

  test("fails for a cycle through two tables", () => {
    const [pointers, directory] = [spare(), spare()];
    fill(pointers, 0, directory, PRESENT);
    fill(directory, 0, pointers, PRESENT);
    expect(domain.paging.pin(pointers, 3)).toBe(EINVAL);
    holds();
  });

  test("puts Xen's own slots into a table of level 4, whatever was there", () => {
    const top = spare();
    fill(top, 256, top, PRESENT | WRITABLE);
    fill(top, 271, 0, PRESENT | WRITABLE);
    expect(domain.paging.pin(top, 4)).toBe(0);
    expect(entry(top, 256)).toBe(domain.area.entry(256));
    expect(entry(top, 271)).toBe(0);
    holds();
  });
});

// Xen, xen/arch/x86/include/asm/pv/mm.h, adjust_guest_l1e and its neighbours.
describe("entries as Xen writes them", () => {
  test("a page of the guest's kernel is the user's to the hardware, and marked", () => {
    const [table, page] = [pinned(1), spare()];
    update(table, 0, page, PRESENT);
    expect(entry(table, 0) & (USER | GLOBAL)).toBe(USER);
    expect(domain.types.readHigh(table * frameBytes)).toBe(1 << 20);
  });

  test("a page of a program is global", () => {
    const [table, page] = [pinned(1), spare()];
    update(table, 0, page, PRESENT | USER);
    expect(entry(table, 0) & (USER | GLOBAL)).toBe(USER | GLOBAL);
  });

  test("a page of the kernel's stays one when the guest writes back what it reads", () => {
    const [table, page] = [pinned(1), spare()];
    update(table, 0, page, PRESENT | WRITABLE);
    const at = table * frameBytes;
    const [low, high] = [domain.types.readLow(at), domain.types.readHigh(at)];
    expect(domain.paging.update(at, 0, low & ~WRITABLE, high, false)).toBe(0);
    expect(entry(table, 0) & (USER | GLOBAL)).toBe(USER);
    holds();
  });

  test("an entry that is not present is the guest's business", () => {
    const table = pinned(1);
    expect(domain.paging.update(table * frameBytes, 0, 0xdead_bee0, 0xffff_ffff, false)).toBe(0);
    expect(entry(table, 0)).toBe(0xdead_bee0);
    holds();
  });

  test("preserves accessed and dirty bits where asked", () => {
    const [table, page] = [pinned(1), spare()];
    update(table, 0, page, PRESENT | WRITABLE | ACCESSED | DIRTY);
    update(table, 0, page, PRESENT | WRITABLE, true);
    expect(entry(table, 0) & (ACCESSED | DIRTY)).toBe(ACCESSED | DIRTY);
    update(table, 0, page, PRESENT | WRITABLE);
    expect(entry(table, 0) & (ACCESSED | DIRTY)).toBe(0);
    holds();
  });
});

describe("mmu_update", () => {
  test("cannot change Xen's slots of a table of level 4", () => {
    const [top, pointers] = [pinned(4), pinned(3)];
    expect(update(top, 256, pointers, PRESENT)).toBe(EINVAL);
    expect(update(top, 271, pointers, PRESENT)).toBe(EINVAL);
    expect(update(top, 272, pointers, PRESENT)).toBe(0);
    holds();
  });

  test("writes plain memory as it stands", () => {
    const page = spare();
    expect(update(page, 7, 3, PRESENT | GLOBAL)).toBe(0);
    expect(entry(page, 7)).toBe(3 * frameBytes + PRESENT + GLOBAL);
    holds();
  });

  test("does not write to frames that are not the domain's", () => {
    const before = domain.physical.readU64(0);
    expect(domain.paging.update(0, 0, 1, 0, false)).toBe(EINVAL);
    expect(domain.paging.update(0, 0xffff_ffff, 1, 0, false)).toBe(EINVAL);
    expect(domain.physical.readU64(0)).toBe(before);
  });

  test("does not write to descriptors", () => {
    const page = spare();
    expect(domain.types.get(page, TYPE.DESCRIPTORS)).toBe(0);
    expect(update(page, 0, 0, PRESENT)).toBe(EBUSY);
    domain.types.put(page);
    holds();
  });

  test("leaves the entry alone when the new one is refused", () => {
    const [table, page] = [pinned(1), spare()];
    update(table, 0, page, PRESENT | WRITABLE);
    const before = entry(table, 0);
    expect(update(table, 0, 0, PRESENT | WRITABLE)).toBe(EINVAL);
    expect(entry(table, 0)).toBe(before);
    holds();
  });

  test("makes a page read-only, and then it can be a table", () => {
    const [table, page] = [pinned(1), spare()];
    update(table, 0, page, PRESENT | WRITABLE);
    update(table, 0, page, PRESENT);
    expect(domain.paging.pin(page, 1)).toBe(0);
    expect(update(table, 0, page, PRESENT | WRITABLE)).toBe(EBUSY);
    holds();
  });
});
