/** Every check of VM entry, each violated alone. Intel SDM Vol. 3C §27.2, "Checks on VMX Controls and Host-State Area"; §27.3.1, "Checks on the Guest State Area". */
import { describe, expect, test } from "vitest";
import { haswell, sandyBridge } from "./capabilities.ts";
import { controlChecks } from "./control-checks.ts";
import { PRIMARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { guestChecks } from "./guest-checks.ts";
import { hostChecks } from "./host-checks.ts";
import {
  controlViolations,
  flip,
  guestViolations,
  hostViolations,
  realMode,
  virtual8086,
} from "./testing/entry-violations.ts";
import { GuestBench, HOST } from "./testing/guest-bench.ts";

/** Checks that no VMCS can violate alone: a check before them, or the profile, excludes it. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  // Root operation of this monitor is in IA-32e mode, so the check before it finds a 32-bit host.
  "long-guest-of-legacy-host",
  // PCIDE is not in the profile: it is a fixed bit of CR4.
  "legacy-guest-pcide",
  "host-cr4-pcide",
]);

/** Exit qualifications that are not 0. */
const QUALIFICATIONS: Readonly<Record<string, bigint>> = {
  "vmcs-link-pointer": 4n,
  "vmcs-link-pointer-current": 4n,
  "guest-pdpte0": 2n,
  "guest-pdpte1": 2n,
  "guest-pdpte2": 2n,
  "guest-pdpte3": 2n,
};

describe("VM entry", () => {
  test("has a violation for each of its checks, under a name of its own", () => {
    const names = [...controlChecks, ...hostChecks, ...guestChecks].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const violated = [
      ...Object.keys(controlViolations),
      ...Object.keys(hostViolations),
      ...Object.keys(guestViolations),
    ];
    expect(names.filter((name) => !UNREACHABLE.has(name)).toSorted()).toEqual(violated.toSorted());
  });

  test("accepts the VMCS that each violation begins with", () => {
    expect(new GuestBench().control.launch()).toEqual({ kind: "entered" });
    const virtual = new GuestBench();
    virtual8086(virtual);
    expect(virtual.control.launch()).toEqual({ kind: "entered" });
    // Where the processor has unrestricted guests, each state without protection and paging, and a selector of any RPL.
    const real = new GuestBench();
    realMode(real);
    expect(real.control.launch()).toEqual({ kind: "entered" });
  });

  for (const [stage, error, violations, checks] of [
    ["controls", 7, controlViolations, controlChecks],
    ["host-state", 8, hostViolations, hostChecks],
  ] as const) {
    for (const [name, violate] of Object.entries(violations)) {
      const check = checks.find((each) => each.name === name);
      test(`fails with VMfailValid ${error} at ${name}: ${check?.reference ?? "no such check"}`, () => {
        const bench = new GuestBench();
        violate(bench);
        const result = bench.control.launch();
        expect(result).toMatchObject({
          kind: "failed",
          error,
          failure: { stage, check: name, field: check?.field, reference: check?.reference },
        });
        expect(bench.get("VM_INSTRUCTION_ERROR")).toBe(BigInt(error));
        expect(bench.control.operation).toBe("root");
      });
    }
  }

  for (const [name, violate] of Object.entries(guestViolations)) {
    const check = guestChecks.find((each) => each.name === name);
    test(`exits with reason 33 at ${name}: ${check?.reference ?? "no such check"}`, () => {
      const bench = new GuestBench();
      violate(bench);
      const rip = bench.get("GUEST_RIP");
      const result = bench.control.launch();
      expect(result).toMatchObject({
        kind: "exited",
        exit: { reason: EXIT.INVALID_GUEST_STATE, entryFailure: { check: name } },
      });
      expect(bench.control.lastEntryFailure).toMatchObject({ stage: "guest-state", check: name });
      expect(bench.get("EXIT_REASON")).toBe(0x8000_0021n);
      expect(bench.get("EXIT_QUALIFICATION")).toBe(QUALIFICATIONS[name] ?? 0n);
      // No guest state is saved.
      expect(bench.get("GUEST_RIP")).toBe(rip);
    });
  }

  test("finds each violation on a VMCS that was entered before, too", () => {
    const all = { ...controlViolations, ...hostViolations, ...guestViolations };
    const found = Object.entries(all).map(([, violate]) => {
      const bench = new GuestBench();
      bench.run("again:\ncpuid\njmp again");
      bench.exit();
      violate(bench);
      bench.control.resume();
      return bench.control.lastEntryFailure?.check;
    });
    expect(found).toEqual(Object.keys(all));
  });

  test("looks at memory that fields point to each time", () => {
    const bench = new GuestBench();
    bench.enable("PRIMARY_CONTROLS", PRIMARY.USE_TPR_SHADOW);
    bench.memory.physical.writeU32(HOST.virtualApic + 0x80, 0x50);
    bench.set("TPR_THRESHOLD", 5);
    bench.run("again:\ncpuid\njmp again");
    bench.exit();
    bench.memory.physical.writeU32(HOST.virtualApic + 0x80, 0x40);
    expect(bench.control.resume()).toMatchObject({ error: 7 });
    expect(bench.control.lastEntryFailure?.check).toBe("tpr-threshold-above-vtpr");
  });

  test("explains a failure in one sentence with field, value and section", () => {
    const bench = new GuestBench();
    bench.set("GUEST_CR0", 0x8001_0013n);
    bench.control.launch();
    expect(bench.control.lastEntryFailure?.message).toBe(
      'VM entry failed at its checks of the guest-state: guest CR0 (GUEST_CR0) is 0x80010013. It must not set a bit that VMX operation does not support, and set NE, and PE and PG in a guest that is not unrestricted (Intel SDM Vol. 3C §27.3.1.1, "Checks on Guest Control Registers, Debug Registers, and MSRs").',
    );
  });

  test("accepts bit 6 of the EPTP where EPT has accessed and dirty flags", () => {
    const bench = new GuestBench({ capabilities: haswell });
    flip("EPT_POINTER", 0x40)(bench);
    expect(bench.control.launch()).toEqual({ kind: "entered" });
  });

  test('exits with reason 34 and the entry\'s position when an MSR cannot be loaded: Intel SDM Vol. 3C §27.4, "Loading MSRs"', () => {
    const bench = new GuestBench();
    const { physical } = bench.memory;
    physical.writeU64(HOST.msrArea, 0xc000_0082n);
    physical.writeU64(HOST.msrArea + 8, 0x1234n);
    physical.writeU64(HOST.msrArea + 16, 0xc000_0100n);
    bench.set("VM_ENTRY_MSR_LOAD_ADDRESS", HOST.msrArea);
    bench.set("VM_ENTRY_MSR_LOAD_COUNT", 2);
    expect(bench.control.launch()).toMatchObject({ kind: "exited", exit: { reason: 34 } });
    expect([bench.get("EXIT_REASON"), bench.get("EXIT_QUALIFICATION")]).toEqual([0x8000_0022n, 2n]);
  });

  test("tells a VMCS that was launched from one that was not", () => {
    const bench = new GuestBench();
    expect(bench.control.resume()).toMatchObject({ kind: "failed", error: 5 });
    bench.run("cpuid");
    expect(bench.control.launch()).toMatchObject({ kind: "failed", error: 4 });
    bench.control.vmclear(HOST.vmcs);
    expect(bench.control.launch()).toEqual({ kind: "failed", error: 0, failure: undefined });
    bench.control.vmptrld(HOST.vmcs);
    expect(bench.control.resume()).toMatchObject({ kind: "failed", error: 5 });
    expect(bench.control.launch()).toEqual({ kind: "entered" });
  });

  test("leaves the checks of absent controls out", () => {
    const bench = new GuestBench({ capabilities: sandyBridge });
    bench.disable("PRIMARY_CONTROLS", PRIMARY.ACTIVATE_SECONDARY);
    bench.set("VIRTUAL_PROCESSOR_ID", 0);
    bench.set("SECONDARY_CONTROLS", 0xffff_ffff);
    bench.set("EPT_POINTER", 0);
    expect(bench.control.launch()).toEqual({ kind: "entered" });
  });
});
