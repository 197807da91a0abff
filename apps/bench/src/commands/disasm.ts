/** `ringside disasm`: a file as instructions. */
import { InvalidArgumentError, Option, type Command } from "commander";

export interface DisasmOptions {
  readonly address?: bigint;
  readonly mode: "32" | "64";
  readonly count?: number;
}

export function addDisasm(program: Command): void {
  program
    .command("disasm")
    .description(
      "Disassembles the code of an ELF executable, or any file as code. Bytes that are no instruction are shown as db.",
    )
    .argument("<file>", "ELF executable or flat binary")
    .option(
      "--address <address>",
      "flat files: linear address of the first byte; ELF: where to begin",
      parseAddress,
    )
    .addOption(new Option("--mode <bits>", "code size").choices(["64", "32"]).default("64"))
    .option("--count <n>", "at most so many lines", parseCount)
    .addHelpText("after", "\nExample:\n  $ ringside disasm --count 20 /bin/busybox")
    .action(async (path: string, options: DisasmOptions) => {
      const { disasm } = await import("../actions/disasm.ts");
      await disasm(path, options);
    });
}

function parseAddress(text: string): bigint {
  if (!/^(0x[0-9a-f]+|\d+)$/iu.test(text))
    throw new InvalidArgumentError("Give an address such as 0x401000.");
  return BigInt(text);
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1)
    throw new InvalidArgumentError("Give a whole number of at least 1.");
  return count;
}
