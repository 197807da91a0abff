/** `ringside bench`: how fast the processor is on this machine, and the peers beside it where they are installed. */
import type { Command } from "commander";

export interface BenchOptions {
  readonly json?: boolean;
}

export function addBench(program: Command): void {
  program
    .command("bench")
    .description(
      "Measures the interpreter's speed on integer-mix, and that of QEMU and Bochs where they are installed.",
    )
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ ringside bench")
    .action(async (options: BenchOptions) => {
      const { bench } = await import("../actions/bench.ts");
      await bench(options);
    });
}
