/** What is remembered of code, whose amount the guest does not decide. */
import { GuestDevices, GuestMemory, InstructionEmulator, MonitorWork } from "@ringside/hypervisor";
import { defaultProfile, HostMemory } from "@ringside/isa";
import { Board, FrameAllotter } from "@ringside/machine";
import { expect, test, vi } from "vitest";
import { Region, regionFrames } from "./cache/region.ts";
import { TranslationCache, type CachedUnit } from "./cache/translation-cache.ts";
import { CodeSpace } from "./code-space.ts";
import { TranslationCounts } from "./counts.ts";

const guestBytes = 1 << 20;

function setup(): {
  readonly code: CodeSpace;
  readonly cache: TranslationCache;
  readonly counts: TranslationCounts;
  readonly walk: { readonly mock: { readonly calls: unknown[][] } };
} {
  const physicalBytes = 2 * guestBytes + regionFrames * 4096;
  const memory = HostMemory.create({ physicalBytes, codeCacheBytes: 1 << 20 });
  const frames = new FrameAllotter({ base: 0, sizeBytes: physicalBytes });
  const region = new Region(memory, frames.allotRun(regionFrames) ?? 0);
  const work = new MonitorWork();
  const guest = new GuestMemory({ memory, frames, sizeBytes: guestBytes, work });
  const nothing = (): void => {};
  const board = new Board({
    clock: { now: 0 },
    memoryBytes: guestBytes,
    epochSeconds: 0,
    onExit: nothing,
  });
  const emulator = new InstructionEmulator({
    profile: defaultProfile,
    devices: new GuestDevices(board, guest),
    work,
    now: () => 0,
    invalidatePage: nothing,
    flushTlb: nothing,
  });
  const walk = vi.spyOn(emulator, "walk");
  const cache = new TranslationCache({ memory: memory.physical, region, watch: nothing });
  const counts = new TranslationCounts();
  return {
    code: new CodeSpace({ region, cache, counts, emulator, memory: guest }),
    cache,
    counts,
    walk,
  };
}

/** A unit of one instruction. */
function unitAt(cache: TranslationCache, guestRip: bigint): CachedUnit {
  const offset = cache.reserve();
  const bytes = Uint8Array.of(0x90);
  const instruction = { guestRip, bytes, offset, treatment: "copied", isRepeated: false, why: "" };
  return cache.install({
    guestRip,
    offset,
    bytes,
    places: [{ offset, guestRip, isBoundary: true, spilled: [] }],
    exits: [],
    sources: [{ linear: guestRip, gpa: 0, lengthBytes: 1 }],
    instructions: [instruction],
  });
}

test.each([
  ["is remembered", 100, 1],
  ["is forgotten once some thousands of others have", 4096, 0],
])("an instruction that trapped %s", (_, others, retranslations) => {
  const { code, cache, counts } = setup();
  const first = unitAt(cache, 0x1000n);
  code.noteTrap(0x1000n, first);
  code.noteTrap(0x1000n, first);
  for (let index = 0; index < others; index += 1) {
    const rip = 0x1001n + BigInt(index);
    code.noteTrap(rip, unitAt(cache, rip));
  }
  code.noteTrap(0x1000n, first);
  expect(counts.retranslations).toBe(retranslations);
});

test.each([
  ["it alone is looked up", 1, 1],
  ["everything is, when many parts of the address space are", 65, 2],
])("when a page is in doubt, %s", (_, parts, walks) => {
  const { code, cache, walk } = setup();
  unitAt(cache, 0x1000n);
  unitAt(cache, 1n << 46n);
  for (let part = 0; part < parts; part += 1) code.doubtPage(BigInt(part) << 30n);
  expect(code.hasDoubts).toBe(true);
  code.settleDoubts();
  expect(code.hasDoubts).toBe(false);
  expect(walk.mock.calls).toHaveLength(walks);
});
