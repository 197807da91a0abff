/**
 * The emulators that kernels run in beside our processor: how each is started, and what it printed.
 *
 * Nothing here starts a program: a test writes the files into a folder, and gives back what came out.
 */
import type { Kernel, KernelCase } from "./rom.ts";

/** What a kernel prints instead where an emulator differs, and why. */
export interface Difference {
  readonly prints: string;
  readonly why: string;
}

/** One run: all paths are in the folder that it is for. */
export interface EmulatorRun {
  /** Texts by file name; the ROM is `rom`. */
  readonly files: Readonly<Record<string, string>>;
  readonly arguments: readonly string[];
  /** For its standard input. */
  readonly input: string;
}

export interface Emulator {
  readonly name: "QEMU" | "Bochs";
  readonly command: string;
  /** Arguments with which it says something and ends. */
  readonly probe: readonly string[];
  readonly prepare: (kernel: Kernel, folder: string) => EmulatorRun;
  /** The kernel's lines; `shutdown` last where it ended by a triple fault. `status` is the command's. */
  readonly linesOf: (output: string, status: number | null) => readonly string[];
  readonly differenceOf: (each: KernelCase) => Difference | undefined;
  /** Why it cannot run the kernel at all, where that is so. */
  readonly lacks: (kernel: Kernel) => string | undefined;
}

/** The line of a kernel that ends by a triple fault. */
export const SHUTDOWN = "shutdown";

/** What the exit device makes of the 0 that a kernel writes to it. */
const QEMU_FINISHED = 1;

const qemu: Emulator = {
  name: "QEMU",
  command: "qemu-system-x86_64",
  probe: ["--version"],
  prepare: (kernel, folder) => ({
    files: {},
    arguments: [
      ...["-accel", "tcg", "-cpu", kernel.processors?.qemu ?? "max", "-m", "32"],
      ...["-display", "none", "-nodefaults", "-serial", "null", "-no-reboot"],
      ...["-bios", `${folder}/rom`, "-debugcon", "stdio"],
      ...["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
    ],
    input: "",
  }),
  linesOf(output, status) {
    const lines = linesIn(output);
    if (status === QEMU_FINISHED) return lines;
    return [...lines, status === 0 ? SHUTDOWN : `ended with status ${status}`];
  },
  differenceOf: ({ qemu: difference }) => difference,
  lacks: ({ lacking }) => lacking?.qemu,
};

/** Bochs waits for commands of its debugger: continue, and at the end quit. */
const BOCHS_COMMANDS = "c\nq\n";
/** What stands before the kernel's first character: the prompt, and the command as it was read. */
const BOCHS_PROMPT = "<bochs:1> c\n";
/** It names the instruction at which it ended: after a kernel's own end, the one that asked for it. */
const BOCHS_END = "(0).";
const BOCHS_FINISHED = "out dx, al";

const bochs: Emulator = {
  name: "Bochs",
  command: "bochs",
  probe: ["--help"],
  prepare: (kernel, folder) => ({
    files: {
      bochsrc: `
        config_interface: textconfig
        display_library: rfb, options="timeout=0"
        romimage: file=${folder}/rom
        megs: 32
        cpu: model=${kernel.processors?.bochs ?? "corei7_skylake_x"}, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=0
        com1: enabled=1, mode=null
        port_e9_hack: enabled=1
        log: ${folder}/log
        panic: action=fatal
      `
        .trim()
        .replaceAll(/^ +/gmu, ""),
    },
    arguments: ["-q", "-f", `${folder}/bochsrc`],
    input: BOCHS_COMMANDS,
  }),
  linesOf(output) {
    const lines = linesIn(output.slice(output.indexOf(BOCHS_PROMPT) + BOCHS_PROMPT.length));
    const end = lines.findIndex((line) => line.startsWith(BOCHS_END));
    if (end < 0) return [...lines, "did not end"];
    const own = lines.slice(0, end);
    return lines[end]?.includes(BOCHS_FINISHED) === true ? own : [...own, SHUTDOWN];
  },
  differenceOf: ({ bochs: difference }) => difference,
  lacks: ({ lacking }) => lacking?.bochs,
};

export const emulators: readonly Emulator[] = [qemu, bochs];

function linesIn(output: string): readonly string[] {
  return output === "" ? [] : output.trimEnd().split("\n");
}
