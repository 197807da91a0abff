/**
 * A VMCS of garbage: whatever software puts there, VM entry fails with the name of a check or the guest exits, and
 * nothing outside the guest's frames changes.
 *
 * The seed is fixed. By hand, with another seed and for as long as one likes:
 * `FUZZ_SEED=7 FUZZ_ROUNDS=1000000 pnpm test packages/isa-vmx/src/hostile.test.ts --testTimeout=0`.
 */
import { describe, expect, test } from "vitest";
import { haswell, penryn, sandyBridge, type VmxCapabilities } from "./capabilities.ts";
import { controlChecks } from "./control-checks.ts";
import { FIELDS, type FieldKey, type VmcsField } from "./fields.ts";
import { guestChecks } from "./guest-checks.ts";
import { hostChecks } from "./host-checks.ts";
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

const seed = Number(process.env["FUZZ_SEED"] ?? 0x5eed);
const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 60);

/** Where the processor is told to write, or that what the guest calls physical is so: the hypervisor's own business. */
const REACHING: ReadonlySet<FieldKey> = new Set<FieldKey>([
  "PRIMARY_CONTROLS",
  "SECONDARY_CONTROLS",
  "EPT_POINTER",
  "VIRTUAL_APIC_ADDRESS",
  "VM_EXIT_MSR_STORE_ADDRESS",
  "VM_EXIT_MSR_STORE_COUNT",
]);

const CHECK_NAMES: ReadonlySet<string> = new Set([
  ...[...controlChecks, ...hostChecks, ...guestChecks].map(({ name }) => name),
  "entry-msr-load-area",
]);

/** Changes a few of these fields of a valid VMCS. */
function spoil(bench: GuestBench, random: () => number, fields: readonly VmcsField[]): void {
  for (let change = random() % 4; change >= 0; change -= 1) {
    const field = fields[random() % fields.length];
    if (field === undefined) continue;
    const old = bench.control.vmread(field.key);
    const value = (random() & 1) === 0 ? wide(random) : old ^ (1n << BigInt(random() % 64));
    bench.control.vmwrite(field.key, value);
  }
}

/** Launches a guest, runs it for a while, and gives how the entry ended. @throws {Error} It failed for no known check. */
function launch(bench: GuestBench, where: string): string {
  const result = bench.control.launch();
  if (result.kind === "entered") {
    bench.processor.run(500);
    return result.kind;
  }
  const failure = bench.control.lastEntryFailure;
  if (failure === undefined || !CHECK_NAMES.has(failure.check))
    throw new Error(`${where}: an entry failed without the name of a check.`);
  return result.kind;
}

const GUEST_CODE =
  "again:\nint 0x80\ncpuid\nmov cr3, rax\nrdmsr\nin al, dx\nmov [rax], rbx\njmp again";

/** Runs guests whose VMCS was changed in a few fields, and gives how often each kind of entry happened. */
function fuzz(capabilities: VmxCapabilities): Record<string, number> {
  const random = randomOf(seed);
  const kinds: Record<string, number> = { entered: 0, failed: 0, exited: 0 };
  const writable = FIELDS.filter(({ access }) => access === "read-write");
  for (let round = 0; round < rounds; round += 1) {
    const bench = new GuestBench({ capabilities });
    bench.load(GUEST.code, GUEST_CODE);
    spoil(bench, random, writable);
    const kind = launch(bench, `Round ${round} of seed ${seed}`);
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

describe("A VMCS of garbage", () => {
  for (const capabilities of [sandyBridge, haswell, penryn]) {
    test(`is refused, or gives a guest that exits or goes on (${capabilities.id})`, () => {
      const kinds = fuzz(capabilities);
      expect(Object.values(kinds).reduce((sum, count) => sum + count, 0)).toBe(rounds);
      expect(kinds["entered"]).toBeGreaterThan(5);
      expect(kinds["failed"]).toBeGreaterThan(0);
      expect(kinds["exited"]).toBeGreaterThan(0);
    });
  }

  test("lets the guest change nothing outside its frames, whatever its own state is", () => {
    const random = randomOf(seed);
    const own = FIELDS.filter(({ access, key }) => access === "read-write" && !REACHING.has(key));
    const bench = new GuestBench();
    const { physical } = bench.memory;
    // Below the guest's frames, and above those of the hypervisor: a canary in each byte.
    const ranges = [
      [0, bench.offset],
      [0x62_0000, 0x80_0000],
    ] as const;
    for (const [from, to] of ranges) physical.fill(from, 0xc5, to - from);
    const canaries = new Uint8Array(physical.sizeBytes).fill(0xc5);
    for (let round = 0; round < rounds; round += 1) {
      bench.again();
      bench.load(GUEST.code, GUEST_CODE);
      spoil(bench, random, own);
      launch(bench, `Round ${round} of seed ${seed}`);
      for (const [from, to] of ranges)
        expect(Buffer.compare(physical.read(from, to - from), canaries.subarray(from, to))).toBe(0);
    }
  });

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
