/** `ringside strategies`: what there is to compare. */
import type { Command } from "commander";

export interface StrategiesOptions {
  readonly json?: boolean;
}

export function addStrategies(program: Command): void {
  program
    .command("strategies")
    .description("Lists the strategies with what they are and can do.")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ ringside strategies --json")
    .action(async (options: StrategiesOptions) => {
      const { listStrategies } = await import("../actions/strategies.ts");
      await listStrategies(options);
    });
}
