/** Files that are not what they say they are. */
import { initrd, kernelImage, userProgram } from "@ringside/guest";
import type { KernelGuest } from "@ringside/strategy";
import type { ConformanceCase } from "../conformance-case.ts";
import { execute, outcome } from "../execution.ts";
import { expectTrue } from "../expect.ts";
import { exits, programGuest } from "../tiny-program.ts";

/** What shells report for a file that cannot be executed. */
const cannotExecute = 126;

/** The guest kernel with this initrd. */
function kernelWith(archive: Uint8Array): KernelGuest {
  return {
    kind: "kernel",
    format: "elf64",
    image: kernelImage(),
    commandLine: "",
    initrd: archive,
    memoryBytes: 32 * 1024 * 1024,
  };
}

/** A program that the kernel must refuse, or end at once by a signal: both are right, a hang or a crash is not. */
function isRefused(bytes: Uint8Array, what: string): ConformanceCase {
  return {
    name: `refuses to execute ${what}`,
    requires: "programs",
    run(subject) {
      const execution = execute(subject, programGuest(bytes), { limitUnits: 2_000_000_000 });
      const { exit } = execution;
      expectTrue(
        exit.reason === "exited" &&
          (exit.status.kind === "signal" || exit.status.code === cannotExecute),
        `refused with 126 or ended by a signal: ${outcome(execution)}`,
      );
    },
  };
}

/** An archive in which the hexadecimal field at `offset` of the first header says something else. */
function lyingArchive(offset: number, digits: string): Uint8Array {
  const archive = initrd([{ path: "/init", mode: 0o755, data: userProgram("init") }]);
  archive.set(new TextEncoder().encode(digits), offset);
  return archive;
}

const fileSizeField = 54;
const nameSizeField = 94;

/** Patches `bytes` of a valid program. */
function patched(offset: number, ...bytes: number[]): Uint8Array {
  const file = exits(0).slice();
  file.set(bytes, offset);
  return file;
}

const all = Array.from({ length: 8 }, () => 0xff);

export const hostileCases: readonly ConformanceCase[] = [
  isRefused(
    Uint8Array.from({ length: 4096 }, (_, at) => (at * 89 + 13) & 0xff),
    "garbage",
  ),
  isRefused(new Uint8Array(), "an empty file"),
  isRefused(exits(0).subarray(0, 63), "an ELF file without all of its header"),
  isRefused(exits(0).subarray(0, 64), "an ELF file without its program headers"),
  isRefused(patched(18, 3, 0), "an ELF file for another processor"),
  isRefused(patched(32, ...all), "an ELF file whose program headers are beyond all files"),
  isRefused(patched(56, 0xff, 0xff), "an ELF file with 65535 program headers"),
  isRefused(patched(24, ...all), "an ELF file that is entered at the end of the address space"),
  isRefused(patched(80, ...all), "an ELF file that is loaded at the end of the address space"),
  isRefused(patched(104, ...all), "an ELF file that needs all memory there is"),
  isRefused(patched(96, ...all), "an ELF file with more contents than bytes"),
  ...[
    ["claims more contents than it has", lyingArchive(fileSizeField, "7fffffff")],
    ["claims the largest size there is", lyingArchive(fileSizeField, "ffffffff")],
    ["claims a name longer than itself", lyingArchive(nameSizeField, "ffffffff")],
    ["has no digits in its sizes", lyingArchive(fileSizeField, "zzzzzzzz")],
    ["ends in its first header", lyingArchive(0, "070701").subarray(0, 50)],
    ["holds no init", initrd([{ path: "/other", data: new Uint8Array(10) }])],
    ["is garbage", Uint8Array.from({ length: 1000 }, (_, at) => (at * 31) & 0xff)],
  ].map(([what, archive]): ConformanceCase => ({
    name: `survives an initrd that ${String(what)}`,
    requires: "kernels",
    run(subject) {
      if (!(archive instanceof Uint8Array)) throw new Error("the case has no archive");
      const execution = execute(subject, kernelWith(archive), { limitUnits: 1_000_000_000 });
      // The guest kernel says why it gives up, and powers off with 1.
      expectTrue(
        execution.exit.reason === "halted" &&
          execution.exit.value === 1 &&
          execution.log.length > 0,
        `the kernel panics with a message: ${outcome(execution)}`,
      );
    },
  })),
];
