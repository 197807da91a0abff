/**
 * The guest's own breakpoints, while the guest is where its debug registers are not.
 *
 * Accesses to data are the same in the cache as in the guest, so the processor watches them. Instructions of the kernel
 * are not: the translator puts a callout where a breakpoint is.
 *
 * Intel SDM Vol. 3B §18.2.4, "Debug Control Register (DR7)".
 */
import { slots, type ProcessorState } from "@ringside/isa";

const registers = [slots.dr0, slots.dr1, slots.dr2, slots.dr3] as const;
const enables = 0xffn;
const generalDetect = 0x2000n;

/** Whether DR7 enables any breakpoint. */
export function hasBreakpoints(state: ProcessorState): boolean {
  return (state.get(slots.dr7) & enables) !== 0n;
}

/** DR6 bits of the breakpoints that wait for the instruction at `rip`. */
export function instructionBreakpoints(state: ProcessorState, rip: bigint): bigint {
  const control = state.get(slots.dr7);
  return registers.reduce((bits, register, index) => {
    const meets = waitsForInstruction(control, index) && state.get(register) === rip;
    return meets ? bits | (1n << BigInt(index)) : bits;
  }, 0n);
}

/** What the instruction breakpoints are; the same as long as they are. */
export function breakpointKey(state: ProcessorState): string {
  const control = state.get(slots.dr7);
  return registers
    .map((register, index) => (waitsForInstruction(control, index) ? state.get(register) : ""))
    .join();
}

/** Gives the processor the guest's debug registers; without those for instructions, in the cache. */
export function passBreakpoints(
  state: ProcessorState,
  physical: ProcessorState,
  withInstructions: boolean,
): void {
  let control = state.get(slots.dr7) & ~generalDetect;
  for (const [index, register] of registers.entries()) {
    physical.set(register, state.get(register));
    if (!withInstructions && waitsForInstruction(control, index)) {
      control &= ~(3n << BigInt(2 * index));
    }
  }
  physical.set(slots.dr7, control);
}

function waitsForInstruction(control: bigint, index: number): boolean {
  const isEnabled = ((control >> BigInt(2 * index)) & 3n) !== 0n;
  return isEnabled && ((control >> BigInt(16 + 4 * index)) & 3n) === 0n;
}
