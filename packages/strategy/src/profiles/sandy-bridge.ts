/** Sandy Bridge of 2011: extended page tables, and VMREADs that cost next to nothing. */
import type { CostProfile } from "../cost-profile.ts";
import { costProfile, estimated, published, recalled } from "./figures.ts";
import { instructionTables, switchesByGeneration, torvaldsFaults } from "./sources.ts";
import { portAccess, softwareCosts } from "./scaling.ts";

const hertz = 3_400_000_000;
const instruction = 0.5;

const source = `${switchesByGeneration} (Sandy Bridge)`;
const between = `between what ${torvaldsFaults} has for Core Duo and for Haswell, less a walk`;
const sameDelivery = "as a page fault: the same microcode delivers both";
const roundTrip = "half of a round trip of 150 cycles, recalled for the generation before it";

export const sandyBridge: CostProfile = costProfile(
  { id: "sandy-bridge", name: "Sandy Bridge, 3.4 GHz (2011)", year: 2011, hertz },
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
    "time-stamp": recalled(28, `${instructionTables}: RDTSC`),
    "walk-reference": estimated(6, "between first-level and second-level latency (4 and 12)"),

    "system-call": recalled(75, roundTrip),
    "system-return": recalled(75, roundTrip),
    exception: estimated(680, sameDelivery),
    "page-fault": estimated(680, between),
    interrupt: estimated(680, sameDelivery),
    "software-interrupt": estimated(680, sameDelivery),
    "interrupt-return": estimated(285, between),
    callout: estimated(70, "16 registers saved and restored, two mispredicted jumps of 15 cycles"),
    "vm-entry": recalled(460, `${source}: VMRESUME`),
    "vm-exit": estimated(507, "as for a page fault"),
    "vm-exit-exception": published(507, `${source}: page fault`),
    "vm-exit-port": recalled(472, source),
    "vm-exit-cpuid": recalled(434, source),
    "vm-exit-ept": recalled(588, source),

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
    "table-entry": estimated(12, "the second-level latency of this generation"),
    "page-moved": estimated(500, "about 8 bytes a cycle"),
    "root-load": estimated(200, "as a write of a control register by the guest"),
    "tlb-invalidation": estimated(150, "as other serializing instructions"),
    ...softwareCosts(instruction),
  },
);
