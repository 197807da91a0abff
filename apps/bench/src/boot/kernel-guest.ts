/** A kernel's files as the guest of a strategy, and the machine that boots it. */
import {
  ImageError,
  isBzImage,
  maximumMemoryBytes,
  minimumMemoryBytes,
  unpackKernel,
  type Hardware,
} from "@ringside/machine";
import {
  Host,
  StrategyError,
  type CreateOptions,
  type KernelFormat,
  type KernelGuest,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import type { KernelOptions } from "../commands/kernel-options.ts";
import { CommandError } from "../failure.ts";
import { hostBytesFor } from "../host-size.ts";
import { checkInitrd } from "./initrd-file.ts";
import { readInput } from "./input-file.ts";
import { damaged, kernelFormat, requireIntact } from "./kernel-file.ts";
import { named, readModules, type ModuleFile } from "./module-file.ts";

/** What a kernel is made of; not every command has modules. */
interface FileOptions extends Omit<KernelOptions, "strategy"> {
  readonly module?: readonly ModuleFile[];
}

/** @throws {CommandError} A file is missing, damaged, or none of what it is said to be. */
export async function kernelGuest(
  strategy: Strategy,
  options: FileOptions,
  hardware: Hardware = {},
): Promise<KernelGuest> {
  const file = await readInput(options.kernel);
  const format = options.format === "auto" ? formatFor(strategy, options, file) : options.format;
  const isElf = format === "pvh" || format === "xen-pv";
  const image = isElf ? await elfOf(options.kernel, file) : file;
  const guest = {
    kind: "kernel",
    image,
    format,
    commandLine: named(options.kernel, options.append, format),
    memoryBytes: options.memory,
    modules: await readModules(options.module ?? [], format),
  } as const;
  if (options.initrd === undefined) return onWholePc(strategy, guest, hardware);
  const initrd = await readInput(options.initrd);
  checkInitrd(options.initrd, initrd);
  return onWholePc(strategy, { ...guest, initrd }, hardware);
}

/** As the file says; a strategy that runs paravirtual kernels alone gets the paravirtual entry of a kernel that has both. */
function formatFor(strategy: Strategy, options: FileOptions, image: Uint8Array): KernelFormat {
  const format = kernelFormat(options.kernel, image);
  const guest = { kind: "kernel", image, commandLine: "", memoryBytes: options.memory } as const;
  const isRefused = !strategy.accepts({ ...guest, format }).accepted;
  const isParavirtual = strategy.accepts({ ...guest, format: "xen-pv" }).accepted;
  return isRefused && isParavirtual ? "xen-pv" : format;
}

/** The kernel itself, where a bzImage has it packed. */
async function elfOf(path: string, file: Uint8Array): Promise<Uint8Array> {
  if (!isBzImage(file)) return file;
  // Not every packing has a check of its own.
  requireIntact(path, file);
  try {
    return await unpackKernel(file);
  } catch (cause) {
    throw damaged(path, cause);
  }
}

/** The same with all that a PC has, where the strategy brings it. What was asked for is not left out. */
function onWholePc(strategy: Strategy, guest: KernelGuest, hardware: Hardware): KernelGuest {
  const whole = { ...guest, hardware };
  const isWanted = Object.values(hardware).some((part) => !Array.isArray(part) || part.length > 0);
  return isWanted || strategy.accepts(whole).accepted ? whole : guest;
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
  const { memoryBytes } = guest;
  if (
    memoryBytes % pageBytes !== 0 ||
    memoryBytes < minimumMemoryBytes ||
    memoryBytes > maximumMemoryBytes
  ) {
    const mebibytes = (bytes: number): string => `${bytes / 2 ** 20}M`;
    throw new CommandError(
      `--memory is ${memoryBytes} bytes. Give a multiple of ${pageBytes} from ${mebibytes(minimumMemoryBytes)} to ${mebibytes(maximumMemoryBytes)}, such as 512M.`,
    );
  }
  const acceptance = strategy.accepts(guest);
  if (!acceptance.accepted)
    throw new CommandError(`${strategy.id} does not run this kernel: ${acceptance.reason}`);
  try {
    const host = Host.create({ memoryBytes: hostBytesFor(guest) });
    const processor = options.cpu === undefined ? {} : { processor: options.cpu };
    return { machine: strategy.create(host, guest, { ...createOptions, ...processor }), host };
  } catch (error) {
    throw inWordsOfCommand(error, strategy, options);
  }
}

/** Loaders know what kind of file they read, and the command its name. */
function inWordsOfCommand(error: unknown, strategy: Strategy, options: FileOptions): unknown {
  if (!(error instanceof StrategyError)) return error;
  if (error.code === "out-of-memory") {
    return new CommandError(
      `--memory ${options.memory / 2 ** 20}M is more than can be had, with what ${strategy.id} needs beside it. Give less.`,
      undefined,
      { cause: error },
    );
  }
  if (!(error.cause instanceof ImageError)) return error;
  const { file, expected, message } = error.cause;
  const path = file === "initrd" ? (options.initrd ?? file) : options.kernel;
  const hint = expected.endsWith(" bytes of memory") ? " Give more --memory." : "";
  return new CommandError(`${path} cannot be booted. ${message}${hint}`, undefined, {
    cause: error,
  });
}
