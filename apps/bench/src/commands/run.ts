/** `ringside run`: one program of the host's disk under one strategy, as if it were started by the shell. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { parseDebugPort, type DebugPort } from "../boot/debug-port.ts";
import { parseSize, parseUnits } from "../sizes.ts";
import { epochOption, type EpochOptions } from "./epoch-option.ts";

const MEMORY_DEFAULT = "128M";

export interface RunOptions extends EpochOptions {
  readonly strategy: string;
  readonly memory: number;
  readonly limit?: number;
  readonly env: readonly string[];
  readonly file: readonly string[];
  readonly gdb?: DebugPort;
}

export function addRun(program: Command): void {
  program
    .command("run")
    .description(
      "Runs a static Linux x86-64 program from this machine's disk; its streams and exit status are the command's.",
    )
    .requiredOption("--strategy <id>", "how to run it: see `ringside strategies`")
    .addOption(
      new Option("--memory <size>", "memory of the guest")
        .argParser(parseSize)
        .default(parseSize(MEMORY_DEFAULT), MEMORY_DEFAULT),
    )
    .option("--limit <units>", "stop after so many units (about one an instruction)", parseUnits)
    .addOption(
      new Option("--env <name=value>", "an environment variable; may be repeated")
        .argParser(collect(checkVariable))
        .default([], "none"),
    )
    .addOption(
      new Option("--file <host[:guest]>", "a file that the program sees; may be repeated")
        .argParser(collect())
        .default([], "none"),
    )
    .addOption(epochOption())
    .addOption(
      new Option(
        "--gdb <[addr:]port>",
        "wait for gdb at this port, on this machine unless an address is given",
      )
        .argParser(parseDebugPort)
        .conflicts("limit"),
    )
    .argument("<program>", "path of the program")
    .argument("[args...]", "its arguments")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Without --file the program sees an empty root with /tmp, /dev and /proc/self.
Exit status: the program's; 128 + n when signal n ended it; 125 when ringside itself fails, 126 when the program
cannot be executed, 127 when there is none.

Example:
  $ echo hello | ringside run --strategy container -- /bin/busybox sha256sum`,
    )
    .action(async (path: string, args: readonly string[], options: RunOptions) => {
      const { runProgram } = await import("../actions/run.ts");
      await runProgram(path, args, options);
    });
}

function collect(
  check: (text: string) => string = (text) => text,
): (text: string, before: readonly string[]) => string[] {
  return (text, before) => [...before, check(text)];
}

function checkVariable(text: string): string {
  if (!/^[^=]+=/u.test(text)) throw new InvalidArgumentError("Give NAME=value.");
  return text;
}
