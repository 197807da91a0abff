/** Runs a machine up to where somebody wants to look closely: so many units on, then to an address. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Debugger, VirtualMachine } from "@ringside/strategy";
import { CommandError } from "../failure.ts";

export interface Beginning {
  /** Units to run first. */
  readonly after: number;
  /** Linear address of the instruction to stop before. */
  readonly at?: bigint;
}

const sliceUnits = 4_000_000;

/** @throws {CommandError} The guest ended before. */
export async function runTo(
  machine: VirtualMachine,
  debug: Debugger | undefined,
  { after, at }: Beginning,
): Promise<void> {
  while (machine.units < after) {
    const { reason } = machine.run(Math.min(sliceUnits, after - machine.units));
    if (reason !== "limit") throw ended(machine, reason);
    await nextTurn();
  }
  if (at === undefined || debug === undefined) return;
  debug.setStops({ breakpoints: new Set([at]), watchpoints: [] });
  for (;;) {
    const { reason } = machine.run(sliceUnits);
    if (reason === "paused") break;
    if (reason !== "limit") throw ended(machine, reason);
    await nextTurn();
  }
  debug.setStops({ breakpoints: new Set(), watchpoints: [] });
}

function ended(machine: VirtualMachine, reason: string): CommandError {
  return new CommandError(
    `The guest did not get to the beginning: it is "${reason}" after ${machine.units} units. Begin earlier.`,
  );
}
