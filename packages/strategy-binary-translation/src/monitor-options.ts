/** What the monitor works with, and what its steps come to. */
import type {
  GuestDevices,
  GuestMemory,
  InstructionEmulator,
  PhysicalInterrupts,
  ShadowMmu,
  VirtualInterrupts,
} from "@ringside/hypervisor";
import type { Processor } from "@ringside/isa";
import type { RegionGuard } from "./cache/region-guard.ts";
import type { Region } from "./cache/region.ts";
import type { TranslationCache } from "./cache/translation-cache.ts";
import type { VirtualCpuSlots } from "./cache/virtual-cpu-slots.ts";
import type { CodeSpace } from "./code-space.ts";
import type { TranslationCounts } from "./counts.ts";
import type { GuestCpu } from "./guest-cpu.ts";
import type { SensitiveWatch } from "./trap-and-emulate/sensitive-watch.ts";

export interface MonitorOptions {
  readonly processor: Processor;
  readonly region: Region;
  readonly slots: VirtualCpuSlots;
  readonly cache: TranslationCache;
  readonly code: CodeSpace;
  readonly cpu: GuestCpu;
  readonly guard: RegionGuard;
  readonly mmu: ShadowMmu;
  readonly memory: GuestMemory;
  readonly devices: GuestDevices;
  readonly emulator: InstructionEmulator;
  readonly interrupts: VirtualInterrupts;
  readonly physicalInterrupts: PhysicalInterrupts;
  readonly counts: TranslationCounts;
  /** Present for trap-and-emulate: the kernel runs as it stands, and this watches it. */
  readonly watch?: SensitiveWatch | undefined;
  /** Told why the processor came back. */
  readonly onEntry: ((why: string) => void) | undefined;
}

/** What a step came to: nothing to report, or how the guest's machine ended or stopped. */
export type StepResult =
  | { readonly kind: "ran" }
  /** Work of the hypervisor alone: an event was delivered, or an instruction emulated. */
  | { readonly kind: "served" }
  | { readonly kind: "halted" }
  /** The guest maps memory where the region lies: the translator must move. The guest is at rest. */
  | { readonly kind: "region-taken" }
  | { readonly kind: "crashed"; readonly why: string };

export const ran: StepResult = { kind: "ran" };
export const served: StepResult = { kind: "served" };
export const halted: StepResult = { kind: "halted" };

export function crash(why: string): StepResult {
  return { kind: "crashed", why };
}
