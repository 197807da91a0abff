/**
 * The benchmarks: what is run, and how often.
 *
 * Data alone, so that `--help` can name them without loading a guest.
 */

export type BenchmarkGroup = "nano" | "micro" | "compute";

export interface Benchmark {
  readonly id: string;
  readonly group: BenchmarkGroup;
  /** What one operation is, in a few words. */
  readonly operation: string;
  /** N: operations in the cold part, and as many again in the warm one. */
  readonly operations: number;
}

export const benchmarks: readonly Benchmark[] = [
  {
    id: "syscall",
    group: "nano",
    operation: "SYSCALL and SYSRET",
    operations: 20_000,
  },
  {
    id: "in",
    group: "nano",
    operation: "IN from port 0x80",
    operations: 5000,
  },
  {
    id: "cr8wr",
    group: "nano",
    operation: "write of CR8",
    operations: 20_000,
  },
  {
    id: "call-ret",
    group: "nano",
    operation: "CALL and RET",
    operations: 50_000,
  },
  {
    id: "pgfault",
    group: "nano",
    operation: "true page fault",
    operations: 10_000,
  },
  {
    id: "divzero",
    group: "nano",
    operation: "division by zero",
    operations: 10_000,
  },
  {
    id: "ptemod",
    group: "nano",
    operation: "store to a page-table entry",
    operations: 10_000,
  },
  {
    id: "ptemod-batched",
    group: "nano",
    operation: "page-table entry, handed over in lists of 1024",
    operations: 20_480,
  },
  {
    id: "null-call",
    group: "micro",
    operation: "getppid()",
    operations: 20_000,
  },
  {
    id: "fork-wait",
    group: "micro",
    operation: "fork(), exit and wait",
    operations: 100,
  },
  {
    id: "fork-exec",
    group: "micro",
    operation: "fork(), exec() and wait",
    operations: 50,
  },
  {
    id: "pipe-latency",
    group: "micro",
    operation: "byte to another process and back",
    operations: 2000,
  },
  {
    id: "context-switch",
    group: "micro",
    operation: "switch between two processes",
    operations: 4000,
  },
  {
    id: "mmap",
    group: "micro",
    operation: "mmap(), touch and munmap()",
    operations: 1000,
  },
  {
    id: "page-fault",
    group: "micro",
    operation: "first touch of a page",
    operations: 2000,
  },
  {
    id: "signal",
    group: "micro",
    operation: "signal to oneself, handled",
    operations: 4000,
  },
  {
    id: "integer-mix",
    group: "compute",
    operation: "round of hashing, sorting and list walking",
    operations: 400,
  },
  {
    id: "sieve",
    group: "compute",
    operation: "sieve of Eratosthenes",
    operations: 30,
  },
  {
    id: "sha256",
    group: "compute",
    operation: "SHA-256 of a block",
    operations: 70,
  },
  {
    id: "nbody",
    group: "compute",
    operation: "step of five bodies, double precision",
    operations: 5000,
  },
];

export const groupNames: Readonly<Record<BenchmarkGroup, string>> = {
  nano: "One operation of the processor, in a bare test kernel",
  micro: "One operation of a kernel, from a program",
  compute: "A program that computes",
};
