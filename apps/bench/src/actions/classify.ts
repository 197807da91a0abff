/** What `ringside classify` does. */
import { instructions } from "@ringside/isa";
import { classes, type InstructionClass } from "../classification.ts";
import type { ClassifyOptions } from "../commands/classify.ts";
import { fitted, textTable } from "../reporters/text-table.ts";
import { colours, columnsOf } from "../terminal.ts";

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
  const head = ["instruction", "privilege", "class", "why", "manual"];
  const rows = fitted(head, shown.map(row), [3, 4], columnsOf(process.stdout));
  process.stdout.write(`${textTable(head, rows)}\n`);
  const count = (which: (entry: InstructionClass) => boolean): number =>
    all.filter((entry) => which(entry)).length;
  process.stdout.write(
    `\n${bold(String(all.length))} instructions: ${count(({ sensitive }) => sensitive === "innocuous")} innocuous, ` +
      `${count(({ sensitive, critical }) => sensitive !== "innocuous" && !critical)} sensitive and privileged, ` +
      `${count(({ critical }) => critical)} sensitive and not privileged.\n`,
  );
}
