/** What `ringside boot` does: connects a kernel's serial console to the terminal, and waits for its end. */
import { constants } from "node:os";
import type { VirtualMachine } from "@ringside/strategy";
import { crashReport } from "../boot/crash-report.ts";
import { runDebugged, type DebuggedExit } from "../boot/debug-port.ts";
import { createMachine, kernelGuest } from "../boot/kernel-guest.ts";
import { MachineLoop } from "../boot/machine-loop.ts";
import { plugIn } from "../boot/plugged-in.ts";
import { keyHelp, openTerminal } from "../boot/serial-terminal.ts";
import { statistics } from "../boot/statistics.ts";
import { textWatch } from "../boot/text-watch.ts";
import type { BootOptions } from "../commands/boot.ts";
import { epochSecondsOf } from "../commands/epoch-option.ts";
import { CommandError, STATUS } from "../failure.ts";
import { feed } from "../program/streams.ts";
import { findStrategy } from "../strategies.ts";

/** Why the command ends, apart from the guest's own end. */
type Ending = "found" | "left" | "timeout" | "unreadable" | Signal;

/** Signals that end the command in good order, the terminal and files included; a second one ends it at once. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const;
type Signal = (typeof signals)[number];

/** Boots the kernel; the command's status tells how it ended. */
export async function boot(options: BootOptions): Promise<void> {
  const strategy = await findStrategy(options.strategy);
  using pluggedIn = plugIn(options);
  const guest = await kernelGuest(strategy, options, pluggedIn.hardware);
  let ending: Ending | undefined;
  let loop: MachineLoop | undefined;
  const end = (why: Ending): void => {
    ending ??= why;
    loop?.end();
  };
  const found = options.until === undefined ? undefined : textWatch(options.until);
  const onOutput = (bytes: Uint8Array): void => {
    process.stdout.write(bytes);
    if (found?.(bytes) === true) end("found");
  };
  const { machine } = createMachine(strategy, guest, options, {
    output: {
      stdout: onOutput,
      stderr: (bytes) => void process.stderr.write(bytes),
      log: onOutput,
    },
    epochSeconds: epochSecondsOf(options),
  });
  using _ = machine;
  const { stdin } = process;
  loop = new MachineLoop(machine, { realTime: stdin.isTTY || options.net === "user" });
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => end("timeout"), options.timeout * 1000);
  for (const signal of signals) process.once(signal, end);
  let unreadable: Error | undefined;
  const disconnect = connectInput(machine, loop, end, (error) => {
    unreadable = error;
    end("unreadable");
  });
  const started = performance.now();
  const usedBefore = process.cpuUsage();
  let exit: DebuggedExit;
  try {
    exit =
      options.gdb === undefined ? await loop.run() : await runDebugged(machine, loop, options.gdb);
  } finally {
    disconnect();
    clearTimeout(timer);
    for (const signal of signals) process.off(signal, end);
  }
  if (options.stats === true) {
    const { user, system } = process.cpuUsage(usedBefore);
    process.stderr.write(
      statistics({
        counts: machine.counts(),
        wallSeconds: (performance.now() - started) / 1000,
        processorSeconds: (user + system) / 1e6,
        guestSeconds: machine.timeNs === undefined ? undefined : machine.timeNs / 1e9,
        guestMemoryBytes: guest.memoryBytes,
        residentBytes: process.memoryUsage.rss(),
      }),
    );
  }
  if (unreadable !== undefined) {
    throw new CommandError(`Standard input cannot be read (${unreadable.message}).`, undefined, {
      cause: unreadable,
    });
  }
  process.exitCode = statusOf(exit, ending, machine, options);
}

/** Keys or a stream, to the guest. Gives a function that lets go of them. */
function connectInput(
  machine: VirtualMachine,
  loop: MachineLoop,
  end: (why: Ending) => void,
  onError: (error: Error) => void,
): () => void {
  const { stdin } = process;
  const { input } = machine;
  if (stdin.isTTY) {
    const giveBack = openTerminal(stdin, {
      onBytes(bytes) {
        input.write(bytes);
        loop.wake();
      },
      onLeave: () => end("left"),
      onHelp: sayKeys,
    });
    sayKeys();
    return giveBack;
  }
  return feed(
    stdin,
    {
      write(bytes) {
        input.write(bytes);
        loop.wake();
      },
      end() {
        input.end();
        loop.wake();
      },
      get bufferedBytes() {
        return input.bufferedBytes;
      },
      get closed() {
        return input.closed;
      },
    },
    onError,
  );
}

/** To the person at the terminal, who sees nothing of us otherwise. */
function sayKeys(): void {
  if (process.stderr.isTTY) process.stderr.write(`ringside: ${keyHelp}\r\n`);
}

function statusOf(
  exit: DebuggedExit,
  ending: Ending | undefined,
  machine: VirtualMachine,
  options: BootOptions,
): number {
  if (exit.reason === "crashed") {
    process.stderr.write(`ringside: ${crashReport(exit.why, exit.registers, machine.inspect)}`);
    return STATUS.aborted;
  }
  if (exit.reason === "killed" || ending === "found" || ending === "left") return 0;
  if (exit.reason === "halted") {
    if (options.until !== undefined) {
      process.stderr.write(`ringside: The guest ended and had not written "${options.until}".\n`);
      return STATUS.notSeen;
    }
    return (exit.value ?? 0) % 256;
  }
  if (ending === "timeout") {
    process.stderr.write(`ringside: The guest still ran after ${options.timeout ?? 0} s.\n`);
    return STATUS.timeout;
  }
  const signal = signals.find((name) => name === ending);
  if (signal !== undefined) return STATUS.signalled + constants.signals[signal];
  throw new CommandError(`Bug in ringside: a kernel's machine ended with "${exit.reason}".`);
}
