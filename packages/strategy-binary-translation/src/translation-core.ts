/**
 * How a guest runs by binary translation: what stands between its processor and the host's, made anew at each boot.
 */
import { defaultProfile, RFLAGS, type Instruction, type ProcessorState } from "@ringside/isa";
import {
  InstructionEmulator,
  shadowFrames,
  ShadowMmu,
  type GuestStep,
  type VirtualPc,
  type VirtualPcCore,
} from "@ringside/hypervisor";
import { enterKernel, frameBytes, loadKernel } from "@ringside/machine";
import type { KernelMachineOptions, Registers } from "@ringside/strategy";
import { defaultRegionBase, Region, regionFrames } from "./cache/region.ts";
import { FrameWatches, RegionGuard } from "./cache/region-guard.ts";
import { TranslationCache } from "./cache/translation-cache.ts";
import { VirtualCpuSlots } from "./cache/virtual-cpu-slots.ts";
import { CodeSpace } from "./code-space.ts";
import { TranslationCounts, type CacheCounts } from "./counts.ts";
import { GuestCpu } from "./guest-cpu.ts";
import { guestRegisters } from "./guest-registers.ts";
import { Monitor } from "./monitor.ts";
import type { StepResult } from "./monitor-options.ts";
import { SensitiveWatch, type SilentInstruction } from "./trap-and-emulate/sensitive-watch.ts";

const resume: GuestStep = { kind: "resume" };

export interface TranslationCoreOptions extends Pick<
  KernelMachineOptions,
  "claim" | "memoryBytes" | "kernel" | "onMonitorEntry"
> {
  readonly pc: VirtualPc<TranslationCore>;
  /** Host-physical address of the frames that the hypervisor keeps: the region's, then shadow tables. */
  readonly frames: number;
  readonly kernelCode: "translated" | "direct";
  /** Size of the translation cache in bytes; all that its region has room for unless told. */
  readonly cacheBytes?: number;
}

/** What is made anew at each reset. */
interface Life {
  readonly monitor: Monitor;
  readonly cache: TranslationCache;
  readonly code: CodeSpace;
  readonly cpu: GuestCpu;
  readonly emulator: InstructionEmulator;
  readonly guard: RegionGuard;
  readonly slots: VirtualCpuSlots;
  readonly region: Region;
}

export class TranslationCore implements VirtualPcCore {
  readonly #o: TranslationCoreOptions;
  readonly #counts: TranslationCounts = new TranslationCounts();
  #life: Life | undefined;
  #watch: SensitiveWatch | undefined;
  /** What caches before the present one had counted. */
  #earlier: CacheCounts = { lookups: 0, chains: 0, dropped: 0, evictions: 0 };

  constructor(options: TranslationCoreOptions) {
    this.#o = options;
  }

  /** Trap-and-emulate: what the processor executed silently, since the last reset. */
  get silent(): readonly SilentInstruction[] {
    return this.#watch?.silent ?? [];
  }

  /** Trap-and-emulate: the processor is about to execute this. */
  noteSensitive(instruction: Instruction): void {
    this.#watch?.note(instruction);
  }

  get isRunning(): boolean {
    return this.#life?.monitor.isRunning ?? false;
  }

  get listens(): boolean {
    return (this.#booted.cpu.state.rflags & RFLAGS.IF) !== 0n;
  }

  registers(): Registers {
    return guestRegisters(this.#o.pc.processor.state, this.#booted);
  }

  controls(): ProcessorState {
    return this.#booted.cpu.state;
  }

  counts(): Readonly<Record<string, number>> {
    return this.#counts.flat(this.#cacheCounts());
  }

  boot(): void {
    const { pc, memoryBytes, kernel } = this.#o;
    this.#earlier = this.#cacheCounts();
    pc.memory.onWritten = undefined;
    const emulator = this.#makeEmulator();
    enterKernel(emulator.state, loadKernel(pc.memory.bootTarget, memoryBytes, kernel));
    pc.processor.state.enterLongMode({ cpl: 1, cr3: 0, rip: 0n, rsp: 0n });
    this.#life = this.#translator(emulator, defaultRegionBase);
  }

  step(leftUnits: number): GuestStep {
    const { time } = this.#o.pc;
    const { monitor } = this.#booted;
    const prepared = monitor.prepare();
    if (prepared !== undefined) {
      time.visit();
      return this.#after(prepared);
    }
    return this.#after(monitor.run(time.armTimer(leftUnits)));
  }

  #after(result: StepResult): GuestStep {
    switch (result.kind) {
      case "ran":
      case "served":
        return resume;
      case "region-taken":
        return this.#relocate();
      case "halted":
      case "crashed":
        return result;
    }
  }

  get #booted(): Life {
    if (this.#life === undefined) {
      throw new Error("Bug in ringside: a guest was used before its boot, please report.");
    }
    return this.#life;
  }

  /** The guest has mapped memory where the region is. @returns how it ends when there is no other place. */
  #relocate(): GuestStep {
    const { emulator, guard } = this.#booted;
    const base = guard.freePlace(emulator.state.cr3);
    if (base === undefined) {
      return {
        kind: "crashed",
        why: "The guest maps memory everywhere in the last 2 GiB of its address space, and the translator needs 2 MiB there.",
      };
    }
    this.#earlier = this.#cacheCounts();
    this.#counts.relocations += 1;
    this.#life = this.#translator(emulator, base);
    return resume;
  }

  #cacheCounts(): CacheCounts {
    if (this.#life === undefined) return this.#earlier;
    const { slots, cache } = this.#life;
    const { chains, dropped, evictions } = cache.counts;
    return {
      lookups: this.#earlier.lookups + Number(slots.get("lookups")),
      chains: this.#earlier.chains + chains,
      dropped: this.#earlier.dropped + dropped,
      evictions: this.#earlier.evictions + evictions,
    };
  }

  #makeEmulator(): InstructionEmulator {
    const { pc } = this.#o;
    return new InstructionEmulator({
      profile: defaultProfile,
      // The guest's INVLPG and loads of control registers all come here.
      keepsTranslations: true,
      devices: pc.devices,
      work: pc.work,
      now: () => pc.now,
      invalidatePage: (linear) => {
        pc.processor.invalidatePage(linear);
        this.#life?.code.doubtPage(linear);
      },
      flushTlb: (includingGlobal) => {
        pc.processor.flushTlb(includingGlobal);
        this.#life?.code.doubtAll();
      },
    });
  }

  /** The translator with its region at `base`, and nothing translated yet. The guest is at rest in the emulator. */
  #translator(emulator: InstructionEmulator, base: bigint): Life {
    const { pc, claim, frames, kernelCode, cacheBytes, onMonitorEntry } = this.#o;
    const { memory } = claim;
    const region = new Region(memory, frames, base, cacheBytes);
    const virtual = new VirtualCpuSlots(memory.physical, region);
    const mmu = new ShadowMmu({
      memory,
      guest: pc.memory,
      work: pc.work,
      tableFrames: Array.from(
        { length: shadowFrames },
        (_, index) => frames + (regionFrames + index) * frameBytes,
      ),
      flushTlb: () => pc.processor.flushTlb(true),
      reserved: region.range,
    });
    const watches = new FrameWatches((gpa, isWatched) => {
      if (isWatched) mmu.watch(gpa);
      else mmu.unwatch(gpa);
    });
    const guard = new RegionGuard(pc.memory, watches);
    const cache = new TranslationCache({
      memory: memory.physical,
      region,
      watch: (gpa, isWatched) => watches.change(gpa, isWatched),
    });
    const code = new CodeSpace({
      region,
      cache,
      counts: this.#counts,
      emulator,
      memory: pc.memory,
    });
    const cpu = new GuestCpu(pc.processor, emulator.state, virtual);
    this.#watch = kernelCode === "direct" ? this.#makeWatch(emulator) : undefined;
    const monitor = new Monitor({
      watch: this.#watch,
      processor: pc.processor,
      region,
      slots: virtual,
      cache,
      code,
      cpu,
      guard,
      mmu,
      memory: pc.memory,
      devices: pc.devices,
      emulator,
      interrupts: pc.interrupts,
      physicalInterrupts: pc.physicalInterrupts,
      counts: this.#counts,
      onEntry: onMonitorEntry,
    });
    pc.memory.onWritten = (gpa, lengthBytes) => {
      monitor.noteWrite(gpa);
      mmu.written(gpa, lengthBytes);
      cache.written(gpa, lengthBytes);
    };
    pc.devices.onDeviceMemory = () => monitor.noteDevice();
    return { monitor, cache, code, cpu, emulator, guard, slots: virtual, region };
  }

  #makeWatch(emulator: InstructionEmulator): SensitiveWatch {
    const { pc } = this.#o;
    return new SensitiveWatch({
      profile: defaultProfile,
      memory: pc.memory,
      devices: pc.devices,
      now: () => pc.now,
      stop: () => pc.processor.stopAt(pc.processor.units),
      physical: () => pc.processor.state,
      guest: () => emulator.state,
    });
  }
}
