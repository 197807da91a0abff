/** The contract: what a strategy says about itself, and how it makes a machine. */
import type { ProcessorProfile } from "@ringside/isa";
import type { Guest } from "./guest.ts";
import type { Host } from "./host.ts";
import type { TraceListener } from "./trace.ts";
import type { OutputListeners, VirtualMachine } from "./virtual-machine.ts";

/** What a strategy is, as facts that reports print beside its numbers. */
export interface Traits {
  /** The guest's kernel: as it is, built for this strategy, or none of its own. */
  readonly guestKernel: "unmodified" | "modified" | "shared";
  /** The privilege level at which the guest's kernel really runs, as the architecture numbers it; null without one. */
  readonly guestKernelLevel: number | null;
  /** Extensions of the processor that it needs, such as `vmx`. */
  readonly extensions: readonly string[];
  /** True when it takes the whole host: one machine at a time, and nothing beside it. */
  readonly exclusive: boolean;
  /** Work that no cost profile prices, in a sentence; modelled cycles are then null with this reason. */
  readonly unmodelled?: string;
}

/**
 * What a strategy can do. The conformance suite skips a case only when its capability is `false`, and then
 * checks the documented refusal instead.
 *
 * Capabilities that no strategy has yet (snapshots, migration, several processors) are absent until they work.
 */
export interface Capabilities {
  /** Runs static Linux programs. */
  readonly programs: boolean;
  /** Runs kernels that are made for the bare machine. Others, `xen-pv` among them, are a matter of `accepts`. */
  readonly kernels: boolean;
  /** Keeps guest code that overwrites itself coherent. */
  readonly selfModifyingCode: boolean;
}

export type Acceptance =
  | { readonly accepted: true }
  | { readonly accepted: false; /** A sentence for a person. */ readonly reason: string };

/** Options that every strategy takes. */
export interface CreateOptions {
  readonly output?: OutputListeners;
  readonly trace?: TraceListener;
  /**
   * What the guest's calendar clock says at creation, in seconds since 1970-01-01T00:00:00Z; an integer.
   * Default 1136073600, the first second of 2006, so that runs repeat.
   */
  readonly epochSeconds?: number;
  /**
   * What the guest's processor says it is. A strategy whose machines have the default processor alone refuses it with
   * `invalid-option`.
   */
  readonly processor?: ProcessorProfile;
}

/** The default of {@link CreateOptions.epochSeconds}: 2006-01-01T00:00:00Z. */
export const defaultEpochSeconds: number = 1_136_073_600;

export interface Strategy<Options extends object = object> {
  /** Unique, kebab-case, a variant after a colon (`vtx:shadow`); how the command and reports refer to it. */
  readonly id: string;
  /** For headings, such as `Binary translation`. */
  readonly name: string;
  /** One sentence for people choosing a strategy. */
  readonly summary: string;
  readonly traits: Traits;
  readonly capabilities: Capabilities;

  /** Whether it runs this guest, by kind and format; does not read the guest's files. */
  readonly accepts: (guest: Guest) => Acceptance;

  /**
   * Loads the guest and gives a machine in state `created`.
   *
   * @throws {StrategyError} `guest-refused` when {@link accepts} says no, `out-of-memory` when the host has
   *   too little, `host-busy` when the host is taken, `invalid-guest` when a file is malformed,
   *   `invalid-option` otherwise.
   */
  readonly create: (host: Host, guest: Guest, options?: CreateOptions & Options) => VirtualMachine;
}
