/**
 * The prebuilt guests. Each call gives a new copy, which the caller may change.
 */
import { disk } from "./images/disk.ts";
import { kernelXen } from "./images/kernel-xen.ts";
import { kernel } from "./images/kernel.ts";
import { nanoXen } from "./images/nano-xen.ts";
import { nano } from "./images/nano.ts";
import { programs } from "./images/programs.ts";
import { selftestXen } from "./images/selftest-xen.ts";
import { selftest } from "./images/selftest.ts";
import { unpackImage } from "./packed-image.ts";

const packedPrograms: ReadonlyMap<string, string> = new Map(programs);

/** The guest kernel: ELF64, with a 64-bit and a PVH entry. */
export function kernelImage(): Uint8Array<ArrayBuffer> {
  return unpackImage(kernel);
}

/**
 * The same kernel built for Xen's paravirtual interface: ELF64 with Xen's notes, entered by a domain builder at CPL 3.
 *
 * Command line: as for {@link kernelImage}, and `nobatch`: each write to a page table is a hypercall of its own.
 */
export function kernelXenImage(): Uint8Array<ArrayBuffer> {
  return unpackImage(kernelXen);
}

/**
 * The kernel of the nanobenchmarks: ELF64, with a 64-bit and a PVH entry.
 *
 * Command line: `bench=NAME n=N`. It prints `checksum <16 hex digits>` on the debug console.
 */
export function nanoImage(): Uint8Array<ArrayBuffer> {
  return unpackImage(nano);
}

/**
 * The same built for Xen's paravirtual interface. It measures {@link nanoXenBenchmarks}, and prints the same checksums.
 */
export function nanoXenImage(): Uint8Array<ArrayBuffer> {
  return unpackImage(nanoXen);
}

/**
 * A kernel that tests the processor under it: ELF64, with a 64-bit and a PVH entry.
 *
 * It prints `ok NAME` or `bad NAME got .. want ..` for each check on the debug console, and ends the machine with the
 * number of bad ones. Command line: `only=GROUP` or `skip=GROUP`, one of {@link selftestGroups}.
 */
export function selftestImage(): Uint8Array<ArrayBuffer> {
  return unpackImage(selftest);
}

/**
 * The same for Xen's paravirtual interface: ELF64 with Xen's notes. It tests what Xen's public headers promise a kernel.
 *
 * Lines go to the log (console_io), the number of bad ones is the code it shuts down with. Command line: as for
 * {@link selftestImage}, with {@link selftestXenGroups}.
 */
export function selftestXenImage(): Uint8Array<ArrayBuffer> {
  return unpackImage(selftestXen);
}

/**
 * A boot sector of 512 bytes that enters a kernel as PVH says, for machines that start from disks alone.
 *
 * What the rest of the disk has to hold is described in boot/disk.S.
 */
export function diskBootSector(): Uint8Array<ArrayBuffer> {
  return unpackImage(disk);
}

/** What {@link nanoImage} measures. */
export const nanoBenchmarks: readonly string[] = [
  "syscall",
  "in",
  "cr8wr",
  "call-ret",
  "pgfault",
  "divzero",
  "ptemod",
];

/**
 * What {@link nanoXenImage} measures. It has neither ports nor a task priority, and says so; `ptemod-batched` changes
 * 1024 entries by one hypercall.
 */
export const nanoXenBenchmarks: readonly string[] = [
  "syscall",
  "call-ret",
  "pgfault",
  "divzero",
  "ptemod",
  "ptemod-batched",
];

/** What {@link selftestImage} tests, in order. */
export const selftestGroups: readonly string[] = [
  "exceptions",
  "contributory",
  "paging",
  "tlb",
  "flags",
  "stepping",
  "breakpoints",
  "sensitive",
  "descriptors",
  "code",
  "interrupts",
  "nmi",
  "strings",
  "user",
  "registers",
  "timer",
  "refusals",
];

/** What {@link selftestXenImage} tests, in order. */
export const selftestXenGroups: readonly string[] = [
  "exceptions",
  "user",
  "paging",
  "refusals",
  "descriptors",
  "events",
  "timer",
  "code",
];

/** Names for {@link userProgram}: `init`, `bin/bench`, `tests/…` and `hostile/…`, in order. */
export const programNames: readonly string[] = [...packedPrograms.keys()];

/**
 * A program of the guest: a static Linux x86-64 ELF file.
 *
 * @throws {RangeError} when there is no program of that name.
 */
export function userProgram(name: string): Uint8Array<ArrayBuffer> {
  const packed = packedPrograms.get(name);
  if (packed === undefined) {
    throw new RangeError(
      `[ringside/guest] No program is named ${JSON.stringify(name)}. There are: ${programNames.join(", ")}.`,
    );
  }
  return unpackImage(packed);
}
