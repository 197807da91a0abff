/**
 * Slots of the virtual CPU: memory that translated code reads and writes, by absolute addresses of 32 bits.
 *
 * A guest that writes here harms only itself: the hypervisor takes nothing from a slot but what the guest may choose
 * freely anyway (its interrupt flag, its task priority, a base for SWAPGS, a target for a jump of its own).
 */
import type { PhysicalMemory } from "@ringside/isa";
import type { Region } from "./region.ts";

/** Byte offsets of the slots in their page; 8 bytes each. */
export const slotOffsets = {
  /** Registers that a sequence needs for itself. */
  rax: 0x00,
  rcx: 0x08,
  rdx: 0x10,
  /** Whichever other register a RIP-relative operand is reached through. */
  other: 0x18,
  /** Status flags as LAHF and SETO give them. */
  flags: 0x20,
  /** Where an indirect branch goes: a guest address when the lookup missed, else an address in the cache. */
  target: 0x28,
  /** RFLAGS.IF of the guest less that of the processor: 0 when the guest takes interrupts, else -0x200. */
  interruptFlag: 0x30,
  /** 1 while something waits that the guest cannot take yet. */
  pending: 0x38,
  /** CR8. */
  taskPriority: 0x40,
  /** CR8 below this lets a waiting interrupt through. */
  waitingClass: 0x48,
  cr0: 0x50,
  cr2: 0x58,
  cr3: 0x60,
  cr4: 0x68,
  /** IA32_KERNEL_GS_BASE. */
  kernelGsBase: 0x70,
  /** What port 0x80 holds. */
  postPort: 0x78,
  /** Lookups so far. */
  lookups: 0x80,
} as const;

export type SlotName = keyof typeof slotOffsets;

/** Linear address of a slot. */
export function slotAddress(region: Region, name: SlotName): bigint {
  return region.slots + BigInt(slotOffsets[name]);
}

/** The slots from TypeScript. */
export class VirtualCpuSlots {
  readonly #memory: PhysicalMemory;
  readonly #base: number;

  constructor(memory: PhysicalMemory, region: Region) {
    this.#memory = memory;
    this.#base = region.slotsFrame;
  }

  get(name: SlotName): bigint {
    return this.#memory.readU64(this.#base + slotOffsets[name]);
  }

  set(name: SlotName, value: bigint): void {
    this.#memory.writeU64(this.#base + slotOffsets[name], value);
  }

  /** The low half, for slots that hold small numbers. */
  getNumber(name: SlotName): number {
    return this.#memory.readU32(this.#base + slotOffsets[name]);
  }

  setNumber(name: SlotName, value: number): void {
    this.#memory.writeU32(this.#base + slotOffsets[name], value);
  }
}
