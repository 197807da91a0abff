/** A look at a bare machine: its registers and, through its own page tables, its memory. */
import type { Processor } from "@ringside/isa";
import type { Inspector } from "@ringside/strategy";

const present = 1n;
const largePage = 0x80n;
const addressBits = 0x000f_ffff_ffff_f000n;
const pagingEnabled = 0x8000_0000n;
const longModeActive = 0x400n;
const pageBytes = 4096;
const levels = 4;

export function inspectorOf(processor: Processor): Inspector {
  const { state } = processor;
  return {
    registers: () => ({
      ...state.registers(),
      cr0: state.cr0,
      cr2: state.cr2,
      cr3: state.cr3,
      cr4: state.cr4,
      efer: state.efer,
      cs: BigInt(state.segment("cs").selector),
      ss: BigInt(state.segment("ss").selector),
      fs_base: state.fsBase,
      gs_base: state.gsBase,
      cpl: BigInt(state.cpl),
    }),
    translate: (linear) => translateLinear(processor, linear),
    readMemory: (linear, lengthBytes) => readMemory(processor, linear, lengthBytes),
  };
}

/** SDM Vol. 3A §4.5, "4-Level Paging and 5-Level Paging". Without paging, linear is physical. */
function translateLinear({ state, memory }: Processor, linear: bigint): number | undefined {
  const { physical } = memory;
  const inMemory = (address: bigint): number | undefined =>
    address < BigInt(physical.sizeBytes) ? Number(address) : undefined;
  if ((state.cr0 & pagingEnabled) === 0n) return inMemory(linear);
  if (
    (state.efer & longModeActive) === 0n ||
    BigInt.asIntN(48, linear) !== BigInt.asIntN(64, linear)
  ) {
    return undefined;
  }
  let table = state.cr3 & addressBits;
  for (let level = levels; level > 0; level -= 1) {
    const shift = BigInt(12 + 9 * (level - 1));
    const at = inMemory(table + (((linear >> shift) & 0x1ffn) << 3n));
    if (at === undefined) return undefined;
    const entry = physical.readU64(at);
    if ((entry & present) === 0n) return undefined;
    const isLeaf = level === 1 || (level < levels && (entry & largePage) !== 0n);
    if (isLeaf) {
      const offset = linear & ((1n << shift) - 1n);
      return inMemory((entry & addressBits & ~((1n << shift) - 1n)) | offset);
    }
    table = entry & addressBits;
  }
  return undefined;
}

function readMemory(
  processor: Processor,
  linear: bigint,
  lengthBytes: number,
): Uint8Array | undefined {
  if (!(lengthBytes >= 0 && lengthBytes <= processor.memory.physical.sizeBytes)) return undefined;
  const bytes = new Uint8Array(lengthBytes);
  let done = 0;
  while (done < lengthBytes) {
    const at = BigInt.asUintN(64, linear + BigInt(done));
    const physical = translateLinear(processor, at);
    if (physical === undefined) return undefined;
    const inPage = Math.min(lengthBytes - done, pageBytes - (physical % pageBytes));
    bytes.set(processor.memory.physical.read(physical, inPage), done);
    done += inPage;
  }
  return bytes;
}
