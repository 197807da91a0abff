import { crc32 } from "node:zlib";
import { kernelImage, kernelXenImage, userProgram } from "@ringside/guest";
import { describe, expect, test } from "vitest";
import { kernelFormat } from "./kernel-file.ts";

const EXECUTABLE = 2;
const SHARED = 3;

/** An ELF header that says for which machine it is. */
function elf(machine: number, type: number = EXECUTABLE): Uint8Array {
  const image = new Uint8Array(64);
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(image.buffer).setUint16(16, type, true);
  new DataView(image.buffer).setUint16(18, machine, true);
  return image;
}

/** A boot sector, one sector of setup, and 1 KiB of kernel with the right checksum at its end. */
function bzImage({ xloadflags = 0, loadflags = 1 }): Uint8Array {
  const image = new Uint8Array(2048);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, 64, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint16(0x200, 0x6aeb, true);
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, loadflags);
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(image.length - 4, ~crc32(image.subarray(0, -4)) >>> 0, true);
  return image;
}

describe("a kernel's file", () => {
  test("is entered by PVH when it has the note", () => {
    expect(kernelFormat("kernel.elf", kernelImage())).toBe("pvh");
  });

  test("is entered as Xen does when it has notes for that alone", () => {
    expect(kernelFormat("kernel-xen.elf", kernelXenImage())).toBe("xen-pv");
  });

  test.each([
    ["static", elf(62, EXECUTABLE)],
    ["dynamic", elf(62, SHARED)],
    ["compiled", userProgram("init")],
  ])("is no %s program", (name, image) => {
    expect(() => kernelFormat(name, image)).toThrow(
      `${name} is no kernel: it is an ELF of 64 bits with neither a PVH note nor a Multiboot header, as programs are. Name the kernel's file, or say --format elf64 to enter this one at e_entry.`,
    );
  });

  test("is entered by Multiboot when it has a header with the right sum", () => {
    const image = new Uint8Array(64);
    const view = new DataView(image.buffer);
    view.setUint32(16, 0x1bad_b002, true);
    view.setUint32(20, 3, true);
    view.setUint32(24, 0x1_0000_0000 - 0x1bad_b002 - 3, true);
    expect(kernelFormat("image", image)).toBe("multiboot");
    view.setUint32(24, 0, true);
    expect(() => kernelFormat("image", image)).toThrow("image is no kernel");
  });

  test.each([
    [183, "AArch64"],
    [243, "RISC-V"],
    [21, "PowerPC 64"],
  ])("of ELF machine %d is refused by the name of its architecture", (machine, name) => {
    expect(() => kernelFormat("vmlinux", elf(machine))).toThrow(
      `vmlinux is a kernel for ${name}, and the machine is an x86-64.`,
    );
  });

  test.each([
    [0x38, 0x644d_5241, "AArch64"],
    [0x38, 0x0543_5352, "RISC-V"],
    [0x24, 0x016f_2818, "ARM"],
  ])("is known at offset %d by its own header, too", (offset, magic, name) => {
    const image = new Uint8Array(64);
    new DataView(image.buffer).setUint32(offset, magic, true);
    expect(() => kernelFormat("Image", image)).toThrow(`a kernel for ${name},`);
  });

  test.each([
    [[0x1f, 0x8b, 8, 0], "gzip"],
    [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz"],
    [[0x28, 0xb5, 0x2f, 0xfd], "zstd"],
  ])("that begins %j is to be unpacked first", (bytes, name) => {
    expect(() => kernelFormat("Image.gz", Uint8Array.from(bytes))).toThrow(
      `Image.gz is no kernel: it is something packed with ${name}. Unpack it`,
    );
  });

  test("is entered by the boot protocol's entry of 64 bits, or of 32 where it has no other", () => {
    expect(kernelFormat("vmlinuz", bzImage({ xloadflags: 1 }))).toBe("bzimage");
    expect(kernelFormat("vmlinuz-686", bzImage({ xloadflags: 0 }))).toBe("bzimage32");
  });

  test("in a bzImage is refused when the checksum is wrong, or a field", () => {
    const damaged = bzImage({ xloadflags: 1 });
    damaged[1500] = 1;
    expect(() => kernelFormat("vmlinuz", damaged)).toThrow("vmlinuz is damaged: the checksum");
    expect(() => kernelFormat("vmlinuz", bzImage({ xloadflags: 1, loadflags: 0 }))).toThrow(
      "vmlinuz is damaged. bzImage: at offset 0x211 expected a kernel that is loaded at 1 MiB",
    );
  });

  test("says where an ELF is cut short", () => {
    expect(() => kernelFormat("vmlinux", kernelImage().subarray(0, 100))).toThrow(
      /^vmlinux is damaged\. ELF: at offset 0x[0-9a-f]+ expected .+, found .+\.$/u,
    );
  });

  test("says what it found in a text, and that nothing is in an empty file", () => {
    expect(() => kernelFormat("notes.txt", new TextEncoder().encode("hello, world"))).toThrow(
      "found 68 65 6c 6c at its beginning",
    );
    expect(() => kernelFormat("empty", new Uint8Array())).toThrow("empty is empty");
  });
});
