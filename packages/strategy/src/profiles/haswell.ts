/** Haswell of 2013: exits at a fifth of the Pentium 4's price. Its page fault was measured by Linus Torvalds. */
import type { CostProfile } from "../cost-profile.ts";
import { costProfile, derived, estimated, published, recalled } from "./figures.ts";
import { instructionTables, switchesByGeneration, torvaldsFaults } from "./sources.ts";
import { portAccess, softwareCosts } from "./scaling.ts";

const hertz = 3_500_000_000;
const instruction = 0.5;

const source = `${switchesByGeneration} (Haswell)`;
const sameDelivery = "as a page fault: the same microcode delivers both";
const roundTrip = "half of a round trip of 120 cycles, somewhat less than recalled for 2008";

export const haswell: CostProfile = costProfile(
  { id: "haswell", name: "Haswell, 3.5 GHz (2013)", year: 2013, hertz },
  {
    instruction: estimated(instruction, "four instructions wide, with misses in caches"),
    call: recalled(2, `${instructionTables}: CALL near, reciprocal throughput`),
    ret: recalled(2, `${instructionTables}: RET near, reciprocal throughput`),
    "port-read": portAccess(hertz),
    "port-write": portAccess(hertz),
    "task-priority-write": estimated(40, "a write inside the processor"),
    "control-register-write": estimated(200, "a serializing instruction"),
    serializing: estimated(150, "a serializing instruction"),
    "interrupt-flag": recalled(10, `${instructionTables}: CLI, STI, PUSHF and POPF, on average`),
    swapgs: estimated(15, "microcoded"),
    "time-stamp": recalled(24, `${instructionTables}: RDTSC`),
    "walk-reference": estimated(6, "between first-level and second-level latency (4 and 11)"),

    "system-call": recalled(60, roundTrip),
    "system-return": recalled(60, roundTrip),
    exception: estimated(691, sameDelivery),
    "page-fault": derived(691, `${torvaldsFaults}: 715 cycles, less a walk of 4 references`),
    interrupt: estimated(691, sameDelivery),
    "software-interrupt": estimated(691, sameDelivery),
    "interrupt-return": published(330, `${torvaldsFaults}: 330 cycles`),
    callout: estimated(70, "16 registers saved and restored, two mispredicted jumps of 15 cycles"),
    "vm-entry": recalled(318, `${source}: VMRESUME`),
    "vm-exit": estimated(512, "as for a page fault"),
    "vm-exit-exception": published(512, `${source}: page fault`),
    "vm-exit-port": recalled(383, source),
    "vm-exit-cpuid": recalled(327, source),
    "vm-exit-ept": recalled(656, source),

    "monitor-entry": estimated(
      100,
      "16 registers saved and restored, two mispredicted jumps of 15 cycles, misses of the first-level caches",
    ),
    vmread: recalled(5, source),
    vmwrite: recalled(4, source),
    "guest-word": estimated(15, "a look-up in a map of frames and an access"),
    "mapped-word": estimated(
      3,
      "between first-level and second-level latency, for words side by side",
    ),
    "table-entry": estimated(11, "the second-level latency of this generation"),
    "page-moved": estimated(400, "about 10 bytes a cycle"),
    "root-load": estimated(200, "as a write of a control register by the guest"),
    "tlb-invalidation": estimated(150, "as other serializing instructions"),
    ...softwareCosts(instruction),
  },
);
