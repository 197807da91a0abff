/** Options that all commands with a kernel share. */
import { InvalidArgumentError, Option, type Command } from "commander";
import { defaultProfile, processorProfiles, type ProcessorProfile } from "@ringside/isa";
import { parseSize } from "../sizes.ts";

const MEMORY_DEFAULT = "512M";

/** How a kernel can be entered; `auto` asks its file. */
export const kernelFormats = [
  "auto",
  "bzimage",
  "bzimage32",
  "pvh",
  "multiboot",
  "elf64",
  "flat",
  "xen-pv",
] as const;

export interface KernelOptions {
  readonly kernel: string;
  readonly initrd?: string;
  readonly append: string;
  readonly format: (typeof kernelFormats)[number];
  readonly memory: number;
  readonly strategy: string;
  readonly cpu?: ProcessorProfile;
}

function parseProfile(id: string): ProcessorProfile {
  const profile = processorProfiles.get(id);
  if (profile !== undefined) return profile;
  throw new InvalidArgumentError(`Give one of ${[...processorProfiles.keys()].join(", ")}.`);
}

export function addKernelOptions(command: Command): Command {
  return command
    .requiredOption(
      "--kernel <file>",
      "the kernel: a bzImage, an ELF with a PVH note, or Multiboot",
    )
    .option("--initrd <file>", "its initial RAM disk: a cpio archive, or what the kernel unpacks")
    .option("--append <text>", "its command line", "console=ttyS0")
    .addOption(
      new Option("--format <format>", "how the kernel is entered")
        .choices(kernelFormats)
        .default("auto", "as its file says"),
    )
    .addOption(
      new Option("--memory <size>", "memory of the guest")
        .argParser(parseSize)
        .default(parseSize(MEMORY_DEFAULT), MEMORY_DEFAULT),
    )
    .option(
      "--cpu <profile>",
      `what the processor says it is: ${[...processorProfiles.keys()].join(", ")} (default: ${defaultProfile.id})`,
      parseProfile,
    );
}
