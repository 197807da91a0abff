/**
 * VM entry: VMLAUNCH and VMRESUME.
 *
 * Intel SDM Vol. 3C §27.1, "Basic VM-Entry Checks", and the sections after it, in their order.
 */
import { slots } from "@ringside/isa";
import { fields } from "./fields.ts";
import { CheckMemory, type FailedCheck } from "./check-memory.ts";
import { EntryView, type EntryContext } from "./entry-check.ts";
import { ENTRY_FAILURE, EXIT } from "./exit-reasons.ts";
import { ERROR } from "./instruction-errors.ts";
import { interruption, TYPE } from "./interruption.ts";
import { loadMsrs } from "./msr-areas.ts";
import { loadHostState } from "./vm-exit-state.ts";
import { isLongMode, loadControls, loadGuestState, watchesWindows } from "./vm-entry-state.ts";
import type { Vmcs } from "./vmcs.ts";
import type { EntryFailure, EntryResult } from "./vmx-control.ts";
import { TAG_VPIDS } from "./vmx-operation.ts";
import { loadHostMsrs, type VmxParts } from "./vmx-parts.ts";
import { OPERATION, vmx } from "./vmx-state.ts";

const {
  EXIT_QUALIFICATION,
  EXIT_REASON,
  GUEST_PENDING_DEBUG_EXCEPTIONS,
  VM_ENTRY_EXCEPTION_ERROR_CODE,
  VM_ENTRY_INSTRUCTION_LENGTH,
  VM_ENTRY_INTERRUPTION_INFORMATION,
  VM_ENTRY_MSR_LOAD_ADDRESS,
  VM_ENTRY_MSR_LOAD_COUNT,
  VM_INSTRUCTION_ERROR,
} = fields;

const ENTERED: EntryResult = { kind: "entered" };
/** Pending debug exceptions: bits of DR6, and one that says that an enabled breakpoint is among them. */
const PENDING_STEP = 0x4000;
const PENDING_CAUSES = 0x400f;
const ENABLED_BREAKPOINT = 0x1000;

export class VmEntry {
  entries = 0;
  failedEntries = 0;
  lastFailure: EntryFailure | undefined;
  readonly #parts: VmxParts;
  readonly #checks = new CheckMemory();
  #entryContext: EntryContext | undefined;
  #view: EntryView | undefined;

  constructor(parts: VmxParts) {
    this.#parts = parts;
  }

  enter(isLaunch: boolean): EntryResult {
    const { context, operation, capabilities, words, time } = this.#parts;
    const { state } = context;
    const vmcs = operation.current;
    if (vmcs === undefined) return this.#fail(undefined, 0);
    if (this.#isBlockedByMovSs()) return this.#fail(vmcs, ERROR.MOV_SS_BLOCKING);
    const isLaunched = vmcs.isLaunched;
    if (isLaunch && isLaunched) return this.#fail(vmcs, ERROR.VMLAUNCH_NOT_CLEAR);
    if (!isLaunch && !isLaunched) return this.#fail(vmcs, ERROR.VMRESUME_NOT_LAUNCHED);

    const failed = this.#checks.firstFailure(this.#viewOf(vmcs));
    if (failed !== undefined) return this.#failCheck(vmcs, failed);

    loadGuestState(context, words, vmcs);
    const msrs = vmcs.low(VM_ENTRY_MSR_LOAD_COUNT);
    if (msrs !== 0) {
      const area = Number(vmcs.read(VM_ENTRY_MSR_LOAD_ADDRESS));
      const position = loadMsrs(context, operation.memory, area, msrs);
      if (position !== undefined)
        return this.#abandon(vmcs, EXIT.MSR_LOADING, BigInt(position), msrFailure(position));
    }
    context.updateMode();

    this.entries += 1;
    this.lastFailure = undefined;
    if (isLaunch) vmcs.setLaunched();
    state.setNumber(vmx.operation, OPERATION.NON_ROOT);
    loadControls(state, words, vmcs, capabilities);
    time.start(vmcs);
    this.#selectGuestTlb();
    context.watchBoundaries(watchesWindows(state));
    this.#inject(vmcs);
    return ENTERED;
  }

  /** Blocking by MOV SS is the processor's own only where root operation runs on it. */
  #isBlockedByMovSs(): boolean {
    const { context, rootMode } = this.#parts;
    return rootMode === "architectural" && context.state.getNumber(slots.interruptShadow) === 2;
  }

  /** VMfailInvalid for 0, else VMfailValid. */
  #fail(vmcs: Vmcs | undefined, error: number, failure?: EntryFailure): EntryResult {
    this.failedEntries += 1;
    this.lastFailure = failure;
    vmcs?.write(VM_INSTRUCTION_ERROR, error);
    return { kind: "failed", error, failure };
  }

  #failCheck(vmcs: Vmcs, { failure, qualification }: FailedCheck): EntryResult {
    switch (failure.stage) {
      case "controls":
        return this.#fail(vmcs, ERROR.CONTROLS, failure);
      case "host-state":
        return this.#fail(vmcs, ERROR.HOST_STATE, failure);
      default:
        return this.#abandon(vmcs, EXIT.INVALID_GUEST_STATE, qualification, failure);
    }
  }

  /** What the checks look at; made once for each VMCS that becomes current. */
  #viewOf(vmcs: Vmcs): EntryView {
    const { context, rootMode, capabilities, operation } = this.#parts;
    const { state } = context;
    const rootIsLong = rootMode === "monitor" || isLongMode(state);
    if (this.#view?.vmcs === vmcs && this.#view.rootIsLong === rootIsLong) return this.#view;
    this.#entryContext ??= {
      capabilities,
      memory: operation.memory,
      physicalReserved: operation.physicalReserved,
      cr4Allowed: state.get(slots.cr4Allowed),
      eferAllowed: state.get(slots.eferAllowed),
    };
    this.#view = new EntryView(this.#entryContext, vmcs, rootIsLong);
    return this.#view;
  }

  /** A failed VM entry: a VM exit that saves no guest state. */
  #abandon(vmcs: Vmcs, reason: number, qualification: bigint, failure: EntryFailure): EntryResult {
    const { context, rootMode, exitCounts } = this.#parts;
    this.failedEntries += 1;
    this.lastFailure = failure;
    vmcs.write(EXIT_REASON, reason + ENTRY_FAILURE);
    vmcs.write(EXIT_QUALIFICATION, qualification);
    exitCounts.add(reason);
    if (rootMode === "architectural") {
      loadHostState(context, vmcs);
      loadHostMsrs(this.#parts, vmcs);
      context.flushTlb(0, true);
    }
    return { kind: "exited", exit: { reason, entryFailure: failure } };
  }

  /** Translations of this guest, or none at all where there are no VPIDs. Intel SDM Vol. 3C §29.4, "Caching Translation Information". */
  #selectGuestTlb(): void {
    const { context } = this.#parts;
    const { state } = context;
    const vpid = state.getNumber(vmx.vpid);
    if (vpid === 0) {
      context.selectTlb(0);
      context.flushTlb(0, true);
      return;
    }
    const pointer = state.get(vmx.eptPointer);
    const root = pointer === 0n ? 0 : Number(pointer >> 12n) + 1;
    context.selectTlb(root * TAG_VPIDS + vpid);
  }

  #inject(vmcs: Vmcs): void {
    const { context, time } = this.#parts;
    const { state } = context;
    const information = vmcs.low(VM_ENTRY_INTERRUPTION_INFORMATION);
    const { isValid, vector, type, hasErrorCode } = interruption(information);
    if (!isValid) {
      this.#takePendingDebug(vmcs);
      return;
    }
    state.setNumber(slots.pendingDebug, 0);
    // Delivery of a page fault writes CR2 from here; injection leaves CR2 to the hypervisor.
    state.set(slots.faultLinear, state.cr2);
    const length = BigInt(vmcs.low(VM_ENTRY_INSTRUCTION_LENGTH));
    const returnRip = BigInt.asUintN(64, state.rip + length);
    switch (type) {
      case TYPE.EXTERNAL_INTERRUPT:
        context.inject({ kind: "external", vector });
        return;
      case TYPE.NMI:
        context.inject({ kind: "nmi", vector });
        return;
      case TYPE.HARDWARE_EXCEPTION: {
        const errorCode = vmcs.low(VM_ENTRY_EXCEPTION_ERROR_CODE);
        context.inject({ kind: "exception", vector, ...(hasErrorCode ? { errorCode } : {}) });
        return;
      }
      case TYPE.PRIVILEGED_SOFTWARE_EXCEPTION:
        context.inject({ kind: "privileged-software", vector, returnRip });
        return;
      case TYPE.OTHER:
        time.trapNow();
        return;
      default:
        context.inject({ kind: "software", vector, returnRip });
    }
  }

  /** The trap comes at the next boundary that blocking by MOV SS does not hold back. Intel SDM Vol. 3C §27.7.3, "Delivery of Pending Debug Exceptions after VM Entry". */
  #takePendingDebug(vmcs: Vmcs): void {
    const pending = vmcs.low(GUEST_PENDING_DEBUG_EXCEPTIONS);
    const causes = (pending & ENABLED_BREAKPOINT) === 0 ? PENDING_STEP : PENDING_CAUSES;
    this.#parts.context.state.setNumber(slots.pendingDebug, pending & causes);
  }
}

function msrFailure(position: number): EntryFailure {
  const reference = 'Intel SDM Vol. 3C §27.4, "Loading MSRs"';
  return {
    stage: "msr-loading",
    check: "entry-msr-load-area",
    field: undefined,
    value: BigInt(position),
    expected: "name a register that WRMSR accepts, with a value that it accepts",
    reference,
    message: `VM entry failed at entry ${position} of its MSR-load area: the processor refuses the register or its value (${reference}).`,
  };
}
