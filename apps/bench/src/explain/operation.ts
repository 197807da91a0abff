/**
 * One warm operation of a benchmark, unit by unit, as a real machine did it.
 *
 * Runs repeat exactly. So one machine runs to the marks, to learn where the warm operations begin, and one does an
 * operation more, to learn how long one is. A third is taken to the beginning and stepped: what a unit did is the
 * difference of the counts around it. A fourth is stopped before each event, to see the guest's instruction. Nothing
 * here knows how any strategy works.
 */
import { disassemble } from "@ringside/isa";
import {
  countsBetween,
  Host,
  type Counts,
  type Guest,
  type Strategy,
  type VirtualMachine,
} from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { guestFor } from "../comparison/guests.ts";
import { hostBytesFor } from "../host-size.ts";
import { countNames, countsTogether } from "./count-names.ts";
import { wordsFor, type EventRole } from "./words.ts";

const MARK = { middle: 2, end: 3 } as const;
const LIMIT_UNITS = 5e9;
const INSTRUCTION_BYTES_MAXIMUM = 15;

/** What one unit of progress did. */
export interface UnitStep {
  /** What was counted. */
  readonly counts: Counts;
  /** The guest's instruction that was to be executed, where there is an event to tell and the bytes can be read. */
  readonly instruction: string | undefined;
}

export type Walk =
  | { readonly kind: "walked"; readonly steps: readonly UnitStep[] }
  /** It has no meaning under this strategy, or the guest failed; a sentence for a person. */
  | { readonly kind: "not-walked"; readonly reason: string };

/** Units at which the warm operations begin and end. */
interface Marks {
  readonly middle: number;
  readonly end: number;
}

/**
 * Steps through one operation.
 *
 * @param operations How many operations are done before, so that what only the first ones pay is over. At least 1.
 */
export function walkOperation(strategy: Strategy, benchmark: Benchmark, operations: number): Walk {
  const choice = guestFor(strategy, { ...benchmark, operations });
  const longer = guestFor(strategy, { ...benchmark, operations: operations + 1 });
  if (choice.kind === "not-applicable") return { kind: "not-walked", reason: choice.reason };
  if (longer.kind === "not-applicable") return { kind: "not-walked", reason: longer.reason };

  const run = { strategy, guest: choice.guest };
  const marks = marksOf(run);
  const more = marksOf({ strategy, guest: longer.guest });
  if (typeof marks === "string") return { kind: "not-walked", reason: marks };
  if (typeof more === "string") return { kind: "not-walked", reason: more };
  const length = Math.max(1, more.end - more.middle - (marks.end - marks.middle));

  // From the middle of the warm part: the first operations may still pay for something that later ones do not.
  const start = marks.middle + length * Math.floor(operations / 2);
  const counted = withMachine(run, (machine) => {
    machine.run(start);
    return countUnits(machine, length);
  });
  const instructions = withMachine(run, (machine) => instructionsAt(machine, counted));
  return {
    kind: "walked",
    steps: counted.map(({ units, counts }) => ({ counts, instruction: instructions.get(units) })),
  };
}

interface Run {
  readonly strategy: Strategy;
  readonly guest: Guest;
}

/** The marks of a run to the end, or what went wrong. */
function marksOf(run: Run): Marks | string {
  const marks = new Map<number, number>();
  const ended = withMachine(
    run,
    (machine) => machine.run(LIMIT_UNITS),
    ({ id, units }) => void marks.set(id, units),
  );
  const [middle, end] = [marks.get(MARK.middle), marks.get(MARK.end)];
  if (middle === undefined || end === undefined) {
    return `The guest did not execute its marks; it ended with "${ended.reason}".`;
  }
  return { middle, end };
}

/** What was counted from one point of progress to the next. */
interface Counted {
  /** Where it began, in units of the machine. */
  readonly units: number;
  readonly counts: Counts;
}

/** Counts of each unit of one operation. An operation is a circle, which may be entered anywhere: {@link beginsAt}. */
function countUnits(machine: VirtualMachine, length: number): readonly Counted[] {
  const units = new UnitCounter(machine);
  const counted: Counted[] = [];
  const onceAround = machine.units + length;
  let first: number | undefined;
  while (first === undefined || machine.units < first + length) {
    const steps = countSteps(units);
    if (steps.length === 0) break;
    counted.push(...steps);
    if (first === undefined && machine.units >= onceAround) first = beginsAt(counted);
  }
  const from = first ?? 0;
  return counted.filter((step) => step.units >= from && step.units < from + length);
}

/**
 * Where the story of a circle begins: where control leaves the guest for a reason of the guest's program. What a
 * kernel then asks of a monitor, by callouts and hypercalls, is a consequence. Where there is neither, it begins with
 * the first instruction that is worth a line, or with any.
 */
function beginsAt(counted: readonly Counted[]): number | undefined {
  const whole = counted.filter(({ counts }) => !isSecondHalf(counts));
  const entering = whole.filter(({ counts }) => hasRole(counts, "entering"));
  const asks = /^(?:callouts|hypercalls)\./u;
  const begin =
    entering.find(({ counts }) => !countNames(counts).some((name) => asks.test(name))) ??
    entering[0] ??
    whole.find(({ counts }) => hasRole(counts, "executing")) ??
    whole[0];
  return begin?.units;
}

/** The unit in which a monitor gets a SYSCALL or INT that retired in the unit before. */
function isSecondHalf(counts: Counts): boolean {
  const names = countNames(counts);
  return (
    names.some((name) => transfersToMonitor.test(name)) &&
    !names.some((name) => transfers.test(name))
  );
}

/** Counts of the next unit; none when the guest has ended or waits: it does so after its operations, never in them. */
function countSteps(units: UnitCounter): readonly Counted[] {
  const first = units.next();
  if (first === undefined) return [];
  if (!countNames(first.counts).some((name) => transfers.test(name))) return [first];
  // SYSCALL or INT has retired. Where it goes to a monitor, that is the unit after it; they are one event.
  const second = units.next();
  if (second === undefined) return [first];
  if (!countNames(second.counts).some((name) => transfersToMonitor.test(name))) {
    return [first, second];
  }
  return [{ units: first.units, counts: countsTogether(first.counts, second.counts) }];
}

const transfers = /^mnemonics\.(?:syscall|int3?)$/u;
const transfersToMonitor = /^monitor\.(?:syscall|software-interrupts\.)/u;

/** Steps a machine and tells what each unit counted. */
class UnitCounter {
  readonly #machine: VirtualMachine;
  #last: Counts;

  constructor(machine: VirtualMachine) {
    this.#machine = machine;
    this.#last = machine.counts();
  }

  /** Undefined when the guest does not get to the next unit. */
  next(): Counted | undefined {
    const { units } = this.#machine;
    const before = this.#last;
    if (this.#machine.run(1).reason !== "limit") return undefined;
    this.#last = this.#machine.counts();
    return { units, counts: countsBetween(before, this.#last) };
  }
}

/** Whether there is an event of that role to tell of a unit. */
function hasRole(counts: Counts, role: EventRole): boolean {
  return countNames(counts).some((name) => wordsFor(name)?.role === role);
}

/** The guest's instructions where there is an event, by the units at which they are to be executed. */
function instructionsAt(
  machine: VirtualMachine,
  counted: readonly Counted[],
): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const { units, counts } of counted) {
    if (!hasRole(counts, "entering") && !hasRole(counts, "executing")) continue;
    if (units > machine.units) machine.run(units - machine.units);
    const text = nextInstruction(machine);
    if (text !== undefined) found.set(units, text);
  }
  return found;
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
  { strategy, guest }: Run,
  use: (machine: VirtualMachine) => T,
  onMark: (event: { readonly id: number; readonly units: number }) => void = () => {},
): T {
  const host = Host.create({ memoryBytes: hostBytesFor(guest) });
  using machine = strategy.create(host, guest, { trace: { mark: onMark } });
  machine.input.end();
  return use(machine);
}
