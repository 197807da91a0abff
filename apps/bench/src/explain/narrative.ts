/**
 * From units to a story: runs of plain instructions become one line, events get a line each, and what repeats is told
 * once. Cycles are never lost on the way: the lines of a story sum to the price of its units.
 */
import { countAt, price, type CostProfile, type Counts, type PricePart } from "@ringside/strategy";
import { countLeaves, countNames, countsOf } from "./count-names.ts";
import type { UnitStep } from "./operation.ts";
import { wordsFor, type EventRole, type EventWords } from "./words.ts";

/** Instructions without events, in one ring. */
export interface RunLine {
  readonly kind: "run";
  readonly ring: number | undefined;
  readonly instructions: number;
  /** References of page walks, to the guest's tables and to the hypervisor's. */
  readonly walkReferences: number;
  readonly cycles: number;
}

/** Something that happened. */
export interface EventLine {
  readonly kind: "event";
  readonly role: EventRole;
  /** The guest's instruction, where the event is about one. */
  readonly instruction: string | undefined;
  readonly words: readonly EventWords[];
  /** What a monitor did, the dearest first. */
  readonly work: readonly WorkItem[];
  readonly cycles: number;
}

export interface WorkItem {
  readonly count: number;
  /** In the plural: `reads of VMCS fields`. */
  readonly events: string;
  readonly cycles: number;
}

/** The same lines several times over. */
export interface RepeatLine {
  readonly kind: "repeat";
  readonly times: number;
  /** As they were the first time. */
  readonly lines: readonly StoryLine[];
  /** Of all times. */
  readonly cycles: number;
}

export type StoryLine = RunLine | EventLine | RepeatLine;

/** Longest pattern of lines that is looked for. */
const PATTERN_MAXIMUM = 16;

/** Tells what the units did. */
export function storyOf(steps: readonly UnitStep[], profile: CostProfile): readonly StoryLine[] {
  const lines: StoryLine[] = [];
  let hasMonitorControl = false;
  for (const step of steps) {
    const told = linesOf(step, profile, hasMonitorControl);
    hasMonitorControl = told.hasMonitorControl;
    for (const line of told.lines) append(lines, line);
  }
  return folded(lines);
}

/** Cycles of all lines. */
export function cyclesOf(lines: readonly StoryLine[]): number {
  return lines.reduce((sum, { cycles }) => sum + cycles, 0);
}

interface Told {
  readonly lines: readonly (RunLine | EventLine)[];
  readonly hasMonitorControl: boolean;
}

/** The lines of one unit, in the order in which things happened in it. */
function linesOf(step: UnitStep, profile: CostProfile, hadMonitorControl: boolean): Told {
  const names = countNames(step.counts);
  const words = wordsOf(names);
  const isResumption = (name: string): boolean => wordsFor(name)?.role === "resuming";
  const resumption = price(subsetOf(step.counts, isResumption), profile).parts;
  const others = price(
    subsetOf(step.counts, (name) => !isResumption(name)),
    profile,
  ).parts;
  const work = others.filter(({ constant }) => constant.class === "monitor");
  const rest = others.filter(({ constant }) => constant.class !== "monitor");

  const event = (role: EventRole, parts: readonly PricePart[]): readonly EventLine[] => [
    {
      kind: "event",
      role,
      instruction: role === "entering" || role === "executing" ? step.instruction : undefined,
      words: words.get(role) ?? [],
      work: role === "serving" ? workOf(parts) : [],
      cycles: sum(parts),
    },
  ];
  const resuming = words.has("resuming") ? event("resuming", resumption) : [];
  const serving = words.has("serving") || work.length > 0 ? event("serving", work) : [];
  // One line takes what the hardware did: the event if there is one, else the instruction.
  const hardware: readonly (RunLine | EventLine)[] = words.has("entering")
    ? event("entering", rest)
    : words.has("executing")
      ? event("executing", rest)
      : runOf(step.counts, rest);

  const entersMonitor =
    serving.length > 0 || names.some((name) => /^(?:exits|callouts)\./u.test(name));
  // A monitor that had control gives it back before anything else can happen.
  const resumesFirst = hadMonitorControl || !entersMonitor;
  return {
    lines: resumesFirst
      ? [...resuming, ...hardware, ...serving]
      : [...hardware, ...serving, ...resuming],
    hasMonitorControl: entersMonitor
      ? resumesFirst || resuming.length === 0
      : hadMonitorControl && resuming.length === 0,
  };
}

function workOf(parts: readonly PricePart[]): readonly WorkItem[] {
  return parts
    .map(({ constant: { events }, count, cycles }) => ({ count, events, cycles }))
    .toSorted((a, b) => b.cycles - a.cycles);
}

function runOf(counts: Counts, parts: readonly PricePart[]): readonly RunLine[] {
  if (parts.length === 0) return [];
  return [
    {
      kind: "run",
      ring: ringOf(counts),
      instructions: counts.instructions,
      walkReferences:
        countAt(counts, "translation.walkReferences") +
        countAt(counts, "translation.secondStageReferences"),
      cycles: sum(parts),
    },
  ];
}

/** The ring in which the unit retired an instruction. */
function ringOf({ rings }: Counts): number | undefined {
  const [ring] = Object.entries(rings).find(([, count]) => count !== 0) ?? [];
  return ring === undefined ? undefined : Number(ring.replace("ring", ""));
}

/** Words of events by role, each once. */
function wordsOf(names: readonly string[]): ReadonlyMap<EventRole, readonly EventWords[]> {
  const byRole = new Map<EventRole, EventWords[]>();
  for (const name of names) {
    if (isToldOtherwise(name, names)) continue;
    const words = wordsFor(name);
    if (words === undefined) continue;
    const known = byRole.get(words.role) ?? [];
    if (!known.some((other) => other.name === words.name)) known.push(words);
    byRole.set(
      words.role,
      known.toSorted((a, b) => a.rank - b.rank),
    );
  }
  return byRole;
}

/** Events that are counted by two names are told by the one that says more. */
function isToldOtherwise(name: string, names: readonly string[]): boolean {
  // Before a monitor, an instruction that would enter ring 0 is told as what the monitor gets.
  if (name === "mnemonics.syscall") return names.includes("monitor.syscall");
  const isInt = name === "mnemonics.int" || name === "mnemonics.int3";
  const hasInt = names.some((other) => other.startsWith("monitor.software-interrupts."));
  if (isInt && hasInt) return true;
  // A callout is an INT.
  const isGiven = name.startsWith("monitor.software-interrupts.");
  return isGiven && names.some((other) => other.startsWith("callouts."));
}

/** Runs in one ring grow together; all else stands by itself. */
function append(lines: StoryLine[], line: RunLine | EventLine): void {
  const last = lines.at(-1);
  const grows =
    line.kind === "run" &&
    last?.kind === "run" &&
    (last.ring === line.ring || line.ring === undefined || last.ring === undefined);
  if (!grows) {
    lines.push(line);
    return;
  }
  lines[lines.length - 1] = {
    kind: "run",
    ring: last.ring ?? line.ring,
    instructions: last.instructions + line.instructions,
    walkReferences: last.walkReferences + line.walkReferences,
    cycles: last.cycles + line.cycles,
  };
}

/** Tells lines that come several times in a row once; of several ways, the one that saves most lines. */
function folded(lines: readonly StoryLine[]): readonly StoryLine[] {
  const keys = lines.map(keyOf);
  const told: StoryLine[] = [];
  for (let at = 0; at < lines.length;) {
    const { length, times } = bestRepeat(keys, at);
    if (times === 1) {
      const line = lines[at];
      if (line !== undefined) told.push(line);
      at += 1;
      continue;
    }
    const all = lines.slice(at, at + length * times);
    told.push({ kind: "repeat", times, lines: all.slice(0, length), cycles: cyclesOf(all) });
    at += length * times;
  }
  return told;
}

function bestRepeat(
  keys: readonly string[],
  at: number,
): { readonly length: number; readonly times: number } {
  let best = { length: 1, times: 1, saved: 0 };
  for (let length = 1; length <= PATTERN_MAXIMUM; length += 1) {
    let times = 1;
    while (samePattern(keys, at, at + length * times, length)) times += 1;
    const saved = length * (times - 1);
    if (saved > best.saved) best = { length, times, saved };
  }
  // A repeat has a line of its own: it must save more than that.
  return best.saved > 1 ? best : { length: 1, times: 1 };
}

function samePattern(
  keys: readonly string[],
  first: number,
  second: number,
  length: number,
): boolean {
  if (second + length > keys.length) return false;
  for (let index = 0; index < length; index += 1) {
    if (keys[first + index] !== keys[second + index]) return false;
  }
  return true;
}

/** Lines with the same key tell the same, but for numbers and operands. */
function keyOf(line: StoryLine): string {
  switch (line.kind) {
    case "run":
      return `run ${line.ring ?? ""}`;
    case "event":
      return `${line.role} ${line.instruction?.split(" ")[0] ?? ""} ${line.words.map(({ name }) => name).join(" ")}`;
    case "repeat":
      return `${line.times} of ${line.lines.map(keyOf).join(", ")}`;
  }
}

/** The counts of some names. Instructions stay where their mnemonics are: with what is no resumption. */
function subsetOf(counts: Counts, wanted: (name: string) => boolean): Counts {
  return countsOf(countLeaves(counts).filter(([name]) => wanted(name)));
}

function sum(parts: readonly PricePart[]): number {
  return parts.reduce((total, { cycles }) => total + cycles, 0);
}
