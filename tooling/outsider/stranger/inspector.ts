/** Looks into a machine: registers, and memory through the guest's page tables. */
import type { Processor } from "@ringside/isa";
import type { Inspector } from "@ringside/strategy";

const paging = 1n << 31n;
const present = 1n;
const large = 1n << 7n;
const frameMask = 0x000f_ffff_ffff_f000n;

export function inspectorOf({ state, memory: { physical } }: Processor): Inspector {
  /** Intel SDM Vol. 3A §4.5, "4-Level Paging and 5-Level Paging"; one address is one to one without paging. */
  function translate(linear: bigint): number | undefined {
    if ((state.cr0 & paging) === 0n) return inside(linear);
    let table = state.cr3 & frameMask;
    for (const shift of [39n, 30n, 21n, 12n]) {
      const at = inside(table + ((linear >> shift) & 0x1ffn) * 8n);
      if (at === undefined) return undefined;
      const entry = physical.readU64(at);
      if ((entry & present) === 0n) return undefined;
      const page = (1n << shift) - 1n;
      if (shift === 12n || (shift < 39n && (entry & large) !== 0n)) {
        return inside((entry & frameMask & ~page) | (linear & page));
      }
      table = entry & frameMask;
    }
    return undefined;
  }

  const inside = (address: bigint): number | undefined =>
    address >= 0n && address + 8n <= BigInt(physical.sizeBytes) ? Number(address) : undefined;

  function readMemory(linear: bigint, lengthBytes: number): Uint8Array | undefined {
    const bytes = new Uint8Array(lengthBytes);
    for (let index = 0; index < lengthBytes; index += 1) {
      const at = translate(linear + BigInt(index));
      if (at === undefined) return undefined;
      bytes[index] = physical.readU8(at);
    }
    return bytes;
  }

  return { registers: () => state.registers(), translate, readMemory };
}
