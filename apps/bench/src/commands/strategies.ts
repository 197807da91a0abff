/** `ringside strategies`: what there is to compare. */
import type { Command } from "commander";
import { textTable } from "../reporters/text-table.ts";
import { colours } from "../terminal.ts";
import { knownStrategies } from "../strategies.ts";

export function addStrategies(program: Command): void {
  program
    .command("strategies")
    .description("Lists the strategies with what they are and can do.")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ ringside strategies --json")
    .action(async ({ json }: { json?: boolean }) => {
      const strategies = await knownStrategies();
      if (json === true) {
        const plain = strategies.map(({ id, name, summary, traits, capabilities }) => ({
          id,
          name,
          summary,
          traits,
          capabilities,
        }));
        process.stdout.write(`${JSON.stringify(plain, undefined, 2)}\n`);
        return;
      }
      const { bold } = colours(process.stdout);
      const rows = strategies.map(({ id, summary, traits, capabilities }) => [
        bold(id),
        summary,
        traits.guestKernel,
        traits.guestKernelLevel === null ? "none" : `ring ${traits.guestKernelLevel}`,
        Object.entries(capabilities)
          .filter(([, has]) => has === true)
          .map(([name]) => name.replaceAll(/[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`))
          .join(", "),
      ]);
      process.stdout.write(
        `${textTable(["strategy", "what it is", "guest kernel", "runs in", "can"], rows)}\n`,
      );
    });
}
