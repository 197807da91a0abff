/**
 * Executes the one instruction that a guest could not execute itself: an access to a device's memory, a string of
 * port accesses.
 *
 * Decoding and meaning are the processor's own, see VirtualProcessor; this adds where the guest's state lives, and
 * what the instruction reaches.
 */
import {
  VirtualProcessor,
  type DeliveryResult,
  type Emulation,
  type ProcessorProfile,
  type ProcessorState,
  type VirtualEvent,
  type WalkResult,
} from "@ringside/isa";
import type { GuestDevices } from "./guest-devices.ts";
import type { MonitorWork } from "./monitor-work.ts";

/** A virtual processor that is not running: where its registers are is its strategy's business. */
export interface VirtualCpu {
  /** Writes its registers into `state`, raw. */
  load(state: ProcessorState): void;
  /** Takes back what an instruction may have changed. */
  store(state: ProcessorState): void;
}

export interface InstructionEmulatorOptions {
  /** What the guest's processor says it is. */
  readonly profile: ProcessorProfile;
  readonly devices: GuestDevices;
  readonly work: MonitorWork;
  /** The guest's time, for RDTSC, in units. */
  readonly now: () => number;
  /** The emulated instruction made translations stale: of one page, or all of them. */
  readonly invalidatePage: (linear: bigint) => void;
  readonly flushTlb: (includingGlobal: boolean) => void;
  /** See `VirtualProcessorOptions.keepsTranslations`: for strategies that see all of their guest's invalidations here. */
  readonly keepsTranslations?: boolean;
}

export class InstructionEmulator {
  readonly #processor: VirtualProcessor;
  readonly #work: MonitorWork;

  constructor(options: InstructionEmulatorOptions) {
    const { devices, work, profile, now, invalidatePage, flushTlb, keepsTranslations } = options;
    const { interrupts } = devices.board;
    this.#work = work;
    this.#processor = new VirtualProcessor({
      profile,
      keepsTranslations: keepsTranslations ?? false,
      accessors: {
        readPhysical: (gpa, bytes) => devices.readPhysical(gpa, bytes),
        writePhysical: (gpa, bytes) => devices.writePhysical(gpa, bytes),
        readPort: (port, sizeBytes) => devices.readPort(port, sizeBytes),
        writePort: (port, sizeBytes, value) => devices.writePort(port, sizeBytes, value),
        readTaskPriority: () => interrupts.readTaskPriority(),
        writeTaskPriority: (priority) => interrupts.writeTaskPriority(priority),
        invalidatePage,
        flushTlb,
        now,
        readMsr: (index) => interrupts.readMsr(index),
        writeMsr: (index, value) => interrupts.writeMsr(index, value),
      },
    });
  }

  /**
   * Registers of the processor that emulates. A strategy without another place for those that its guest cannot reach
   * while it runs (control registers, segments, MSRs) may keep them here: what {@link VirtualCpu.load} leaves alone stays.
   */
  get state(): ProcessorState {
    return this.#processor.state;
  }

  /** Delivers an event through the guest's own tables, at the RIP of `cpu`; exceptions on the way escalate. */
  deliver(cpu: VirtualCpu, event: VirtualEvent): DeliveryResult {
    cpu.load(this.#processor.state);
    const result = this.#processor.deliver(event);
    if (result.kind === "delivered") cpu.store(this.#processor.state);
    return result;
  }

  /** Walks the guest's page tables by the control registers in {@link state}, setting A and D as an access would. */
  walk(
    linear: bigint,
    access: { readonly write?: boolean; readonly execute?: boolean; readonly user?: boolean },
  ): WalkResult {
    return this.#processor.walk(linear, access);
  }

  /**
   * Executes the instruction at the RIP of `cpu`, one iteration when it repeats.
   *
   * @param code Its bytes, where the caller has fetched them before and they still stand.
   * @returns What it did. After a fault `cpu` is as it was, and the fault is the guest's.
   */
  emulate(cpu: VirtualCpu, code?: Uint8Array): Emulation {
    const { state } = this.#processor;
    cpu.load(state);
    const emulation = this.#processor.emulateOne(code);
    if (emulation.kind === "retired") {
      this.#work.addEmulated(emulation.mnemonic);
      cpu.store(state);
    }
    return emulation;
  }
}
