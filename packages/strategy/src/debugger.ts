/** What a debugger needs of a machine beside a look at it: all registers, writing, and stops. */
import type { Watchpoint } from "@ringside/isa";
import type { Registers } from "./exit.ts";

/** Where a machine stops for its debugger. The guest sees none of it. */
export interface DebugStops {
  /** Linear addresses of instructions before which it stops, under whatever page tables are the present ones. */
  readonly breakpoints: ReadonlySet<bigint>;
  /** Data behind whose accesses it stops. */
  readonly watchpoints: readonly Watchpoint[];
}

/**
 * An optional part of a virtual machine. What is written takes effect at once and unchecked, as by hardware's own
 * debug port: nothing faults, and a nonsensical state is the debugger's own doing.
 */
export interface Debugger {
  /**
   * All registers, by the manual's names in lower case: `rax` to `r15`, `rip`, `rflags`, the segment registers and,
   * as `fs_base`, their hidden bases, `cr0` to `cr8`, `efer`, `kernel_gs_base`, `st0` to `st7` of 80 bits in the
   * order of the stack, `fcw`, `fsw`, `ftw` (two bits a register), `fcs`, `fip`, `fds`, `fdp`, `fop`, `xmm0` to
   * `xmm15` of 128 bits, `mxcsr`.
   */
  registers(): Registers;
  /**
   * Replaces a register by the low bits of `value`.
   *
   * @returns false when there is none of that name, or it cannot be written.
   * @throws {StrategyError} `wrong-state` inside a callback of a run.
   */
  writeRegister(name: string, value: bigint): boolean;
  /**
   * Writes mapped memory, whatever the pages' rights.
   *
   * @returns false when any byte of the range is not mapped; nothing is written then.
   * @throws {StrategyError} `wrong-state` inside a callback of a run.
   */
  writeMemory(linear: bigint, bytes: Uint8Array): boolean;
  /**
   * Replaces all stops: `run` then comes back with `paused` and a hit.
   *
   * @throws {StrategyError} `wrong-state` inside a callback of a run.
   */
  setStops(stops: DebugStops): void;
}
