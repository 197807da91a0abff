/** `--module`: a file that a kernel is handed beside its initrd, with a string of its own. */
import { basename } from "node:path";
import { InvalidArgumentError } from "commander";
import { takesModules, type BootModule } from "@ringside/machine";
import type { KernelFormat } from "@ringside/strategy";
import { CommandError } from "../failure.ts";
import { readInput } from "./input-file.ts";

export interface ModuleFile {
  readonly path: string;
  /** What stands behind the path; may be empty. */
  readonly words: string;
}

/** `FILE` or `FILE WORDS`, parted at the first space. @throws {InvalidArgumentError} Nothing before it. */
export function parseModule(text: string): ModuleFile {
  const [, path = "", words = ""] = /^(\S*) *(.*)$/su.exec(text) ?? [];
  if (path === "") throw new InvalidArgumentError("Give a file, and its words behind a space.");
  return { path, words };
}

/** @throws {CommandError} A file cannot be read, or kernels of the format take none. */
export async function readModules(
  files: readonly ModuleFile[],
  format: KernelFormat,
): Promise<readonly BootModule[]> {
  if (files.length > 0 && !takesModules(format)) {
    throw new CommandError(
      `A kernel that is entered as ${format} takes no --module. Give it an --initrd, or another --format.`,
    );
  }
  return Promise.all(
    files.map(async ({ path, words }) => ({
      bytes: await readInput(path),
      commandLine: named(path, words, format),
    })),
  );
}

/**
 * A string as boot loaders hand it over: those that speak Multiboot put the file's name first, and kernels leave out
 * the first word.
 */
export function named(path: string, words: string, format: KernelFormat): string {
  return format === "multiboot" ? `${basename(path)} ${words}`.trimEnd() : words;
}
