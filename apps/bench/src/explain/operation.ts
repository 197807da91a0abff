/**
 * One warm operation of a benchmark, unit by unit, as a real machine did it.
 *
 * The machine runs to the marks once, to learn where its operations are. Runs repeat exactly, so a second machine is
 * then taken to the start of one operation and stepped. What a unit did is the difference of the counts around it:
 * nothing here knows how any strategy works.
 */
import { disassemble } from "@ringside/isa";
import {
  countsBetween,
  Host,
  type Counts,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { guestOf } from "../comparison/guests.ts";
import { hostBytesFor } from "../host-size.ts";

const MARK = { middle: 2, end: 3 } as const;
const LIMIT_UNITS = 5e9;
const INSTRUCTION_BYTES_MAXIMUM = 15;

/** What one unit of progress did. */
export interface UnitStep {
  /** The guest's instruction that was to be executed; undefined where its bytes cannot be read. */
  readonly instruction: string | undefined;
  /** What was counted. */
  readonly counts: Counts;
}

export type Walk =
  | { readonly kind: "walked"; readonly steps: readonly UnitStep[] }
  /** It has no meaning under this strategy, or the guest failed; a sentence for a person. */
  | { readonly kind: "not-walked"; readonly reason: string };

/**
 * Steps through one operation.
 *
 * @param operations How many operations are done before, so that what only the first ones pay is over. At least 2.
 */
export function walkOperation(strategy: Strategy, benchmark: Benchmark, operations: number): Walk {
  const guest = guestOf({ ...benchmark, operations });
  const acceptance = strategy.accepts(guest);
  if (!acceptance.accepted) return { kind: "not-walked", reason: acceptance.reason };

  const marks = new Map<number, number>();
  const onMark = ({ id, units }: { readonly id: number; readonly units: number }): void =>
    void marks.set(id, units);
  const ended = withMachine(strategy, benchmark, operations, onMark, (machine) =>
    machine.run(LIMIT_UNITS),
  );
  const [middle, end] = [marks.get(MARK.middle), marks.get(MARK.end)];
  if (middle === undefined || end === undefined) {
    return { kind: "not-walked", reason: `The guest ended without its marks: ${ended.reason}.` };
  }
  const { start, length } = onePeriod(middle, end, operations);
  return withMachine(
    strategy,
    benchmark,
    operations,
    () => {},
    (machine) => {
      machine.run(start);
      return { kind: "walked", steps: stepUnits(machine, length) };
    },
  );
}

/** The loops of benchmarks do the same each time; what is left of the units lies before the first operation. */
function onePeriod(
  middle: number,
  end: number,
  operations: number,
): { readonly start: number; readonly length: number } {
  const length = Math.floor((end - middle) / operations);
  const start = end - length * Math.ceil(operations / 2);
  return { start, length };
}

function stepUnits(machine: VirtualMachine, length: number): readonly UnitStep[] {
  const steps: UnitStep[] = [];
  let before = machine.counts();
  for (let unit = 0; unit < length; unit += 1) {
    const instruction = nextInstruction(machine);
    const exit = machine.run(1);
    const after = machine.counts();
    steps.push({ instruction, counts: countsBetween(before, after) });
    before = after;
    if (exit.reason !== "limit") break;
  }
  return steps;
}

/** The instruction at the guest's RIP, in the notation of the disassembler. */
function nextInstruction({ inspect }: VirtualMachine): string | undefined {
  const { rip } = inspect.registers();
  if (rip === undefined) return undefined;
  for (let length = INSTRUCTION_BYTES_MAXIMUM; length > 0; length -= 1) {
    // The page behind may not be mapped.
    const bytes = inspect.readMemory(rip, length);
    if (bytes === undefined) continue;
    const [line] = disassemble(bytes, { address: rip });
    return line?.text;
  }
  return undefined;
}

function withMachine<T>(
  strategy: Strategy,
  benchmark: Benchmark,
  operations: number,
  onMark: (event: { readonly id: number; readonly units: number }) => void,
  use: (machine: VirtualMachine) => T,
): T {
  const guest = guestOf({ ...benchmark, operations });
  const host = Host.create({ memoryBytes: hostBytesFor(guest) });
  using machine = strategy.create(host, guest, { trace: { mark: onMark } });
  machine.input.end();
  return use(machine);
}
