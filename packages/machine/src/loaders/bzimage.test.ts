/** Linux, Documentation/arch/x86/boot.rst, with a bzImage of two paragraphs made here. */
import { describe, expect, test } from "vitest";
import { isBzImage } from "./bzimage.ts";
import { ImageError } from "./image-error.ts";
import { loadKernel, type KernelEntry, type KernelFormat } from "./kernel.ts";

const memoryBytes = 32 << 20;
const preferred = 0x100_0000;

class Memory {
  readonly bytes = new Uint8Array(memoryBytes);
  readonly view = new DataView(this.bytes.buffer);

  write(physical: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, physical);
  }

  fill(physical: number, value: number, lengthBytes: number): void {
    this.bytes.fill(value, physical, physical + lengthBytes);
  }
}

type Field = readonly [offset: number, bytes: 1 | 2 | 4 | 8, value: number];

/** One setup sector, then 32 bytes of code: 1, 2, 3... */
function bzImage(...changes: readonly Field[]): Uint8Array {
  const image = new Uint8Array(1024 + 32);
  const view = new DataView(image.buffer);
  const fields: readonly Field[] = [
    [0x1f1, 1, 1], // setup_sects
    [0x1f4, 4, 2], // syssize
    [0x1fe, 2, 0xaa55],
    [0x200, 2, 0x6aeb], // a jump over the header
    [0x202, 4, 0x5372_6448],
    [0x206, 2, 0x20f],
    [0x211, 1, 1], // loadflags
    [0x22c, 4, 0x7fff_ffff], // initrd_addr_max
    [0x236, 2, 1], // xloadflags
    [0x238, 4, 20], // cmdline_size
    [0x248, 4, 4],
    [0x24c, 4, 8],
    [0x258, 8, preferred],
    [0x260, 4, 0x1000],
    ...changes,
  ];
  for (const [offset, bytes, value] of fields) {
    if (bytes === 1) view.setUint8(offset, value);
    else if (bytes === 2) view.setUint16(offset, value, true);
    else if (bytes === 4) view.setUint32(offset, value, true);
    else view.setBigUint64(offset, BigInt(value), true);
  }
  for (let at = 0; at < 32; at += 1) image[1024 + at] = at + 1;
  return image;
}

function load(
  image: Uint8Array,
  options: {
    format?: KernelFormat;
    commandLine?: string;
    initrd?: Uint8Array;
    acpi?: boolean;
  } = {},
): { memory: Memory; entry: KernelEntry; u32: (at: number) => number } {
  const { format = "bzimage", commandLine = "a=1", initrd, acpi } = options;
  const memory = new Memory();
  const hardware = acpi === undefined ? undefined : { acpi };
  const entry = loadKernel(memory, memoryBytes, { image, format, commandLine, initrd, hardware });
  return { memory, entry, u32: (at) => memory.view.getUint32(at, true) };
}

describe("bzImage", () => {
  test("is told apart by its magic numbers", () => {
    expect(isBzImage(bzImage())).toBe(true);
    expect(isBzImage(bzImage([0x202, 4, 0]))).toBe(false);
    expect(isBzImage(new Uint8Array(100))).toBe(false);
  });

  test("is entered 0x200 bytes in, in long mode, with the boot parameters in RSI", () => {
    const { memory, entry, u32 } = load(bzImage());
    if (entry.mode !== "long") throw new Error("expected long mode");
    expect([entry.rip, entry.rbx]).toEqual([preferred + 0x200, 0]);
    expect([...memory.bytes.subarray(preferred, preferred + 4)]).toEqual([1, 2, 3, 4]);
    expect(u32(entry.rsi + 0x202)).toBe(0x5372_6448);
    expect([entry.gdt.code, entry.gdt.data]).toEqual([0x10, 0x18]);
    expect(memory.view.getBigUint64(entry.gdt.base + 0x10, true)).toBe(0x00af_9b00_0000_ffffn);
  });

  test("is entered at its start, in protected mode, by the 32-bit protocol", () => {
    const { memory, entry } = load(bzImage(), { format: "bzimage32" });
    if (entry.mode !== "protected") throw new Error("expected protected mode");
    expect([entry.eip, entry.ebx]).toEqual([preferred, 0]);
    expect(memory.view.getUint32(entry.esi + 0x202, true)).toBe(0x5372_6448);
    expect(memory.view.getBigUint64(entry.gdt.base + 0x10, true)).toBe(0x00cf_9b00_0000_ffffn);
  });

  test("gets loader type, command line, initrd and memory map in its boot parameters", () => {
    const initrd = Uint8Array.of(7, 8, 9);
    const { memory, entry, u32 } = load(bzImage(), { initrd });
    if (entry.mode !== "long") throw new Error("expected long mode");
    const page = entry.rsi;
    expect(memory.bytes[page + 0x210]).toBe(0xff);
    const line = u32(page + 0x228);
    expect([...memory.bytes.subarray(line, line + 4)]).toEqual([0x61, 0x3d, 0x31, 0]);
    const at = u32(page + 0x218);
    expect([...memory.bytes.subarray(at, at + u32(page + 0x21c))]).toEqual([7, 8, 9]);
    expect(memory.bytes[page + 0x1e8]).toBe(4);
    expect(u32(page + 0x2d0 + 3 * 20)).toBe(0x10_0000);
    expect(u32(page + 0x2d0 + 3 * 20 + 8)).toBe(memoryBytes - 0x10_0000);
    expect(u32(page + 0x2d0 + 3 * 20 + 16)).toBe(1);
  });

  test("keeps the initrd below the address that the kernel can reach", () => {
    const last = 0x17f_ffff;
    const { entry, u32 } = load(bzImage([0x22c, 4, last]), { initrd: new Uint8Array(100) });
    if (entry.mode !== "long") throw new Error("expected long mode");
    expect(u32(entry.rsi + 0x218)).toBe(0x17f_f000);
  });

  test.each([
    [true, 0xf_0000],
    [false, 0],
  ])("is told where ACPI begins: %s", (acpi, expected) => {
    const { memory, entry } = load(bzImage(), { acpi });
    if (entry.mode !== "long") throw new Error("expected long mode");
    expect(memory.view.getUint32(entry.rsi + 0x70, true)).toBe(expected);
    const signature = new TextDecoder().decode(memory.bytes.subarray(0xf_0000, 0xf_0008));
    expect(signature === "RSD PTR ").toBe(acpi);
  });
});

describe("a bad bzImage", () => {
  test.each([
    [
      "text",
      new TextEncoder().encode("no kernel".repeat(100)),
      "offset 0x1fe expected the boot flag",
    ],
    ["one without its magic", bzImage([0x202, 4, 0]), 'offset 0x202 expected the magic "HdrS"'],
    ["an old one", bzImage([0x206, 2, 0x204]), "expected boot protocol 2.10 or later, found 2.4"],
    ["a zImage", bzImage([0x211, 1, 0]), "loaded at 1 MiB"],
    ["one with a short header", bzImage([0x200, 2, 0x20eb]), "a header up to init_size"],
    ["one that is cut short", bzImage().subarray(0, 1040), "the protected-mode kernel (32 bytes)"],
    ["one of 32 bits", bzImage([0x236, 2, 0]), "expected a 64-bit entry"],
    [
      "one with a payload too long",
      bzImage([0x24c, 4, 100]),
      "a payload that ends in the 32 bytes",
    ],
    ["one that needs more memory", bzImage([0x260, 4, 64 << 20]), "the machine's 33554432 bytes"],
    ["one that wants to be nowhere", bzImage([0x258, 8, 2 ** 52]), "a place in usable memory"],
    [
      "an arm64 Image",
      bzImage()
        .fill(0, 0, 0x40)
        .map((byte, at) => [0x41, 0x52, 0x4d, 0x64][at - 0x38] ?? byte),
      "expected a kernel for x86, found an arm64 Image",
    ],
  ])("%s is an error that says where", (_, image, message) => {
    expect(() => load(image)).toThrow(ImageError);
    expect(() => load(image)).toThrow(message);
  });

  test("every truncation is an error, but within the last paragraph of code", () => {
    const image = bzImage();
    for (let length = 0; length <= image.length - 16; length += 1) {
      expect(() => load(image.subarray(0, length))).toThrow(ImageError);
    }
    expect(() => load(image)).not.toThrow();
  });

  test("code that does not fill its last paragraph is loaded as far as it goes", () => {
    const { memory } = load(bzImage().subarray(0, -3));
    expect([...memory.bytes.subarray(preferred + 26, preferred + 32)]).toEqual([
      27, 28, 29, 0, 0, 0,
    ]);
  });

  test("a command line longer than the kernel takes is an error", () => {
    expect(() => load(bzImage(), { commandLine: "x".repeat(21) })).toThrow("at most 20 characters");
  });
});
