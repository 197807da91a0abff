/**
 * Time in non-root operation: the TSC offset, the preemption timer, and the monitor trap flag.
 *
 * Ends are machine times plus 1, so that 0 means none; they are in the state block, as all that a snapshot needs.
 *
 * Intel SDM Vol. 3C §26.5.1, "VMX-Preemption Timer"; §26.5.2, "Monitor Trap Flag"; §27.6.4, "VMX-Preemption Timer".
 */
import { slots, type ExtensionContext } from "@ringside/isa";
import { fields } from "./fields.ts";
import type { VmxCapabilities } from "./capabilities.ts";
import { EXIT_CONTROL, PIN, PRIMARY } from "./controls.ts";
import type { Vmcs, VmcsDraft } from "./vmcs.ts";
import { vmx } from "./vmx-state.ts";

const {
  PIN_BASED_CONTROLS,
  PRIMARY_CONTROLS,
  TSC_OFFSET,
  VMX_PREEMPTION_TIMER_VALUE,
  VM_EXIT_CONTROLS,
} = fields;

export class GuestTime {
  readonly #context: ExtensionContext;
  readonly #timerShift: bigint;

  constructor(context: ExtensionContext, { preemptionTimerShift }: VmxCapabilities) {
    this.#context = context;
    this.#timerShift = BigInt(preemptionTimerShift);
  }

  /** At VM entry. */
  start(vmcs: Vmcs): void {
    const { state } = this.#context;
    const primary = vmcs.low(PRIMARY_CONTROLS);
    const now = this.#context.now();
    const hostOffset = state.get(slots.tscOffset);
    const offset = (primary & PRIMARY.USE_TSC_OFFSETTING) === 0 ? 0n : vmcs.read(TSC_OFFSET);
    state.set(vmx.tscOffset, offset);
    if (offset !== 0n) state.set(slots.tscOffset, BigInt.asUintN(64, hostOffset + offset));
    let timerEnd = 0n;
    if ((vmcs.low(PIN_BASED_CONTROLS) & PIN.PREEMPTION_TIMER) !== 0) {
      const tsc = BigInt.asUintN(64, BigInt(now) + hostOffset);
      const ticks = (tsc >> this.#timerShift) + vmcs.read(VMX_PREEMPTION_TIMER_VALUE);
      const end = ticks << this.#timerShift;
      timerEnd = BigInt(now) + (end > tsc ? end - tsc : 0n) + 1n;
    }
    state.set(vmx.timerEnd, timerEnd);
    const isTrapping = (primary & PRIMARY.MONITOR_TRAP_FLAG) !== 0;
    state.set(vmx.trapEnd, isTrapping ? BigInt(now + 2) : 0n);
    this.wake();
  }

  /** An MTF VM exit is pending: it comes before the next instruction. */
  trapNow(): void {
    this.#context.state.set(vmx.trapEnd, BigInt(this.#context.now() + 1));
    this.wake();
  }

  /** At VM exit; the caller wakes when the ends are cleared. */
  stop(draft: VmcsDraft): void {
    const { state } = this.#context;
    const offset = state.get(vmx.tscOffset);
    if (offset !== 0n) {
      state.set(slots.tscOffset, BigInt.asUintN(64, state.get(slots.tscOffset) - offset));
      state.set(vmx.tscOffset, 0n);
    }
    const saves = (draft.low(VM_EXIT_CONTROLS) & EXIT_CONTROL.SAVE_PREEMPTION_TIMER) !== 0;
    const end = state.get(vmx.timerEnd);
    if (end === 0n || !saves) return;
    const hostOffset = state.get(slots.tscOffset);
    const ticks = (time: bigint): bigint =>
      BigInt.asUintN(64, time + hostOffset) >> this.#timerShift;
    const left = ticks(end - 1n) - ticks(BigInt(this.#context.now()));
    draft.set(VMX_PREEMPTION_TIMER_VALUE, left > 0n ? Number(left) : 0);
  }

  /** Machine time of the first of the two, or undefined. */
  get deadline(): number | undefined {
    const { state } = this.#context;
    const timer = state.get(vmx.timerEnd);
    const trap = state.get(vmx.trapEnd);
    if (timer === 0n) return trap === 0n ? undefined : Number(trap - 1n);
    return Number((trap === 0n || timer < trap ? timer : trap) - 1n);
  }

  wake(): void {
    this.#context.wakeAt(this.deadline);
  }

  get isTrapDue(): boolean {
    return this.#isDue(this.#context.state.get(vmx.trapEnd));
  }

  get isTimerDue(): boolean {
    return this.#isDue(this.#context.state.get(vmx.timerEnd));
  }

  #isDue(end: bigint): boolean {
    return end !== 0n && BigInt(this.#context.now()) >= end - 1n;
  }
}
