/** What `ringside strategies` does. */
import type { StrategiesOptions } from "../commands/strategies.ts";
import { textTable } from "../reporters/text-table.ts";
import { knownStrategies } from "../strategies.ts";
import { colours } from "../terminal.ts";

/** Prints every strategy that is known here. */
export async function listStrategies({ json }: StrategiesOptions): Promise<void> {
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
}
