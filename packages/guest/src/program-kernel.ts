/** A program as something to boot: a guest kernel, with the program in its initrd. */
import { kernelImage } from "./images.ts";
import { programInitrd } from "./program-initrd.ts";

/** The program, its environment and its files, by absolute path. */
export interface KernelProgram {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string;
  readonly files: ReadonlyMap<string, { readonly bytes: Uint8Array; readonly mode: number }>;
}

export interface ProgramKernel {
  readonly image: Uint8Array;
  readonly format: "elf64";
  readonly commandLine: string;
  readonly initrd: Uint8Array;
}

/**
 * @param image The build of the guest kernel to boot; the native one without it.
 * @throws {RangeError} As {@link programInitrd}.
 */
export function programKernel(
  program: KernelProgram,
  image: Uint8Array = kernelImage(),
): ProgramKernel {
  const { argv, env, cwd, files } = program;
  const entries = [...files].map(([path, { bytes, mode }]) => ({ path, mode, data: bytes }));
  const initrd = programInitrd({
    argv,
    env,
    files: entries,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { image, format: "elf64", commandLine: "", initrd };
}
