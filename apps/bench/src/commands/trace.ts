/** `ringside trace`: what a kernel executes, or what happens to it, as text. */
import type { Command } from "commander";
import { parseUnits } from "../sizes.ts";
import { addKernelOptions, type KernelOptions } from "./kernel-options.ts";
import { parseLinear } from "./lockstep.ts";

export interface TraceOptions extends KernelOptions {
  readonly after: number;
  readonly at?: bigint;
  readonly count: number;
  readonly events?: boolean;
  readonly output?: string;
}

const COUNT_DEFAULT = 1000;

export function addTrace(program: Command): void {
  addKernelOptions(
    program
      .command("trace")
      .description("Writes what a kernel executes, or what happens to it, one line each."),
  )
    .option("--strategy <id>", "how to run it: see `ringside strategies`", "bare")
    .option("--after <units>", "run so many units first", parseUnits, 0)
    .option("--at <address>", "then run up to this linear address", parseLinear)
    .option("--count <n>", "how many lines", parseUnits, COUNT_DEFAULT)
    .option("--events", "exceptions, interrupts, marks and monitor entries, not instructions")
    .option("--output <file>", "where to write; standard output without it")
    .addHelpText(
      "after",
      `
The guest's clock begins at the same second each time, and nothing is typed to it: the same files give the same lines.
An instruction: units, privilege level, RIP, bytes, text, and behind a semicolon the registers that it changed.
An event: units, its kind, and what there is to say of it.

Example:
  $ ringside trace --kernel guests/vmlinuz-cloud-amd64 --after 100M --count 20
  $ ringside trace --kernel guests/vmlinuz-cloud-amd64 --events --output events.txt`,
    )
    .action(async (options: TraceOptions) => {
      const { trace } = await import("../actions/trace.ts");
      await trace(options);
    });
}
