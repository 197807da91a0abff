/** The guest's registers for people, wherever they are. In the middle of an instruction they are those before it. */
import { RFLAGS, type ProcessorState } from "@ringside/isa";
import type { Registers } from "@ringside/strategy";
import type { Region } from "./cache/region.ts";
import type { TranslationCache } from "./cache/translation-cache.ts";
import type { VirtualCpuSlots } from "./cache/virtual-cpu-slots.ts";
import type { GuestCpu } from "./guest-cpu.ts";
import type { Monitor } from "./monitor.ts";
import { calloutBytes } from "./translator/unit-builder.ts";

const registerNames = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] as const;
/** Flags that the guest has for itself while its kernel runs at CPL 1. */
const virtualFlags = RFLAGS.IF | RFLAGS.IOPL | RFLAGS.NT | RFLAGS.TF;

export interface WhereGuestIs {
  readonly monitor: Monitor;
  readonly cache: TranslationCache;
  readonly cpu: GuestCpu;
  readonly slots: VirtualCpuSlots;
  readonly region: Region;
}

export function guestRegisters(
  physical: ProcessorState,
  { monitor, cache, cpu, slots, region }: WhereGuestIs,
): Registers {
  const { state } = cpu;
  const controls = {
    cr0: state.cr0,
    cr2: state.cr2,
    cr3: state.cr3,
    cr4: state.cr4,
    efer: state.efer,
    cpl: BigInt(state.cpl),
  };
  const live = monitor.where === "rest" ? state : physical;
  const segments = monitor.where === "program" ? physical : state;
  const registers: Record<string, bigint> = {
    ...live.registers(),
    ...controls,
    cs: BigInt(segments.segment("cs").selector),
    ss: BigInt(segments.segment("ss").selector),
    fs_base: live.fsBase,
    gs_base: live.gsBase,
  };
  if (monitor.where !== "cache") return registers;
  registers["rflags"] =
    (physical.rflags & ~virtualFlags) |
    (state.rflags & virtualFlags & ~RFLAGS.IF) |
    (cpu.interruptsOpenInCache ? RFLAGS.IF : 0n);
  const callout = monitor.isLeaving ? BigInt(calloutBytes.length) : 0n;
  const offset = region.codeOffset(physical.rip - callout);
  const found = offset === undefined ? undefined : cache.placeAt(offset);
  if (found === undefined) return registers;
  registers["rip"] = found.place.guestRip;
  for (const { register, slot } of found.place.spilled) {
    registers[registerNames[register] ?? `r${register}`] = slots.get(slot);
  }
  return registers;
}
