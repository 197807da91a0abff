/**
 * Extensions of the processor: what hardware virtualization, or anything else that real processors add in silicon, hooks
 * into.
 *
 * An extension is data and functions in the same vocabulary as the instruction table. It is compiled into the
 * interpreter of the processors that have it; those that do not have it pay nothing.
 *
 * In a nutshell, what each hook is for:
 * 1. {@link ProcessorExtension.instructions}: rows of its own (VMXON, VMREAD …).
 * 2. {@link ProcessorExtension.intercept}: code in front of any row's meaning, which may leave instead (CPUID exits).
 * 3. {@link ProcessorExtension.secondStage}: a translation behind the page tables (EPT).
 * 4. {@link ExtensionHooks.exit}: where `m.raise("EXIT", reason)` arrives.
 * 5. {@link ExtensionHooks.event}: a look at each exception and interrupt before it is delivered.
 * 6. {@link ExtensionContext.selectTlb}: a tag for what the TLB holds (VPID).
 * 7. {@link extensionSlot}: state of its own, beside the registers.
 */
import type { Form } from "./decoder/decoded.ts";
import type { Instruction } from "./dsl.ts";
import { EXTENSION_BYTES, EXTENSION_OFFSET } from "./interpreter/layout.ts";
import type { HostMemory } from "./memory/host-memory.ts";
import type { Prologue } from "./micro-operations/recording.ts";
import type { ForeignMsrs } from "./profile/system-helpers.ts";
import type { Routine } from "./semantics.ts";
import type { Slot } from "./state/layout.ts";
import type { ProcessorState } from "./state/processor-state.ts";

/** Code recorded in front of a row's meaning. It may `raise`, also `"EXIT"`; else the row goes on. */
export type { Prologue };

/** What an extension adds. Plain data, shared by all processors that have it. */
export interface ProcessorExtension {
  /** Unique, kebab-case. */
  readonly id: string;
  /** CPUID features that it brings, from FEATURES. */
  readonly features?: readonly string[];
  readonly instructions?: readonly Instruction[];
  /**
   * Asked once for each form of the table, its own included, when the interpreter is compiled.
   *
   * @returns undefined for a form that it never intercepts; those cost nothing.
   */
  readonly intercept?: (instruction: Instruction, form: Form) => Prologue | undefined;
  /**
   * Translates what paging takes for physical addresses: parameters are such an address and the kind of access (the
   * ACCESS constants of paging/tag.ts, ACCESS_TABLE among them); the result is the 4-KByte page of the host in bits 63:12 and what it
   * denies in the bits of paging/tag.ts. It may raise `"EXIT"`. It runs on TLB misses only, and while the extension is
   * not active returns the page itself.
   */
  readonly secondStage?: Routine;
  /** Bytes of the state block that it uses, counted from 0 in {@link extensionSlot}'s offsets. */
  readonly stateBytes?: number;
  /** Makes what it does in TypeScript for one processor. */
  readonly attach: (context: ExtensionContext) => ExtensionHooks;
}

/** An event that is about to be delivered, or being delivered. */
export type ExtensionEvent =
  | {
      readonly kind: "exception";
      readonly vector: number;
      readonly errorCode: number | undefined;
      /** Page faults: what CR2 would become. */
      readonly linear: bigint;
    }
  /** INTR is asserted: asked whatever IF is, at instruction boundaries outside interrupt shadows, perhaps repeatedly. */
  | { readonly kind: "interrupt"; readonly vector?: number }
  | { readonly kind: "nmi" }
  /** A software interrupt that was injected; only as what was being delivered. `privileged`: INT1. */
  | { readonly kind: "software"; readonly vector: number; readonly privileged: boolean }
  /** A triple fault. */
  | { readonly kind: "shutdown" };

/** What the processor does after a hook: go on, or return from `run` with a value for the caller. */
export type Verdict = "continue" | { readonly leave: unknown };

/** What waits at an instruction boundary. */
export interface PendingEvents {
  readonly nmi: boolean;
  readonly interrupt: boolean;
  /** The boundary is in the shadow of STI or a load of SS. */
  readonly shadowed: boolean;
}

/** What an extension does for one processor. Hooks may change any state through the context. */
export interface ExtensionHooks {
  /**
   * A row, a prologue or the second stage raised `EXIT`. RIP is that of the instruction, which did not happen; during a
   * delivery, `delivering` is the event whose delivery was abandoned. Takes one unit.
   */
  exit(reason: number, delivering: ExtensionEvent | undefined): Verdict;
  /**
   * An event is about to be delivered.
   *
   * @returns "deliver" to let the processor do it; else the event is the extension's, and takes one unit.
   */
  event?(event: ExtensionEvent, delivering: ExtensionEvent | undefined): "deliver" | Verdict;
  /**
   * Asked at instruction boundaries, before interrupts and NMIs are looked at: at each turn of
   * the driver while {@link ExtensionContext.watchBoundaries} is on, and when {@link ExtensionContext.wakeAt} has come.
   * An answer other than "deliver" takes one unit.
   */
  boundary?(pending: PendingEvents): "deliver" | Verdict;
  /**
   * The processor is about to switch tasks; privileges have been checked, the new task has not been looked at.
   *
   * @param selector Of the new task's TSS.
   * @param kind A value of TASK_SWITCH.
   * @returns undefined to let the processor do it; else the reason with which {@link exit} is called instead.
   */
  taskSwitch?(selector: number, kind: number): number | undefined;
  /** Whether NMIs are offered to {@link event} although the guest blocks them. */
  takesBlockedNmi?(): boolean;
  /** MSRs, asked before the interrupt controller's and the processor's. */
  readonly msrs?: ForeignMsrs;
  /** Functions that its rows and routines call with `m.helper`. */
  readonly helpers?: Readonly<Record<string, (...parameters: number[]) => number | void>>;
}

/** An event to be injected. Intel SDM Vol. 3C §27.6, "Event Injection". */
export interface InjectedEvent {
  readonly kind: "external" | "nmi" | "software" | "privileged-software" | "exception";
  readonly vector: number;
  readonly errorCode?: number;
  /** RIP that the frame saves, where it is not the state's: that after a software interrupt. */
  readonly returnRip?: bigint;
}

/** Where an instruction finds its operands, from the decoded record. */
export interface CurrentOperand {
  readonly lengthBytes: number;
  /** General register 0 to 15, -1 without one, -2 for RIP. The displacement then counts from the start of the page. */
  readonly base: number;
  readonly index: number;
  readonly scaleShift: number;
  /** ES, CS, SS, DS, FS, GS. */
  readonly segment: number;
  readonly displacement: bigint;
  /** All ones of the address size. */
  readonly addressMask: bigint;
  /** Numbers of the general registers that are operands, by position. */
  readonly registers: readonly number[];
}

/** What an extension sees of the processor that it is attached to. */
export interface ExtensionContext {
  readonly state: ProcessorState;
  readonly memory: HostMemory;
  /** Machine time: units and idle time. */
  now(): number;
  /** Recomputes the derived fields after control registers, CS, SS or CPL were written raw. Leaves the TLB alone. */
  updateMode(): void;
  /** Changes CPL and moves the instruction counts to the new ring. */
  setPrivilegeLevel(level: 0 | 1 | 2 | 3): void;
  /**
   * Makes the TLB's entries those of another tag: what was cached under it is there again, and nothing else is seen.
   * Processors begin with tag 0.
   */
  selectTlb(tag: number): void;
  /** Drops the translations of one tag, or of all of them. */
  flushTlb(tag?: number, includingGlobal?: boolean): void;
  /** Delivers an event through the IDT before the next instruction, as VM entry does. */
  inject(event: InjectedEvent): void;
  /** Makes the driver look at events again before the next instruction. */
  recheck(): void;
  /** The tag of {@link selectTlb} in use. */
  selectedTlb(): number;
  /** Drops the translations of all tags that the predicate names. */
  flushTlbs(predicate: (tag: number) => boolean): void;
  /** Drops the translations of a linear address under the tag in use. */
  invalidatePage(linear: bigint): void;
  /** Takes the external interrupt from the interrupt controller; its vector. */
  acknowledgeInterrupt(): number;
  /** Whether {@link ExtensionHooks.boundary} is asked at each turn of the driver. RESET ends it. */
  watchBoundaries(watched: boolean): void;
  /** Machine time at which {@link ExtensionHooks.boundary} is asked, or undefined. RESET clears it. */
  wakeAt(time: number | undefined): void;
  /** RDMSR without its checks of privilege; undefined for #GP(0). */
  readMsr(index: number): bigint | undefined;
  /** WRMSR without its checks of privilege; false for #GP(0). Derived state follows with {@link updateMode}. */
  writeMsr(index: number, value: bigint): boolean;
  /** In {@link ExtensionHooks.exit}: operands of the instruction that was abandoned; undefined when its fetch was. */
  currentOperand(): CurrentOperand | undefined;
  /** In {@link ExtensionHooks.exit}: bytes of the instruction that was abandoned; 0 when its fetch was. */
  currentLengthBytes(): number;
}

/**
 * A field of an extension's own state, for rows, routines and TypeScript. RESET clears it.
 *
 * @param offset Bytes from the start of the extension's area, a multiple of `bytes`.
 * @throws {RangeError} The field is not wholly inside the area, or not aligned.
 */
export function extensionSlot(offset: number, bytes: Slot["bytes"]): Slot {
  if (
    !Number.isInteger(offset) ||
    offset < 0 ||
    offset % bytes !== 0 ||
    offset + bytes > EXTENSION_BYTES
  ) {
    throw new RangeError(
      `An extension's field of ${bytes} bytes cannot lie at ${offset}. Use an aligned offset; the area has ${EXTENSION_BYTES} bytes.`,
    );
  }
  return { offset: EXTENSION_OFFSET + offset, bytes };
}
