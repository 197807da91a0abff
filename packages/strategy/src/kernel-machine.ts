/** What a strategy supplies whose guests are kernels: one machine with one kernel in it. */
import type { DebugHit, Delivery } from "@ringside/isa";
import type { BoardEnd, KernelImage } from "@ringside/machine";
import type { Counts } from "./counts.ts";
import type { Debugger } from "./debugger.ts";
import type { Claim } from "./host.ts";
import type { Inspector } from "./virtual-machine.ts";

/** Why a {@link KernelMachine} came back. */
export type KernelMachineExit =
  /** The guest wrote to the machine's exit device, switched it off, or restarts it. */
  | BoardEnd
  | { readonly reason: "limit" }
  /** Halted; only input can wake it. */
  | { readonly reason: "waiting" }
  /** Halted, and nothing can wake it. */
  | { readonly reason: "halted" }
  /** {@link KernelMachine.requestStop} was called, or a stop of the machine's debugger was met. */
  | { readonly reason: "stopped"; readonly hit?: DebugHit }
  /** The guest broke its machine. */
  | { readonly reason: "crashed"; readonly why: string };

/** A machine with one kernel in it: what a strategy supplies. */
export interface KernelMachine {
  /** Progress since the last reset. */
  readonly units: number;
  /** Machine time in nanoseconds since the last reset, where there is one apart from {@link units}. */
  readonly now?: number;
  /** Bytes that were sent and that the guest has not read yet. */
  readonly unreadBytes: number;
  readonly inspect: Inspector;
  readonly debug?: Debugger;
  /** Runs at most `limitUnits`, an integer of at least 1. Output has reached its listeners when it returns. */
  run(limitUnits: number): KernelMachineExit;
  /** Ends the present {@link run} after the present instruction, or the next one at once. */
  requestStop(): void;
  /** Sends bytes to the guest's console; they are copied. */
  send(bytes: Uint8Array): void;
  /** No more bytes will be sent: a guest that halts for them has halted for good. */
  endInput(): void;
  /** The guest anew, units at 0. */
  reset(): void;
  /** Called once, last: what the host gave to devices is let go of, before the memory is given back. */
  powerDown?(): void;
  /** Counted since the machine was made: all but {@link Counts.units} go on across resets. */
  counts(): Counts;
}

/** Where a {@link KernelMachine} reports what happens in it. Optional listeners cost nothing while absent. */
export interface KernelMachineListeners {
  /** Bytes on the guest's console. */
  readonly onSerial: (bytes: Uint8Array) => void;
  /** Bytes on the guest's debug console. */
  readonly onDebug: (bytes: Uint8Array) => void;
  readonly onMark?: (id: number) => void;
  /** The processor is about to deliver something through the guest's own tables. */
  readonly onDelivery?: (delivery: Delivery) => void;
  /** The hypervisor got control. */
  readonly onMonitorEntry?: (why: string) => void;
}

/** What a {@link KernelMachine} is made of. */
export interface KernelMachineOptions extends KernelMachineListeners {
  /** The host's memory, which somebody else gives back. */
  readonly claim: Claim;
  /** Size of the guest's memory: whole pages. */
  readonly memoryBytes: number;
  readonly kernel: KernelImage;
  /** What the guest's calendar clock says at first, in seconds since 1970; see `CreateOptions.epochSeconds`. */
  readonly epochSeconds: number;
}
