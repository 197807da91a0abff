/** The guest of each benchmark. */
import { nanoImage, userProgram } from "@ringside/guest";
import type { Guest } from "@ringside/strategy";
import type { Benchmark } from "./benchmarks.ts";

const MEBIBYTE = 1 << 20;
const PROGRAM_PATH = "/bin/bench";

/** What a strategy is asked to run for a benchmark. */
export function guestOf({ id, group, operations }: Benchmark): Guest {
  if (group === "nano") {
    return {
      kind: "kernel",
      image: nanoImage(),
      format: "elf64",
      commandLine: `bench=${id} n=${operations}`,
      memoryBytes: 16 * MEBIBYTE,
    };
  }
  return {
    kind: "program",
    argv: [PROGRAM_PATH, id, String(operations)],
    env: [],
    files: new Map([[PROGRAM_PATH, { bytes: userProgram("bin/bench"), mode: 0o755 }]]),
    memoryBytes: 64 * MEBIBYTE,
  };
}
