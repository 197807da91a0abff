/**
 * How a guest runs in non-root operation.
 *
 * The life of an exit: the processor saves the guest and says why it stopped; a handler does what the guest could not;
 * what waits for the guest is injected; VMRESUME.
 */
import {
  defaultProfile,
  noAccessors,
  RFLAGS,
  VirtualProcessor,
  type ProcessorExit,
} from "@ringside/isa";
import {
  InstructionEmulator,
  ProcessorIdentity,
  shadowFrames,
  ShadowMmu,
  type GuestStep,
  type VirtualPc,
  type VirtualPcCore,
} from "@ringside/hypervisor";
import {
  exitName,
  hostStateDefaults,
  type EntryResult,
  type VmExit,
  type VmxCapabilities,
  type VmxControl,
} from "@ringside/isa-vmx";
import { enterKernel, frameBytes, loadKernel } from "@ringside/machine";
import type { KernelMachineOptions, Registers, TranslationControls } from "@ringside/strategy";
import { EptPaging } from "./ept-paging.ts";
import { EptTables } from "./ept-tables.ts";
import { Events } from "./events.ts";
import { handleExit, type ExitContext } from "./exit-handlers.ts";
import { GuestView } from "./guest-view.ts";
import type { OwnFrames } from "./own-frames.ts";
import type { Paging, PagingKind } from "./paging.ts";
import { ShadowPaging } from "./shadow-paging.ts";
import { primaryControls, writeControls, writeMsrBitmap } from "./vmcs-setup.ts";
import { Vmcs } from "./vmcs.ts";
import { VtxCpu } from "./vtx-cpu.ts";

const resume: GuestStep = { kind: "resume" };
/** Offset of the task priority in a virtual-APIC page. */
const vtprOffset = 0x80;

export interface VtxCoreOptions extends Pick<
  KernelMachineOptions,
  "claim" | "memoryBytes" | "kernel" | "onMonitorEntry"
> {
  readonly pc: VirtualPc;
  /** The host's VMX, off as yet. */
  readonly control: VmxControl;
  readonly capabilities: VmxCapabilities;
  /** The frames that the hypervisor keeps. */
  readonly frames: OwnFrames;
  readonly paging: PagingKind;
}

export class VtxCore implements VirtualPcCore {
  readonly #o: VtxCoreOptions;
  readonly #vmcs: Vmcs;
  readonly #emulator: InstructionEmulator;
  readonly #identity: ProcessorIdentity;
  /** Made anew by each {@link boot}. */
  #context: ExitContext | undefined;
  /** VMLAUNCH has succeeded since VMCLEAR. */
  #launched = false;
  /** RFLAGS.IF of a halted guest. */
  #haltedOpen = false;

  constructor(options: VtxCoreOptions) {
    const { pc, control } = options;
    this.#o = options;
    this.#vmcs = new Vmcs(control, pc.work);
    this.#emulator = new InstructionEmulator({
      profile: defaultProfile,
      devices: pc.devices,
      work: pc.work,
      now: () => pc.now,
      invalidatePage: (linear) => pc.processor.invalidatePage(linear),
      flushTlb: (includingGlobal) => pc.processor.flushTlb(includingGlobal),
    });
    this.#identity = new ProcessorIdentity(defaultProfile, (index) =>
      pc.board.interrupts.readMsr(index),
    );
  }

  get isRunning(): boolean {
    return this.#o.control.operation === "non-root";
  }

  get listens(): boolean {
    return this.#haltedOpen;
  }

  counts(): Readonly<Record<string, number>> {
    const { entries, failedEntries, exits } = this.#o.control.counts();
    const flat: Record<string, number> = { entries };
    if (failedEntries > 0) flat["failedEntries"] = failedEntries;
    for (const [name, count] of Object.entries(exits)) flat[`exits.${name}`] = count;
    return flat;
  }

  registers(): Registers {
    return this.#view.registers();
  }

  controls(): TranslationControls {
    return this.#view.controls();
  }

  get #view(): GuestView {
    const { cpu, paging, physical } = this.#booted;
    return new GuestView(this.#o.control, physical, cpu, paging);
  }

  get #booted(): ExitContext {
    if (this.#context === undefined) {
      throw new Error("Bug in ringside: a guest was used before its boot, please report.");
    }
    return this.#context;
  }

  boot(): void {
    const { pc, claim, control, capabilities, memoryBytes, kernel } = this.#o;
    const { memory } = claim;
    const { vmxon, vmcs, msrBitmap, virtualApic } = this.#o.frames;
    this.#launched = false;

    for (const frame of [vmxon, vmcs, virtualApic]) memory.physical.fill(frame, 0, frameBytes);
    for (const region of [vmxon, vmcs]) memory.physical.writeU32(region, control.revision);
    control.vmxon(vmxon);
    control.vmclear(vmcs);
    control.vmptrld(vmcs);
    writeMsrBitmap(memory.physical, msrBitmap);

    const paging = this.#makePaging();
    const cpu = new VtxCpu(this.#vmcs, pc.processor.state, paging, capabilities);
    hostStateDefaults(control);
    writeControls(this.#vmcs, capabilities, { msrBitmap, virtualApic }, paging.controls);
    paging.start();

    const guest = new VirtualProcessor({ profile: defaultProfile, accessors: noAccessors });
    enterKernel(guest.state, loadKernel(pc.memory.bootTarget, memoryBytes, kernel));
    cpu.storeAll(guest.state);
    this.#context = {
      vmcs: this.#vmcs,
      cpu,
      physical: pc.processor.state,
      events: new Events(
        this.#vmcs,
        pc.processor.state,
        pc.interrupts,
        pc.board.interrupts,
        primaryControls(capabilities, paging.controls),
      ),
      paging,
      devices: pc.devices,
      emulator: this.#emulator,
      identity: this.#identity,
      onPhysicalInterrupt: () => pc.board.dispatchDue(),
    };
  }

  step(leftUnits: number): GuestStep {
    const { pc } = this.#o;
    const failed = this.isRunning ? undefined : this.#enter();
    if (failed !== undefined) return failed;
    return this.#afterRun(pc.processor.run(pc.time.armTimer(leftUnits)));
  }

  #enter(): GuestStep | undefined {
    const { pc, claim, control, frames } = this.#o;
    const { physical } = claim.memory;
    const priority = pc.board.interrupts.apic.readTaskPriority() << 4;
    const at = frames.virtualApic + vtprOffset;
    if (physical.readU32(at) !== priority) physical.writeU32(at, priority);
    this.#booted.events.prepareEntry();
    const result: EntryResult = this.#launched ? control.resume() : control.launch();
    if (result.kind === "entered") {
      this.#launched = true;
      return undefined;
    }
    const failure = result.kind === "failed" ? result.failure : result.exit.entryFailure;
    return {
      kind: "crashed",
      why: `VM entry failed. ${failure?.message ?? "No check says why."}`,
    };
  }

  #afterRun(exit: ProcessorExit): GuestStep {
    switch (exit.reason) {
      case "limit":
      case "stopped":
        return resume;
      case "extension":
        return this.#afterExit(exit.value as VmExit); // What isa-vmx documents that it leaves with.
      case "shutdown":
      case "halted":
      case "event":
        throw new Error(
          `Bug in ringside: a guest left non-root operation for its ${exit.reason}, please report.`,
        );
    }
  }

  #afterExit(exit: VmExit): GuestStep {
    const { pc, claim, frames, onMonitorEntry } = this.#o;
    onMonitorEntry?.(exitName(exit.reason));
    pc.work.add("entries");
    // The processor keeps the task priority in the virtual-APIC page while the guest runs.
    const { apic } = pc.board.interrupts;
    const priority = claim.memory.physical.readU32(frames.virtualApic + vtprOffset) >> 4;
    if (priority !== apic.readTaskPriority()) apic.writeTaskPriority(priority);

    const step = handleExit(this.#booted, exit);
    if (step.kind === "halted") {
      this.#haltedOpen = (this.#vmcs.read("GUEST_RFLAGS") & RFLAGS.IF) !== 0n;
    }
    return step;
  }

  #makePaging(): Paging {
    const { pc, claim, paging, frames } = this.#o;
    const { memory } = claim;
    if (paging === "ept") {
      let next = 0;
      const tables = new EptTables({
        memory: memory.physical,
        work: pc.work,
        allotTable: () => frames.tables + frameBytes * next++,
      });
      return new EptPaging(this.#vmcs, pc.memory, tables);
    }
    const tableFrames = Array.from(
      { length: shadowFrames },
      (_, index) => frames.tables + index * frameBytes,
    );
    const mmu = new ShadowMmu({
      memory,
      guest: pc.memory,
      work: pc.work,
      tableFrames,
      flushTlb: () => pc.processor.flushTlb(true),
    });
    pc.memory.onWritten = (gpa, lengthBytes) => mmu.written(gpa, lengthBytes);
    return new ShadowPaging(this.#vmcs, mmu);
  }
}
