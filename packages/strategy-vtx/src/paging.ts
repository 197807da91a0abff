/** How a guest's memory is translated: what the two ways, extended page tables and shadow page tables, have to say. */
import type { GuestStep } from "@ringside/hypervisor";
import type { ExitContext } from "./exit-handlers.ts";

/** How a guest's memory is translated. */
export type PagingKind = "ept" | "shadow";

/** Controls that a way needs beside those of every guest. */
export interface PagingControls {
  readonly primary: number;
  readonly secondary: number;
  /** Bits of CR0 that the hypervisor holds at 1 beside NE. */
  readonly cr0Held: bigint;
  readonly exceptionBitmap: number;
}

export interface Paging {
  readonly kind: PagingKind;
  readonly controls: PagingControls;
  /** Writes its fields into a new VMCS. */
  start(): void;
  /** The guest's own CR3. */
  readCr3(): bigint;
  /** The guest's CR3 became this by an instruction that was emulated, or at its start. */
  writeCr3(cr3: bigint): void;
  /**
   * Handles the exits that are its own.
   *
   * @param vectoring The event whose delivery the exit interrupted, as the IDT-vectoring information field has it.
   * @returns undefined for the exits of others.
   */
  handle(context: ExitContext, reason: number, vectoring: number): GuestStep | undefined;
}
