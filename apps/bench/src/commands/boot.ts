/** `ringside boot`: a kernel on a machine of its own, with the terminal as its serial console. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { parseDebugPort, type DebugPort } from "../boot/debug-port.ts";
import { parseModule, type ModuleFile } from "../boot/module-file.ts";
import {
  parseHostPath,
  parseSeed,
  type HardwareOptions,
  type HostPath,
} from "../boot/plugged-in.ts";
import { epochOption, type EpochOptions } from "./epoch-option.ts";
import { addKernelOptions, type KernelOptions } from "./kernel-options.ts";

export interface BootOptions extends KernelOptions, HardwareOptions, EpochOptions {
  readonly module: readonly ModuleFile[];
  readonly until?: string;
  readonly timeout?: number;
  readonly stats?: boolean;
  readonly gdb?: DebugPort;
}

export function addBoot(program: Command): void {
  addKernelOptions(
    program
      .command("boot")
      .description(
        "Boots a kernel on a machine of its own; the terminal is its serial console (Ctrl-A x leaves).",
      ),
  )
    .addOption(
      new Option(
        "--module <file[ words]>",
        "a file that the kernel is handed with words of its own (Multiboot, PVH); may be repeated",
      )
        .argParser(collectModules)
        .default([], "none"),
    )
    .addOption(
      new Option(
        "--disk <file[,writable]>",
        "a raw image as a disk (/dev/vda and on); changes are forgotten unless writable; may be repeated",
      )
        .argParser(collectPaths)
        .default([], "none"),
    )
    .addOption(
      new Option(
        "--share <folder[,writable]>",
        "a folder that the guest can mount (virtiofs, by the names share, share1 and on), for reading unless writable; may be repeated",
      )
        .argParser(collectPaths)
        .default([], "none"),
    )
    .addOption(
      new Option("--net <kind>", "user: a network card, with this machine's network behind it")
        .choices(["user", "none"])
        .default("none"),
    )
    .option(
      "--entropy <seed>",
      "a virtio source of entropy, whose bytes follow from the seed: not for secrets",
      parseSeed,
    )
    .addOption(epochOption())
    .option("--strategy <id>", "how to run it: see `ringside strategies`", "bare")
    .option("--until <text>", "end with 0 when the guest has written this", parseText)
    .option("--timeout <seconds>", "end with 124 after so much time", parseSeconds)
    .option("--stats", "say at the end how much was done, and how fast")
    .option(
      "--gdb <[addr:]port>",
      "wait for gdb at this port, on this machine unless an address is given",
      parseDebugPort,
    )
    .addHelpText(
      "after",
      `
On a terminal each key goes to the guest, Ctrl-C too. Ctrl-A x leaves, Ctrl-A h helps. A guest that sleeps then keeps
in step with the wall clock; from a pipe its sleeping takes no time.
Exit status: 0 when the guest powered off or halted for good, when the text of --until came, after Ctrl-A x, and when
gdb killed it;
1 when the guest ended before that text; the value that the guest wrote to the exit port 0xf4, modulo 256;
124 after --timeout; 125 when ringside itself fails; 128 + n after signal n, as 130 after Ctrl-C; 134 when the guest
broke its machine.

Example:
  $ ringside guest fetch guests
  $ ringside boot --kernel guests/vmlinuz-cloud-amd64 --initrd guests/initrd-cloud-amd64 --append "console=ttyS0 quiet"`,
    )
    .action(async (options: BootOptions) => {
      const { boot } = await import("../actions/boot.ts");
      await boot(options);
    });
}

function collectPaths(text: string, before: readonly HostPath[]): readonly HostPath[] {
  return [...before, parseHostPath(text)];
}

function collectModules(text: string, before: readonly ModuleFile[]): readonly ModuleFile[] {
  return [...before, parseModule(text)];
}

function parseText(text: string): string {
  if (text === "") throw new InvalidArgumentError("Give the text to wait for.");
  return text;
}

/** Timers of the host hold at most 2^31 - 1 ms. */
const secondsMaximum = 2_147_483;

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= secondsMaximum) || text.trim() === "")
    throw new InvalidArgumentError(`Give seconds, more than 0 and at most ${secondsMaximum}.`);
  return seconds;
}
