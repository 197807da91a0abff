/** EPT: two-dimensional walks, violations, misconfigurations, accessed and dirty flags, invalidation. */
import { describe, expect, test } from "vitest";
import { haswell, penryn, sandyBridge } from "./capabilities.ts";
import { SECONDARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { GUEST, GuestBench, HOST } from "./testing/guest-bench.ts";

const PAGE = GUEST.data;
const READ = `mov rax, [${PAGE + 8}]\nhlt`;
const WRITE = `mov [${PAGE + 8}], rax\nhlt`;
const CALL = `mov rax, ${PAGE + 8}\ncall rax\nhlt`;

const MISCONFIGURATIONS = 'Intel SDM Vol. 3C §29.3.3.1, "EPT Misconfigurations"';
const VIOLATIONS = 'Intel SDM Vol. 3C §29.3.3.2, "EPT Violations"';

describe("The EPT walk", () => {
  test("reads at most 24 entries of both kinds for one linear address", () => {
    const bench = new GuestBench();
    // 4-KByte pages in the guest, too: four levels below four levels.
    bench.write(GUEST.directory, BigInt(0x4000) | 7n);
    for (let page = 0; page < 512; page += 1)
      bench.write(0x4000 + page * 8, BigInt(page * 0x1000) | 7n);
    bench.load(GUEST.code, `mov rax, [${PAGE}]\nhlt`);
    bench.enter();
    const before = bench.processor.counts();
    const walk = (): number => {
      const counts = bench.processor.counts();
      const sum = (names: Readonly<Record<string, number>>): number =>
        (names["vmx.eptReferences"] ?? 0) + (names["walkReferences"] ?? 0);
      return sum(counts) - sum(before);
    };
    bench.processor.run(1);
    const walks = (bench.processor.counts()["walks"] ?? 0) - (before["walks"] ?? 0);
    expect(walks).toBeGreaterThan(0);
    // A and D flags of the guest's own entries are written where the walk found them.
    expect(walk()).toBe(walks * 24);
  });

  test("puts what the guest writes where EPT says", () => {
    const bench = new GuestBench();
    bench.processor.state.rax = 0x1122n;
    expect(bench.run(WRITE)).toBe(EXIT.HLT);
    expect(bench.memory.physical.readU64(0x40_0000 + PAGE + 8)).toBe(0x1122n);
    expect(bench.memory.physical.readU64(PAGE + 8)).toBe(0n);
  });

  const violations: readonly (readonly [string, string, bigint, bigint, number])[] = [
    // Rights of the entry, what the guest does, the expected qualification, RIP behind the code's start.
    ["a read of an absent page", READ, 0n, 0x181n, 0],
    ["a write to an absent page", WRITE, 0n, 0x182n, 0],
    ["a write to a read-only page", WRITE, 1n, 0x18an, 0],
    ["a write to a page that may be read and executed", WRITE, 5n, 0x1aan, 0],
    ["a read of an execute-only page", READ, 4n, 0x1a1n, 0],
  ];
  for (const [what, code, rights, qualification, at] of violations) {
    test(`reports ${what}: ${VIOLATIONS}`, () => {
      const bench = new GuestBench();
      bench.setEpt(PAGE, (entry) => (entry & ~7n) | rights);
      expect(bench.run(code)).toBe(EXIT.EPT_VIOLATION);
      expect(bench.get("EXIT_QUALIFICATION")).toBe(qualification);
      expect(bench.get("GUEST_PHYSICAL_ADDRESS")).toBe(BigInt(PAGE + 8));
      expect(bench.get("GUEST_LINEAR_ADDRESS")).toBe(BigInt(PAGE + 8));
      expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + at));
      expect(bench.processor.counts()["vmx.eptViolations"]).toBe(1);
    });
  }

  test(`reports a fetch from a page that may not be executed: ${VIOLATIONS}`, () => {
    const bench = new GuestBench();
    bench.setEpt(PAGE, (entry) => (entry & ~7n) | 3n);
    expect(bench.run(CALL)).toBe(EXIT.EPT_VIOLATION);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(0x19cn);
    expect(bench.get("GUEST_RIP")).toBe(BigInt(PAGE + 8));
  });

  test(`reports a violation by a reference to a paging structure: ${VIOLATIONS}`, () => {
    const bench = new GuestBench();
    bench.setEpt(GUEST.pdpt, (entry) => entry & ~7n);
    expect(bench.run(READ)).toBe(EXIT.EPT_VIOLATION);
    // Bit 8 is clear: it was not the translation of the linear address itself.
    expect(bench.get("EXIT_QUALIFICATION")).toBe(0x81n);
    expect(bench.get("GUEST_PHYSICAL_ADDRESS")).toBe(BigInt(GUEST.pdpt));
    expect(bench.get("GUEST_LINEAR_ADDRESS")).toBe(BigInt(GUEST.code));
  });

  test("goes on with the instruction after the hypervisor maps the page", () => {
    const bench = new GuestBench();
    bench.write(PAGE + 8, 77n);
    bench.setEpt(PAGE, (entry) => entry & ~7n);
    expect(bench.run(READ)).toBe(EXIT.EPT_VIOLATION);
    bench.setEpt(PAGE, (entry) => entry | 7n);
    expect(bench.exit()).toBe(EXIT.HLT);
    expect(bench.processor.state.rax).toBe(77n);
  });

  const reserved = 1n << 45n;
  const misconfigured: readonly (readonly [string, number, (entry: bigint) => bigint])[] = [
    ["a PML4E that is write-only", HOST.eptPml4, (entry) => (entry & ~7n) | 2n],
    ["a PML4E with bit 3 set", HOST.eptPml4, (entry) => entry | 8n],
    ["a PML4E with bit 7 set", HOST.eptPml4, (entry) => entry | 0x80n],
    ["a PML4E beyond the physical-address width", HOST.eptPml4, (entry) => entry | reserved],
    ["a PDPTE with bit 6 set", HOST.eptPdpt, (entry) => entry | 0x40n],
    ["a PDPTE that maps 1 GByte without support", HOST.eptPdpt, () => 0xb7n],
    ["a PDPTE that is write-and-execute", HOST.eptPdpt, (entry) => (entry & ~7n) | 6n],
    ["a PDE with bit 5 set", HOST.eptDirectory, (entry) => entry | 0x20n],
    ["a PDE that maps 2 MBytes with an unaligned address", HOST.eptDirectory, () => 0x40_10b7n],
    ["a PDE that maps 2 MBytes with memory type 2", HOST.eptDirectory, () => 0x40_0097n],
    ["a PDE beyond the physical-address width", HOST.eptDirectory, (entry) => entry | reserved],
    ...[2n, 3n, 7n].map(
      (type) =>
        [
          `a PTE of memory type ${type}`,
          HOST.eptTable + (PAGE >> 12) * 8,
          (entry: bigint) => (entry & ~0x38n) | (type << 3n),
        ] as const,
    ),
    ["a PTE that is write-only", HOST.eptTable + (PAGE >> 12) * 8, (entry) => (entry & ~7n) | 2n],
    [
      "a PTE that is write-and-execute, as hypervisors mark devices",
      HOST.eptTable + (PAGE >> 12) * 8,
      (entry) => (entry & ~7n) | 6n,
    ],
    [
      "a PTE beyond the physical-address width",
      HOST.eptTable + (PAGE >> 12) * 8,
      (entry) => entry | reserved,
    ],
  ];
  for (const [what, at, change] of misconfigured) {
    test(`finds ${what} misconfigured: ${MISCONFIGURATIONS}`, () => {
      const bench = new GuestBench();
      const { physical } = bench.memory;
      physical.writeU64(at, change(physical.readU64(at)));
      expect(bench.run(READ)).toBe(EXIT.EPT_MISCONFIGURATION);
      const isLeaf = at >= HOST.eptTable;
      const first = isLeaf ? PAGE + 8 : GUEST.pml4;
      expect(bench.get("GUEST_PHYSICAL_ADDRESS")).toBe(BigInt(first));
      expect(bench.get("EXIT_QUALIFICATION")).toBe(0n);
    });
  }

  test(`finds a PDPTE that maps 1 GByte misconfigured when its address is not aligned: ${MISCONFIGURATIONS}`, () => {
    for (const entry of [0x2000_00b7n, 0x10b7n]) {
      const bench = new GuestBench({ capabilities: haswell });
      bench.memory.physical.writeU64(HOST.eptPdpt, entry);
      expect(bench.run(READ)).toBe(EXIT.EPT_MISCONFIGURATION);
      expect(bench.get("GUEST_PHYSICAL_ADDRESS")).toBe(BigInt(GUEST.pml4));
    }
  });

  test(`accepts memory types 0, 1, 4, 5 and 6: ${MISCONFIGURATIONS}`, () => {
    for (const type of [0n, 1n, 4n, 5n, 6n]) {
      const bench = new GuestBench();
      bench.setEpt(PAGE, (entry) => (entry & ~0x38n) | (type << 3n));
      expect(bench.run(READ)).toBe(EXIT.HLT);
    }
  });

  test(`finds execute-only entries misconfigured where they are not supported: ${MISCONFIGURATIONS}`, () => {
    const capabilities = {
      ...sandyBridge,
      id: "no-execute-only",
      ept: { hugePages: false, accessedDirty: false, executeOnly: false },
    };
    const bench = new GuestBench({ capabilities });
    bench.setEpt(PAGE, (entry) => (entry & ~7n) | 4n);
    expect(bench.run(READ)).toBe(EXIT.EPT_MISCONFIGURATION);
  });

  test("maps 2 MBytes and 1 GByte by one entry", () => {
    const large = new GuestBench();
    large.memory.physical.writeU64(HOST.eptDirectory, 0x40_00b7n);
    large.write(PAGE + 8, 5n);
    expect(large.run(READ)).toBe(EXIT.HLT);
    expect(large.processor.state.rax).toBe(5n);
    const huge = new GuestBench({ capabilities: haswell });
    huge.memory.physical.copy(0x40_0000, 0, 0x20_0000);
    huge.memory.physical.writeU64(HOST.eptPdpt, 0xb7n);
    huge.memory.physical.writeU64(PAGE + 8, 6n);
    huge.enter();
    huge.memory.physical.copy(0x40_0000 + GUEST.code, GUEST.code, 0x100);
    huge.memory.physical.write(GUEST.code, Uint8Array.of(0x0f, 0xa2));
    expect(huge.processor.run(100)).toMatchObject({ value: { reason: EXIT.CPUID } });
  });

  test('sets accessed and dirty flags where the EPTP asks for them: Intel SDM Vol. 3C §29.3.5, "Accessed and Dirty Flags for EPT"', () => {
    const bench = new GuestBench({ capabilities: haswell });
    bench.set("EPT_POINTER", BigInt(HOST.eptPml4) | 0x5en);
    const entry = (guest: number): bigint =>
      bench.memory.physical.readU64(HOST.eptTable + (guest >> 12) * 8) & 0x300n;
    bench.run(`mov rax, [${PAGE}]\nhlt`);
    expect([entry(PAGE), entry(PAGE + 0x1000)]).toEqual([0x100n, 0n]);
    // References to paging structures count as writes.
    expect([entry(GUEST.directory), entry(GUEST.code)]).toEqual([0x300n, 0x100n]);
    expect(bench.memory.physical.readU64(HOST.eptPml4) & 0x300n).toBe(0x100n);
    bench.skip();
    // The translation is cached with D clear: the write walks again.
    bench.load(GUEST.code + 0x800, `mov rax, [${PAGE}]\nmov [${PAGE}], rax\nhlt`);
    bench.set("GUEST_RIP", GUEST.code + 0x800);
    bench.exit();
    expect(entry(PAGE)).toBe(0x300n);
  });

  test('finds a reference to a paging structure on a read-only page to be a write with these flags: Intel SDM Vol. 3C §29.3.3.2, "EPT Violations"', () => {
    const bench = new GuestBench({ capabilities: haswell });
    bench.set("EPT_POINTER", BigInt(HOST.eptPml4) | 0x5en);
    bench.setEpt(GUEST.pml4, (entry) => (entry & ~7n) | 5n);
    expect(bench.run(READ)).toBe(EXIT.EPT_VIOLATION);
    expect(bench.get("EXIT_QUALIFICATION")).toBe(0xabn);
  });

  test("reports the event whose delivery needed the page", () => {
    const bench = new GuestBench();
    bench.set("GUEST_RSP", PAGE + 0x1000);
    bench.setEpt(PAGE, (entry) => (entry & ~7n) | 5n);
    expect(bench.run("ud2")).toBe(EXIT.EPT_VIOLATION);
    expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(0x8000_0306n);
  });

  test("reports a software interrupt whose delivery needed the page, with its length", () => {
    for (const [text, information, length] of [
      ["int 0x80", 0x8000_0480n, 2n],
      ["int3", 0x8000_0603n, 1n],
      ["int1", 0x8000_0501n, 1n],
    ] as const) {
      const bench = new GuestBench();
      bench.set("GUEST_RSP", PAGE + 0x1000);
      bench.setEpt(PAGE, (entry) => (entry & ~7n) | 5n);
      expect(bench.run(`nop\n${text}`)).toBe(EXIT.EPT_VIOLATION);
      expect(bench.get("IDT_VECTORING_INFORMATION")).toBe(information);
      expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(length);
      expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 1));
    }
  });
});

describe("Translations of guests", () => {
  const remap = (bench: GuestBench): void => {
    // The page moves under the guest: what was cached stays until it is invalidated.
    bench.memory.physical.writeU64(0x5f_0000 + 8, 2n);
    const at = HOST.eptTable + (PAGE >> 12) * 8;
    bench.memory.physical.writeU64(at, 0x5f_0037n);
  };
  const reads = `again:\nmov rax, [${PAGE + 8}]\ncpuid\njmp again`;
  const next = (bench: GuestBench): bigint => {
    bench.set("GUEST_RIP", GUEST.code);
    expect(bench.exit()).toBe(EXIT.CPUID);
    return bench.processor.state.rax;
  };

  test("survive exits under a VPID until INVEPT or INVVPID", () => {
    for (const invalidate of [
      (bench: GuestBench) => bench.control.invept("single-context", BigInt(HOST.eptPml4) | 0x1en),
      (bench: GuestBench) => bench.control.invept("all-context"),
      (bench: GuestBench) => bench.control.invvpid("single-context", 1),
      (bench: GuestBench) => bench.control.invvpid("all-context"),
      (bench: GuestBench) => bench.control.invvpid("individual-address", 1, BigInt(PAGE)),
      (bench: GuestBench) => bench.control.invvpid("single-context-retaining-globals", 1),
    ]) {
      const bench = new GuestBench();
      bench.write(PAGE + 8, 1n);
      bench.load(GUEST.code, reads);
      expect(next(bench)).toBe(1n);
      remap(bench);
      expect(next(bench)).toBe(1n);
      invalidate(bench);
      expect(next(bench)).toBe(2n);
    }
  });

  test("stay where another VPID or another EPTP is invalidated", () => {
    const bench = new GuestBench();
    bench.write(PAGE + 8, 1n);
    bench.load(GUEST.code, reads);
    expect(next(bench)).toBe(1n);
    remap(bench);
    bench.control.invvpid("single-context", 2);
    bench.control.invept("single-context", 0x7f_001en);
    expect(next(bench)).toBe(1n);
    // Another VPID has translations of its own.
    bench.set("VIRTUAL_PROCESSOR_ID", 2);
    expect(next(bench)).toBe(2n);
    bench.set("VIRTUAL_PROCESSOR_ID", 1);
    expect(next(bench)).toBe(1n);
  });

  test("are gone at each entry without a VPID", () => {
    const bench = new GuestBench();
    bench.disable("SECONDARY_CONTROLS", SECONDARY.ENABLE_VPID);
    bench.write(PAGE + 8, 1n);
    bench.load(GUEST.code, reads);
    expect(next(bench)).toBe(1n);
    remap(bench);
    expect(next(bench)).toBe(2n);
  });

  test("are walked again after each entry on a processor without EPT", () => {
    const bench = new GuestBench({ capabilities: penryn });
    bench.load(GUEST.code, reads);
    next(bench);
    const walks = (): number => bench.processor.counts()["walks"] ?? 0;
    const first = walks();
    next(bench);
    expect(walks()).toBeGreaterThan(first + 1);
    expect(bench.processor.counts()["vmx.eptReferences"]).toBeUndefined();
  });
});

test("INVEPT and INVVPID refuse operands that VM entry would refuse", () => {
  const bench = new GuestBench();
  expect(() => bench.control.invept("single-context", 0n)).toThrow("error 28");
  expect(() => bench.control.invvpid("single-context", 0)).toThrow("error 28");
  expect(() => bench.control.invvpid("individual-address", 1, 1n << 47n)).toThrow("error 28");
});
