/**
 * What is done for a guest at rest: its registers are with the hypervisor, at an instruction boundary. Instructions are
 * emulated there, and events delivered through the guest's own tables.
 */
import { RFLAGS, SHADOW, slots, VECTOR, type VirtualEvent } from "@ringside/isa";
import { instructionBreakpoints } from "./guest-breakpoints.ts";
import { crash, halted, served, type MonitorOptions, type StepResult } from "./monitor-options.ts";
import type { ShownState } from "./shown-state.ts";

export interface GuestAtRestOptions extends Pick<
  MonitorOptions,
  "emulator" | "cpu" | "mmu" | "code" | "counts"
> {
  readonly shown: ShownState;
}

const singleStep = 0x4000n;

export class GuestAtRest {
  readonly #o: GuestAtRestOptions;
  /** A repeated instruction is being emulated, one iteration at a time. */
  #repeats = false;
  /** The instruction emulated last entered a handler, by itself or by its fault. */
  #enteredHandler = false;
  #needed = false;
  #tablesChanged = true;

  constructor(options: GuestAtRestOptions) {
    this.#o = options;
  }

  /** The instruction at RIP has more iterations. */
  get repeats(): boolean {
    return this.#repeats;
  }

  /** Forgets what {@link wasNeeded} says. */
  expectNeed(): void {
    this.#needed = false;
  }

  /** Since {@link expectNeed} the guest has written to a traced frame, or reached a device. */
  get wasNeeded(): boolean {
    return this.#needed;
  }

  /** Whether a page table of the guest may have been written since this was asked last. */
  takeTablesChanged(): boolean {
    const changed = this.#tablesChanged;
    this.#tablesChanged = false;
    return changed;
  }

  /** A write of a handler or an emulated instruction reached guest memory. */
  noteWrite(gpa: number): void {
    if (!this.#o.mmu.isTraced(gpa)) return;
    this.#needed = true;
    this.#tablesChanged = true;
  }

  /** A device was reached through memory. */
  noteDevice(): void {
    this.#needed = true;
  }

  /**
   * Executes the one instruction at RIP for the guest; of a repeated one, an iteration.
   *
   * @param bytes The instruction, when it is known.
   */
  emulate(bytes?: Uint8Array): StepResult {
    const { emulator, cpu, mmu, code } = this.#o;
    const { state } = cpu;
    const before = state.rip;
    const { cr0, cr4, efer } = state;
    const emulation = emulator.emulate(cpu, bytes);
    this.#repeats = false;
    this.#enteredHandler =
      emulation.kind === "fault" ||
      handlerEntries.has(emulation.kind === "retired" ? emulation.mnemonic : "");
    switch (emulation.kind) {
      case "event":
        throw new Error(
          "Bug in ringside: an emulated instruction left for a monitor, please report.",
        );
      case "fault":
        return this.deliverException(emulation.vector, emulation.errorCode, emulation.linear);
      case "retired":
        if (state.cr0 !== cr0 || state.cr4 !== cr4 || state.efer !== efer) {
          // What a shadow may be depends on them.
          mmu.clear();
          code.doubtAll();
        }
        if (emulation.mnemonic.startsWith("out")) this.#o.shown.showPostPort();
        if (state.getNumber(slots.halted) !== 0) {
          state.setNumber(slots.halted, 0);
          return halted;
        }
        this.#repeats = state.rip === before && repeated.has(emulation.mnemonic);
        // SYSRET with TF set traps at once, where IRET and POPF trap behind the next instruction.
        if (emulation.mnemonic === "sysret" && this.isTracing) return this.#trapStep();
        return served;
    }
  }

  /** RFLAGS.TF. */
  get isTracing(): boolean {
    return (this.#o.cpu.state.get(slots.flagsSystem) & RFLAGS.TF) !== 0n;
  }

  /** Executes one instruction of a kernel that traces itself. */
  stepKernel(): StepResult {
    const { state } = this.#o.cpu;
    state.setNumber(slots.interruptShadow, 0);
    const result = this.emulate();
    // Intel SDM Vol. 3A §6.8.3, "Masking Exceptions and Interrupts When Switching Stacks": no trap after a load of SS.
    const loadedStack = state.getNumber(slots.interruptShadow) === SHADOW.stackLoad;
    // Nor behind what has entered a handler: it cleared TF. Intel SDM Vol. 3B §18.3.1.4, "Single-Step Exception Condition".
    const isOver = loadedStack || this.#enteredHandler;
    return result.kind !== "served" || isOver ? result : this.#trapStep();
  }

  #trapStep(): StepResult {
    const { state } = this.#o.cpu;
    state.set(slots.dr6, state.get(slots.dr6) | singleStep);
    return this.deliver({ vector: VECTOR.DB, kind: "exception" });
  }

  /** @param linear Of a page fault: CR2. */
  deliverException(vector: number, errorCode: number | undefined, linear: bigint): StepResult {
    return this.deliver({
      vector,
      kind: "exception",
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(vector === VECTOR.PF ? { linear } : {}),
    });
  }

  deliver(event: VirtualEvent): StepResult {
    const { emulator, cpu, counts } = this.#o;
    this.#repeats = false;
    counts.deliveries += 1;
    const result = emulator.deliver(cpu, event);
    return result.kind === "delivered" ? served : crash(result.why);
  }

  /** #DB in front of the instruction, unless RF says that the guest has had it. */
  breakAt(guestRip: bigint): StepResult {
    const { state } = this.#o.cpu;
    const flags = state.get(slots.flagsSystem);
    if ((flags & RFLAGS.RF) !== 0n) {
      const result = this.emulate();
      state.set(slots.flagsSystem, state.get(slots.flagsSystem) & ~RFLAGS.RF);
      return result;
    }
    state.set(slots.dr6, state.get(slots.dr6) | instructionBreakpoints(state, guestRip));
    return this.deliver({ vector: VECTOR.DB, kind: "exception" });
  }
}

/** Instructions that a REP prefix repeats: RIP stays until they are done. */
const repeated: ReadonlySet<string> = new Set([
  "movs",
  "stos",
  "lods",
  "cmps",
  "scas",
  "ins",
  "outs",
]);

/** Instructions that enter a handler of the kernel. */
const handlerEntries: ReadonlySet<string> = new Set([
  "int",
  "int3",
  "int1",
  "into",
  "syscall",
  "sysenter",
]);
