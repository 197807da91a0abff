/** A kernel's file: what it is, and why it is none. */
import { isBzImage, isElf, kernelFormatOf, parseElf, ImageError } from "@ringside/machine";
import type { KernelFormat } from "@ringside/strategy";
import { CommandError } from "../failure.ts";
import { isBzImageIntact } from "./bzimage-checksum.ts";

/** `e_machine` values of kernels that people have (System V ABI, "ELF Header", and its register of machines). */
const otherArchitectures: Readonly<Record<number, string>> = {
  2: "SPARC",
  8: "MIPS",
  20: "PowerPC",
  21: "PowerPC 64",
  22: "S/390",
  40: "ARM",
  43: "SPARC 64",
  50: "IA-64",
  183: "AArch64",
  243: "RISC-V",
  258: "LoongArch",
};

const pvhNote = 18;
const multibootMagic = 0x1bad_b002;
/** The header lies in the first 8192 bytes (Multiboot Specification 0.6.96, section 3.1, "OS image format"). */
const multibootSearchBytes = 8192;
/**
 * Magic numbers of kernels that are no ELF, 32 bits, little-endian. Linux, Documentation/arm64/booting.rst ("ARM\x64"),
 * Documentation/riscv/boot-image-header.rst ("RSC\x05"), arch/arm/boot/compressed/head.S (zImage).
 */
const otherImages: readonly { offset: number; magic: number; architecture: string }[] = [
  { offset: 0x38, magic: 0x644d_5241, architecture: "AArch64" },
  { offset: 0x38, magic: 0x0543_5352, architecture: "RISC-V" },
  { offset: 0x24, magic: 0x016f_2818, architecture: "ARM" },
];

/** What people unpack before they boot it. */
const packings: readonly { name: string; magic: readonly number[] }[] = [
  { name: "gzip", magic: [0x1f, 0x8b] },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68] },
];

/**
 * How a kernel is entered, by what its file says.
 *
 * @param path For messages alone.
 * @throws {CommandError} The file is no kernel for this machine.
 */
export function kernelFormat(path: string, image: Uint8Array): KernelFormat {
  if (image.length === 0) throw new CommandError(`${path} is empty. Give a kernel.`);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (isElf(image)) return elfFormat(path, image, view);
  if (isBzImage(image)) {
    requireIntact(path, image);
    return bzImageFormat(path, image);
  }
  if (hasMultibootHeader(view)) return "multiboot";
  const other = otherImages.find(
    ({ offset, magic }) => view.byteLength >= offset + 4 && view.getUint32(offset, true) === magic,
  );
  if (other !== undefined) throw foreign(path, other.architecture);
  const packing = packings.find(({ magic }) => magic.every((byte, at) => image[at] === byte));
  if (packing !== undefined) {
    throw new CommandError(
      `${path} is no kernel: it is something packed with ${packing.name}. Unpack it, and name what comes out.`,
    );
  }
  throw new CommandError(
    `${path} is no kernel: expected a bzImage, an ELF (7f 45 4c 46) or a Multiboot header, found ${hex(image.subarray(0, 4))} at its beginning. Name the kernel's file, or say --format flat for bare code.`,
  );
}

/** @throws {CommandError} The file has a checksum, and it is wrong. */
export function requireIntact(path: string, bzImage: Uint8Array): void {
  if (isBzImageIntact(bzImage) !== false) return;
  throw new CommandError(
    `${path} is damaged: the checksum at its end does not fit its contents. Copy or download it again; with --format bzimage it is booted all the same.`,
  );
}

function bzImageFormat(path: string, image: Uint8Array): KernelFormat {
  try {
    return kernelFormatOf(image) ?? "bzimage";
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function elfFormat(path: string, image: Uint8Array, view: DataView): KernelFormat {
  const machine = view.byteLength >= 20 ? view.getUint16(18, true) : 0;
  const other = otherArchitectures[machine];
  if (other !== undefined) throw foreign(path, other);
  try {
    const { bits, notes } = parseElf(image);
    const xenNotes = notes.filter(({ name }) => name === "Xen");
    if (xenNotes.some(({ type }) => type === pvhNote)) return "pvh";
    if (hasMultibootHeader(view)) return "multiboot";
    if (bits === 64 && xenNotes.length > 0) return "xen-pv";
    // Programs of user mode look the same as kernels without a note: entering one only breaks the machine.
    const hint = bits === 64 ? ", or say --format elf64 to enter this one at e_entry" : "";
    throw new CommandError(
      `${path} is no kernel: it is an ELF of ${bits} bits with neither a PVH note nor a Multiboot header, as programs are. Name the kernel's file${hint}.`,
    );
  } catch (cause) {
    throw damaged(path, cause);
  }
}

/** The same error, with the file's name where it is the file's fault. */
export function damaged(path: string, cause: unknown): unknown {
  if (!(cause instanceof ImageError)) return cause;
  return new CommandError(`${path} is damaged. ${cause.message}`, undefined, { cause });
}

function foreign(path: string, architecture: string): CommandError {
  return new CommandError(
    `${path} is a kernel for ${architecture}, and the machine is an x86-64. Get the kernel for amd64.`,
  );
}

function hasMultibootHeader(view: DataView): boolean {
  const end = Math.min(view.byteLength, multibootSearchBytes) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== multibootMagic) continue;
    const sum = multibootMagic + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 2 ** 32 === 0) return true;
  }
  return false;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
