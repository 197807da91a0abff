/** What `ringside trace` does. */
import { createWriteStream } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { once } from "node:events";
import type { Writable } from "node:stream";
import {
  isFinal,
  type Debugger,
  type Exit,
  type Strategy,
  type TraceEvent,
  type VirtualMachine,
} from "@ringside/strategy";
import { createMachine, kernelGuest } from "../boot/kernel-guest.ts";
import type { TraceOptions } from "../commands/trace.ts";
import { CommandError } from "../failure.ts";
import { instructionAt } from "../lockstep/lockstep.ts";
import { runTo } from "../lockstep/run-to.ts";
import { findStrategy } from "../strategies.ts";
import { eventLine, instructionLine } from "../trace/trace-line.ts";

const linesPerTurn = 1000;
const sliceUnits = 1_000_000;

/** Writes the lines that were asked for, or as many as the guest has, and then says how it ended. */
export async function trace(options: TraceOptions): Promise<void> {
  const strategy = await findStrategy(options.strategy);
  const output = options.output === undefined ? process.stdout : createWriteStream(options.output);
  const broken = new Promise<never>((_resolve, reject) => {
    output.once("error", (error) =>
      reject(
        new CommandError(`The trace cannot be written (${error.message}).`, undefined, {
          cause: error,
        }),
      ),
    );
  });
  const write = options.events === true ? traceEvents : traceInstructions;
  const ending = await Promise.race([write(strategy, options, output), broken]);
  if (output !== process.stdout) {
    output.end();
    await Promise.race([once(output, "close"), broken]);
  }
  if (ending !== undefined) process.stderr.write(`ringside: ${ending}\n`);
}

/** Gives how the guest ended, where it did before all lines were written. */
async function traceInstructions(
  strategy: Strategy,
  options: TraceOptions,
  output: Writable,
): Promise<string | undefined> {
  const guest = await kernelGuest(strategy, options);
  let delivered: TraceEvent | undefined;
  const { machine } = createMachine(strategy, guest, options, {
    trace: { delivery: (event) => (delivered = event) },
  });
  using _ = machine;
  const debug = requireDebugger(machine);
  await runTo(machine, debug, options);
  let before = debug.registers();
  for (let lines = 0; lines < options.count;) {
    const { units } = machine;
    const instruction = instructionAt(machine, before);
    const { instructions } = machine.counts();
    delivered = undefined;
    const exit = machine.run(1);
    const after = debug.registers();
    const isRetired = machine.counts().instructions !== instructions;
    // Neither: a processor that sleeps was visited by an event that does not wake it.
    const event: TraceEvent | undefined = delivered;
    const line = isRetired
      ? instructionLine(units, instruction, before, after)
      : event && eventLine(event, before["rip"]);
    if (line !== undefined) {
      lines += 1;
      if (!output.write(`${line}\n`)) await once(output, "drain");
      else if (lines % linesPerTurn === 0) await nextTurn();
    }
    before = after;
    if (isFinal(exit)) return endingOf(machine, exit);
  }
  return undefined;
}

/** The same for events. */
async function traceEvents(
  strategy: Strategy,
  options: TraceOptions,
  output: Writable,
): Promise<string | undefined> {
  const guest = await kernelGuest(strategy, options);
  let lines = 0;
  let listening = false;
  let created: VirtualMachine | undefined;
  const listener = (event: TraceEvent): void => {
    if (!listening || created === undefined || lines >= options.count) return;
    lines += 1;
    output.write(`${eventLine(event, created.inspect.registers()["rip"])}\n`);
    if (lines >= options.count) created.pause();
  };
  const { machine } = createMachine(strategy, guest, options, {
    trace: { delivery: listener, mark: listener, "monitor-entry": listener },
  });
  using _ = machine;
  created = machine;
  await runTo(machine, options.at === undefined ? undefined : requireDebugger(machine), options);
  listening = true;
  while (lines < options.count) {
    const exit = machine.run(sliceUnits);
    if (isFinal(exit) || exit.reason === "waiting") return endingOf(machine, exit);
    if (output.writableNeedDrain) await once(output, "drain");
    else await nextTurn();
  }
  return undefined;
}

function endingOf({ units }: VirtualMachine, exit: Exit): string {
  const after = `after ${units} units`;
  if (exit.reason === "waiting")
    return `The guest waits for input ${after}; nothing is typed to it.`;
  const why = exit.reason === "crashed" ? `: ${exit.why.replace(/\.$/u, "")}` : "";
  return `The guest ${exit.reason} ${after}${why}.`;
}

function requireDebugger(machine: VirtualMachine): Debugger {
  if (machine.debug !== undefined) return machine.debug;
  throw new CommandError(
    `The strategy "${machine.strategy}" cannot be looked at so closely yet. Take --strategy bare, or --events without --at.`,
  );
}
