/**
 * The stream of typed events that a machine can report while it runs.
 *
 * A listener names the events that it wants. A strategy wires up only those, so that the others cost nothing,
 * and none cost anything while nobody listens.
 */
import type { MachineState } from "./virtual-machine.ts";

/** Every event says the machine's time: units since its creation or its last reset. */
interface Timed {
  readonly units: number;
}

/** The guest executed a mark: the 8-byte NOP `0f 1f 84 00 disp32` whose displacement is 0x5249_0000 + id. */
export interface MarkEvent extends Timed {
  readonly type: "mark";
  /** 0 to 0xffff. 1, 2 and 3 delimit the cold and the warm part of a benchmark; 0x100 and above are free. */
  readonly id: number;
}

/** The machine changed its state. */
export interface StateEvent extends Timed {
  readonly type: "state";
  readonly from: MachineState;
  readonly to: MachineState;
}

/** A shared kernel served a system call. */
export interface SystemCallEvent extends Timed {
  readonly type: "system-call";
  readonly process: number;
  readonly name: string;
  readonly arguments: readonly bigint[];
  /** Undefined when the call does not return. */
  readonly result: bigint | undefined;
}

/** The hypervisor got control: a VM exit, a trap, a callout, a hypercall. */
export interface MonitorEntryEvent extends Timed {
  readonly type: "monitor-entry";
  readonly why: string;
}

/** The processor is about to deliver an exception or an interrupt through the guest's own tables. */
export interface DeliveryEvent extends Timed {
  readonly type: "delivery";
  readonly kind: "exception" | "interrupt" | "nmi";
  readonly vector: number;
  /** Undefined where the exception has none. */
  readonly errorCode: number | undefined;
  /** The address of a page fault; else undefined. */
  readonly linear: bigint | undefined;
}

export type TraceEvent =
  | DeliveryEvent
  | MarkEvent
  | StateEvent
  | SystemCallEvent
  | MonitorEntryEvent;

/**
 * Called synchronously, in the order of guest time, while the machine runs. A listener may read the machine
 * (`counts()`, `inspect`) and call `pause()` or `stop()`; `run` and `reset` are a `wrong-state` error there.
 */
export type TraceListener = {
  readonly [Type in TraceEvent["type"]]?: (event: Extract<TraceEvent, { type: Type }>) => void;
};
