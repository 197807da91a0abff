/** What `ringside boot` does: connects a kernel's serial console to the terminal, and waits for its end. */
import { readFile } from "node:fs/promises";
import { ImageError } from "@ringside/machine";
import {
  Host,
  StrategyError,
  type KernelGuest,
  type OutputListeners,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import { crashReport } from "../boot/crash-report.ts";
import { runDebugged, type DebuggedExit } from "../boot/debug-port.ts";
import { checkInitrd } from "../boot/initrd-file.ts";
import { kernelFormat } from "../boot/kernel-file.ts";
import { MachineLoop } from "../boot/machine-loop.ts";
import { openTerminal } from "../boot/serial-terminal.ts";
import { statistics } from "../boot/statistics.ts";
import { textWatch } from "../boot/text-watch.ts";
import type { BootOptions } from "../commands/boot.ts";
import { CommandError, STATUS } from "../failure.ts";
import { hostBytesFor } from "../host-size.ts";
import { feed } from "../program/streams.ts";
import { findStrategy } from "../strategies.ts";

/** Why the command ends, apart from the guest's own end. */
type Ending = "found" | "left" | "timeout" | "interrupted";

/** Boots the kernel; the command's status tells how it ended. */
export async function boot(options: BootOptions): Promise<void> {
  const strategy = await findStrategy(options.strategy);
  const guest = await kernelGuest(strategy, options);
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
  using machine = createMachine(strategy, guest, options, {
    stdout: onOutput,
    stderr: (bytes) => void process.stderr.write(bytes),
    log: onOutput,
  });
  const { stdin } = process;
  loop = new MachineLoop(machine, { realTime: stdin.isTTY });
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => end("timeout"), options.timeout * 1000);
  const onInterrupt = (): void => end("interrupted");
  process.on("SIGINT", onInterrupt);
  let unreadable: Error | undefined;
  const disconnect = connectInput(machine, loop, end, (error) => {
    unreadable = error;
    end("interrupted");
  });
  const started = performance.now();
  let exit: DebuggedExit;
  try {
    exit =
      options.gdb === undefined ? await loop.run() : await runDebugged(machine, loop, options.gdb);
  } finally {
    disconnect();
    clearTimeout(timer);
    process.off("SIGINT", onInterrupt);
  }
  if (options.stats === true) {
    process.stderr.write(
      statistics({
        counts: machine.counts(),
        wallSeconds: (performance.now() - started) / 1000,
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
    return openTerminal(stdin, {
      onBytes(bytes) {
        input.write(bytes);
        loop.wake();
      },
      onLeave: () => end("left"),
    });
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
  if (ending === "interrupted") return STATUS.interrupted;
  throw new CommandError(`Bug in ringside: a kernel's machine ended with "${exit.reason}".`);
}

async function kernelGuest(strategy: Strategy, options: BootOptions): Promise<KernelGuest> {
  const image = await readInput(options.kernel);
  const format = options.format === "auto" ? kernelFormat(options.kernel, image) : options.format;
  const guest = {
    kind: "kernel",
    image,
    format,
    commandLine: options.append,
    memoryBytes: options.memory,
  } as const;
  if (options.initrd === undefined) return onWholePc(strategy, guest);
  const initrd = await readInput(options.initrd);
  checkInitrd(options.initrd, initrd);
  return onWholePc(strategy, { ...guest, initrd });
}

/** The same with all that a PC has, where the strategy brings it. */
function onWholePc(strategy: Strategy, guest: KernelGuest): KernelGuest {
  const whole = { ...guest, hardware: {} };
  return strategy.accepts(whole).accepted ? whole : guest;
}

/** Memory is given by the page. */
const pageBytes = 4096;

function createMachine(
  strategy: Strategy,
  guest: KernelGuest,
  options: BootOptions,
  output: OutputListeners,
): VirtualMachine {
  if (guest.memoryBytes % pageBytes !== 0) {
    throw new CommandError(
      `--memory is ${guest.memoryBytes} bytes. Give a multiple of ${pageBytes}, such as 512M.`,
    );
  }
  const acceptance = strategy.accepts(guest);
  if (!acceptance.accepted)
    throw new CommandError(`${strategy.id} does not run this kernel: ${acceptance.reason}`);
  try {
    const host = Host.create({ memoryBytes: hostBytesFor(guest) });
    return strategy.create(host, guest, { output, epochSeconds: Math.floor(Date.now() / 1000) });
  } catch (error) {
    throw withFileName(error, options);
  }
}

/** Loaders know what kind of file they read, and the command its name. */
function withFileName(error: unknown, options: BootOptions): unknown {
  if (!(error instanceof StrategyError) || !(error.cause instanceof ImageError)) return error;
  const { file, message } = error.cause;
  const path = file === "initrd" ? (options.initrd ?? file) : options.kernel;
  return new CommandError(`${path} cannot be booted. ${message}`, undefined, { cause: error });
}

async function readInput(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new CommandError(`${path} cannot be read (${code}).`, undefined, { cause: error });
  }
}
