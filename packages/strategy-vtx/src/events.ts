/**
 * Event injection: the VM-entry interruption-information field, and what the virtual interrupt controller has to say.
 *
 * Intel SDM Vol. 3C §27.6, "Event Injection".
 */
import { RFLAGS, VECTOR, type ProcessorState } from "@ringside/isa";
import {
  BLOCKING,
  interruption,
  INTERRUPTION_TYPE,
  interruptionOf,
  PRIMARY,
} from "@ringside/isa-vmx";
import type { InterruptController } from "@ringside/machine";
import type { VirtualInterrupts } from "@ringside/hypervisor";
import type { Vmcs } from "./vmcs.ts";
import { shadows } from "./vtx-cpu.ts";

/** An exception that the guest is to see. */
export interface GuestFault {
  readonly vector: number;
  readonly errorCode?: number | undefined;
  /** Page faults: CR2. */
  readonly linear?: bigint | undefined;
}

export class Events {
  readonly #vmcs: Vmcs;
  readonly #physical: ProcessorState;
  readonly #interrupts: VirtualInterrupts;
  readonly #controller: InterruptController;
  /** Primary controls as they are in the VMCS. */
  #controls: number;
  readonly #baseControls: number;
  /** Something is in the VM-entry field already: nothing else can be injected at this entry. */
  #occupied = false;
  #threshold = 0;

  constructor(
    vmcs: Vmcs,
    physical: ProcessorState,
    interrupts: VirtualInterrupts,
    controller: InterruptController,
    primaryControls: number,
  ) {
    this.#vmcs = vmcs;
    this.#physical = physical;
    this.#interrupts = interrupts;
    this.#controller = controller;
    this.#controls = primaryControls;
    this.#baseControls = primaryControls;
  }

  /** The guest's next entry delivers an exception. */
  raise({ vector, errorCode, linear }: GuestFault): void {
    if (vector === VECTOR.PF && linear !== undefined) this.#physical.cr2 = linear;
    const hasErrorCode = errorCode !== undefined;
    if (hasErrorCode) this.#vmcs.write("VM_ENTRY_EXCEPTION_ERROR_CODE", errorCode);
    this.#inject(interruptionOf(INTERRUPTION_TYPE.HARDWARE_EXCEPTION, vector, hasErrorCode));
  }

  /** An event whose delivery an exit interrupted is delivered again. SDM Vol. 3C §28.2.4, "Information for VM Exits During Event Delivery". */
  redeliver(vectoring: number): void {
    const { type, hasErrorCode } = interruption(vectoring);
    if (hasErrorCode) {
      const errorCode = this.#vmcs.read("IDT_VECTORING_ERROR_CODE");
      this.#vmcs.write("VM_ENTRY_EXCEPTION_ERROR_CODE", errorCode);
    }
    // Software interrupts and exceptions, INT1 among them: their instruction's length is needed again.
    if (type >= INTERRUPTION_TYPE.SOFTWARE_INTERRUPT) {
      const length = this.#vmcs.read("EXIT_INSTRUCTION_LENGTH");
      this.#vmcs.write("VM_ENTRY_INSTRUCTION_LENGTH", length);
    }
    if (type === INTERRUPTION_TYPE.NMI) {
      const blocked = this.#vmcs.readNumber("GUEST_INTERRUPTIBILITY_STATE");
      this.#vmcs.write("GUEST_INTERRUPTIBILITY_STATE", blocked & ~BLOCKING.NMI);
    }
    // Bit 12 is undefined in the one field and reserved in the other.
    this.#inject((vectoring & ~0x1000) >>> 0);
  }

  /** Decides what the coming entry injects, and how the guest gives control back when it can take more. */
  prepareEntry(): void {
    this.#setThreshold();
    const windows = this.#interrupts.isPending ? this.#next() : 0;
    const controls = (this.#baseControls | windows) >>> 0;
    this.#occupied = false;
    if (controls !== this.#controls) {
      this.#controls = controls;
      this.#vmcs.write("PRIMARY_CONTROLS", controls);
    }
  }

  #next(): number {
    const blocked = this.#vmcs.readNumber("GUEST_INTERRUPTIBILITY_STATE");
    const enabled = (this.#vmcs.read("GUEST_RFLAGS") & RFLAGS.IF) !== 0n;
    const event = this.#interrupts.take({
      interruptsEnabled: enabled && !this.#occupied,
      shadowed: (blocked & shadows) !== 0 || this.#occupied,
      nmiBlocked: (blocked & BLOCKING.NMI) !== 0,
    });
    switch (event.kind) {
      case "none":
        return 0;
      case "window":
        return event.for === "nmi" ? PRIMARY.NMI_WINDOW_EXITING : PRIMARY.INTERRUPT_WINDOW_EXITING;
      case "nmi":
        this.#inject(interruptionOf(INTERRUPTION_TYPE.NMI, VECTOR.NMI, false));
        break;
      case "interrupt":
        this.#inject(interruptionOf(INTERRUPTION_TYPE.EXTERNAL_INTERRUPT, event.vector, false));
    }
    // What waits behind it needs a window of its own.
    return this.#interrupts.isPending ? PRIMARY.INTERRUPT_WINDOW_EXITING : 0;
  }

  /** An interrupt that the task priority holds back comes as soon as the guest lowers it. SDM Vol. 3C §30.1.2, "TPR Virtualization". */
  #setThreshold(): void {
    const { apic } = this.#controller;
    const waiting = apic.waitingClass;
    const threshold = waiting <= apic.readTaskPriority() ? waiting : 0;
    if (threshold === this.#threshold) return;
    this.#threshold = threshold;
    this.#vmcs.write("TPR_THRESHOLD", threshold);
  }

  #inject(information: number): void {
    this.#occupied = true;
    this.#vmcs.write("VM_ENTRY_INTERRUPTION_INFORMATION", information);
  }
}
