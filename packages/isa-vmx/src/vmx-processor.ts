/**
 * VMX of one processor: the hooks by which the processor asks it, and its parts.
 *
 * All state is in memory: the VMCSs in their regions, the rest in the extension's state block. What is kept here are
 * counts, and the explanation of the last failed entry.
 */
import {
  RFLAGS,
  slots,
  TASK_SWITCH,
  type ExtensionContext,
  type ExtensionHooks,
  type PendingEvents,
  type Slot,
  type Verdict,
} from "@ringside/isa";
import type { VmxCapabilities } from "./capabilities.ts";
import { PIN, PRIMARY } from "./controls.ts";
import { EXIT, exitName } from "./exit-reasons.ts";
import { stateWords } from "./field-transfer.ts";
import { GuestTime } from "./guest-time.ts";
import { ERROR, type Outcome } from "./instruction-errors.ts";
import { makeControl } from "./make-control.ts";
import { VmEntry } from "./vm-entry.ts";
import { VmExits } from "./vm-exit.ts";
import type { VmxControl, VmxCounts } from "./vmx-control.ts";
import { VmxOperation } from "./vmx-operation.ts";
import { ExitCounts, type RootMode, type VmxParts } from "./vmx-parts.ts";
import { INTERNAL, OPERATION, vmx } from "./vmx-state.ts";

/** Bits 31:30 of a task switch's qualification: CALL, IRET, JMP, or a task gate in the IDT. Intel SDM Vol. 3C §28.2.1, "Basic VM-Exit Information", Table 28-2. */
function taskSwitchSource(kind: number): bigint {
  switch (kind) {
    case TASK_SWITCH.CALL:
      return 0n;
    case TASK_SWITCH.RETURN:
      return 1n << 30n;
    case TASK_SWITCH.JUMP:
      return 2n << 30n;
    default:
      return 3n << 30n;
  }
}

export class VmxProcessor {
  readonly control: VmxControl;
  readonly hooks: ExtensionHooks;
  readonly #parts: VmxParts;
  readonly #entry: VmEntry;
  readonly #exits: VmExits;

  constructor(context: ExtensionContext, capabilities: VmxCapabilities, rootMode: RootMode) {
    this.#parts = {
      context,
      capabilities,
      rootMode,
      operation: new VmxOperation(context, capabilities),
      words: stateWords(context.state),
      time: new GuestTime(context, capabilities),
      exitCounts: new ExitCounts(),
    };
    this.#entry = new VmEntry(this.#parts);
    this.#exits = new VmExits(this.#parts);
    this.hooks = this.#makeHooks();
    const entry = this.#entry;
    const { time } = this.#parts;
    this.control = makeControl({
      state: context.state,
      revision: capabilities.revision,
      operation: this.#parts.operation,
      get lastEntryFailure() {
        return entry.lastFailure;
      },
      get deadline() {
        return time.deadline;
      },
      enter: (isLaunch) => entry.enter(isLaunch),
      counts: () => this.#counts(),
    });
  }

  #makeHooks(): ExtensionHooks {
    const { state } = this.#parts.context;
    const { operation } = this.#parts;
    return {
      exit: (reason, delivering) =>
        reason === INTERNAL.VMLAUNCH || reason === INTERNAL.VMRESUME
          ? this.#enterFromInstruction(reason === INTERNAL.VMLAUNCH)
          : this.#exits.atInstruction(reason, delivering),
      event: (event, delivering) =>
        this.#isNonRoot ? this.#exits.atEvent(event, delivering) : "deliver",
      boundary: (pending) => (this.#isNonRoot ? this.#boundary(pending) : "deliver"),
      taskSwitch: (selector, kind) => {
        if (!this.#isNonRoot) return undefined;
        state.set(vmx.qualification, BigInt(selector) | taskSwitchSource(kind));
        return EXIT.TASK_SWITCH;
      },
      takesBlockedNmi: () => this.#isNonRoot && (state.getNumber(vmx.pin) & PIN.VIRTUAL_NMIS) !== 0,
      msrs: {
        read: (index) => operation.readMsr(index),
        write: (index, value) => operation.writeMsr(index, value),
      },
      helpers: this.#makeHelpers(),
    };
  }

  #makeHelpers(): NonNullable<ExtensionHooks["helpers"]> {
    const { state } = this.#parts.context;
    const { operation } = this.#parts;
    const word = (slot: Slot): bigint => state.get(slot);
    const { operand0, operand1, operand2 } = vmx;
    const answering = (execute: () => Outcome) => (): number => operation.answer(execute());
    return {
      vmxonForbidden: () => (operation.isVmxonForbidden() ? 1 : 0),
      vmxon: answering(() => operation.vmxon(word(operand0))),
      vmxoff: answering(() => operation.vmxoff()),
      vmclear: answering(() => operation.vmclear(word(operand0))),
      vmptrld: answering(() => operation.vmptrld(word(operand0))),
      vmread: answering(() => operation.vmread(word(operand0))),
      vmwrite: answering(() =>
        operation.vmwrite(word(operand0), word(operand1), state.getNumber(slots.mode) !== 64),
      ),
      vmcallInRoot: answering(() => operation.fail(ERROR.VMCALL_IN_ROOT)),
      invept: answering(() => operation.invept(word(operand0), word(operand1))),
      invvpid: answering(() => operation.invvpid(word(operand0), word(operand1), word(operand2))),
      vmxNoteSoftware: () => this.#exits.abandoned.noteSoftware(),
      vmxNoteIret: () => this.#exits.abandoned.noteIret(),
    };
  }

  get #isNonRoot(): boolean {
    return this.#parts.operation.operation === OPERATION.NON_ROOT;
  }

  #enterFromInstruction(isLaunch: boolean): Verdict {
    const { context } = this.#parts;
    const { state } = context;
    const length = context.currentLengthBytes();
    const result = this.#entry.enter(isLaunch);
    if (result.kind !== "failed") return "continue";
    const status = RFLAGS.CF | RFLAGS.PF | RFLAGS.AF | RFLAGS.ZF | RFLAGS.SF | RFLAGS.OF;
    const flag = result.error === 0 ? RFLAGS.CF : RFLAGS.ZF;
    state.rflags = (state.rflags & ~status) | flag;
    state.rip = BigInt.asUintN(64, state.rip + BigInt(length));
    state.setNumber(slots.interruptShadow, 0);
    return "continue";
  }

  /** Intel SDM Vol. 3C §26.2, "Other Causes of VM Exits", in the order of Table 6-2's priorities. */
  #boundary({ nmi, shadowed }: PendingEvents): "deliver" | Verdict {
    const { context, time } = this.#parts;
    const { state } = context;
    if (time.isTrapDue) return this.#exits.leave(EXIT.MONITOR_TRAP_FLAG);
    if (time.isTimerDue) return this.#exits.leave(EXIT.PREEMPTION_TIMER);
    if (shadowed) return "deliver";
    const primary = state.getNumber(vmx.primary);
    const isNmiBlocked = state.getNumber(slots.nmiBlocked) !== 0;
    if ((primary & PRIMARY.NMI_WINDOW_EXITING) !== 0 && !isNmiBlocked)
      return this.#exits.leave(EXIT.NMI_WINDOW);
    if (nmi && (!isNmiBlocked || this.hooks.takesBlockedNmi?.() === true)) return "deliver";
    const isOpen = (state.rflags & RFLAGS.IF) !== 0n;
    if ((primary & PRIMARY.INTERRUPT_WINDOW_EXITING) !== 0 && isOpen)
      return this.#exits.leave(EXIT.INTERRUPT_WINDOW);
    return "deliver";
  }

  #counts(): VmxCounts {
    const { operation, exitCounts } = this.#parts;
    return {
      entries: this.#entry.entries,
      failedEntries: this.#entry.failedEntries,
      exits: exitCounts.named(exitName),
      vmreads: operation.vmreads,
      vmwrites: operation.vmwrites,
    };
  }
}
