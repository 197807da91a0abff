/**
 * The `hvm_start_info` that a PVH kernel is handed: command line, modules, memory map.
 *
 * Xen, xen/include/public/arch-x86/hvm/start_info.h, version 1.
 */
import type { BootMemory } from "./boot-memory.ts";
import { ByteWriter, terminated } from "./byte-writer.ts";

const magic = 0x336e_c578;

/** A file that lies in memory beside the kernel, and what the kernel is told of it. */
export interface BootModule {
  readonly bytes: Uint8Array;
  /**
   * ASCII. Kernels that are loaded by Multiboot, Xen among them, may take its first word, as that of their own command line,
   * for the name of the file: boot loaders put it there.
   */
  readonly commandLine: string;
}

export interface BootFiles {
  readonly commandLine: string;
  /** The first module. */
  readonly initrd?: Uint8Array | undefined;
  /** Those behind it. */
  readonly modules?: readonly BootModule[] | undefined;
}

/** A module in its place; `commandLine` is the physical address of its string. */
export interface PlacedModule {
  readonly base: number;
  readonly sizeBytes: number;
  readonly commandLine: number;
}

/** Places a kernel's modules and their strings. An initrd has an empty one. */
export function placeModules(memory: BootMemory, files: BootFiles): readonly PlacedModule[] {
  const { initrd, modules = [] } = files;
  const all = initrd === undefined ? modules : [{ bytes: initrd, commandLine: "" }, ...modules];
  return all.map(({ bytes, commandLine }, index) => ({
    base: memory.placeHigh(index === 0 && bytes === initrd ? "initrd" : `module ${index}`, bytes),
    sizeBytes: bytes.length,
    commandLine: memory.placeLow("module string", terminated(commandLine)),
  }));
}

/**
 * Places all of it and gives the physical address of the structure.
 *
 * @param rsdp Physical address of the ACPI root pointer, 0 without ACPI.
 */
export function placeStartInfo(memory: BootMemory, files: BootFiles, rsdp: number): number {
  const commandLine = memory.placeLow("command line", terminated(files.commandLine));

  // hvm_modlist_entry: paddr, size, cmdline_paddr, reserved.
  const modules = placeModules(memory, files);
  const list = new ByteWriter(32 * modules.length);
  modules.forEach(({ base, sizeBytes, commandLine: string }, index) => {
    list
      .u64(32 * index, base)
      .u64(32 * index + 8, sizeBytes)
      .u64(32 * index + 16, string);
  });
  const listBase = modules.length === 0 ? 0 : memory.placeLow("module list", list.bytes);

  // hvm_memmap_table_entry: addr, size, type, reserved.
  const map = new ByteWriter(24 * memory.map.length);
  memory.map.forEach(({ base, sizeBytes, type }, index) => {
    map
      .u64(24 * index, base)
      .u64(24 * index + 8, sizeBytes)
      .u32(24 * index + 16, type);
  });
  const mapBase = memory.placeLow("memory map", map.bytes);

  const info = new ByteWriter(56)
    .u32(0, magic)
    .u32(4, 1) // version
    .u32(8, 0) // flags
    .u32(12, modules.length)
    .u64(16, listBase)
    .u64(24, commandLine)
    .u64(32, rsdp)
    .u64(40, mapBase)
    .u32(48, memory.map.length);
  return memory.placeLow("start info", info.bytes);
}
