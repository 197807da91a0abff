/** What `ringside classify` does. */
import { instructions } from "@ringside/isa";
import { classes, type InstructionClass } from "../classification.ts";
import type { ClassifyOptions } from "../commands/classify.ts";
import { textTable } from "../reporters/text-table.ts";
import { colours } from "../terminal.ts";

/** Prints the instructions that the options leave. */
export function classify(options: ClassifyOptions): void {
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
}
