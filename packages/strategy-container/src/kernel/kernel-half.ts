/**
 * The upper half of every address space: one page with the descriptor table, for the supervisor only.
 *
 * Programs load segment registers and ask for access rights (MOV Sreg, LAR, VERR), and the processor then reads the
 * descriptors at the address in GDTR. Nothing else of the kernel is mapped. Linux has the table at the same place
 * (arch/x86/include/asm/pgtable_64_types.h, CPU_ENTRY_AREA).
 */
import type { PhysicalMemory } from "./physical-memory.ts";

/** Entry of the PML4 that all address spaces share. */
export const KERNEL_ENTRY_INDEX = 508;
export const DESCRIPTOR_TABLE_LINEAR = 0xffff_fe00_0000_0000n;
/** Selectors 0x28 (data) and 0x30 (64-bit code), as Linux numbers them. */
export const DESCRIPTOR_TABLE_LIMIT = 0x37;
/** Flat writable data and 64-bit code at privilege level 3, accessed already, so that the processor never stores here. */
const USER_DATA_DESCRIPTOR = [0x0000_ffff, 0x00cf_f300] as const;
const USER_CODE_DESCRIPTOR = [0x0000_ffff, 0x00af_fb00] as const;

const PRESENT = 0x1;
const PRESENT_WRITABLE = 0x3;

/**
 * Builds the shared tables in four frames of zeros. Gives what goes into entry {@link KERNEL_ENTRY_INDEX}, low half.
 */
export function buildKernelHalf(
  memory: PhysicalMemory,
  [pointers, directory, table, page]: readonly [number, number, number, number],
): number {
  memory.writeU32(pointers, (directory | PRESENT_WRITABLE) >>> 0);
  memory.writeU32(directory, (table | PRESENT_WRITABLE) >>> 0);
  memory.writeU32(table, (page | PRESENT) >>> 0);
  for (const [index, words] of [USER_DATA_DESCRIPTOR, USER_CODE_DESCRIPTOR].entries()) {
    memory.writeU32(page + 0x28 + index * 8, words[0]);
    memory.writeU32(page + 0x2c + index * 8, words[1]);
  }
  return (pointers | PRESENT_WRITABLE) >>> 0;
}
