/**
 * The Pentium 4 672 at 3.8 GHz, on which Adams and Agesen compared software and hardware virtualization in 2006.
 *
 * Their native figures calibrate the hardware primitives here, so what bare shows for those operations is no
 * prediction; everything built from them is. A split of one figure into two constants is an estimate whose sum
 * is the figure.
 */
import type { CostProfile } from "../cost-profile.ts";
import { calibrated, costProfile, derived, estimated, published, recalled } from "./figures.ts";
import { nanobenchmarks, switchesByGeneration, worldSwitches } from "./sources.ts";

const callAndReturn = `${nanobenchmarks}: call and ret together 11; the split is estimated`;
const division = `${nanobenchmarks}: divzero 889 = delivery, a handler of 2 instructions, IRET; the split is estimated`;
const roundTrip = "half of a round trip of 242 cycles, which is not in a source at hand";
const microcoded = "microcoded on this generation";
const sameDelivery = "as an exception: the same microcode delivers both";
const prescott = `${switchesByGeneration} (Prescott)`;

export const pentium4: CostProfile = costProfile(
  {
    id: "pentium-4",
    name: "Pentium 4 672, 3.8 GHz (2006)",
    year: 2006,
    hertz: 3_800_000_000,
  },
  {
    instruction: calibrated(
      1,
      `${nanobenchmarks}: ptemod, "a single cycle store"; taken for every simple instruction`,
    ),
    call: calibrated(5, callAndReturn),
    ret: calibrated(6, callAndReturn),
    "port-read": calibrated(3209, `${nanobenchmarks}: in 3209`),
    "port-write": estimated(3209, "as a port read: both wait for the chip set"),
    "task-priority-write": derived(140, `${nanobenchmarks}: "about four times" slower than 35`),
    "control-register-write": estimated(
      500,
      "a serializing instruction that drains a pipeline of 31 stages and its trace cache",
    ),
    serializing: estimated(
      300,
      "serializing instructions of this generation take some hundreds of cycles",
    ),
    "interrupt-flag": estimated(40, microcoded),
    swapgs: estimated(20, microcoded),
    "time-stamp": estimated(90, microcoded),
    "walk-reference": estimated(
      10,
      "between the first-level and the second-level latency of this generation",
    ),

    "system-call": recalled(121, roundTrip),
    "system-return": recalled(121, roundTrip),
    exception: calibrated(500, division),
    "page-fault": calibrated(
      663,
      `${nanobenchmarks}: pgfault 1093 = a failed walk of 4 references, delivery, a handler of 3 instructions, IRET; the split is estimated`,
    ),
    interrupt: estimated(500, sameDelivery),
    "software-interrupt": estimated(500, sameDelivery),
    "interrupt-return": calibrated(387, division),
    callout: estimated(
      200,
      "a call that leaves the trace cache, 16 registers saved and restored, two mispredicted jumps of 30 cycles",
    ),
    "vm-entry": published(2409, `${worldSwitches}: 3.8 GHz P4 672`),
    "vm-exit": estimated(1931, "as for a page fault"),
    "vm-exit-exception": published(1931, `${worldSwitches}: page fault, 3.8 GHz P4 672`),
    "vm-exit-port": recalled(1942, prescott),
    "vm-exit-cpuid": recalled(1599, prescott),
    "vm-exit-ept": estimated(
      1931,
      "as for a page fault; this processor had no extended page tables",
    ),

    "monitor-entry": estimated(
      300,
      "16 registers saved and restored, two mispredicted jumps of 30 cycles, and the handler's code and data fetched from the second-level cache",
    ),
    vmread: published(178, `${worldSwitches}: 3.8 GHz P4 672`),
    vmwrite: published(171, `${worldSwitches}: 3.8 GHz P4 672`),
    "guest-word": estimated(
      30,
      "a look-up in a map of frames and an access, mostly in the second-level cache",
    ),
    "mapped-word": estimated(
      5,
      "between the first-level and the second-level latency, for words side by side",
    ),
    "table-entry": estimated(20, "about the second-level latency of this generation"),
    "page-moved": estimated(
      1500,
      "about 3 bytes a cycle, the bandwidth of memory on this platform",
    ),
    "root-load": estimated(500, "as a write of a control register by the guest"),
    "tlb-invalidation": estimated(300, "as other serializing instructions"),
    "emulated-instruction": recalled(
      840,
      "Adams, Agesen, ASPLOS 2006: RDTSC emulated by a callout 1254, in the translation cache 216, by a trap 2030. Less the callout 838 are left, less the trap 843",
    ),
    "translated-instruction": published(
      2300,
      "Adams, Agesen, ASPLOS 2006: about 2300 cycles per x86 instruction translated",
    ),
    "translation-lookup": estimated(60, "a hash and two accesses in the second-level cache"),
    "code-patch": estimated(
      300,
      "the write, and the trace cache that is cleared by it: as a serializing instruction",
    ),
    hypercall: estimated(40, "an indirect jump through a table, mispredicted"),
    validation: estimated(20, "some tests of bits, at one cycle each"),
    "frame-check": estimated(30, "an access in the second-level cache and a locked update"),
  },
);
