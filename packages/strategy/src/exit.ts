/** Why a virtual machine came back from running. */

import type { DebugHit } from "@ringside/isa";

/** How a program ended, as wait(2) tells it. */
export type ProgramStatus =
  | { readonly kind: "code"; /** 0 to 255. */ readonly code: number }
  | { readonly kind: "signal"; /** 1 to 64. */ readonly signal: number; readonly core: boolean };

/** Register names of the architecture to values, for people and reports. */
export type Registers = Readonly<Record<string, bigint>>;

export type Exit =
  /** The program of a {@link ProgramGuest} ended. */
  | { readonly reason: "exited"; readonly status: ProgramStatus }
  /**
   * A kernel powered off, asked for a restart, or halted for good. `value` is what it wrote to the machine's exit
   * device, and undefined when it ended in another way.
   */
  | { readonly reason: "halted"; readonly value: number | undefined }
  /** The units given to `run` are spent. */
  | { readonly reason: "limit" }
  /** Nothing can happen before the host writes or ends the input. */
  | { readonly reason: "waiting" }
  /** `pause()` was called while the machine ran, or a stop of its debugger was met: then `hit` says which. */
  | { readonly reason: "paused"; readonly hit?: DebugHit }
  /** The guest broke the machine (a triple fault, a kernel panic). Only this machine is affected. */
  | { readonly reason: "crashed"; readonly why: string; readonly registers: Registers }
  /** `stop()` was called. */
  | { readonly reason: "stopped" };

/** True when the machine can not run again without a reset. */
export function isFinal(exit: Exit): boolean {
  switch (exit.reason) {
    case "exited":
    case "halted":
    case "crashed":
    case "stopped":
      return true;
    case "limit":
    case "waiting":
    case "paused":
      return false;
  }
}

/**
 * Reads a status word of Linux's wait4(2): bits 6:0 the signal (0 when the program exited), bit 7 a core dump, bits 15:8 the code.
 *
 * @throws {RangeError} when `word` is not the status of a process that ended (a stopped or continued one).
 */
export function programStatus(word: number): ProgramStatus {
  const signal = word & 0x7f;
  if (signal === 0x7f || word < 0 || word > 0xffff) {
    throw new RangeError(
      `The wait status 0x${word.toString(16)} is not that of a process that ended; expected bits 6:0 below 0x7f.`,
    );
  }
  if (signal === 0) return { kind: "code", code: (word >> 8) & 0xff };
  return { kind: "signal", signal, core: (word & 0x80) !== 0 };
}

/** The exit status that a shell would report: the code, or 128 plus the signal. */
export function shellStatus(status: ProgramStatus): number {
  return status.kind === "code" ? status.code : 128 + status.signal;
}
