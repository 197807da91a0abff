/**
 * Core 2, the generation after the Pentium 4: half the cost of a change of context, in two steppings.
 *
 * Merom is the second processor of Adams and Agesen's table of world switches, so its VM entries and exits are
 * published; Penryn, its shrink of 2008, is the last generation without extended page tables.
 */
import type { CostProfile } from "../cost-profile.ts";
import { costProfile, estimated, published, recalled, type CostFigures } from "./figures.ts";
import {
  instructionTables,
  switchesByGeneration,
  torvaldsFaults,
  worldSwitches,
} from "./sources.ts";
import { portAccess, softwareCosts } from "./scaling.ts";

const meromHertz = 2_660_000_000;
const penrynHertz = 3_000_000_000;
/** Cycles of a simple instruction in kernels and monitors. */
const instruction = 0.7;

const coreDuo = (what: string): string => `${torvaldsFaults}: ${what} on Core Duo, its predecessor`;
const roundTrip = "half of a round trip of 150 cycles, recalled for the generation after it";
const meromSource = `${switchesByGeneration} (Merom)`;
const penrynSource = `${switchesByGeneration} (Penryn)`;

/** What both steppings have in common: everything but VMX and the clock. */
function common(hertz: number): Omit<CostFigures, `vm${string}`> {
  return {
    instruction: estimated(instruction, "three to four instructions wide, with misses in caches"),
    call: recalled(2, `${instructionTables}: CALL near, reciprocal throughput`),
    ret: recalled(2, `${instructionTables}: RET near, reciprocal throughput`),
    "port-read": portAccess(hertz),
    "port-write": portAccess(hertz),
    "task-priority-write": estimated(60, "half of what is derived for the Pentium 4"),
    "control-register-write": estimated(300, "a serializing instruction on a shorter pipeline"),
    serializing: estimated(200, "a serializing instruction on a shorter pipeline"),
    "interrupt-flag": recalled(12, `${instructionTables}: CLI, STI, PUSHF and POPF, on average`),
    swapgs: estimated(15, "microcoded, on a shorter pipeline than the Pentium 4's"),
    "time-stamp": recalled(64, `${instructionTables}: RDTSC`),
    "walk-reference": estimated(8, "between first-level and second-level latency (3 and 14)"),

    "system-call": recalled(75, roundTrip),
    "system-return": recalled(75, roundTrip),
    exception: estimated(668, "as a page fault: the same microcode delivers both"),
    "page-fault": estimated(668, `${coreDuo("700 cycles")}, less a walk of 4 references`),
    interrupt: estimated(668, "as a page fault: the same microcode delivers both"),
    "software-interrupt": estimated(668, "as a page fault: the same microcode delivers both"),
    "interrupt-return": estimated(240, coreDuo("240 cycles")),
    callout: estimated(90, "16 registers saved and restored, two mispredicted jumps of 15 cycles"),
    "monitor-entry": estimated(
      150,
      "16 registers saved and restored, two mispredicted jumps of 15 cycles, misses of the first-level caches",
    ),
    "guest-word": estimated(20, "a look-up in a map of frames and an access"),
    "mapped-word": estimated(
      4,
      "between first-level and second-level latency, for words side by side",
    ),
    "table-entry": estimated(14, "the second-level latency of this generation"),
    "page-moved": estimated(1000, "about 4 bytes a cycle"),
    "root-load": estimated(300, "as a write of a control register by the guest"),
    "tlb-invalidation": estimated(200, "as other serializing instructions"),
    ...softwareCosts(instruction),
  };
}

/** The Core 2 Duo at 2.66 GHz of 2006. */
export const core2: CostProfile = costProfile(
  { id: "core-2", name: "Core 2 Duo (Merom), 2.66 GHz (2006)", year: 2006, hertz: meromHertz },
  {
    ...common(meromHertz),
    "vm-entry": published(937, `${worldSwitches}: 2.66 GHz Core 2 Duo`),
    "vm-exit": estimated(1186, "as for a page fault"),
    "vm-exit-exception": published(1186, `${worldSwitches}: page fault, 2.66 GHz Core 2 Duo`),
    "vm-exit-port": recalled(858, meromSource),
    "vm-exit-cpuid": recalled(764, meromSource),
    "vm-exit-ept": estimated(1186, "as for a page fault; it had no extended page tables"),
    vmread: published(52, `${worldSwitches}: 2.66 GHz Core 2 Duo`),
    vmwrite: published(44, `${worldSwitches}: 2.66 GHz Core 2 Duo`),
  },
);

/** A Core 2 of 2008 at 3 GHz. */
export const penryn: CostProfile = costProfile(
  { id: "penryn", name: "Core 2 (Penryn), 3.0 GHz (2008)", year: 2008, hertz: penrynHertz },
  {
    ...common(penrynHertz),
    "vm-entry": recalled(643, `${penrynSource}: VMRESUME`),
    "vm-exit": estimated(858, "as for a page fault"),
    "vm-exit-exception": published(858, `${penrynSource}: page fault`),
    "vm-exit-port": recalled(708, penrynSource),
    "vm-exit-cpuid": recalled(611, penrynSource),
    "vm-exit-ept": estimated(858, "as for a page fault; it had no extended page tables"),
    vmread: recalled(26, penrynSource),
    vmwrite: recalled(26, penrynSource),
  },
);
