/** What `ringside strategies` does. */
import type { StrategiesOptions } from "../commands/strategies.ts";
import { fitted, textTable } from "../reporters/text-table.ts";
import { knownStrategies } from "../strategies.ts";
import { colours, columnsOf } from "../terminal.ts";

/** Capabilities in plain words; those that a newer strategy knows are told by name. */
const CAPABILITY_WORDS: Readonly<Record<string, string>> = {
  programs: "run programs",
  kernels: "boot kernels",
  selfModifyingCode: "run self-modifying code",
};

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
      .map(([name]) => CAPABILITY_WORDS[name] ?? name)
      .join(", "),
  ]);
  const head = ["strategy", "what it is", "guest kernel", "runs in", "can"];
  const shown = fitted(head, rows, [1, 4], columnsOf(process.stdout));
  process.stdout.write(`${textTable(head, shown)}\n`);
}
