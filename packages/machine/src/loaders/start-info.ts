/**
 * The `hvm_start_info` that a PVH kernel is handed: command line, initrd, memory map.
 *
 * Xen, xen/include/public/arch-x86/hvm/start_info.h, version 1.
 */
import type { BootMemory } from "./boot-memory.ts";
import { ByteWriter, terminated } from "./byte-writer.ts";

const magic = 0x336e_c578;

export interface BootFiles {
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
}

/**
 * Places all of it and gives the physical address of the structure.
 *
 * @param rsdp Physical address of the ACPI root pointer, 0 without ACPI.
 */
export function placeStartInfo(memory: BootMemory, files: BootFiles, rsdp: number): number {
  const commandLine = memory.placeLow("command line", terminated(files.commandLine));

  let modules = 0;
  if (files.initrd !== undefined) {
    const base = memory.placeHigh("initrd", files.initrd);
    // hvm_modlist_entry: paddr, size, cmdline_paddr, reserved.
    const list = new ByteWriter(32).u64(0, base).u64(8, files.initrd.length);
    modules = memory.placeLow("module list", list.bytes);
  }

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
    .u32(12, modules === 0 ? 0 : 1)
    .u64(16, modules)
    .u64(24, commandLine)
    .u64(32, rsdp)
    .u64(40, mapBase)
    .u32(48, memory.map.length);
  return memory.placeLow("start info", info.bytes);
}
