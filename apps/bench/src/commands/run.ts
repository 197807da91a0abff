/** `ringside run`: one program of the host's disk under one strategy, as if it were started by the shell. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { Host, shellStatus, StrategyError, type Exit } from "@ringside/strategy";
import { CommandError, STATUS } from "../failure.ts";
import { readFiles, readProgram } from "../program/host-files.ts";
import { feed, outputTo } from "../program/streams.ts";
import { hostBytesFor } from "../host-size.ts";
import { parseSize, parseUnits } from "../sizes.ts";
import { findStrategy } from "../strategies.ts";

const MEMORY_DEFAULT = "128M";
const SIGINT = 2;
const SIGPIPE = 13;

interface RunOptions {
  readonly strategy: string;
  readonly memory: number;
  readonly limit?: number;
  readonly env: readonly string[];
  readonly file: readonly string[];
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
    .action(run);
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

async function run(path: string, args: readonly string[], options: RunOptions): Promise<void> {
  const strategy = await findStrategy(options.strategy);
  const program = await readProgram(path);
  const files = new Map(await readFiles(options.file));
  files.set(program.path, program.file);
  const guest = {
    kind: "program",
    argv: [program.path, ...args],
    env: options.env,
    files,
    memoryBytes: options.memory,
  } as const;

  const host = Host.create({ memoryBytes: hostBytesFor(guest) });
  const stopped = new AbortController();
  let signal: number | undefined;
  const stopFor = (number: number): void => {
    signal ??= number;
    stopped.abort();
  };
  const output = outputTo(process.stdout, process.stderr, () => stopFor(SIGPIPE));
  let machine;
  try {
    machine = strategy.create(host, guest, { output, epochSeconds: Math.floor(Date.now() / 1000) });
  } catch (error) {
    if (error instanceof StrategyError && error.code === "invalid-guest") {
      throw new CommandError(
        `${path} cannot be executed: ${error.message.replace(/^\[[^\]]*\] /u, "")}`,
        STATUS.notExecutable,
        { cause: error },
      );
    }
    throw error;
  }
  const onInterrupt = (): void => stopFor(SIGINT);
  process.once("SIGINT", onInterrupt);
  const stopFeeding = feed(process.stdin, machine.input);
  try {
    const exit = await machine.start({
      signal: stopped.signal,
      ...(options.limit === undefined ? {} : { limitUnits: options.limit }),
    });
    process.exitCode = statusOf(exit, signal, options);
  } finally {
    stopFeeding();
    process.off("SIGINT", onInterrupt);
    machine[Symbol.dispose]();
  }
}

function statusOf(exit: Exit, signal: number | undefined, options: RunOptions): number {
  switch (exit.reason) {
    case "exited":
      return shellStatus(exit.status);
    case "stopped":
      return 128 + (signal ?? SIGINT);
    case "limit":
      throw new CommandError(
        `The program was stopped at its limit of ${options.limit ?? 0} units. Give a larger --limit, or none.`,
      );
    case "crashed":
      throw new CommandError(`The guest broke its machine: ${exit.why}`);
    case "halted":
    case "paused":
    case "waiting":
      throw new CommandError(
        `The guest's kernel ended without the program's status (${exit.reason}).`,
      );
  }
}
