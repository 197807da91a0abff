/** What `ringside run` does: one program of the host's disk under one strategy. */
import {
  Host,
  shellStatus,
  StrategyError,
  type Exit,
  type VirtualMachine,
} from "@ringside/strategy";
import { runDebugged, type DebugPort } from "../boot/debug-port.ts";
import { MachineLoop } from "../boot/machine-loop.ts";
import { epochSecondsOf } from "../commands/epoch-option.ts";
import type { RunOptions } from "../commands/run.ts";
import { CommandError, STATUS } from "../failure.ts";
import { readFiles, readProgram, requireInterpreter } from "../program/host-files.ts";
import { feed, outputTo } from "../program/streams.ts";
import { hostBytesFor } from "../host-size.ts";
import { findStrategy } from "../strategies.ts";

/** Runs the program as if the shell had started it; its status becomes the command's. */
export async function runProgram(
  path: string,
  args: readonly string[],
  options: RunOptions,
): Promise<void> {
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

  requireInterpreter(path, program, files);
  const host = Host.create({ memoryBytes: hostBytesFor(guest) });
  const stopped = new AbortController();
  const output = outputTo(process.stdout, process.stderr);
  let machine;
  try {
    machine = strategy.create(host, guest, { output, epochSeconds: epochSecondsOf(options) });
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
  const onInterrupt = (): void => stopped.abort();
  process.once("SIGINT", onInterrupt);
  let unreadable: Error | undefined;
  const stopFeeding = feed(process.stdin, machine.input, (error) => {
    unreadable = error;
    stopped.abort();
  });
  try {
    const exit =
      options.gdb === undefined
        ? await machine.start({
            signal: stopped.signal,
            ...(options.limit === undefined ? {} : { limitUnits: options.limit }),
          })
        : await runUnderGdb(machine, options.gdb, stopped.signal);
    if (unreadable !== undefined) {
      throw new CommandError(`Standard input cannot be read (${unreadable.message}).`, undefined, {
        cause: unreadable,
      });
    }
    process.exitCode = statusOf(exit, options);
  } finally {
    stopFeeding();
    process.off("SIGINT", onInterrupt);
    machine[Symbol.dispose]();
  }
}

/** As its debuggers say; what one of them kills was killed by a signal. */
async function runUnderGdb(
  machine: VirtualMachine,
  where: DebugPort,
  signal: AbortSignal,
): Promise<Exit> {
  const loop = new MachineLoop(machine, { realTime: false });
  signal.addEventListener("abort", () => loop.end(), { once: true });
  const exit = await runDebugged(machine, loop, where);
  if (exit.reason !== "killed") return exit;
  return { reason: "exited", status: { kind: "signal", signal: killSignal, core: false } };
}

const killSignal = 9;

function statusOf(exit: Exit, options: RunOptions): number {
  switch (exit.reason) {
    case "exited":
      return shellStatus(exit.status);
    case "stopped":
      return STATUS.interrupted;
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
