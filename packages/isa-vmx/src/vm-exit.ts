/**
 * VM exit: what is recorded, saved and loaded, and what leads to one.
 *
 * Intel SDM Vol. 3C §28.2, "Recording VM-Exit Information and Updating VM-Entry Control Fields", and the sections after
 * it, in their order.
 */
import { slots, type ExtensionEvent, type Verdict } from "@ringside/isa";
import { fields } from "./fields.ts";
import { AbandonedEvents } from "./abandoned-event.ts";
import { EXIT_CONTROL, PIN } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { hasInstructionDetail, instructionDetail } from "./instruction-information.ts";
import { interruptionOf, TYPE, VALID } from "./interruption.ts";
import { storeMsrs } from "./msr-areas.ts";
import { loadHostState, saveGuestState } from "./vm-exit-state.ts";
import { clearControls } from "./vm-entry-state.ts";
import { VmcsDraft, type Vmcs } from "./vmcs.ts";
import type { VmExit } from "./vmx-control.ts";
import { loadHostMsrs, type VmxParts } from "./vmx-parts.ts";
import { INTERNAL, OPERATION, vmx } from "./vmx-state.ts";

const {
  EXIT_INSTRUCTION_INFORMATION,
  EXIT_INSTRUCTION_LENGTH,
  EXIT_INTERRUPTION_ERROR_CODE,
  EXIT_INTERRUPTION_INFORMATION,
  EXIT_QUALIFICATION,
  EXIT_REASON,
  GUEST_LINEAR_ADDRESS,
  GUEST_PHYSICAL_ADDRESS,
  PAGE_FAULT_ERROR_CODE_MASK,
  PAGE_FAULT_ERROR_CODE_MATCH,
  VM_ENTRY_INTERRUPTION_INFORMATION,
  VM_EXIT_MSR_STORE_ADDRESS,
  VM_EXIT_MSR_STORE_COUNT,
} = fields;

const FLAG_RF = 0x1_0000n;
const DR6_STEP = 0x4000n;
const DEBUG_CAUSES = 0x600fn;
/** Vectors that are not faults: RF is not saved for them. */
const NOT_FAULTS: ReadonlySet<number> = new Set([1, 2, 3, 4, 8, 18]);
const IO_STRING = 0x10;
/** Bit 12 of the interruption information and of an EPT violation's qualification: NMI unblocking due to IRET. */
const NMI_UNBLOCKING = 0x1000;

interface ExitDetail {
  readonly qualification?: bigint;
  readonly information?: number;
  readonly errorCode?: number | undefined;
  readonly delivering?: ExtensionEvent | undefined;
  readonly instructionInformation?: number;
  readonly length?: number;
  readonly addedFlags?: bigint;
  /** The event was an NMI: they are blocked from here on. */
  readonly isNmi?: boolean;
}

const NOTHING: ExitDetail = {};

export class VmExits {
  readonly abandoned: AbandonedEvents;
  readonly #parts: VmxParts;
  readonly #draft = new VmcsDraft();

  constructor(parts: VmxParts) {
    this.#parts = parts;
    this.abandoned = new AbandonedEvents(parts.context);
  }

  /** @throws {RangeError} There is no current VMCS, which in non-root operation there is. */
  leave(reason: number, detail: ExitDetail = NOTHING): Verdict {
    const { context, rootMode, operation, words, time, exitCounts } = this.#parts;
    const { state } = context;
    const vmcs = operation.current;
    if (vmcs === undefined)
      throw new RangeError("Bug in ringside: a VM exit without a VMCS, please report.");
    exitCounts.add(reason);
    const draft = this.#draft;
    draft.begin(vmcs);
    this.#record(draft, reason, detail);
    time.stop(draft);
    saveGuestState(state, words, draft, detail.addedFlags ?? 0n);
    draft.commit(vmcs);
    this.#storeMsrs(vmcs);
    state.setNumber(vmx.operation, OPERATION.ROOT);
    const usesVpid = state.getNumber(vmx.vpid) !== 0;
    clearControls(words);
    context.watchBoundaries(false);
    time.wake();
    if (!usesVpid) context.flushTlb(0, true);
    if (rootMode === "monitor") {
      state.setNumber(slots.nmiBlocked, 0);
      state.setNumber(slots.halted, 0);
      state.setNumber(slots.interruptShadow, 0);
      const exit: VmExit = { reason, entryFailure: undefined };
      return { leave: exit };
    }
    context.selectTlb(0);
    loadHostState(context, vmcs);
    state.setNumber(slots.nmiBlocked, detail.isNmi === true ? 1 : 0);
    const abort = loadHostMsrs(this.#parts, vmcs);
    return abort === undefined ? "continue" : { leave: abort };
  }

  #record(draft: VmcsDraft, reason: number, detail: ExitDetail): void {
    draft.set(EXIT_REASON, reason);
    draft.setWide(EXIT_QUALIFICATION, detail.qualification ?? 0n);
    draft.set(EXIT_INTERRUPTION_INFORMATION, detail.information ?? 0);
    draft.set(EXIT_INTERRUPTION_ERROR_CODE, detail.errorCode ?? 0);
    draft.set(EXIT_INSTRUCTION_LENGTH, detail.length ?? 0);
    this.abandoned.record(draft, detail.delivering);
    draft.set(EXIT_INSTRUCTION_INFORMATION, detail.instructionInformation ?? 0);
    const injected = draft.low(VM_ENTRY_INTERRUPTION_INFORMATION);
    draft.set(VM_ENTRY_INTERRUPTION_INFORMATION, injected & ~VALID);
  }

  #storeMsrs(vmcs: Vmcs): void {
    const { context, operation } = this.#parts;
    const count = vmcs.low(VM_EXIT_MSR_STORE_COUNT);
    if (count === 0) return;
    storeMsrs(context, operation.memory, Number(vmcs.read(VM_EXIT_MSR_STORE_ADDRESS)), count);
  }

  /** A row, an intercept or the EPT walk asked for an exit. */
  atInstruction(reason: number, given: ExtensionEvent | undefined): Verdict {
    const { context, operation } = this.#parts;
    const { state } = context;
    const delivering = this.abandoned.at(given, 0);
    if (reason === EXIT.EPT_VIOLATION || reason === EXIT.EPT_MISCONFIGURATION) {
      const vmcs = operation.current;
      vmcs?.write(GUEST_PHYSICAL_ADDRESS, state.get(vmx.guestPhysical));
      vmcs?.write(GUEST_LINEAR_ADDRESS, state.get(vmx.guestLinear));
      const isUnblocking =
        reason === EXIT.EPT_VIOLATION &&
        delivering === undefined &&
        this.abandoned.hasUnblockedNmis(0);
      const added = isUnblocking ? BigInt(NMI_UNBLOCKING) : 0n;
      return this.leave(reason, {
        qualification: state.get(vmx.qualification) | added,
        delivering,
      });
    }
    const length = delivering === undefined ? context.currentLengthBytes() : 0;
    switch (reason) {
      case EXIT.TASK_SWITCH:
        return this.leave(reason, {
          qualification: state.get(vmx.qualification),
          length,
          delivering,
        });
      case INTERNAL.TPR_BELOW:
        state.rip = BigInt.asUintN(64, state.rip + BigInt(length));
        state.setNumber(slots.interruptShadow, 0);
        return this.leave(EXIT.TPR_BELOW_THRESHOLD);
      case EXIT.EXCEPTION_OR_NMI:
        return this.#softwareException(length);
      case EXIT.IO_INSTRUCTION:
        return this.#portAccess(length);
      case EXIT.CONTROL_REGISTER_ACCESS:
        // LMSW has a memory operand.
        operation.current?.set("GUEST_LINEAR_ADDRESS", state.get(vmx.guestLinear));
        return this.leave(reason, { qualification: state.get(vmx.qualification), length });
      default:
        return hasInstructionDetail(reason) && delivering === undefined
          ? this.#detailed(reason, length)
          : this.leave(reason, { qualification: state.get(vmx.qualification), length });
    }
  }

  /** INT3, INTO and INT1 under the exception bitmap. */
  #softwareException(length: number): Verdict {
    const vector = this.#parts.context.state.getNumber(vmx.result);
    const type = vector === 1 ? TYPE.PRIVILEGED_SOFTWARE_EXCEPTION : TYPE.SOFTWARE_EXCEPTION;
    return this.leave(EXIT.EXCEPTION_OR_NMI, {
      information: interruptionOf(type, vector, false),
      length,
    });
  }

  #portAccess(length: number): Verdict {
    const { context, operation } = this.#parts;
    const { state } = context;
    const qualification = state.get(vmx.qualification);
    if ((state.getNumber(vmx.qualification) & IO_STRING) === 0)
      return this.leave(EXIT.IO_INSTRUCTION, { qualification, length });
    operation.current?.set("GUEST_LINEAR_ADDRESS", state.get(vmx.guestLinear));
    const segment = context.currentOperand()?.segment ?? 0;
    const instructionInformation = state.getNumber(vmx.result) + (segment << 15);
    return this.leave(EXIT.IO_INSTRUCTION, { qualification, length, instructionInformation });
  }

  /** An instruction whose memory operand the exit describes. */
  #detailed(reason: number, length: number): Verdict {
    const { state } = this.#parts.context;
    const operand = this.#parts.context.currentOperand();
    if (operand === undefined)
      return this.leave(reason, { qualification: state.get(vmx.qualification), length });
    const registers = state.getNumber(vmx.result);
    const { information, displacement } = instructionDetail(operand, registers, state.rip);
    return this.leave(reason, {
      qualification: displacement,
      instructionInformation: information,
      length,
    });
  }

  /** An event that is about to be delivered in the guest. */
  atEvent(event: ExtensionEvent, given: ExtensionEvent | undefined): "deliver" | Verdict {
    const { context } = this.#parts;
    const pin = context.state.getNumber(vmx.pin);
    switch (event.kind) {
      case "interrupt":
        return (pin & PIN.EXTERNAL_INTERRUPT_EXITING) === 0 ? "deliver" : this.#interrupt();
      case "nmi":
        if ((pin & PIN.NMI_EXITING) === 0) return "deliver";
        return this.leave(EXIT.EXCEPTION_OR_NMI, {
          information: interruptionOf(TYPE.NMI, 2, false),
          isNmi: true,
        });
      case "exception":
        return this.#exception(event, given);
      case "software":
        return "deliver";
      case "shutdown":
        return this.leave(EXIT.TRIPLE_FAULT);
    }
  }

  #interrupt(): Verdict {
    const { context } = this.#parts;
    const controls = context.state.getNumber(vmx.exitControls);
    if ((controls & EXIT_CONTROL.ACKNOWLEDGE_INTERRUPT) === 0)
      return this.leave(EXIT.EXTERNAL_INTERRUPT);
    const vector = context.acknowledgeInterrupt();
    const information = interruptionOf(TYPE.EXTERNAL_INTERRUPT, vector, false);
    return this.leave(EXIT.EXTERNAL_INTERRUPT, { information });
  }

  #exception(
    event: Extract<ExtensionEvent, { kind: "exception" }>,
    given: ExtensionEvent | undefined,
  ): "deliver" | Verdict {
    const { state } = this.#parts.context;
    const { vector, errorCode, linear } = event;
    let isAsked = ((state.getNumber(vmx.exceptionBitmap) >>> vector) & 1) !== 0;
    if (vector === 14) {
      // Bits in the mask that differ from the match turn the meaning of the bitmap around.
      const vmcs = this.#parts.operation.current;
      const mask = vmcs?.low(PAGE_FAULT_ERROR_CODE_MASK) ?? 0;
      const match = vmcs?.low(PAGE_FAULT_ERROR_CODE_MATCH) ?? 0;
      const isMatch = ((errorCode ?? 0) & mask) >>> 0 === match;
      isAsked = isMatch === isAsked;
    }
    if (!isAsked) return "deliver";
    let qualification = vector === 14 ? linear : 0n;
    if (vector === 1) {
      // The exit reports what DR6 would have become; DR6 itself does not change.
      qualification = state.get(slots.dr6) & DEBUG_CAUSES;
      state.set(slots.dr6, state.get(slots.dr6) & ~DR6_STEP);
    }
    const delivering = this.abandoned.at(given, 1);
    // Bit 12 is undefined for a double fault, and while an event was being delivered.
    const isUnblocking = delivering === undefined && this.abandoned.hasUnblockedNmis(1);
    const information =
      interruptionOf(TYPE.HARDWARE_EXCEPTION, vector, errorCode !== undefined) +
      (isUnblocking ? NMI_UNBLOCKING : 0);
    return this.leave(EXIT.EXCEPTION_OR_NMI, {
      qualification,
      information,
      errorCode,
      delivering,
      addedFlags: NOT_FAULTS.has(vector) ? 0n : FLAG_RF,
    });
  }
}
