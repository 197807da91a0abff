/** `ringside classify`: every instruction after Popek and Goldberg. */
import type { Command } from "commander";

export interface ClassifyOptions {
  readonly json?: boolean;
  readonly sensitive?: boolean;
  readonly critical?: boolean;
}

export function addClassify(program: Command): void {
  program
    .command("classify")
    .description(
      "Lists every instruction: whether it traps outside ring 0, and whether it touches what belongs to the machine.",
    )
    .option("--json", "print JSON")
    .option("--sensitive", "only those that are sensitive")
    .option(
      "--critical",
      "only those that are sensitive and do not trap, which break trap-and-emulate",
    )
    .addHelpText(
      "after",
      `
Popek and Goldberg (1974): a virtual machine monitor can be built by trap-and-emulate when every sensitive
instruction is privileged. x86 has some that are not.

Example:
  $ ringside classify --critical`,
    )
    .action(async (options: ClassifyOptions) => {
      const { classify } = await import("../actions/classify.ts");
      classify(options);
    });
}
