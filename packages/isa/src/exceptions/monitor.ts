/**
 * Monitor delivery: transfers that would load CPL 0 become typed values for a hypervisor.
 *
 * With `monitorDelivery` set, rows that would enter the kernel store what they were and leave for the driver. Nothing is
 * pushed, no descriptor is read, and the state's `rip` is what the architecture would save. Faults, external interrupts
 * and NMIs never reach a row: the driver makes their events itself.
 */
import type { SemanticsBuilder, Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";

/** What entered the kernel. For `syscall`, RCX and R11 are already written. */
export type MonitorEvent =
  | {
      readonly kind: "exception";
      readonly vector: number;
      readonly errorCode: number | undefined;
      /** For a page fault what CR2 would be, else 0n. */
      readonly linear: bigint;
    }
  /** INT n, INT3, INTO or INT1. The gate's privilege level was not checked. */
  | { readonly kind: "software-interrupt"; readonly vector: number }
  /** INTR is asserted and can be taken; nothing was acknowledged. */
  | { readonly kind: "interrupt" }
  | { readonly kind: "nmi" }
  | { readonly kind: "syscall" }
  | { readonly kind: "sysenter" }
  /** A far call or jump through a call gate. The gate was found, and its privilege level checked. */
  | { readonly kind: "call-gate"; readonly selector: number };

/** Values of the slot `monitorEvent`; 0 when there is none. */
const CODE = { SOFTWARE_INTERRUPT: 1, SYSCALL: 2, SYSENTER: 3, CALL_GATE: 4 } as const;

/** Leaves for the monitor with a software interrupt. `nextRip` is where the program would go on. */
export function leaveWithSoftwareInterrupt(
  m: SemanticsBuilder,
  vector: Value,
  nextRip: Value,
): void {
  leave(m, CODE.SOFTWARE_INTERRUPT, vector, nextRip);
}

/** Leaves for the monitor with SYSCALL; the row has written RCX and R11. */
export function leaveWithSyscall(m: SemanticsBuilder, nextRip: Value): void {
  leave(m, CODE.SYSCALL, m.constant(0), nextRip);
}

/** Leaves for the monitor with SYSENTER. */
export function leaveWithSysenter(m: SemanticsBuilder, nextRip: Value): void {
  leave(m, CODE.SYSENTER, m.constant(0), nextRip);
}

/** Leaves for the monitor with a transfer through the call gate `selector`. */
export function leaveWithCallGate(m: SemanticsBuilder, selector: Value, nextRip: Value): void {
  leave(m, CODE.CALL_GATE, selector, nextRip);
}

function leave(m: SemanticsBuilder, code: number, vector: Value, nextRip: Value): void {
  m.setState(slots.monitorEvent, m.constant(code));
  m.setState(slots.monitorVector, vector);
  m.setState(slots.monitorRip, m.thisRip());
  m.recheckEvents();
  m.resumeAt(nextRip);
}

/**
 * Decodes what a row left in `monitorEvent` and `monitorVector`; the driver then clears `monitorEvent`.
 *
 * @returns undefined when no row left an event.
 */
export function decodeMonitorEvent(code: number, vector: number): MonitorEvent | undefined {
  switch (code) {
    case 0:
      return undefined;
    case CODE.SOFTWARE_INTERRUPT:
      return { kind: "software-interrupt", vector };
    case CODE.SYSCALL:
      return { kind: "syscall" };
    case CODE.SYSENTER:
      return { kind: "sysenter" };
    case CODE.CALL_GATE:
      return { kind: "call-gate", selector: vector };
    default:
      throw new RangeError(
        `Bug in ringside: no monitor event has the code ${code}, please report.`,
      );
  }
}
