/** `ringside trap-and-emulate`: what goes wrong with a kernel that is deprivileged and nothing else. */
import { InvalidArgumentError, type Command } from "commander";

export interface TrapAndEmulateOptions {
  readonly commandLine: string;
  readonly limit: number;
}

export function addTrapAndEmulate(program: Command): void {
  program
    .command("trap-and-emulate")
    .description(
      "Runs a kernel in ring 1 without translation, and lists each sensitive instruction that did not trap.",
    )
    .argument(
      "[kernel]",
      "ELF with a 64-bit entry; `kernel`, with a program that forks, `nano` or `selftest` for those here; a demonstration without it",
    )
    .option("--command-line <text>", "the kernel's command line", "")
    .option("--limit <units>", "ends the guest after so many units", parseLimit, 50_000_000)
    .addHelpText(
      "after",
      `
Each instruction is executed twice: by the processor in ring 1, and on a copy of the guest's state as ring 0 would. Where
the two differ, trap-and-emulate has lost the guest. See also: ringside classify --critical.

Example:
  $ ringside trap-and-emulate kernel
  $ ringside trap-and-emulate selftest --command-line only=sensitive`,
    )
    .action(async (kernel: string | undefined, options: TrapAndEmulateOptions) => {
      const { reportTrapAndEmulate } = await import("../actions/trap-and-emulate.ts");
      await reportTrapAndEmulate(kernel, options);
    });
}

function parseLimit(text: string): number {
  const units = Number(text);
  if (!Number.isSafeInteger(units) || units < 1)
    throw new InvalidArgumentError("Give a whole number of at least 1.");
  return units;
}
