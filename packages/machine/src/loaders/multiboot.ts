/**
 * Multiboot 1 kernels.
 *
 * Multiboot Specification version 0.6.96, sections 3.1 "OS image format", 3.2 "Machine state" and 3.3 "Boot
 * information format".
 */
import type { BootMemory } from "./boot-memory.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter, terminated } from "./byte-writer.ts";
import { parseElf } from "./elf.ts";
import { ImageError } from "./image-error.ts";
import { loadSegments } from "./segments.ts";
import { placeModules, type BootFiles } from "./start-info.ts";

const headerMagic = 0x1bad_b002;
/** The header lies within the first 8192 bytes, 32-bit aligned. */
const headerArea = 8192;

/** Header flags: bits 0 to 15 are requirements. 0 aligns modules, 1 wants the memory map, 2 a video mode. */
const understood = 0x3;
const hasAddresses = 0x1_0000;

export interface MultibootImage extends BootFiles {
  readonly image: Uint8Array;
}

/** Loads the kernel; gives its entry and the physical address of the boot information. */
export function loadMultiboot(
  memory: BootMemory,
  kernel: MultibootImage,
): { readonly eip: number; readonly info: number } {
  const file = new ByteReader("multiboot kernel", kernel.image);
  const header = findHeader(file);
  const flags = file.u32(header + 4, "flags");
  if ((flags & 0xffff & ~understood) !== 0) {
    throw file.error(
      header + 4,
      "no requirement but aligned modules and a memory map",
      `flags 0x${flags.toString(16)}`,
    );
  }
  const eip =
    (flags & hasAddresses) !== 0
      ? loadByAddresses(memory, file, header)
      : loadElf32(memory, kernel.image);
  return { eip, info: placeInfo(memory, kernel) };
}

/** True when the file has a Multiboot header. */
export function isMultiboot(image: Uint8Array): boolean {
  return headerOffset(new ByteReader("multiboot kernel", image)) !== undefined;
}

function headerOffset(file: ByteReader): number | undefined {
  const end = Math.min(headerArea, file.bytes.length) - 12;
  for (let at = 0; at <= end; at += 4) {
    if (file.u32(at, "a header") !== headerMagic) continue;
    const sum = headerMagic + file.u32(at + 4, "flags") + file.u32(at + 8, "checksum");
    if (sum % 2 ** 32 === 0) return at;
  }
  return undefined;
}

function findHeader(file: ByteReader): number {
  const at = headerOffset(file);
  if (at !== undefined) return at;
  throw file.error(
    0,
    `a header with the magic 0x${headerMagic.toString(16)} in the first ${headerArea} bytes`,
    "none",
  );
}

/** The address fields of the header, "The address fields of Multiboot header". */
function loadByAddresses(memory: BootMemory, file: ByteReader, header: number): number {
  const headerAddress = file.u32(header + 12, "header_addr");
  const loadAddress = file.u32(header + 16, "load_addr");
  const loadEnd = file.u32(header + 20, "load_end_addr");
  const bssEnd = file.u32(header + 24, "bss_end_addr");
  const entry = file.u32(header + 28, "entry_addr");

  const offset = header - (headerAddress - loadAddress);
  if (headerAddress < loadAddress || offset < 0) {
    throw file.error(
      header + 16,
      "a load_addr that lies in the file",
      `0x${loadAddress.toString(16)}`,
    );
  }
  if (loadEnd !== 0 && loadEnd < loadAddress) {
    throw file.error(header + 20, "a load_end_addr behind load_addr", `0x${loadEnd.toString(16)}`);
  }
  const fileBytes = loadEnd === 0 ? file.bytes.length - offset : loadEnd - loadAddress;
  const bytes = file.slice(offset, fileBytes, "the part to load");
  const memoryBytes = bssEnd === 0 ? fileBytes : bssEnd - loadAddress;
  if (memoryBytes < fileBytes) {
    throw file.error(
      header + 24,
      "a bss_end_addr behind load_end_addr",
      `0x${bssEnd.toString(16)}`,
    );
  }
  memory.place("multiboot kernel", loadAddress, bytes, memoryBytes);
  return entry;
}

function loadElf32(memory: BootMemory, image: Uint8Array): number {
  const elf = parseElf(image);
  if (elf.bits !== 32) {
    throw new ImageError("multiboot kernel", 4, "an ELF of 32 bits, or address fields", "64 bits");
  }
  loadSegments(memory, elf, image);
  return Number(elf.entry);
}

/** Flags of the boot information: mem_*, cmdline, mods_*, mmap_*, boot_loader_name. */
const infoFlags = 0x1 | 0x4 | 0x8 | 0x40 | 0x200;

function placeInfo(memory: BootMemory, files: BootFiles): number {
  const commandLine = memory.placeLow("command line", terminated(files.commandLine));
  // start, end, string, reserved.
  const modules = placeModules(memory, files);
  const list = new ByteWriter(16 * modules.length);
  modules.forEach(({ base, sizeBytes, commandLine: string }, index) => {
    list
      .u32(16 * index, base)
      .u32(16 * index + 4, base + sizeBytes)
      .u32(16 * index + 8, string);
  });
  const listBase = modules.length === 0 ? 0 : memory.placeLow("module list", list.bytes);
  const map = new ByteWriter(24 * memory.map.length);
  memory.map.forEach(({ base, sizeBytes, type }, index) => {
    map
      .u32(24 * index, 20) // size of the rest of this entry
      .u64(24 * index + 4, base)
      .u64(24 * index + 12, sizeBytes)
      .u32(24 * index + 20, type);
  });
  const mapBase = memory.placeLow("memory map", map.bytes);
  const name = memory.placeLow("loader name", terminated("Ringside"));

  const info = new ByteWriter(116)
    .u32(0, infoFlags)
    .u32(4, 639) // mem_lower, KiB below 640 KiB
    .u32(8, Math.floor((memory.memoryBytes - 0x10_0000) / 1024)) // mem_upper
    .u32(16, commandLine)
    .u32(20, modules.length)
    .u32(24, listBase)
    .u32(44, map.bytes.length)
    .u32(48, mapBase)
    .u32(64, name);
  return memory.placeLow("boot information", info.bytes);
}
