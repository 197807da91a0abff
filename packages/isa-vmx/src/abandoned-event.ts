/**
 * What a VM exit abandoned beside the instruction: the event that was being delivered, as the IDT-vectoring information
 * has it, or an IRET that had unblocked NMIs.
 *
 * Intel SDM Vol. 3C §28.2.4, "Information for VM Exits During Event Delivery".
 */
import type { ExtensionContext, ExtensionEvent } from "@ringside/isa";
import { fields } from "./fields.ts";
import { interruption, interruptionOf, TYPE } from "./interruption.ts";
import type { VmcsDraft } from "./vmcs.ts";
import { vmx } from "./vmx-state.ts";

const {
  EXIT_INSTRUCTION_LENGTH,
  IDT_VECTORING_ERROR_CODE,
  IDT_VECTORING_INFORMATION,
  VM_ENTRY_INSTRUCTION_LENGTH,
  VM_ENTRY_INTERRUPTION_INFORMATION,
} = fields;

/** Added to an injection's information, whose valid bit an exit has cleared. */

export class AbandonedEvents {
  readonly #context: ExtensionContext;
  /** The last one asked for was a software interrupt whose row was noted. */
  #isNoted = false;

  constructor(context: ExtensionContext) {
    this.#context = context;
  }

  /** Notes the time of a software interrupt: its prologue has stored vector and length. */
  noteSoftware(): void {
    this.#context.state.set(vmx.softwareTime, BigInt(this.#context.now() + 1));
  }

  /** Notes the time of an IRET that is about to unblock NMIs. */
  noteIret(): void {
    this.#context.state.set(vmx.iretTime, BigInt(this.#context.now() + 1));
  }

  /** Whether the fault that exits now is that of an IRET, which has unblocked NMIs before it. Intel SDM Vol. 3C §28.2.3, "Information About NMI Unblocking Due to IRET". */
  hasUnblockedNmis(unitsSinceNoted: number): boolean {
    const noted = this.#context.state.get(vmx.iretTime);
    return noted !== 0n && Number(noted) - 1 === this.#context.now() + unitsSinceNoted;
  }

  /**
   * What was being delivered. What the processor says wins; else it is the software interrupt whose row was abandoned, if
   * one was: nothing retired since it was noted.
   */
  at(delivering: ExtensionEvent | undefined, unitsSinceNoted: number): ExtensionEvent | undefined {
    this.#isNoted = false;
    if (delivering !== undefined) return delivering;
    const { state } = this.#context;
    const noted = state.get(vmx.softwareTime);
    if (noted === 0n || Number(noted) - 1 !== this.#context.now() + unitsSinceNoted)
      return undefined;
    this.#isNoted = true;
    const vector = state.getNumber(vmx.softwareVector);
    const isPrivileged = vector === 1 && state.getNumber(vmx.softwareLength) === 1;
    return { kind: "software", vector, privileged: isPrivileged };
  }

  /** Records the event; the length of its instruction goes where that of the exit does. */
  record(draft: VmcsDraft, delivering: ExtensionEvent | undefined): void {
    switch (delivering?.kind) {
      case undefined:
      case "shutdown":
        write(draft, 0, 0);
        return;
      case "nmi":
        write(draft, interruptionOf(TYPE.NMI, 2, false), 0);
        return;
      case "interrupt":
        write(draft, interruptionOf(TYPE.EXTERNAL_INTERRUPT, delivering.vector ?? 0, false), 0);
        return;
      case "exception": {
        const { vector, errorCode } = delivering;
        const hasErrorCode = errorCode !== undefined;
        write(draft, interruptionOf(TYPE.HARDWARE_EXCEPTION, vector, hasErrorCode), errorCode ?? 0);
        return;
      }
      case "software": {
        const { vector, privileged } = delivering;
        write(
          draft,
          interruptionOf(this.#softwareType(draft, vector, privileged), vector, false),
          0,
        );
        draft.set(EXIT_INSTRUCTION_LENGTH, this.#softwareLength(draft));
      }
    }
  }

  /** INT3 and INTO are software exceptions; INT n with their vectors is a software interrupt. */
  #softwareType(draft: VmcsDraft, vector: number, isPrivileged: boolean): number {
    if (isPrivileged) return TYPE.PRIVILEGED_SOFTWARE_EXCEPTION;
    if (this.#isNoted) {
      const isShort = this.#context.state.getNumber(vmx.softwareLength) === 1;
      return isShort ? TYPE.SOFTWARE_EXCEPTION : TYPE.SOFTWARE_INTERRUPT;
    }
    const information = draft.low(VM_ENTRY_INTERRUPTION_INFORMATION);
    const injected = interruption(information);
    return injected.vector === vector ? injected.type : TYPE.SOFTWARE_INTERRUPT;
  }

  #softwareLength(draft: VmcsDraft): number {
    return this.#isNoted
      ? this.#context.state.getNumber(vmx.softwareLength)
      : draft.low(VM_ENTRY_INSTRUCTION_LENGTH);
  }
}

function write(draft: VmcsDraft, information: number, errorCode: number): void {
  draft.set(IDT_VECTORING_INFORMATION, information);
  draft.set(IDT_VECTORING_ERROR_CODE, errorCode);
}
