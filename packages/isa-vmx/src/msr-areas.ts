/**
 * MSR areas: lists of 16 bytes an entry (index, reserved, value) that entries and exits load and exits store.
 *
 * Intel SDM Vol. 3C §27.4, "Loading MSRs"; §28.4, "Saving MSRs"; §28.6, "Loading MSRs".
 */
import type { ExtensionContext } from "@ringside/isa";
import type { GuardedMemory } from "./vmcs.ts";

const ENTRY_BYTES = 16;
/** IA32_VMX_MISC bits 27:25 are 0: at most 512 entries are supported; longer lists are undefined and stop here. */
const ENTRIES_MAXIMUM = 512;
/** FS and GS base are loaded from their fields; SMM monitor control has no business here. */
const REFUSED: ReadonlySet<number> = new Set([0xc000_0100, 0xc000_0101, 0x9b]);

function isRefused(index: number): boolean {
  return REFUSED.has(index) || (index >= 0x800 && index <= 0x8ff);
}

/** @returns the position, from 1, of the first entry that could not be loaded; undefined when all were. */
export function loadMsrs(
  context: ExtensionContext,
  memory: GuardedMemory,
  area: number,
  count: number,
): number | undefined {
  for (let position = 0; position < Math.min(count, ENTRIES_MAXIMUM); position += 1) {
    const entry = memory.readU64(area + position * ENTRY_BYTES);
    const value = memory.readU64(area + position * ENTRY_BYTES + 8);
    const index = Number(entry & 0xffff_ffffn);
    if (entry >> 32n !== 0n || isRefused(index) || !context.writeMsr(index, value))
      return position + 1;
  }
  return undefined;
}

/** Registers that cannot be read are skipped: a VMX abort is for processors that have more to protect. */
export function storeMsrs(
  context: ExtensionContext,
  memory: GuardedMemory,
  area: number,
  count: number,
): void {
  for (let position = 0; position < Math.min(count, ENTRIES_MAXIMUM); position += 1) {
    const at = area + position * ENTRY_BYTES;
    const value = context.readMsr(memory.readU32(at));
    if (value !== undefined) memory.writeU64(at + 8, value);
  }
}
