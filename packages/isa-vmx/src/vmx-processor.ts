/**
 * VMX of one processor: its VM entries, its VM exits, and what happens between them.
 *
 * All state is in memory: the VMCSs in their regions, the rest in the extension's state block. What is kept here are
 * counts, and the explanation of the last failed entry.
 */
import {
  RFLAGS,
  slots,
  type ExtensionContext,
  type ExtensionEvent,
  type ExtensionHooks,
  type PendingEvents,
  type ProcessorState,
  type Verdict,
} from "@ringside/isa";
import type { VmxCapabilities } from "./capabilities.ts";
import { controlChecks } from "./control-checks.ts";
import { EXIT_CONTROL, PIN, PRIMARY } from "./controls.ts";
import { CheckMemory, EntryView, firstFailure, type EntryContext } from "./entry-check.ts";
import { ENTRY_FAILURE, EXIT, exitName } from "./exit-reasons.ts";
import { guestChecks } from "./guest-checks.ts";
import { hostChecks } from "./host-checks.ts";
import { hasInstructionDetail, instructionDetail } from "./instruction-information.ts";
import { ERROR } from "./instruction-errors.ts";
import { interruption, interruptionOf, TYPE } from "./interruption.ts";
import { loadMsrs, storeMsrs } from "./msr-areas.ts";
import { clearControls, loadControls, loadGuestState, watchesWindows } from "./vm-entry-state.ts";
import { loadHostState, saveGuestState } from "./vm-exit-state.ts";
import { makeControl } from "./make-control.ts";
import type { Vmcs } from "./vmcs.ts";
import type { EntryFailure, EntryResult, VmExit, VmxControl, VmxCounts } from "./vmx-control.ts";
import { TAG_VPIDS, VmxOperation } from "./vmx-operation.ts";
import { INTERNAL, OPERATION, vmx } from "./vmx-state.ts";

/** Who has root operation: software on the processor, or the caller of `Processor.run`. */
export type RootMode = "architectural" | "monitor";

const FLAG_RF = 0x1_0000n;
const DR6_STEP = 0x4000n;
const DEBUG_CAUSES = 0x600fn;
/** Vectors that are not faults: RF is not saved for them. */
const NOT_FAULTS: ReadonlySet<number> = new Set([1, 2, 3, 4, 8, 18]);
const ABORT_HOST_MSR = 4;
/** Length of VMLAUNCH and VMRESUME without redundant prefixes. */
const ENTRY_LENGTH = 3;

/** The VMX-abort of a VM exit: the processor shuts down. Intel SDM Vol. 3C §27.7, "VMX Aborts". */
export interface VmxAbort {
  /** The indicator in the VMCS region. */
  readonly abort: number;
}

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

export class VmxProcessor {
  readonly control: VmxControl;
  readonly hooks: ExtensionHooks;
  readonly state: ProcessorState;
  readonly revision: number;
  readonly operation: VmxOperation;
  readonly #context: ExtensionContext;
  readonly #capabilities: VmxCapabilities;
  readonly #rootMode: RootMode;
  readonly #exits = new Map<string, number>();
  #entries = 0;
  #failedEntries = 0;
  lastEntryFailure: EntryFailure | undefined;
  readonly #checkMemory = new CheckMemory();

  constructor(context: ExtensionContext, capabilities: VmxCapabilities, rootMode: RootMode) {
    this.#context = context;
    this.#capabilities = capabilities;
    this.#rootMode = rootMode;
    this.state = context.state;
    this.revision = capabilities.revision;
    this.operation = new VmxOperation(context, capabilities);
    this.hooks = this.#makeHooks();
    this.control = makeControl(this);
  }

  get #operation(): bigint {
    return this.operation.operation;
  }

  get #current(): Vmcs | undefined {
    return this.operation.current;
  }

  // VM entry.

  /** VMLAUNCH and VMRESUME. */
  enter(isLaunch: boolean): EntryResult {
    const { state } = this.#context;
    const vmcs = this.#current;
    const failed = (error: number, failure?: EntryFailure): EntryResult => {
      this.#failedEntries += 1;
      this.lastEntryFailure = failure;
      if (error !== 0) vmcs?.set("VM_INSTRUCTION_ERROR", error);
      return { kind: "failed", error, failure };
    };
    if (vmcs === undefined) return failed(0);
    if (this.#rootMode === "architectural" && state.getNumber(slots.interruptShadow) === 2)
      return failed(ERROR.MOV_SS_BLOCKING);
    if (isLaunch && vmcs.isLaunched) return failed(ERROR.VMLAUNCH_NOT_CLEAR);
    if (!isLaunch && !vmcs.isLaunched) return failed(ERROR.VMRESUME_NOT_LAUNCHED);

    const view = new EntryView(this.#entryContext(), vmcs);
    const memory = this.#checkMemory;
    memory.begin(view, vmcs.region);
    const controls = firstFailure(view, "controls", controlChecks, memory);
    if (controls !== undefined) return failed(ERROR.CONTROLS, controls.failure);
    const host = firstFailure(view, "host-state", hostChecks, memory);
    if (host !== undefined) return failed(ERROR.HOST_STATE, host.failure);
    const guest = firstFailure(view, "guest-state", guestChecks, memory);
    if (guest !== undefined) {
      return this.#abandon(vmcs, EXIT.INVALID_GUEST_STATE, guest.qualification, guest.failure);
    }

    loadGuestState(this.#context, view);
    const position = loadMsrs(
      this.#context,
      this.operation.memory,
      Number(view.get("VM_ENTRY_MSR_LOAD_ADDRESS")),
      view.number("VM_ENTRY_MSR_LOAD_COUNT"),
    );
    if (position !== undefined) {
      const reference = 'Intel SDM Vol. 3C §26.4, "Loading MSRs"';
      const message = `VM entry failed at entry ${position} of its MSR-load area: the processor refuses the register or its value (${reference}).`;
      const failure: EntryFailure = {
        stage: "msr-loading",
        check: "entry-msr-load-area",
        field: undefined,
        value: BigInt(position),
        expected: "name a register that WRMSR accepts, with a value that it accepts",
        reference,
        message,
      };
      return this.#abandon(vmcs, EXIT.MSR_LOADING, BigInt(position), failure);
    }
    this.#context.updateMode();

    this.#entries += 1;
    this.lastEntryFailure = undefined;
    if (isLaunch) vmcs.setLaunched(true);
    state.set(vmx.operation, OPERATION.NON_ROOT);
    loadControls(state, view, this.#capabilities);
    this.#startTime(view);
    this.#selectGuestTlb();
    this.#context.watchBoundaries(watchesWindows(state));
    this.#inject(view);
    return { kind: "entered" };
  }

  #entryContext(): EntryContext {
    const { state } = this.#context;
    return {
      capabilities: this.#capabilities,
      memory: this.operation.memory,
      physicalReserved: this.operation.physicalReserved,
      cr4Allowed: state.get(slots.cr4Allowed),
      eferAllowed: state.get(slots.eferAllowed),
      rootIsLong: this.#rootMode === "monitor" || (state.efer & 0x400n) !== 0n,
    };
  }

  /** A failed VM entry: a VM exit that saves no guest state. */
  #abandon(vmcs: Vmcs, reason: number, qualification: bigint, failure: EntryFailure): EntryResult {
    this.#failedEntries += 1;
    this.lastEntryFailure = failure;
    vmcs.set("EXIT_REASON", reason + ENTRY_FAILURE);
    vmcs.set("EXIT_QUALIFICATION", qualification);
    this.#countExit(reason);
    if (this.#rootMode === "architectural") {
      loadHostState(this.#context, vmcs);
      this.#loadHostMsrs(vmcs);
      this.#context.flushTlb(0, true);
    }
    return { kind: "exited", exit: { reason, entryFailure: failure } };
  }

  #loadHostMsrs(vmcs: Vmcs): VmxAbort | undefined {
    const position = loadMsrs(
      this.#context,
      this.operation.memory,
      Number(vmcs.get("VM_EXIT_MSR_LOAD_ADDRESS")),
      vmcs.number("VM_EXIT_MSR_LOAD_COUNT"),
    );
    this.#context.updateMode();
    if (position === undefined) return undefined;
    vmcs.setAbort(ABORT_HOST_MSR);
    return { abort: ABORT_HOST_MSR };
  }

  /** TSC offsetting, the preemption timer and the monitor trap flag. */
  #startTime(view: EntryView): void {
    const { state } = this.#context;
    const now = this.#context.now();
    const has = (bit: number): boolean => view.control("PRIMARY_CONTROLS", bit);
    const tsc = BigInt.asUintN(64, BigInt(now) + state.get(slots.tscOffset));
    const offset = has(PRIMARY.USE_TSC_OFFSETTING) ? view.get("TSC_OFFSET") : 0n;
    state.set(vmx.tscOffset, offset);
    state.set(slots.tscOffset, BigInt.asUintN(64, state.get(slots.tscOffset) + offset));
    state.set(vmx.timerEnd, 0n);
    if (view.control("PIN_BASED_CONTROLS", PIN.PREEMPTION_TIMER)) {
      const shift = BigInt(this.#capabilities.preemptionTimerShift);
      const end = ((tsc >> shift) + view.get("VMX_PREEMPTION_TIMER_VALUE")) << shift;
      const left = end > tsc ? end - tsc : 0n;
      state.set(vmx.timerEnd, BigInt(now) + left + 1n);
    }
    state.set(vmx.trapEnd, has(PRIMARY.MONITOR_TRAP_FLAG) ? BigInt(now + 2) : 0n);
    this.#wake();
  }

  get deadline(): number | undefined {
    const { state } = this.#context;
    const ends = [state.get(vmx.timerEnd), state.get(vmx.trapEnd)].filter((end) => end !== 0n);
    return ends.length === 0 ? undefined : Math.min(...ends.map((end) => Number(end) - 1));
  }

  #wake(): void {
    this.#context.wakeAt(this.deadline);
  }

  /** Translations of this guest, or none at all where there are no VPIDs. Intel SDM Vol. 3C §28.4, "Caching Translation Information". */
  #selectGuestTlb(): void {
    const { state } = this.#context;
    const vpid = Number(state.get(vmx.vpid));
    const pointer = state.get(vmx.eptPointer);
    const root = pointer === 0n ? 0 : Number(pointer >> 12n) + 1;
    if (vpid === 0) {
      this.#context.selectTlb(0);
      this.#context.flushTlb(0, true);
    } else this.#context.selectTlb(root * TAG_VPIDS + vpid);
  }

  #inject(view: EntryView): void {
    const { state } = this.#context;
    const information = view.number("VM_ENTRY_INTERRUPTION_INFORMATION");
    const { isValid, vector, type, hasErrorCode } = interruption(information);
    if (!isValid) {
      this.#deliverPendingDebug(view);
      return;
    }
    const returnRip = BigInt.asUintN(
      64,
      state.rip + BigInt(view.number("VM_ENTRY_INSTRUCTION_LENGTH")),
    );
    // Delivery of a page fault writes CR2 from here; injection leaves CR2 to the hypervisor.
    state.set(slots.faultLinear, state.cr2);
    switch (type) {
      case TYPE.EXTERNAL_INTERRUPT:
        this.#context.inject({ kind: "external", vector });
        return;
      case TYPE.NMI:
        this.#context.inject({ kind: "nmi", vector });
        return;
      case TYPE.HARDWARE_EXCEPTION: {
        const errorCode = view.number("VM_ENTRY_EXCEPTION_ERROR_CODE");
        this.#context.inject({ kind: "exception", vector, ...(hasErrorCode ? { errorCode } : {}) });
        return;
      }
      case TYPE.PRIVILEGED_SOFTWARE_EXCEPTION:
        this.#context.inject({ kind: "privileged-software", vector, returnRip });
        return;
      case TYPE.OTHER:
        state.set(vmx.trapEnd, BigInt(this.#context.now() + 1));
        this.#wake();
        return;
      default:
        this.#context.inject({ kind: "software", vector, returnRip });
    }
  }

  /** Intel SDM Vol. 3C §26.7.3, "Delivery of Pending Debug Exceptions after VM Entry". */
  #deliverPendingDebug(view: EntryView): void {
    const { state } = this.#context;
    const pending = view.get("GUEST_PENDING_DEBUG_EXCEPTIONS");
    const isHeld = state.getNumber(slots.interruptShadow) !== 0;
    if (isHeld || (pending & 0x5000n) === 0n) return;
    state.set(slots.dr6, state.get(slots.dr6) | (pending & 0x400fn));
    this.#context.inject({ kind: "exception", vector: 1 });
  }

  // VM exit.

  #countExit(reason: number): void {
    const name = exitName(reason);
    this.#exits.set(name, (this.#exits.get(name) ?? 0) + 1);
  }

  /** A VM exit. Intel SDM Vol. 3C §27.2, "Recording VM-Exit Information and Updating VM-Entry Control Fields", and the sections after it. */
  #leave(reason: number, detail: ExitDetail = {}): Verdict {
    const { state } = this.#context;
    const vmcs = this.#current;
    if (vmcs === undefined)
      throw new RangeError("Bug in ringside: a VM exit without a VMCS, please report.");
    this.#countExit(reason);
    vmcs.set("EXIT_REASON", reason);
    vmcs.set("EXIT_QUALIFICATION", detail.qualification ?? 0n);
    vmcs.set("EXIT_INTERRUPTION_INFORMATION", detail.information ?? 0);
    vmcs.set("EXIT_INTERRUPTION_ERROR_CODE", detail.errorCode ?? 0);
    const vectoring = this.#vectoring(vmcs, detail.delivering);
    vmcs.set("IDT_VECTORING_INFORMATION", vectoring.information);
    vmcs.set("IDT_VECTORING_ERROR_CODE", vectoring.errorCode);
    vmcs.set("EXIT_INSTRUCTION_LENGTH", vectoring.length ?? detail.length ?? 0);
    vmcs.set("EXIT_INSTRUCTION_INFORMATION", detail.instructionInformation ?? 0);
    const injected = vmcs.number("VM_ENTRY_INTERRUPTION_INFORMATION") & 0x7fff_ffff;
    vmcs.set("VM_ENTRY_INTERRUPTION_INFORMATION", injected);

    this.#stopTime(vmcs);
    saveGuestState(state, vmcs, detail.addedFlags ?? 0n);
    storeMsrs(
      this.#context,
      this.operation.memory,
      Number(vmcs.get("VM_EXIT_MSR_STORE_ADDRESS")),
      vmcs.number("VM_EXIT_MSR_STORE_COUNT"),
    );
    state.set(vmx.operation, OPERATION.ROOT);
    clearControls(state);
    this.#context.watchBoundaries(false);
    this.#wake();
    const usesVpid = state.get(vmx.vpid) !== 0n;
    if (!usesVpid) this.#context.flushTlb(0, true);
    if (this.#rootMode === "monitor") {
      state.setNumber(slots.nmiBlocked, 0);
      state.setNumber(slots.halted, 0);
      state.setNumber(slots.interruptShadow, 0);
      const exit: VmExit = { reason, entryFailure: undefined };
      return { leave: exit };
    }
    this.#context.selectTlb(0);
    loadHostState(this.#context, vmcs);
    state.setNumber(slots.nmiBlocked, detail.isNmi === true ? 1 : 0);
    const abort = this.#loadHostMsrs(vmcs);
    return abort === undefined ? "continue" : { leave: abort };
  }

  #stopTime(vmcs: Vmcs): void {
    const { state } = this.#context;
    const offset = state.get(vmx.tscOffset);
    state.set(slots.tscOffset, BigInt.asUintN(64, state.get(slots.tscOffset) - offset));
    state.set(vmx.tscOffset, 0n);
    const end = state.get(vmx.timerEnd);
    const saves = (vmcs.number("VM_EXIT_CONTROLS") & EXIT_CONTROL.SAVE_PREEMPTION_TIMER) !== 0;
    if (end === 0n || !saves) return;
    const shift = BigInt(this.#capabilities.preemptionTimerShift);
    const hostOffset = state.get(slots.tscOffset);
    const ticks = (time: bigint): bigint => BigInt.asUintN(64, time + hostOffset) >> shift;
    const left = ticks(end - 1n) - ticks(BigInt(this.#context.now()));
    vmcs.set("VMX_PREEMPTION_TIMER_VALUE", left > 0n ? left : 0n);
  }

  /** What was being delivered. Intel SDM Vol. 3C §27.2.4, "Information for VM Exits During Event Delivery". */
  #vectoring(
    vmcs: Vmcs,
    delivering: ExtensionEvent | undefined,
  ): { readonly information: number; readonly errorCode: number; readonly length?: number } {
    const none = { information: 0, errorCode: 0 };
    switch (delivering?.kind) {
      case undefined:
      case "shutdown":
        return none;
      case "nmi":
        return { information: interruptionOf(TYPE.NMI, 2, false), errorCode: 0 };
      case "interrupt":
        return {
          information: interruptionOf(TYPE.EXTERNAL_INTERRUPT, delivering.vector ?? 0, false),
          errorCode: 0,
        };
      case "exception": {
        const { vector, errorCode } = delivering;
        const information = interruptionOf(
          TYPE.HARDWARE_EXCEPTION,
          vector,
          errorCode !== undefined,
        );
        return { information, errorCode: errorCode ?? 0 };
      }
      case "software": {
        const { vector, privileged } = delivering;
        const type = this.#softwareType(vmcs, vector, privileged);
        const length = this.#softwareLength(vmcs);
        return { information: interruptionOf(type, vector, false), errorCode: 0, length };
      }
    }
  }

  /** INT3 and INTO are software exceptions; INT n with their vectors is a software interrupt. */
  #softwareType(vmcs: Vmcs, vector: number, isPrivileged: boolean): number {
    if (isPrivileged) return TYPE.PRIVILEGED_SOFTWARE_EXCEPTION;
    if (this.#isNotedSoftware()) {
      const isShort = this.#context.state.get(vmx.softwareLength) === 1n;
      return isShort ? TYPE.SOFTWARE_EXCEPTION : TYPE.SOFTWARE_INTERRUPT;
    }
    const injected = interruption(vmcs.number("VM_ENTRY_INTERRUPTION_INFORMATION") + ENTRY_FAILURE);
    return injected.vector === vector ? injected.type : TYPE.SOFTWARE_INTERRUPT;
  }

  #softwareLength(vmcs: Vmcs): number {
    return this.#isNotedSoftware()
      ? Number(this.#context.state.get(vmx.softwareLength))
      : vmcs.number("VM_ENTRY_INSTRUCTION_LENGTH");
  }

  #notedNow = false;

  #isNotedSoftware(): boolean {
    return this.#notedNow;
  }

  /**
   * The software interrupt whose row was abandoned, if one was: nothing retired since it was noted. `delivering` as the
   * processor gives it wins.
   */
  #deliveringAt(
    delivering: ExtensionEvent | undefined,
    sinceNoted: number,
  ): ExtensionEvent | undefined {
    this.#notedNow = false;
    if (delivering !== undefined) return delivering;
    const { state } = this.#context;
    const noted = state.get(vmx.softwareTime);
    if (noted === 0n || Number(noted) - 1 !== this.#context.now() + sinceNoted) return undefined;
    this.#notedNow = true;
    const vector = Number(state.get(vmx.softwareVector));
    const isPrivileged = vector === 1 && state.get(vmx.softwareLength) === 1n;
    return { kind: "software", vector, privileged: isPrivileged };
  }

  // Hooks.

  #makeHooks(): ExtensionHooks {
    const { state } = this.#context;
    const operand = (index: 0 | 1 | 2): bigint =>
      state.get([vmx.operand0, vmx.operand1, vmx.operand2][index] ?? vmx.operand0);
    return {
      exit: (reason, delivering) => this.#exit(reason, delivering),
      event: (event, delivering) => this.#event(event, delivering),
      boundary: (pending) => this.#boundary(pending),
      takesBlockedNmi: () =>
        this.#operation === OPERATION.NON_ROOT &&
        (state.get(vmx.pin) & BigInt(PIN.VIRTUAL_NMIS)) !== 0n,
      msrs: {
        read: (index) => this.operation.readMsr(index),
        write: (index, value) => this.operation.writeMsr(index, value),
      },
      helpers: {
        vmxonForbidden: () => (this.operation.isVmxonForbidden() ? 1 : 0),
        vmxon: () => this.operation.answer(this.operation.vmxon(operand(0))),
        vmxoff: () => this.operation.answer(this.operation.vmxoff()),
        vmclear: () => this.operation.answer(this.operation.vmclear(operand(0))),
        vmptrld: () => this.operation.answer(this.operation.vmptrld(operand(0))),
        vmread: () => this.operation.answer(this.operation.vmread(operand(0))),
        vmwrite: () =>
          this.operation.answer(
            this.operation.vmwrite(operand(0), operand(1), state.getNumber(slots.mode) !== 64),
          ),
        vmcallInRoot: () => this.operation.answer(this.operation.fail(ERROR.VMCALL_IN_ROOT)),
        invept: () => this.operation.answer(this.operation.invept(operand(0), operand(1))),
        invvpid: () =>
          this.operation.answer(this.operation.invvpid(operand(0), operand(1), operand(2))),
        vmxNoteSoftware: () => {
          state.set(vmx.softwareTime, BigInt(this.#context.now() + 1));
        },
      },
    };
  }

  #exit(reason: number, given: ExtensionEvent | undefined): Verdict {
    const { state } = this.#context;
    if (reason === INTERNAL.VMLAUNCH || reason === INTERNAL.VMRESUME)
      return this.#enterFromInstruction(reason === INTERNAL.VMLAUNCH);
    const delivering = this.#deliveringAt(given, 0);
    const operand = delivering === undefined ? this.#context.currentOperand() : undefined;
    const length = operand?.lengthBytes ?? 0;
    if (reason === INTERNAL.TPR_BELOW) {
      state.rip = BigInt.asUintN(64, state.rip + BigInt(length));
      state.setNumber(slots.interruptShadow, 0);
      return this.#leave(EXIT.TPR_BELOW_THRESHOLD);
    }
    const qualification = state.get(vmx.qualification);
    if (reason === EXIT.EPT_VIOLATION || reason === EXIT.EPT_MISCONFIGURATION) {
      const vmcs = this.#current;
      vmcs?.set("GUEST_PHYSICAL_ADDRESS", state.get(vmx.guestPhysical));
      vmcs?.set("GUEST_LINEAR_ADDRESS", state.get(vmx.guestLinear));
      return this.#leave(reason, { qualification, delivering });
    }
    if (reason === EXIT.EXCEPTION_OR_NMI) return this.#softwareException(length);
    if (reason === EXIT.IO_INSTRUCTION || reason === EXIT.CONTROL_REGISTER_ACCESS) {
      this.#current?.set("GUEST_LINEAR_ADDRESS", state.get(vmx.guestLinear));
      const instructionInformation =
        Number(state.get(vmx.result) & 0xffff_ffffn) + ((operand?.segment ?? 0) << 15);
      const isString = reason === EXIT.IO_INSTRUCTION && (qualification & 0x10n) !== 0n;
      return this.#leave(reason, {
        qualification,
        length,
        ...(isString ? { instructionInformation } : {}),
      });
    }
    if (operand !== undefined && hasInstructionDetail(reason)) {
      const registers = Number(state.get(vmx.result) & 0xffff_ffffn);
      const { information, displacement } = instructionDetail(operand, registers, state.rip);
      return this.#leave(reason, {
        qualification: displacement,
        instructionInformation: information,
        length,
      });
    }
    return this.#leave(reason, { qualification, length });
  }

  /** INT3, INTO and INT1 under the exception bitmap. */
  #softwareException(length: number): Verdict {
    const vector = Number(this.#context.state.get(vmx.result));
    const type = vector === 1 ? TYPE.PRIVILEGED_SOFTWARE_EXCEPTION : TYPE.SOFTWARE_EXCEPTION;
    return this.#leave(EXIT.EXCEPTION_OR_NMI, {
      information: interruptionOf(type, vector, false),
      length,
    });
  }

  #enterFromInstruction(isLaunch: boolean): Verdict {
    const { state } = this.#context;
    const length = this.#context.currentOperand()?.lengthBytes ?? ENTRY_LENGTH;
    const result = this.enter(isLaunch);
    if (result.kind !== "failed") return "continue";
    const status = RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.ZF | RFLAGS.SF | RFLAGS.OF;
    const flag = result.error === 0 ? RFLAGS.CF : RFLAGS.ZF;
    state.rflags = (state.rflags & ~status) | flag;
    state.rip = BigInt.asUintN(64, state.rip + BigInt(length));
    state.setNumber(slots.interruptShadow, 0);
    return "continue";
  }

  #event(event: ExtensionEvent, given: ExtensionEvent | undefined): "deliver" | Verdict {
    if (this.#operation !== OPERATION.NON_ROOT) return "deliver";
    const { state } = this.#context;
    const pin = (bit: number): boolean => (state.get(vmx.pin) & BigInt(bit)) !== 0n;
    switch (event.kind) {
      case "interrupt": {
        if (!pin(PIN.EXTERNAL_INTERRUPT_EXITING)) return "deliver";
        const controls = Number(state.get(vmx.exitControls));
        if ((controls & EXIT_CONTROL.ACKNOWLEDGE_INTERRUPT) === 0)
          return this.#leave(EXIT.EXTERNAL_INTERRUPT);
        const vector = this.#context.acknowledgeInterrupt();
        const information = interruptionOf(TYPE.EXTERNAL_INTERRUPT, vector, false);
        return this.#leave(EXIT.EXTERNAL_INTERRUPT, { information });
      }
      case "nmi":
        if (!pin(PIN.NMI_EXITING)) return "deliver";
        return this.#leave(EXIT.EXCEPTION_OR_NMI, {
          information: interruptionOf(TYPE.NMI, 2, false),
          isNmi: true,
        });
      case "exception":
        return this.#exception(event, this.#deliveringAt(given, 1));
      case "software":
        return "deliver";
      case "shutdown":
        return this.#leave(EXIT.TRIPLE_FAULT, { delivering: undefined });
    }
  }

  #exception(
    event: Extract<ExtensionEvent, { kind: "exception" }>,
    delivering: ExtensionEvent | undefined,
  ): "deliver" | Verdict {
    const { state } = this.#context;
    const { vector, errorCode, linear } = event;
    let isAsked = ((state.get(vmx.exceptionBitmap) >> BigInt(vector)) & 1n) !== 0n;
    if (vector === 14) {
      // Bits in the mask that differ from the match turn the meaning of the bitmap around.
      const vmcs = this.#current;
      const mask = vmcs?.number("PAGE_FAULT_ERROR_CODE_MASK") ?? 0;
      const match = vmcs?.number("PAGE_FAULT_ERROR_CODE_MATCH") ?? 0;
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
    return this.#leave(EXIT.EXCEPTION_OR_NMI, {
      qualification,
      information: interruptionOf(TYPE.HARDWARE_EXCEPTION, vector, errorCode !== undefined),
      errorCode,
      delivering,
      addedFlags: NOT_FAULTS.has(vector) ? 0n : FLAG_RF,
    });
  }

  /** Intel SDM Vol. 3C §25.2, "Other Causes of VM Exits", in the order of Table 6-2's priorities. */
  #boundary({ nmi, shadowed }: PendingEvents): "deliver" | Verdict {
    const { state } = this.#context;
    if (this.#operation !== OPERATION.NON_ROOT) return "deliver";
    const now = BigInt(this.#context.now());
    const isDue = (end: bigint): boolean => end !== 0n && now >= end - 1n;
    if (isDue(state.get(vmx.trapEnd))) return this.#leave(EXIT.MONITOR_TRAP_FLAG);
    if (isDue(state.get(vmx.timerEnd))) return this.#leave(EXIT.PREEMPTION_TIMER);
    if (shadowed) return "deliver";
    const primary = Number(state.get(vmx.primary));
    const isNmiBlocked = state.getNumber(slots.nmiBlocked) !== 0;
    if ((primary & PRIMARY.NMI_WINDOW_EXITING) !== 0 && !isNmiBlocked)
      return this.#leave(EXIT.NMI_WINDOW);
    if (nmi && (!isNmiBlocked || this.hooks.takesBlockedNmi?.() === true)) return "deliver";
    const isOpen = (state.rflags & RFLAGS.IF) !== 0n;
    if ((primary & PRIMARY.INTERRUPT_WINDOW_EXITING) !== 0 && isOpen)
      return this.#leave(EXIT.INTERRUPT_WINDOW);
    return "deliver";
  }

  counts(): VmxCounts {
    return {
      entries: this.#entries,
      failedEntries: this.#failedEntries,
      exits: Object.fromEntries(this.#exits),
      vmreads: this.operation.vmreads,
      vmwrites: this.operation.vmwrites,
    };
  }
}
