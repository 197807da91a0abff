/** The guest of each benchmark under each strategy. */
import {
  nanoBenchmarks,
  nanoImage,
  nanoXenBenchmarks,
  nanoXenImage,
  userProgram,
} from "@ringside/guest";
import type { Guest, KernelGuest, Strategy } from "@ringside/strategy";
import type { Benchmark } from "./benchmarks.ts";

const MEBIBYTE = 1 << 20;
const PROGRAM_PATH = "/bin/bench";

/** What a strategy is asked to run for a benchmark, or why there is nothing that it could run. */
export type GuestChoice =
  | { readonly kind: "guest"; readonly guest: Guest }
  | { readonly kind: "not-applicable"; /** A sentence for a person. */ readonly reason: string };

/** The same test kernel, built for a machine of its own and for a paravirtual domain. */
const nanoKernels: readonly (Pick<KernelGuest, "format"> & {
  readonly image: () => Uint8Array;
  readonly benchmarks: readonly string[];
  readonly whyNot: string;
})[] = [
  {
    format: "elf64",
    image: nanoImage,
    benchmarks: nanoBenchmarks,
    whyNot: "Only a paravirtual kernel can hand over a list of page-table entries.",
  },
  {
    format: "xen-pv",
    image: nanoXenImage,
    benchmarks: nanoXenBenchmarks,
    whyNot:
      "A paravirtual kernel has neither ports nor a task priority: it asks the hypervisor, and masks events in shared memory.",
  },
];

/** The first guest for the benchmark that the strategy accepts. */
export function guestFor(strategy: Strategy, benchmark: Benchmark): GuestChoice {
  return benchmark.group === "nano"
    ? nanoGuestFor(strategy, benchmark)
    : accepted(strategy, programGuest(benchmark));
}

function nanoGuestFor(strategy: Strategy, { id, operations }: Benchmark): GuestChoice {
  let refusal: GuestChoice | undefined;
  let lacking: GuestChoice | undefined;
  for (const { format, image, benchmarks, whyNot } of nanoKernels) {
    const choice = accepted(strategy, {
      kind: "kernel",
      image: image(),
      format,
      commandLine: `bench=${id} n=${operations}`,
      memoryBytes: 16 * MEBIBYTE,
    });
    if (choice.kind !== "guest") refusal ??= choice;
    else if (benchmarks.includes(id)) return choice;
    else lacking ??= { kind: "not-applicable", reason: whyNot };
  }
  const reason = `There is no kernel with the benchmark ${id}.`;
  return lacking ?? refusal ?? { kind: "not-applicable", reason };
}

function accepted(strategy: Strategy, guest: Guest): GuestChoice {
  const acceptance = strategy.accepts(guest);
  return acceptance.accepted
    ? { kind: "guest", guest }
    : { kind: "not-applicable", reason: acceptance.reason };
}

function programGuest({ id, operations }: Benchmark): Guest {
  return {
    kind: "program",
    argv: [PROGRAM_PATH, id, String(operations)],
    env: [],
    files: new Map([[PROGRAM_PATH, { bytes: userProgram("bin/bench"), mode: 0o755 }]]),
    memoryBytes: 64 * MEBIBYTE,
  };
}
