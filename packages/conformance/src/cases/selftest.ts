/**
 * The guest kernel that tests the processor under it: what an unmodified kernel finds must be what the manuals say,
 * whoever stands between it and the processor.
 */
import { selftestGroups, selftestImage } from "@ringside/guest";
import type { ConformanceCase } from "../conformance-case.ts";
import { execute, outcome } from "../execution.ts";

/** What each group is about, as the end of a sentence. */
const subjects: Readonly<Record<string, string>> = {
  exceptions: "every exception, with its error code and the place it saves",
  contributory: "exceptions while exceptions are delivered",
  paging: "what page tables permit, and what the processor writes into them",
  tlb: "translations that are flushed, and those that need not be",
  flags: "the interrupt flag, whoever changes it",
  sensitive: "the state that unprivileged instructions show",
  descriptors: "descriptor tables that are rewritten",
  stepping: "single steps, through whatever it steps over",
  breakpoints: "breakpoints of its own, in code and on data",
  code: "code that is overwritten, and mapped elsewhere while it runs",
  interrupts: "interrupts in time, in order and inside of each other",
  nmi: "non-maskable interrupts inside of faults",
  strings: "string instructions that fault in the middle",
  user: "user mode: its limits, and the ways in and out",
  registers: "control registers and model-specific ones",
  timer: "timers that agree with each other",
  refusals: "control registers that refuse what they must",
};

const memoryBytes = 32 * 1024 * 1024;
/** Ten times what the longest group takes on the bare machine. */
const limitUnits = 150_000_000;

export const selftestCases: readonly ConformanceCase[] = selftestGroups.map(
  (group): ConformanceCase => ({
    name: `shows a kernel ${subjects[group] ?? group}`,
    requires: "kernels",
    run(subject) {
      const execution = execute(
        subject,
        {
          kind: "kernel",
          format: "elf64",
          image: selftestImage(),
          commandLine: `only=${group}`,
          memoryBytes,
        },
        { limitUnits },
      );
      const lines = new TextDecoder().decode(execution.log).split("\n").filter(Boolean);
      const wrong = lines.filter((line) => !line.startsWith("ok ")).slice(0, -1);
      const { exit } = execution;
      if (exit.reason === "halted" && exit.value === 0 && lines.at(-1) === "passed 0") return;
      throw new Error(
        `${wrong.join("; ") || "the kernel did not come to its end"}: ${outcome(execution)}`,
      );
    },
  }),
);
