/**
 * A VMCS of garbage: whatever software puts there, VM entry fails or the guest exits, and nothing outside the guest's
 * frames changes. The seed is fixed; `fuzz` takes another one and any number of rounds.
 */
import { describe, expect, test } from "vitest";
import { haswell, penryn, sandyBridge, type VmxCapabilities } from "./capabilities.ts";
import { FIELDS } from "./fields.ts";
import { GUEST, GuestBench } from "./testing/guest-bench.ts";

/** xorshift: 32 bits. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function wide(random: () => number): bigint {
  return (BigInt(random()) << 32n) | BigInt(random());
}

/** Runs guests whose VMCS was changed in a few fields, and gives how often each kind of entry happened. */
function fuzz(capabilities: VmxCapabilities, seed: number, rounds: number): Record<string, number> {
  const random = randomOf(seed);
  const kinds: Record<string, number> = { entered: 0, failed: 0, exited: 0 };
  const writable = FIELDS.filter(({ access }) => access === "read-write");
  for (let round = 0; round < rounds; round += 1) {
    const bench = new GuestBench({ capabilities });
    bench.load(GUEST.code, "again:\nint 0x80\ncpuid\nmov cr3, rax\nrdmsr\nin al, dx\njmp again");
    for (let change = random() % 4; change >= 0; change -= 1) {
      const field = writable[random() % writable.length];
      if (field === undefined) continue;
      const old = bench.control.vmread(field.key);
      const value = (random() & 1) === 0 ? wide(random) : old ^ (1n << BigInt(random() % 64));
      bench.control.vmwrite(field.key, value);
    }
    const result = bench.control.launch();
    kinds[result.kind] = (kinds[result.kind] ?? 0) + 1;
    if (result.kind !== "entered" && bench.control.lastEntryFailure === undefined)
      throw new Error(`Round ${round} of seed ${seed}: an entry failed without a reason.`);
    if (result.kind === "entered") bench.processor.run(500);
  }
  return kinds;
}

describe("A VMCS of garbage", () => {
  for (const capabilities of [sandyBridge, haswell, penryn]) {
    test(`is refused, or gives a guest that exits or goes on (${capabilities.id})`, () => {
      const kinds = fuzz(capabilities, 0x5eed, 60);
      expect(Object.values(kinds).reduce((sum, count) => sum + count, 0)).toBe(60);
      expect(kinds["entered"]).toBeGreaterThan(5);
      expect(kinds["failed"]).toBeGreaterThan(0);
      expect(kinds["exited"]).toBeGreaterThan(0);
    });
  }

  test("in its region itself is refused or exits, too", () => {
    const random = randomOf(0xbad);
    const bench = new GuestBench();
    const { physical } = bench.memory;
    const region = bench.control.currentVmcs ?? 0;
    for (let round = 0; round < 50; round += 1) {
      for (let at = 64; at < 0x1000; at += 4) physical.writeU32(region + at, random());
      expect(bench.control.launch().kind).not.toBe("entered");
    }
  });
});

describe("A guest under EPT", () => {
  test("changes nothing outside of its frames", () => {
    const bench = new GuestBench();
    const { physical } = bench.memory;
    const outside = (): Uint8Array[] => [
      physical.read(0, 0x40_0000),
      physical.read(0x60_8000, 0x4000),
    ];
    const before = outside();
    // Page tables that reach for all of physical memory: EPT stands behind them.
    for (let entry = 0; entry < 512; entry += 1)
      bench.write(GUEST.directory + entry * 8, BigInt(entry * 0x20_0000) | 0x87n);
    bench.load(
      GUEST.code,
      "mov rdi, 0x400000\nmov rax, 0x5a5a5a5a5a5a5a5a\nagain:\nmov [rdi], rax\nadd rdi, 4096\njmp again",
    );
    expect(bench.exit()).toBe(48);
    expect(bench.get("GUEST_PHYSICAL_ADDRESS")).toBe(0x40_0000n);
    expect(outside()).toEqual(before);
  });
});
