/** What a virtual machine is asked to run: one program, or a whole kernel. */
import type { BootModule, Hardware, KernelFormat } from "@ringside/machine";

/** One regular file that the guest sees. */
export interface GuestFile {
  readonly bytes: Uint8Array;
  /** Permission bits, as chmod(2) takes them: 0 to 0o7777. */
  readonly mode: number;
}

/**
 * A static Linux program for the architecture of the processor.
 *
 * A strategy that needs a guest kernel brings one; a strategy that shares its own kernel uses that.
 * Besides {@link files} the program sees `/tmp`, `/dev` and `/proc/self`.
 */
export interface ProgramGuest {
  readonly kind: "program";
  /** At least one string; the first is the absolute path of the program in {@link files}. */
  readonly argv: readonly string[];
  /** Strings of the form `NAME=value`. */
  readonly env: readonly string[];
  /** Absolute path; `/` when absent. */
  readonly cwd?: string;
  /** Absolute path to file. Directories in between exist with mode 0755. */
  readonly files: ReadonlyMap<string, GuestFile>;
  /** Memory of the machine or, where the kernel is shared, the limit of the program and its children. */
  readonly memoryBytes: number;
}

/** A kernel that gets a machine of its own. */
export interface KernelGuest {
  readonly kind: "kernel";
  readonly image: Uint8Array;
  readonly format: KernelFormat;
  /** ASCII, without a terminator. */
  readonly commandLine: string;
  readonly initrd?: Uint8Array;
  /** Files beside the initrd, each with a string, for kernels whose format takes them: `multiboot`, `pvh`, `elf64`, `flat`. */
  readonly modules?: readonly BootModule[];
  readonly memoryBytes: number;
  /** The whole PC with what is plugged in; the small board of the benchmarks without it. */
  readonly hardware?: Hardware;
}

export type Guest = ProgramGuest | KernelGuest;
