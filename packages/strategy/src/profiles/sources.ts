/** Publications that several profiles take figures from. */

/** Nanobenchmarks in cycles, on a Pentium 4 672. */
export const nanobenchmarks = "Adams, Agesen, ASPLOS 2006, section 6.3 (nanobenchmarks, native)";

/** Costs of VM entries, exits and VMCS accesses. */
export const worldSwitches = "Adams, Agesen, ASPLOS 2006, table 1 (world switches)";

/** The same by generation. Its row of page-fault exits was read, the others are recalled. */
export const switchesByGeneration =
  "Bugnion, Nieh, Tsafrir, Hardware and Software Support for Virtualization, 2017, table 4.3";

/** The cost of a page fault and of its IRET. */
export const torvaldsFaults =
  "Torvalds, post of May 2014 on page faults, quoted at d.hatena.ne.jp/yohei-a/20160509";

export const instructionTables = "Fog, Instruction tables";
