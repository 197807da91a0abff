/**
 * VMX of one processor: its instructions, VM entries and VM exits.
 *
 * All state is in memory: the VMCSs in their regions, the rest in the extension's state block. What is kept here are
 * counts, and the explanation of the last failed entry.
 */
import {
  CR0,
  RFLAGS,
  slots,
  type ExtensionContext,
  type ExtensionEvent,
  type ExtensionHooks,
  type PendingEvents,
  type Verdict,
} from "@ringside/isa";
import {
  capabilityMsrs,
  CAPABILITY_MSR,
  CR0_FIXED,
  cr4Fixed,
  type VmxCapabilities,
} from "./capabilities.ts";
import { controlChecks } from "./control-checks.ts";
import { EXIT_CONTROL, PIN, PRIMARY } from "./controls.ts";
import {
  CheckMemory,
  EntryView,
  firstFailure,
  isCanonical,
  type EntryContext,
} from "./entry-check.ts";
import { ENTRY_FAILURE, EXIT, exitName } from "./exit-reasons.ts";
import { FIELD, fieldOf, findField, type FieldKey, type VmcsField } from "./fields.ts";
import { guestChecks } from "./guest-checks.ts";
import { hostChecks, isFixed } from "./host-checks.ts";
import { hasInstructionDetail, instructionDetail } from "./instruction-information.ts";
import { ANSWER } from "./instructions.ts";
import { interruption, interruptionOf, TYPE } from "./interruption.ts";
import { loadMsrs, storeMsrs } from "./msr-areas.ts";
import { clearControls, loadControls, loadGuestState, watchesWindows } from "./vm-entry-state.ts";
import { loadHostState, saveGuestState } from "./vm-exit-state.ts";
import { GuardedMemory, Vmcs } from "./vmcs.ts";
import {
  VmxError,
  type EntryFailure,
  type EntryResult,
  type VmExit,
  type VmxControl,
  type VmxCounts,
} from "./vmx-control.ts";
import { INTERNAL, NO_POINTER, OPERATION, vmx } from "./vmx-state.ts";

/** Who has root operation: software on the processor, or the caller of `Processor.run`. */
export type RootMode = "architectural" | "monitor";

/** VM-instruction error numbers. Intel SDM Vol. 3C §30.4, "VM Instruction Error Numbers". */
const ERROR = {
  VMCALL_IN_ROOT: 1,
  VMCLEAR_ADDRESS: 2,
  VMCLEAR_VMXON_POINTER: 3,
  VMLAUNCH_NOT_CLEAR: 4,
  VMRESUME_NOT_LAUNCHED: 5,
  CONTROLS: 7,
  HOST_STATE: 8,
  VMPTRLD_ADDRESS: 9,
  VMPTRLD_VMXON_POINTER: 10,
  VMPTRLD_REVISION: 11,
  UNSUPPORTED_FIELD: 12,
  READ_ONLY_FIELD: 13,
  VMXON_IN_ROOT: 15,
  MOV_SS_BLOCKING: 26,
  INVALID_OPERAND: 28,
} as const;

const ERROR_WORDS: Readonly<Record<number, string>> = {
  [ERROR.VMCLEAR_ADDRESS]: "VMCLEAR with an invalid physical address",
  [ERROR.VMCLEAR_VMXON_POINTER]: "VMCLEAR with the VMXON pointer",
  [ERROR.VMPTRLD_ADDRESS]: "VMPTRLD with an invalid physical address",
  [ERROR.VMPTRLD_VMXON_POINTER]: "VMPTRLD with the VMXON pointer",
  [ERROR.VMPTRLD_REVISION]: "VMPTRLD with an incorrect VMCS revision identifier",
  [ERROR.UNSUPPORTED_FIELD]: "VMREAD or VMWRITE of an unsupported VMCS component",
  [ERROR.READ_ONLY_FIELD]: "VMWRITE to a read-only VMCS component",
  [ERROR.VMXON_IN_ROOT]: "VMXON executed in VMX root operation",
  [ERROR.INVALID_OPERAND]: "invalid operand to INVEPT or INVVPID",
};

/** How an instruction ended, before its flags. `error` 0: VMfailInvalid. */
type Outcome = "succeed" | { readonly error: number };
const FAIL_INVALID: Outcome = { error: 0 };

const FEATURE_CONTROL_LOCKED = 1n;
const FEATURE_CONTROL_VMX = 4n;
/** Tags of the TLB: the VPID, and above it one more than the frame of the EPT's root. */
const TAG_VPIDS = 0x1_0000;
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
  readonly #context: ExtensionContext;
  readonly #capabilities: VmxCapabilities;
  readonly #rootMode: RootMode;
  readonly #memory: GuardedMemory;
  readonly #exits = new Map<string, number>();
  #entries = 0;
  #failedEntries = 0;
  #vmreads = 0;
  #vmwrites = 0;
  #lastEntryFailure: EntryFailure | undefined;
  readonly #checkMemory = new CheckMemory();
  #capabilityMsrs: ReadonlyMap<number, bigint> | undefined;

  constructor(context: ExtensionContext, capabilities: VmxCapabilities, rootMode: RootMode) {
    this.#context = context;
    this.#capabilities = capabilities;
    this.#rootMode = rootMode;
    this.#memory = new GuardedMemory(context.memory);
    this.hooks = this.#makeHooks();
    this.control = this.#makeControl();
  }

  get #operation(): bigint {
    return this.#context.state.get(vmx.operation);
  }

  get #current(): Vmcs | undefined {
    const pointer = this.#context.state.get(vmx.currentVmcs);
    return this.#operation === OPERATION.NONE || pointer === NO_POINTER
      ? undefined
      : new Vmcs(this.#memory, Number(pointer));
  }

  // Instructions.

  /** Whether a region may lie there: aligned, and within the physical-address width. */
  #isRegion(physical: bigint): boolean {
    const reserved = this.#physicalReserved;
    return physical % 0x1000n === 0n && (physical & reserved) === 0n;
  }

  get #physicalReserved(): bigint {
    return this.#context.state.get(slots.physicalReserved) | 0xfff0_0000_0000_0000n;
  }

  #vmxon(pointer: bigint): Outcome {
    const { state } = this.#context;
    if (this.#operation === OPERATION.ROOT) return this.#fail(ERROR.VMXON_IN_ROOT);
    if (!this.#isRegion(pointer)) return FAIL_INVALID;
    if (this.#memory.readU32(Number(pointer)) !== this.#capabilities.revision) return FAIL_INVALID;
    state.set(vmx.operation, OPERATION.ROOT);
    state.set(vmx.vmxonPointer, pointer);
    state.set(vmx.currentVmcs, NO_POINTER);
    return "succeed";
  }

  #vmxoff(): Outcome {
    const { state } = this.#context;
    state.set(vmx.operation, OPERATION.NONE);
    state.set(vmx.currentVmcs, NO_POINTER);
    return "succeed";
  }

  #vmclear(pointer: bigint): Outcome {
    const { state } = this.#context;
    if (!this.#isRegion(pointer)) return this.#fail(ERROR.VMCLEAR_ADDRESS);
    if (pointer === state.get(vmx.vmxonPointer)) return this.#fail(ERROR.VMCLEAR_VMXON_POINTER);
    new Vmcs(this.#memory, Number(pointer)).setLaunched(false);
    if (pointer === state.get(vmx.currentVmcs)) state.set(vmx.currentVmcs, NO_POINTER);
    return "succeed";
  }

  #vmptrld(pointer: bigint): Outcome {
    const { state } = this.#context;
    if (!this.#isRegion(pointer)) return this.#fail(ERROR.VMPTRLD_ADDRESS);
    if (pointer === state.get(vmx.vmxonPointer)) return this.#fail(ERROR.VMPTRLD_VMXON_POINTER);
    // Bit 31 would say that it is a shadow VMCS, which there are none of.
    if (new Vmcs(this.#memory, Number(pointer)).revision !== this.#capabilities.revision)
      return this.#fail(ERROR.VMPTRLD_REVISION);
    state.set(vmx.currentVmcs, pointer);
    return "succeed";
  }

  #field(encoding: bigint): VmcsField | undefined {
    return encoding > 0xffff_ffffn ? undefined : findField(Number(encoding));
  }

  #vmread(encoding: bigint): Outcome {
    this.#vmreads += 1;
    const vmcs = this.#current;
    if (vmcs === undefined) return FAIL_INVALID;
    const field = this.#field(encoding);
    if (field === undefined) return this.#fail(ERROR.UNSUPPORTED_FIELD);
    const value = vmcs.read(field);
    const isHigh = (encoding & 1n) !== 0n;
    this.#context.state.set(vmx.result, isHigh ? value >> 32n : value);
    return "succeed";
  }

  #vmwrite(encoding: bigint, value: bigint, isNarrow: boolean): Outcome {
    this.#vmwrites += 1;
    const vmcs = this.#current;
    if (vmcs === undefined) return FAIL_INVALID;
    const field = this.#field(encoding);
    if (field === undefined) return this.#fail(ERROR.UNSUPPORTED_FIELD);
    if (field.access === "read-only") return this.#fail(ERROR.READ_ONLY_FIELD);
    const low = value & 0xffff_ffffn;
    if ((encoding & 1n) !== 0n) vmcs.write(field, (vmcs.read(field) & 0xffff_ffffn) | (low << 32n));
    else if (isNarrow && field.width === 64)
      vmcs.write(field, (vmcs.read(field) & ~0xffff_ffffn) | low);
    else vmcs.write(field, value);
    return "succeed";
  }

  #invept(type: bigint, pointer: bigint): Outcome {
    if (type !== 1n && type !== 2n) return this.#fail(ERROR.INVALID_OPERAND);
    if (type === 1n && !this.#isEptPointer(pointer)) return this.#fail(ERROR.INVALID_OPERAND);
    const root = Number(pointer >> 12n) + 1;
    const matches = (tag: number): boolean =>
      type === 2n ? tag >= TAG_VPIDS : Math.floor(tag / TAG_VPIDS) === root;
    this.#context.flushTlbs(matches);
    return "succeed";
  }

  /** Whether VM entry would accept an EPTP. */
  #isEptPointer(pointer: bigint): boolean {
    const hasFlags = this.#capabilities.ept?.accessedDirty === true;
    const type = pointer & 7n;
    return (
      (type === 0n || type === 6n) &&
      ((pointer >> 3n) & 7n) === 3n &&
      (hasFlags || (pointer & 0x40n) === 0n) &&
      (pointer & 0xf80n) === 0n &&
      (pointer & this.#physicalReserved) === 0n
    );
  }

  #invvpid(type: bigint, descriptor: bigint, linear: bigint): Outcome {
    if (type > 3n) return this.#fail(ERROR.INVALID_OPERAND);
    if (descriptor >> 16n !== 0n) return this.#fail(ERROR.INVALID_OPERAND);
    const vpid = Number(descriptor);
    if (type !== 2n && vpid === 0) return this.#fail(ERROR.INVALID_OPERAND);
    if (type === 0n && !isCanonical(linear)) return this.#fail(ERROR.INVALID_OPERAND);
    const selected = this.#context.selectedTlb();
    const isOf = (tag: number): boolean => tag % TAG_VPIDS === vpid;
    if (type === 2n) this.#context.flushTlbs((tag) => tag !== 0);
    else if (type === 1n) this.#context.flushTlbs(isOf);
    else {
      // Other contexts of the VPID lose more than was asked for, which is allowed.
      this.#context.flushTlbs((tag) => tag !== selected && isOf(tag));
      if (!isOf(selected)) return "succeed";
      if (type === 0n) this.#context.invalidatePage(linear);
      else this.#context.flushTlb(selected, false);
    }
    return "succeed";
  }

  /** VMfailValid where there is a current VMCS, else VMfailInvalid. */
  #fail(error: number): Outcome {
    const vmcs = this.#current;
    if (vmcs === undefined) return FAIL_INVALID;
    vmcs.set("VM_INSTRUCTION_ERROR", error);
    return { error };
  }

  #answer(outcome: Outcome): number {
    if (outcome === "succeed") return ANSWER.SUCCEED;
    return outcome.error === 0 ? ANSWER.FAIL_INVALID : ANSWER.FAIL_VALID;
  }

  // VM entry.

  /** VMLAUNCH and VMRESUME. */
  #enter(isLaunch: boolean): EntryResult {
    const { state } = this.#context;
    const vmcs = this.#current;
    const failed = (error: number, failure?: EntryFailure): EntryResult => {
      this.#failedEntries += 1;
      this.#lastEntryFailure = failure;
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
      this.#memory,
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
    this.#lastEntryFailure = undefined;
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
      memory: this.#memory,
      physicalReserved: this.#physicalReserved,
      cr4Allowed: state.get(slots.cr4Allowed),
      eferAllowed: state.get(slots.eferAllowed),
      rootIsLong: this.#rootMode === "monitor" || (state.efer & 0x400n) !== 0n,
    };
  }

  /** A failed VM entry: a VM exit that saves no guest state. */
  #abandon(vmcs: Vmcs, reason: number, qualification: bigint, failure: EntryFailure): EntryResult {
    this.#failedEntries += 1;
    this.#lastEntryFailure = failure;
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
      this.#memory,
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

  get #deadline(): number | undefined {
    const { state } = this.#context;
    const ends = [state.get(vmx.timerEnd), state.get(vmx.trapEnd)].filter((end) => end !== 0n);
    return ends.length === 0 ? undefined : Math.min(...ends.map((end) => Number(end) - 1));
  }

  #wake(): void {
    this.#context.wakeAt(this.#deadline);
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
      this.#memory,
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
        read: (index) => this.#readMsr(index),
        write: (index, value) => this.#writeMsr(index, value),
      },
      helpers: {
        vmxonForbidden: () => (this.#isVmxonForbidden() ? 1 : 0),
        vmxon: () => this.#answer(this.#vmxon(operand(0))),
        vmxoff: () => this.#answer(this.#vmxoff()),
        vmclear: () => this.#answer(this.#vmclear(operand(0))),
        vmptrld: () => this.#answer(this.#vmptrld(operand(0))),
        vmread: () => this.#answer(this.#vmread(operand(0))),
        vmwrite: () =>
          this.#answer(this.#vmwrite(operand(0), operand(1), state.getNumber(slots.mode) !== 64)),
        vmcallInRoot: () => this.#answer(this.#fail(ERROR.VMCALL_IN_ROOT)),
        invept: () => this.#answer(this.#invept(operand(0), operand(1))),
        invvpid: () => this.#answer(this.#invvpid(operand(0), operand(1), operand(2))),
        vmxNoteSoftware: () => {
          state.set(vmx.softwareTime, BigInt(this.#context.now() + 1));
        },
      },
    };
  }

  /** Intel SDM Vol. 3C §23.7, "Enabling and Entering VMX Operation". */
  #isVmxonForbidden(): boolean {
    const { state } = this.#context;
    if (this.#operation !== OPERATION.NONE) return false;
    const wanted = FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX;
    return (
      !isFixed(state.cr0, CR0_FIXED) ||
      !isFixed(state.cr4, cr4Fixed(state.get(slots.cr4Allowed))) ||
      (state.get(vmx.featureControl) & wanted) !== wanted
    );
  }

  #readMsr(index: number): bigint | undefined {
    const { state } = this.#context;
    if (index === CAPABILITY_MSR.FEATURE_CONTROL) return state.get(vmx.featureControl);
    this.#capabilityMsrs ??= capabilityMsrs(this.#capabilities, state.get(slots.cr4Allowed));
    return this.#capabilityMsrs.get(index);
  }

  #writeMsr(index: number, value: bigint): boolean | undefined {
    const { state } = this.#context;
    if (index !== CAPABILITY_MSR.FEATURE_CONTROL)
      return this.#readMsr(index) === undefined ? undefined : false;
    const isLocked = (state.get(vmx.featureControl) & FEATURE_CONTROL_LOCKED) !== 0n;
    if (isLocked || (value & ~(FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX)) !== 0n) return false;
    state.set(vmx.featureControl, value);
    return true;
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
    const result = this.#enter(isLaunch);
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

  // The same for TypeScript.

  #makeControl(): VmxControl {
    const require = (outcome: Outcome, what: string): void => {
      if (outcome === "succeed") return;
      const words =
        ERROR_WORDS[outcome.error] ?? "there is no current VMCS, or the region is wrong";
      throw new VmxError(
        outcome.error,
        `${what} failed with error ${outcome.error}: ${words}. See Intel SDM Vol. 3C §30.4, "VM Instruction Error Numbers".`,
      );
    };
    const requireRoot = (what: string): void => {
      if (this.#operation === OPERATION.ROOT) return;
      const where = this.#operation === OPERATION.NONE ? "outside VMX operation" : "in a guest";
      throw new VmxError(
        0,
        `${what} is not possible: the processor is ${where}. Use it in root operation.`,
      );
    };
    const where = (): VmxControl["operation"] => {
      if (this.#operation === OPERATION.NONE) return "none";
      return this.#operation === OPERATION.ROOT ? "root" : "non-root";
    };
    const region = (): number | undefined => this.#current?.region;
    const failure = (): EntryFailure | undefined => this.#lastEntryFailure;
    const deadline = (): number | undefined => this.#deadline;
    return {
      get operation() {
        return where();
      },
      get currentVmcs() {
        return region();
      },
      get lastEntryFailure() {
        return failure();
      },
      get deadline() {
        return deadline();
      },
      revision: this.#capabilities.revision,
      vmxon: (region) => {
        if (this.#operation !== OPERATION.NONE)
          throw new VmxError(
            0,
            "VMXON is not possible: VMX operation has begun. Use vmxoff first.",
          );
        const { state } = this.#context;
        state.set(vmx.featureControl, FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX);
        // VM entry leaves these to software that runs before any guest, which a monitor in TypeScript stands for.
        state.set(slots.cr0, state.cr0 & ~(CR0.CD | CR0.NW));
        require(this.#vmxon(BigInt(region)), `VMXON of 0x${region.toString(16)}`);
      },
      vmxoff: () => {
        requireRoot("VMXOFF");
        this.#vmxoff();
      },
      vmclear: (region) => {
        requireRoot("VMCLEAR");
        require(this.#vmclear(BigInt(region)), `VMCLEAR of 0x${region.toString(16)}`);
      },
      vmptrld: (region) => {
        requireRoot("VMPTRLD");
        require(this.#vmptrld(BigInt(region)), `VMPTRLD of 0x${region.toString(16)}`);
      },
      vmread: (key) => {
        requireRoot(`VMREAD of ${key}`);
        return this.#readField(key);
      },
      vmwrite: (key, value) => {
        requireRoot(`VMWRITE of ${key}`);
        require(this.#vmwrite(
          BigInt(FIELD[key]),
          BigInt.asUintN(64, BigInt(value)),
          false,
        ), `VMWRITE of ${key}`);
      },
      launch: () => {
        requireRoot("VMLAUNCH");
        return this.#enter(true);
      },
      resume: () => {
        requireRoot("VMRESUME");
        return this.#enter(false);
      },
      invept: (type, eptPointer = 0n) => {
        requireRoot("INVEPT");
        require(this.#invept(type === "single-context" ? 1n : 2n, eptPointer), "INVEPT");
      },
      invvpid: (type, vpid = 0, linear = 0n) => {
        requireRoot("INVVPID");
        const types = {
          "individual-address": 0n,
          "single-context": 1n,
          "all-context": 2n,
          "single-context-retaining-globals": 3n,
        } as const;
        require(this.#invvpid(types[type], BigInt(vpid), BigInt.asUintN(64, linear)), "INVVPID");
      },
      counts: () => this.#counts(),
    };
  }

  #readField(key: FieldKey): bigint {
    const vmcs = this.#current;
    if (vmcs === undefined)
      throw new VmxError(
        0,
        `VMREAD of ${key} failed: there is no current VMCS. Use vmptrld first.`,
      );
    this.#vmreads += 1;
    return vmcs.read(fieldOf(key));
  }

  #counts(): VmxCounts {
    return {
      entries: this.#entries,
      failedEntries: this.#failedEntries,
      exits: Object.fromEntries(this.#exits),
      vmreads: this.#vmreads,
      vmwrites: this.#vmwrites,
    };
  }
}
