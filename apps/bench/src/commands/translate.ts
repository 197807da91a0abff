/** `ringside translate`: guest code and what a binary translator makes of it. */
import { InvalidArgumentError, type Command } from "commander";

export interface TranslateOptions {
  readonly at?: bigint;
  readonly units: number;
}

export function addTranslate(program: Command): void {
  program
    .command("translate")
    .description(
      "Shows kernel code and its binary translation side by side, with what was done to each instruction and why.",
    )
    .argument(
      "<file>",
      "ELF executable, flat binary, or `kernel` or `nano` for the guest kernels here",
    )
    .option("--at <address>", "linear address to begin at (default: the entry point)", parseAddress)
    .option("--units <n>", "so many units, along direct branches", parseCount, 1)
    .addHelpText(
      "after",
      `
Names that begin with $ are slots of the virtual CPU: memory of the translator that translated code reaches.

Example:
  $ ringside translate kernel --at 0xffffffff80100860 --units 3`,
    )
    .action(async (file: string, options: TranslateOptions) => {
      const { translate } = await import("../actions/translate.ts");
      await translate(file, options);
    });
}

function parseAddress(text: string): bigint {
  if (!/^(0x[0-9a-f]+|\d+)$/iu.test(text))
    throw new InvalidArgumentError("Give an address such as 0xffffffff80100000.");
  return BigInt(text);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    throw new InvalidArgumentError("Give a whole number from 1 to 1000.");
  return count;
}
