/**
 * Where the processor stops or traps for debuggers: those outside of it (stop-points.ts) and the guest's own
 * (debug-registers.ts), which find their instructions and data by the same means.
 */
import { slots } from "../state/layout.ts";
import type { ProcessorState } from "../state/processor-state.ts";
import type { CodeCache } from "./code-cache.ts";
import { DebugRegisters } from "./debug-registers.ts";
import type { BoundHelper } from "./engine.ts";
import { ENGINE } from "./layout.ts";
import { StopPoints, type DebugHit, type Watchpoint } from "./stop-points.ts";

/** What debugging does to its processor. */
export interface DebuggingOptions {
  readonly state: () => ProcessorState;
  readonly cache: CodeCache;
  /** Ends the slice after the present instruction. */
  readonly breakSlice: () => void;
  /** Ends the run after the present instruction. */
  readonly requestStop: () => void;
  /** Empties the TLB under all tags. */
  readonly flushTlbs: () => void;
}

export class Debugging {
  readonly #options: DebuggingOptions;
  readonly #stopPoints = new StopPoints();
  readonly #registers = new DebugRegisters();
  /** A watched access of the present instruction. */
  #hit: DebugHit | undefined;
  /** Where and when the last breakpoint was reported: going on from there passes it. */
  #reported: { readonly linear: bigint; readonly units: number } | undefined;

  constructor(options: DebuggingOptions) {
    this.#options = options;
  }

  get breakpoints(): ReadonlySet<bigint> {
    return this.#stopPoints.breakpoints;
  }
  set breakpoints(linears: ReadonlySet<bigint>) {
    this.#stopPoints.breakpoints = linears;
    this.#setStopOffsets();
  }

  /** Translations from before are to be dropped by the caller. */
  get watchpoints(): readonly Watchpoint[] {
    return this.#stopPoints.watchpoints;
  }
  set watchpoints(points: readonly Watchpoint[]) {
    this.#stopPoints.watchpoints = points;
    this.setWatching();
  }

  #setStopOffsets(): void {
    const { instructionOffsets } = this.#registers;
    this.#options.cache.setStopOffsets(
      new Set([...this.#stopPoints.offsets, ...instructionOffsets]),
    );
    this.#options.state().setNumber(slots.debugArmed, instructionOffsets.length === 0 ? 0 : 1);
  }

  /** Says in the state block whether slow accesses are to be told; after RESET it has to be said again. */
  setWatching(): void {
    const watches = this.#stopPoints.watchpoints.length > 0 || this.#registers.watchesData;
    this.#options.state().setNumber(ENGINE.watching, watches ? 1 : 0);
  }

  /** The debug registers or CR4.DE may have changed: arms what they enable. */
  readRegisters(): void {
    const state = this.#options.state();
    const { instructionOffsets } = this.#registers;
    if (!this.#registers.read((slot) => state.get(slot))) return;
    if (instructionOffsets.join() !== this.#registers.instructionOffsets.join())
      this.#setStopOffsets();
    this.setWatching();
    this.#options.flushTlbs();
  }

  /** Linear address of the instruction at RIP. */
  get #linearRip(): bigint {
    const state = this.#options.state();
    const sum = state.rip + state.get(slots.fetchBase);
    return BigInt.asUintN(state.mode === 64 ? 64 : 32, sum);
  }

  /** Whether the present instruction is at a debugger's breakpoint that was not reported yet; if so, notes that it now is. */
  meetsBreakpoint(units: number): DebugHit | undefined {
    const linear = this.#linearRip;
    if (!this.#stopPoints.breakpoints.has(linear)) return undefined;
    if (this.#reported?.linear === linear && this.#reported.units === units) return undefined;
    this.#reported = { linear, units };
    return { kind: "breakpoint", linear };
  }

  /** DR6 bits of the guest's own breakpoints at the present instruction. */
  meetsOwnBreakpoint(): number {
    return this.#registers.hitByInstruction(this.#linearRip);
  }

  /** The watched access that ended a run. */
  takeHit(): DebugHit | undefined {
    const hit = this.#hit;
    this.#hit = undefined;
    return hit;
  }

  /** An access to ports. */
  noticePort(port: number, lengthBytes: number): void {
    this.#trapAfterInstruction(this.#registers.hitByPort(port, lengthBytes));
  }

  #watchAccess(linear: bigint, lengthBytes: number, write: boolean): void {
    this.#trapAfterInstruction(this.#registers.hitByAccess(linear, lengthBytes, write));
    const hit = this.#stopPoints.hitBy(linear, lengthBytes, write);
    if (hit === undefined) return;
    this.#hit ??= hit;
    this.#options.requestStop();
  }

  /** A debug trap behind the present instruction, for these bits of DR6. */
  #trapAfterInstruction(bits: number): void {
    if (bits === 0) return;
    const state = this.#options.state();
    state.setNumber(slots.pendingDebug, state.getNumber(slots.pendingDebug) | bits);
    this.#options.breakSlice();
  }

  /** What emitted code calls; addresses come in two halves. */
  get helpers(): Readonly<Record<"watchesPage" | "watchAccess" | "debugRegisters", BoundHelper>> {
    return {
      watchesPage: (low = 0, high = 0) => {
        const linear = linearOf(low, high);
        return this.#stopPoints.watchesPage(linear) || this.#registers.watchesPage(linear) ? 1 : 0;
      },
      watchAccess: (low = 0, high = 0, bytes = 0, write = 0) =>
        this.#watchAccess(linearOf(low, high), bytes, write !== 0),
      debugRegisters: () => this.readRegisters(),
    };
  }
}

function linearOf(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
