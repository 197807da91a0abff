import type { Hardware } from "../hardware.ts";
import { describe, expect, test } from "vitest";
import { BootMemory } from "./boot-memory.ts";
import { ImageError } from "./image-error.ts";
import { kernelFormatOf, loadKernel, type KernelFormat } from "./kernel.ts";

const memoryBytes = 4 * 1024 * 1024;

/** Guest memory as plain bytes, which is all that a loader needs. */
class Memory {
  readonly bytes = new Uint8Array(memoryBytes).fill(0xcc);
  readonly view = new DataView(this.bytes.buffer);

  write(physical: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, physical);
  }

  fill(physical: number, value: number, lengthBytes: number): void {
    this.bytes.fill(value, physical, physical + lengthBytes);
  }

  text(physical: number): string {
    return new TextDecoder().decode(this.bytes.subarray(physical, this.bytes.indexOf(0, physical)));
  }
}

interface ElfOptions {
  readonly entry?: bigint;
  readonly physical?: bigint;
  readonly fileBytes?: bigint;
  readonly memoryBytes?: bigint;
  /** Descriptor of a "Xen" note of type 18. */
  readonly pvhEntry?: number;
}

/** An ELF64 of one segment with the bytes 1, 2, 3, 4, and a note when asked. */
function elf64(options: ElfOptions = {}): Uint8Array {
  const bytes = new Uint8Array(0x200);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, options.entry ?? 0x10_0000n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, options.pvhEntry === undefined ? 1 : 2, true);
  view.setUint32(64, 1, true);
  view.setBigUint64(64 + 8, 0x100n, true);
  view.setBigUint64(64 + 16, 0xffff_ffff_8010_0000n, true);
  view.setBigUint64(64 + 24, options.physical ?? 0x10_0000n, true);
  view.setBigUint64(64 + 32, options.fileBytes ?? 4n, true);
  view.setBigUint64(64 + 40, options.memoryBytes ?? 16n, true);
  bytes.set([1, 2, 3, 4], 0x100);
  if (options.pvhEntry !== undefined) {
    view.setUint32(120, 4, true);
    view.setBigUint64(120 + 8, 0x180n, true);
    view.setBigUint64(120 + 32, 20n, true);
    view.setBigUint64(120 + 40, 20n, true);
    view.setUint32(0x180, 4, true);
    view.setUint32(0x184, 4, true);
    view.setUint32(0x188, 18, true);
    bytes.set(new TextEncoder().encode("Xen\0"), 0x18c);
    view.setUint32(0x190, options.pvhEntry, true);
  }
  return bytes;
}

function load(
  format: KernelFormat,
  image: Uint8Array,
  initrd?: Uint8Array,
): { memory: Memory; entry: ReturnType<typeof loadKernel> } {
  const memory = new Memory();
  const entry = loadKernel(memory, memoryBytes, { image, format, commandLine: "a=1 b", initrd });
  return { memory, entry };
}

/** The physical address that the tables at `cr3` give for `linear`, with 2 MiB pages. */
function translate(memory: Memory, cr3: number, linear: number): number {
  const entryAt = (table: number, index: number): number =>
    Number(memory.view.getBigUint64(table + 8 * index, true));
  const pointers = entryAt(cr3, 0) & ~0xfff;
  const directory = entryAt(pointers, Math.floor(linear / 2 ** 30)) & ~0xfff;
  const page = entryAt(directory, Math.floor(linear / 2 ** 21) % 512);
  expect(page & 0x83).toBe(0x83);
  return page - 0x83 + (linear % 2 ** 21);
}

describe("64-bit entry", () => {
  test("copies the segment to its physical address and zeroes the rest", () => {
    const { memory, entry } = load("elf64", elf64());
    expect(entry.mode === "long" && entry.rip).toBe(0x10_0000);
    expect([...memory.bytes.subarray(0x10_0000, 0x10_0011)]).toEqual([
      1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xcc,
    ]);
  });

  test.each([0, 0x10_0000, 0x8000_0000, 0xfee0_0020, 0xffff_ffff])(
    "maps 0x%x to itself",
    (linear) => {
      const { memory, entry } = load("elf64", elf64());
      if (entry.mode !== "long") throw new Error("expected long mode");
      expect(translate(memory, entry.cr3, linear)).toBe(linear);
    },
  );

  test("hands over command line, initrd and memory map", () => {
    const initrd = Uint8Array.from({ length: 5000 }, (_, index) => index);
    const { memory, entry } = load("elf64", elf64(), initrd);
    if (entry.mode !== "long") throw new Error("expected long mode");
    const u32 = (offset: number): number => memory.view.getUint32(entry.rbx + offset, true);
    const u64 = (at: number): number => Number(memory.view.getBigUint64(at, true));
    expect([u32(0), u32(4), u32(12)]).toEqual([0x336e_c578, 1, 1]);
    expect(memory.text(u64(entry.rbx + 24))).toBe("a=1 b");

    const modules = u64(entry.rbx + 16);
    const [at, size] = [u64(modules), u64(modules + 8)];
    expect([at % 4096, size]).toEqual([0, 5000]);
    expect(memory.bytes.subarray(at, at + size)).toEqual(initrd);

    const map = u64(entry.rbx + 40);
    const entries = Array.from({ length: u32(48) }, (_, index) => [
      u64(map + 24 * index),
      u64(map + 24 * index + 8),
      memory.view.getUint32(map + 24 * index + 16, true),
    ]);
    expect(entries).toEqual([
      [0, 0x9_fc00, 1],
      [0x9_fc00, 0x400, 2],
      [0xf_0000, 0x1_0000, 2],
      [0x10_0000, memoryBytes - 0x10_0000, 1],
    ]);
  });

  test("enters a flat image at 1 MiB", () => {
    const { memory, entry } = load("flat", new Uint8Array([0xf4]));
    expect(entry.mode === "long" && entry.rip).toBe(0x10_0000);
    expect(memory.bytes[0x10_0000]).toBe(0xf4);
  });
});

describe("PVH", () => {
  test("enters at the note's address in protected mode", () => {
    const { memory, entry } = load("pvh", elf64({ pvhEntry: 0x10_0008 }));
    if (entry.mode !== "protected") throw new Error("expected protected mode");
    expect(entry.eip).toBe(0x10_0008);
    expect(memory.view.getUint32(entry.ebx, true)).toBe(0x336e_c578);
    expect(memory.view.getBigUint64(entry.gdt.base + 8, true)).toBe(0x00cf_9b00_0000_ffffn);
  });

  test("refuses an ELF without the note", () => {
    expect(() => load("pvh", elf64())).toThrow('expected a note "Xen" of type 18');
  });
});

test("modules are for kernels that take them", () => {
  const modules = [{ bytes: new Uint8Array([7, 8]), commandLine: "a string" }];
  const kernel = { commandLine: "", modules };
  const memory = new Memory();
  const entry = loadKernel(memory, memoryBytes, { ...kernel, image: elf64(), format: "elf64" });
  if (entry.mode !== "long") throw new Error("expected long mode");
  const u64 = (at: number): number => Number(memory.view.getBigUint64(at, true));
  const list = u64(entry.rbx + 16);
  expect([...memory.bytes.subarray(u64(list), u64(list) + u64(list + 8))]).toEqual([7, 8]);
  expect(memory.text(u64(list + 16))).toBe("a string");
  expect(() => {
    loadKernel(memory, memoryBytes, { ...kernel, image: new Uint8Array(1), format: "bzimage" });
  }).toThrow("bzimage: at offset 0x0 expected a kernel that takes modules");
});

test("a whole PC has a BIOS data area, which says where conventional memory ends", () => {
  const word = (hardware?: Hardware): number[] => {
    const memory = new Memory();
    loadKernel(memory, memoryBytes, { image: elf64(), format: "elf64", commandLine: "", hardware });
    return [0x400, 0x40e, 0x413].map((at) => memory.view.getUint16(at, true));
  };
  expect(word({})).toEqual([0x3f8, 0x9fc0, 639]);
  expect(word()).toEqual([0xcccc, 0xcccc, 0xcccc]);
});

describe("multiboot", () => {
  /** Address fields, 8 bytes of code behind the header, loaded at 2 MiB. */
  function kernel(flags = 0x1_0003): Uint8Array {
    const bytes = new Uint8Array(0x60);
    const view = new DataView(bytes.buffer);
    const fields = [
      0x1bad_b002,
      flags,
      -(0x1bad_b002 + flags),
      0x20_0010,
      0x20_0000,
      0x20_0040,
      0x20_0080,
      0x20_0030,
    ];
    fields.forEach((value, index) => view.setUint32(0x10 + 4 * index, value, true));
    bytes.set([9, 8, 7], 0x30);
    return bytes;
  }

  test("loads by address fields and describes memory, modules and command line", () => {
    const { memory, entry } = load("multiboot", kernel(), new Uint8Array([1, 2, 3]));
    if (entry.mode !== "protected") throw new Error("expected protected mode");
    expect([entry.eip, entry.eax]).toEqual([0x20_0030, 0x2bad_b002]);
    expect([...memory.bytes.subarray(0x20_0030, 0x20_0033)]).toEqual([9, 8, 7]);
    expect(memory.bytes[0x20_007f]).toBe(0);
    expect(memory.bytes[0x20_0080]).toBe(0xcc);

    const u32 = (at: number): number => memory.view.getUint32(at, true);
    expect([u32(entry.ebx + 4), u32(entry.ebx + 8)]).toEqual([639, 3 * 1024]);
    expect(memory.text(u32(entry.ebx + 16))).toBe("a=1 b");
    const list = u32(entry.ebx + 24);
    expect(u32(list + 4) - u32(list)).toBe(3);
    expect([...memory.bytes.subarray(u32(list), u32(list + 4))]).toEqual([1, 2, 3]);
    expect([u32(entry.ebx + 44), u32(u32(entry.ebx + 48))]).toEqual([4 * 24, 20]);
  });

  test("hands over several modules, each with its string, the initrd first", () => {
    const memory = new Memory();
    const entry = loadKernel(memory, memoryBytes, {
      image: kernel(),
      format: "multiboot",
      commandLine: "",
      initrd: new Uint8Array([1]),
      modules: [
        { bytes: new Uint8Array([2, 2]), commandLine: "console=hvc0" },
        { bytes: new Uint8Array([3, 3, 3]), commandLine: "" },
      ],
    });
    if (entry.mode !== "protected") throw new Error("expected protected mode");
    const u32 = (at: number): number => memory.view.getUint32(at, true);
    const list = u32(entry.ebx + 24);
    const modules = Array.from({ length: u32(entry.ebx + 20) }, (_, index) => [
      [...memory.bytes.subarray(u32(list + 16 * index), u32(list + 16 * index + 4))].join(""),
      memory.text(u32(list + 16 * index + 8)),
    ]);
    expect(modules).toEqual([
      ["1", ""],
      ["22", "console=hvc0"],
      ["333", ""],
    ]);
  });

  test("is recognized by its header", () => {
    expect(kernelFormatOf(kernel())).toBe("multiboot");
  });

  test("refuses a kernel that needs a video mode", () => {
    expect(() => load("multiboot", kernel(0x1_0007))).toThrow(
      "at offset 0x14 expected no requirement",
    );
  });

  test.each([
    ["a load_addr behind the header", 0x10, 0x30_0000, "a load_addr that lies in the file"],
    ["a load_addr far in front of it", 0x10, 0, "a load_addr that lies in the file"],
    ["a load_end_addr in front of it", 0x14, 0x1000, "a load_end_addr behind load_addr"],
    ["a load_end_addr behind the file", 0x14, 0xffff_ffff, "the part to load"],
    ["a bss_end_addr in front of it", 0x18, 0x1000, "a bss_end_addr behind load_end_addr"],
    ["a bss_end_addr behind all memory", 0x18, 0xffff_ffff, "a place in usable memory"],
  ])("refuses %s", (_, field, value, message) => {
    const bytes = kernel();
    new DataView(bytes.buffer).setUint32(0x10 + field, value, true);
    expect(() => load("multiboot", bytes)).toThrow(ImageError);
    expect(() => load("multiboot", bytes)).toThrow(message);
  });

  test("refuses a file without a header", () => {
    expect(() => load("multiboot", new Uint8Array(0x4000))).toThrow("a header with the magic");
  });
});

test.each([
  ["an ELF with a PVH note", elf64({ pvhEntry: 0x10_0000 }), "pvh"],
  ["an ELF without", elf64(), "elf64"],
  ["bytes that nothing is known of", new Uint8Array(0x4000), undefined],
])("%s is recognized", (_, image, format) => {
  expect(kernelFormatOf(image)).toBe(format);
});

describe("malformed images", () => {
  test.each([
    ["an empty file", new Uint8Array(), "offset 0x0"],
    ["text", new TextEncoder().encode("#!/bin/sh\necho no kernel\n"), "magic 7f 45 4c 46"],
    ["a cut header", elf64().subarray(0, 60), "program header 0"],
    ["a cut segment", elf64().subarray(0, 0x102), "the contents of program header 0"],
    ["an offset beyond all files", elf64({ fileBytes: 2n ** 60n }), "below 2^53"],
    ["more file than memory", elf64({ fileBytes: 32n }), "p_memsz of at least p_filesz"],
    ["a segment beyond memory", elf64({ physical: 0x4000_0000n }), "a place in the machine's"],
    [
      "a segment over the firmware's hole",
      elf64({ physical: 0xa_0000n }),
      "a place in usable memory, below 0x9fc00 or from 0x100000",
    ],
    ["a segment larger than memory", elf64({ memoryBytes: 2n ** 40n }), "to 0xc0000000"],
    ["a high entry", elf64({ entry: 0xffff_ffff_8010_0000n }), "a physical e_entry"],
  ])("%s is an error that says where", (_, image, message) => {
    expect(() => load("elf64", image)).toThrow(ImageError);
    expect(() => load("elf64", image)).toThrow(message);
  });

  test("notes that lie on top of each other come to an end", () => {
    const image = new Uint8Array(0x4000);
    image.set(elf64());
    const view = new DataView(image.buffer);
    const count = 100;
    view.setUint16(56, count, true);
    for (let at = 64; at < 64 + 56 * count; at += 56) {
      view.setUint32(at, 4, true);
      view.setBigUint64(at + 8, 0x3000n, true);
      view.setBigUint64(at + 32, 0x1000n, true);
    }
    expect(() => load("elf64", image)).toThrow(ImageError);
    expect(() => load("elf64", image)).toThrow("at most 65536 bytes of notes");
  });

  test("every truncation of an ELF with a note is an error until the note is whole", () => {
    const image = elf64({ pvhEntry: 0x10_0000 });
    const wholeBytes = 0x194;
    for (let length = 0; length < wholeBytes; length += 1) {
      expect(() => load("pvh", image.subarray(0, length))).toThrow(ImageError);
    }
    expect(() => load("pvh", image.subarray(0, wholeBytes))).not.toThrow();
  });

  test("an initrd larger than memory is an error", () => {
    expect(() => load("elf64", elf64(), new Uint8Array(memoryBytes))).toThrow(
      "a file of 4194304 bytes",
    );
  });

  test("overlapping pieces are an error", () => {
    const memory = new BootMemory(new Memory(), memoryBytes);
    memory.place("first", 0x10_0000, new Uint8Array(16));
    expect(() => memory.place("second", 0x10_000f, new Uint8Array(1))).toThrow("overlaps first");
  });

  test("a machine without memory is an error", () => {
    expect(() => new BootMemory(new Memory(), 4096)).toThrow(RangeError);
  });
});
