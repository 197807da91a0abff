/** A small hypervisor loop in TypeScript with a 64-bit guest: it enters, handles what exits, and resumes. */
import { describe, expect, test } from "vitest";
import { haswell, penryn, sandyBridge } from "./capabilities.ts";
import { EXIT } from "./exit-reasons.ts";
import { GUEST, GuestBench } from "./testing/guest-bench.ts";

const profiles = [sandyBridge, haswell, penryn];

describe("A guest", () => {
  for (const capabilities of profiles) {
    test(`runs until it exits, and goes on where the hypervisor says (${capabilities.id})`, () => {
      const bench = new GuestBench({ capabilities });
      bench.load(GUEST.code, "mov eax, 1\ncpuid\nadd eax, 5\nmov [0x80000], eax\nhlt\nnop");
      expect(bench.exit()).toBe(EXIT.CPUID);
      expect(bench.get("EXIT_INSTRUCTION_LENGTH")).toBe(2n);
      expect(bench.get("GUEST_RIP")).toBe(BigInt(GUEST.code + 5));
      expect(bench.processor.state.rax).toBe(1n);
      bench.processor.state.rax = 0x100n;
      bench.skip();
      expect(bench.exit()).toBe(EXIT.HLT);
      expect(bench.read(GUEST.data) & 0xffff_ffffn).toBe(0x105n);
      const counts = bench.control.counts();
      expect(counts).toMatchObject({ entries: 2, failedEntries: 0, exits: { cpuid: 1, hlt: 1 } });
      expect(counts.vmwrites).toBeGreaterThan(60);
    });
  }
});
