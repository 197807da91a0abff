/**
 * One domain: everything that Xen keeps for it, for the handlers of its hypercalls and traps.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import type { PhysicalMemory, Processor } from "@ringside/isa";
import type { DescriptorTables } from "./cpu/descriptors.ts";
import type { RegisterHalves } from "./cpu/registers.ts";
import type { Vcpu } from "./cpu/vcpu.ts";
import type { DomainCounts } from "./domain-counts.ts";
import type { DomainClock } from "./events/clock.ts";
import type { ConsoleRing } from "./events/console-ring.ts";
import type { EventChannels } from "./events/event-channels.ts";
import type { RunStates } from "./events/run-states.ts";
import type { WorkLimit } from "./hypercalls/work-limit.ts";
import type { FrameTable } from "./memory/frame-table.ts";
import type { GuestAccess } from "./memory/guest-access.ts";
import type { MachineMemory } from "./memory/machine-memory.ts";
import type { XenArea } from "./memory/xen-area.ts";
import type { DirectPaging } from "./paging/direct-paging.ts";
import type { PageTypes } from "./paging/page-types.ts";

/** Number by which the domain knows itself, where it is told. */
export const DOMAIN_ID = 1;

/** Why a domain's processor does not run. */
export type Sleep =
  | { readonly kind: "block" }
  /** Until one of these ports is pending, masked or not. */
  | { readonly kind: "poll"; readonly ports: readonly number[] }
  /** For good: it was taken down. */
  | { readonly kind: "down" };

/** What can change in a domain beside its memory and registers. */
export interface DomainState {
  sleep: Sleep | undefined;
  /** The code that the domain gave for its end; the first one counts. */
  shutdownCode: number | undefined;
  /** It gave the code before its end: a value of its own and no reason of Xen's. */
  isCodeLatched: boolean;
  /** It has ended. */
  isShutDown: boolean;
  /** Stores into page tables by the guest's kernel are done for it. */
  assistsWritableTables: boolean;
  /** Inside a multicall, which cannot hold another. */
  isInMulticall: boolean;
  /** The host's port of the console, and the one that a virtual interrupt would have. */
  consolePort: number;
}

export interface Domain {
  readonly state: DomainState;
  readonly processor: Processor;
  readonly physical: PhysicalMemory;
  readonly memory: MachineMemory;
  readonly frames: FrameTable;
  readonly area: XenArea;
  readonly access: GuestAccess;
  readonly types: PageTypes;
  readonly paging: DirectPaging;
  readonly descriptors: DescriptorTables;
  readonly registers: RegisterHalves;
  readonly vcpu: Vcpu;
  readonly channels: EventChannels;
  readonly clock: DomainClock;
  readonly runStates: RunStates;
  readonly console: ConsoleRing;
  readonly work: MonitorWork;
  readonly workLimit: WorkLimit;
  readonly counts: DomainCounts;
  /** What the guest writes to Xen's own console. */
  readonly onLog: (bytes: Uint8Array) => void;
  /** Empties the TLB, global pages included. */
  readonly flushTlb: () => void;
  readonly flushPage: (linear: bigint) => void;
}

export function initialState(): DomainState {
  return {
    sleep: undefined,
    shutdownCode: undefined,
    isCodeLatched: false,
    isShutDown: false,
    assistsWritableTables: false,
    isInMulticall: false,
    consolePort: 0,
  };
}
