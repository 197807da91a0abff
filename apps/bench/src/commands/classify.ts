/** `ringside classify`: every instruction after Popek and Goldberg. */
import type { Command } from "commander";
import { instructions } from "@ringside/isa";
import { classes, type InstructionClass } from "../classification.ts";
import { textTable } from "../reporters/text-table.ts";
import { colours } from "../terminal.ts";

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
    .action((options: { json?: boolean; sensitive?: boolean; critical?: boolean }) => {
      const all = classes(instructions);
      const shown = all.filter(
        ({ sensitive, critical }) =>
          (options.critical !== true || critical) &&
          (options.sensitive !== true || sensitive !== "innocuous"),
      );
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
        return;
      }
      const { red, bold, dim } = colours(process.stdout);
      const row = (entry: InstructionClass): string[] => [
        entry.critical ? red(entry.mnemonic) : entry.mnemonic,
        entry.privilege,
        entry.critical ? red(entry.sensitive) : entry.sensitive,
        entry.why,
        dim(entry.reference),
      ];
      process.stdout.write(
        `${textTable(["instruction", "privilege", "class", "why", "manual"], shown.map(row))}\n`,
      );
      const count = (which: (entry: InstructionClass) => boolean): number =>
        all.filter((entry) => which(entry)).length;
      process.stdout.write(
        `\n${bold(String(all.length))} instructions: ${count(({ sensitive }) => sensitive === "innocuous")} innocuous, ` +
          `${count(({ sensitive, critical }) => sensitive !== "innocuous" && !critical)} sensitive and privileged, ` +
          `${count(({ critical }) => critical)} sensitive and not privileged.\n`,
      );
    });
}
