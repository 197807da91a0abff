/**
 * The benchmarks: what is run, how often, and what others published for it.
 *
 * Data alone, so that `--help` can name them without loading a guest.
 */

/** A figure that somebody published for the same operation. */
export interface Published {
  /** What it was measured on: `native`, `binary translation`, `Xen`. */
  readonly technique: string;
  readonly value: number;
  readonly unit: "cycles" | "µs";
  readonly source: string;
  /** Not found in a source that can be checked. */
  readonly unverified: boolean;
  /** The cost profile is calibrated with it, so a cell beside it is no prediction. */
  readonly calibrates: boolean;
}

export type BenchmarkGroup = "nano" | "micro" | "compute";

export interface Benchmark {
  readonly id: string;
  readonly group: BenchmarkGroup;
  /** What one operation is, in a few words. */
  readonly operation: string;
  /** N: operations in the cold part, and as many again in the warm one. */
  readonly operations: number;
  readonly published: readonly Published[];
}

const ADAMS_AGESEN = "Adams, Agesen, ASPLOS 2006, section 6.3";
const FORK_WAIT =
  "Adams, Agesen, ASPLOS 2006: forkwait, 40,000 iterations in 6.0 s on a 3.8 GHz Pentium 4 672";
const BARHAM = "Barham et al., SOSP 2003, tables 3 to 5: Linux UP, 2.4 GHz Xeon";

const native = (value: number, from: Partial<Published> = {}): Published => ({
  technique: "native",
  value,
  unit: "cycles",
  source: ADAMS_AGESEN,
  unverified: false,
  calibrates: true,
  ...from,
});
const lmbench = (value: number): Published =>
  native(value, { unit: "µs", source: BARHAM, calibrates: false });

export const benchmarks: readonly Benchmark[] = [
  {
    id: "syscall",
    group: "nano",
    operation: "SYSCALL and SYSRET",
    operations: 20_000,
    published: [
      native(242, { unverified: true, source: "recalled for a Pentium 4 of 2006, in no source" }),
    ],
  },
  {
    id: "in",
    group: "nano",
    operation: "IN from port 0x80",
    operations: 20_000,
    published: [native(3209)],
  },
  {
    id: "cr8wr",
    group: "nano",
    operation: "write of CR8",
    operations: 20_000,
    published: [native(140, { source: `${ADAMS_AGESEN}: "about four times" slower than 35` })],
  },
  {
    id: "call-ret",
    group: "nano",
    operation: "CALL and RET",
    operations: 50_000,
    published: [native(11)],
  },
  {
    id: "pgfault",
    group: "nano",
    operation: "true page fault",
    operations: 10_000,
    published: [native(1093)],
  },
  {
    id: "divzero",
    group: "nano",
    operation: "division by zero",
    operations: 10_000,
    published: [native(889)],
  },
  {
    id: "ptemod",
    group: "nano",
    operation: "store to a page-table entry",
    operations: 50_000,
    published: [native(1)],
  },
  {
    id: "null-call",
    group: "micro",
    operation: "getppid()",
    operations: 20_000,
    published: [lmbench(0.45)],
  },
  {
    id: "fork-wait",
    group: "micro",
    operation: "fork(), exit and wait",
    operations: 100,
    published: [native(150, { unit: "µs", source: FORK_WAIT, calibrates: false })],
  },
  {
    id: "fork-exec",
    group: "micro",
    operation: "fork(), exec() and wait",
    operations: 50,
    published: [lmbench(530)],
  },
  {
    id: "pipe-latency",
    group: "micro",
    operation: "byte to another process and back",
    operations: 2000,
    published: [],
  },
  {
    id: "context-switch",
    group: "micro",
    operation: "switch between two processes",
    operations: 4000,
    published: [lmbench(0.77)],
  },
  {
    id: "mmap",
    group: "micro",
    operation: "mmap(), touch and munmap()",
    operations: 2000,
    published: [],
  },
  {
    id: "page-fault",
    group: "micro",
    operation: "first touch of a page",
    operations: 2000,
    published: [lmbench(1.42)],
  },
  {
    id: "signal",
    group: "micro",
    operation: "signal to oneself, handled",
    operations: 4000,
    published: [lmbench(2.49)],
  },
  {
    id: "integer-mix",
    group: "compute",
    operation: "round of hashing, sorting and list walking",
    operations: 100,
    published: [],
  },
  {
    id: "sieve",
    group: "compute",
    operation: "sieve of Eratosthenes",
    operations: 30,
    published: [],
  },
  {
    id: "sha256",
    group: "compute",
    operation: "SHA-256 of a block",
    operations: 70,
    published: [],
  },
  {
    id: "nbody",
    group: "compute",
    operation: "step of five bodies, double precision",
    operations: 5000,
    published: [],
  },
];

export const groupNames: Readonly<Record<BenchmarkGroup, string>> = {
  nano: "One operation of the processor, in a bare test kernel",
  micro: "One operation of a kernel, from a program",
  compute: "A program that computes",
};
