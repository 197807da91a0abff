/** A kernel's files as the guest of a strategy, and the machine that boots it. */
import { readFile } from "node:fs/promises";
import { ImageError } from "@ringside/machine";
import {
  Host,
  StrategyError,
  type CreateOptions,
  type KernelGuest,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import type { KernelOptions } from "../commands/kernel-options.ts";
import { CommandError } from "../failure.ts";
import { hostBytesFor } from "../host-size.ts";
import { checkInitrd } from "./initrd-file.ts";
import { kernelFormat } from "./kernel-file.ts";

type FileOptions = Omit<KernelOptions, "strategy">;

/** @throws {CommandError} A file is missing, damaged, or none of what it is said to be. */
export async function kernelGuest(strategy: Strategy, options: FileOptions): Promise<KernelGuest> {
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

/** @throws {CommandError} The strategy does not run it, or a file of it cannot be booted. */
export function createMachine(
  strategy: Strategy,
  guest: KernelGuest,
  options: FileOptions,
  createOptions: CreateOptions,
): { readonly machine: VirtualMachine; readonly host: Host } {
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
    return { machine: strategy.create(host, guest, createOptions), host };
  } catch (error) {
    throw withFileName(error, options);
  }
}

/** Loaders know what kind of file they read, and the command its name. */
function withFileName(error: unknown, options: FileOptions): unknown {
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
