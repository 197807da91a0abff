/**
 * One virtual PC: a guest whose kernel is translated, its devices, and the monitor between.
 *
 * Time goes on by the processor's units. The host's timer is set to the first deadline of the guest's devices, and only
 * its interrupt gives them their time.
 */
import { defaultProfile, Processor, type ProcessorProfile } from "@ringside/isa";
import {
  GuestDevices,
  GuestMemory,
  InstructionEmulator,
  MonitorWork,
  PhysicalInterrupts,
  shadowFrames,
  ShadowMmu,
  VirtualInterrupts,
} from "@ringside/hypervisor";
import {
  Board,
  enterKernel,
  frameBytes,
  loadKernel,
  type BoardOptions,
  type KernelImage,
} from "@ringside/machine";
import {
  GuestInspector,
  processorCounts,
  type Claim,
  type Counts,
  type Inspector,
  type KernelMachine,
  type KernelMachineExit,
  type KernelMachineListeners,
} from "@ringside/strategy";
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
import {
  sensitiveExtension,
  SensitiveWatch,
  type SilentInstruction,
} from "./trap-and-emulate/sensitive-watch.ts";

const interruptFlag = 0x200n;

/** The host's processor: the guest's, and what SWAPGS in the cache takes. */
const hostProfile: ProcessorProfile = {
  ...defaultProfile,
  id: "ringside-v1-fsgsbase",
  features: new Set([...defaultProfile.features, "fsgsbase"]),
};

export interface BinaryTranslationMachineOptions
  extends Omit<BoardOptions, "clock" | "onExit" | "onSerial" | "onDebug">, KernelMachineListeners {
  readonly claim: Claim;
  readonly kernel: KernelImage;
  /** What becomes of the kernel's code. `direct`: nothing, which is trap-and-emulate. Default `translated`. */
  readonly kernelCode?: "translated" | "direct";
  /** Size of the translation cache in bytes; all that its region has room for unless told. */
  readonly cacheBytes?: number;
}

/** Bytes of the host that a guest takes: its memory and what the hypervisor keeps for it. */
export function hostBytesFor(memoryBytes: number): number {
  return memoryBytes + (shadowFrames + regionFrames) * frameBytes;
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

export class BinaryTranslationMachine implements KernelMachine {
  readonly inspect: Inspector;
  readonly #options: BinaryTranslationMachineOptions;
  readonly #processor: Processor;
  readonly #work: MonitorWork = new MonitorWork();
  readonly #counts: TranslationCounts = new TranslationCounts();
  readonly #board: Board;
  readonly #memory: GuestMemory;
  readonly #devices: GuestDevices;
  readonly #physicalInterrupts: PhysicalInterrupts = new PhysicalInterrupts();
  readonly #virtualInterrupts: VirtualInterrupts;
  /** Host-physical address of the frames that the hypervisor keeps: the region's, then shadow tables. */
  readonly #frames: number;
  #life: Life;
  #watch: SensitiveWatch | undefined;
  /** What caches before the last reset had counted. */
  #earlier: CacheCounts = { lookups: 0, chains: 0, dropped: 0, evictions: 0 };
  #halted = false;
  #stopRequested = false;
  /** Steps of the hypervisor without the processor, and visits to a halted guest. */
  #visits = 0;
  #unitsAtReset = 0;

  /**
   * @throws {ImageError} when a file of the guest is malformed or does not fit.
   * @throws {RangeError} when the claim is smaller than {@link hostBytesFor} says.
   */
  constructor(options: BinaryTranslationMachineOptions) {
    const { claim, memoryBytes, onMark } = options;
    this.#options = options;
    const frames = claim.frames.allotRun(regionFrames + shadowFrames);
    if (frames === undefined) {
      throw new RangeError(
        `There is no room for the ${regionFrames + shadowFrames} frames of the hypervisor.`,
      );
    }
    this.#frames = frames;
    this.#memory = new GuestMemory({
      memory: claim.memory,
      frames: claim.frames,
      sizeBytes: memoryBytes,
      work: this.#work,
    });
    // A program that its kernel gave ports (IOPL 3) reaches the board while it runs.
    this.#board = new Board({
      ...options,
      hardware: options.kernel.hardware,
      dma: this.#memory,
      clock: this,
      onExit: () => this.#processor.stopAt(this.#processor.units),
    });
    this.#devices = new GuestDevices(this.#board, this.#memory);
    const { extension, instructions } = sensitiveExtension((number) => {
      const instruction = instructions[number];
      if (instruction !== undefined) this.#watch?.note(instruction);
    });
    this.#processor = new Processor({
      memory: claim.memory,
      profile: hostProfile,
      extensions: options.kernelCode === "direct" ? [extension] : [],
      ports: {
        read: (port, sizeBytes) => this.#devices.readPort(port, sizeBytes),
        write: (port, sizeBytes, value) => this.#devices.writePort(port, sizeBytes, value),
      },
      interrupts: this.#physicalInterrupts,
      delivery: "monitor",
      ...(onMark === undefined ? {} : { onMark }),
    });
    this.#physicalInterrupts.onRequest = (asserted) =>
      this.#processor.setInterruptRequest(asserted);
    this.#board.timeline.onEarlier = (deadline) => {
      this.#processor.stopAt(Math.max(deadline - this.#processor.idleUnits, this.#processor.units));
    };
    this.#virtualInterrupts = new VirtualInterrupts(this.#board.interrupts, () => {
      if (this.#life.monitor.isRunning) this.#physicalInterrupts.kick();
    });
    this.#life = this.#boot();
    this.inspect = new GuestInspector({
      memory: this.#memory,
      registers: () => guestRegisters(this.#processor.state, this.#life),
      controls: () => this.#life.cpu.state,
    });
  }

  /** Trap-and-emulate: what the processor executed silently, since the last reset. */
  get silent(): readonly SilentInstruction[] {
    return this.#watch?.silent ?? [];
  }

  /** Guest time in nanoseconds; exact also inside callbacks. */
  get now(): number {
    return this.#processor.units + this.#processor.idleUnits;
  }

  get units(): number {
    return this.#processor.units - this.#unitsAtReset + this.#visits;
  }

  get unreadBytes(): number {
    return this.#board.serial.unreadBytes;
  }

  counts(): Counts {
    const now = this.#cacheCounts();
    const flat = { ...this.#work.flat(), ...this.#counts.flat(now) };
    return processorCounts(this.#processor.counts(), this.units, flat);
  }

  requestStop(): void {
    this.#stopRequested = true;
    this.#processor.requestStop();
  }

  send(bytes: Uint8Array): void {
    this.#board.serial.receive(bytes);
  }

  endInput(): void {
    this.#board.endInput();
  }

  run(limitUnits: number): KernelMachineExit {
    try {
      return this.#run(this.units + limitUnits);
    } finally {
      this.#board.flush();
    }
  }

  powerDown(): void {
    this.#board.powerDown();
  }

  reset(): void {
    this.#earlier = this.#cacheCounts();
    this.#memory.clear();
    this.#life = this.#boot();
  }

  #cacheCounts(): CacheCounts {
    const { slots, cache } = this.#life;
    const { chains, dropped, evictions } = cache.counts;
    return {
      lookups: this.#earlier.lookups + Number(slots.get("lookups")),
      chains: this.#earlier.chains + chains,
      dropped: this.#earlier.dropped + dropped,
      evictions: this.#earlier.evictions + evictions,
    };
  }

  #boot(): Life {
    const { memoryBytes, kernel } = this.#options;
    this.#halted = false;
    this.#stopRequested = false;
    this.#visits = 0;
    this.#board.timeline.clear();
    this.#processor.reset();
    this.#unitsAtReset = this.#processor.units;
    this.#processor.idleUnits = -this.#processor.units;
    this.#board.reset();
    this.#physicalInterrupts.reset();
    this.#virtualInterrupts.reset();
    this.#memory.onWritten = undefined;

    const emulator = this.#makeEmulator();
    enterKernel(emulator.state, loadKernel(this.#memory.bootTarget, memoryBytes, kernel));
    this.#processor.state.enterLongMode({ cpl: 1, cr3: 0, rip: 0n, rsp: 0n });
    return this.#translator(emulator, defaultRegionBase);
  }

  #makeEmulator(): InstructionEmulator {
    return new InstructionEmulator({
      profile: defaultProfile,
      // The guest's INVLPG and loads of control registers all come here.
      keepsTranslations: true,
      devices: this.#devices,
      work: this.#work,
      now: () => this.now,
      invalidatePage: (linear) => {
        this.#processor.invalidatePage(linear);
        this.#life?.code.doubtPage(linear);
      },
      flushTlb: (includingGlobal) => {
        this.#processor.flushTlb(includingGlobal);
        this.#life?.code.doubtAll();
      },
    });
  }

  /** The translator with its region at `base`, and nothing translated yet. The guest is at rest in the emulator. */
  #translator(emulator: InstructionEmulator, base: bigint): Life {
    const { claim, cacheBytes, onMonitorEntry } = this.#options;
    const { memory } = claim;
    const region = new Region(memory, this.#frames, base, cacheBytes);
    const virtual = new VirtualCpuSlots(memory.physical, region);
    const mmu = new ShadowMmu({
      memory,
      guest: this.#memory,
      work: this.#work,
      tableFrames: Array.from(
        { length: shadowFrames },
        (_, index) => this.#frames + (regionFrames + index) * frameBytes,
      ),
      flushTlb: () => this.#processor.flushTlb(true),
      reserved: region.range,
    });
    const watches = new FrameWatches((gpa, isWatched) => {
      if (isWatched) mmu.watch(gpa);
      else mmu.unwatch(gpa);
    });
    const guard = new RegionGuard(this.#memory, watches);
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
      memory: this.#memory,
    });
    const cpu = new GuestCpu(this.#processor, emulator.state, virtual);
    this.#watch = this.#options.kernelCode === "direct" ? this.#makeWatch(emulator) : undefined;
    const monitor = new Monitor({
      watch: this.#watch,
      processor: this.#processor,
      region,
      slots: virtual,
      cache,
      code,
      cpu,
      guard,
      mmu,
      memory: this.#memory,
      devices: this.#devices,
      emulator,
      interrupts: this.#virtualInterrupts,
      physicalInterrupts: this.#physicalInterrupts,
      counts: this.#counts,
      onEntry: onMonitorEntry,
    });
    this.#memory.onWritten = (gpa, lengthBytes) => {
      monitor.noteWrite(gpa);
      mmu.written(gpa, lengthBytes);
      cache.written(gpa, lengthBytes);
    };
    this.#devices.onDeviceMemory = () => monitor.noteDevice();
    return { monitor, cache, code, cpu, emulator, guard, slots: virtual, region };
  }

  /** The guest has mapped memory where the region is. @returns how it ends when there is no other place. */
  #relocate(): KernelMachineExit | undefined {
    const { emulator, guard } = this.#life;
    const base = guard.freePlace(emulator.state.cr3);
    if (base === undefined) {
      return {
        reason: "crashed",
        why: "The guest maps memory everywhere in the last 2 GiB of its address space, and the translator needs 2 MiB there.",
      };
    }
    this.#earlier = this.#cacheCounts();
    this.#counts.relocations += 1;
    this.#life = this.#translator(emulator, base);
    return undefined;
  }

  #makeWatch(emulator: InstructionEmulator): SensitiveWatch {
    return new SensitiveWatch({
      profile: defaultProfile,
      memory: this.#memory,
      devices: this.#devices,
      now: () => this.now,
      stop: () => this.#processor.stopAt(this.#processor.units),
      physical: () => this.#processor.state,
      guest: () => emulator.state,
    });
  }

  #run(end: number): KernelMachineExit {
    for (;;) {
      const { end: ended } = this.#board;
      if (ended !== undefined) return ended;
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return { reason: "stopped" };
      }
      const left = end - this.units;
      if (left <= 0) return { reason: "limit" };
      const over = this.#halted ? this.#idle() : this.#step(left);
      if (over !== undefined) return over;
    }
  }

  #step(left: number): KernelMachineExit | undefined {
    const { monitor } = this.#life;
    const prepared = monitor.prepare();
    if (prepared !== undefined) {
      this.#visits += 1;
      return this.#after(prepared);
    }
    this.#physicalInterrupts.arm(this.#board.timeline.nextDeadline);
    this.#physicalInterrupts.advance(this.now);
    const budget = Math.max(1, Math.min(left, this.#physicalInterrupts.deadline - this.now));
    return this.#after(monitor.run(budget));
  }

  #after(result: StepResult): KernelMachineExit | undefined {
    switch (result.kind) {
      case "ran":
      case "served":
        return undefined;
      case "halted":
        this.#halted = true;
        return undefined;
      case "region-taken":
        return this.#relocate();
      case "crashed":
        return { reason: "crashed", why: result.why };
    }
  }

  /** The host sleeps until its timer, if what the timer brings can wake the guest; else says why there is nothing to wait for. */
  #idle(): KernelMachineExit | undefined {
    this.#board.dispatchDue();
    const isOpen = (this.#life.cpu.state.rflags & interruptFlag) !== 0n;
    const { isPending, isNmiPending } = this.#virtualInterrupts;
    if (isNmiPending || (isPending && isOpen)) {
      this.#halted = false;
      return undefined;
    }
    if (!isOpen) return { reason: "halted" };
    const step = this.#board.idleStep;
    if (step !== undefined) {
      this.#processor.idleUnits += step.nanoseconds;
      this.#visits += 1;
      return step.leavesRun ? { reason: "stopped" } : undefined;
    }
    return { reason: this.#board.awaitsInput ? "waiting" : "halted" };
  }
}
