/** The walk through one operation, as text. */
import type { CostProfile } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { figure } from "../comparison/figures.ts";
import type { EventLine, StoryLine } from "../explain/narrative.ts";
import type { Colours } from "../terminal.ts";
import { wrapped } from "./text-table.ts";

/** Columns of the text before the cycles. */
const TEXT_COLUMNS = 92;
const CYCLE_COLUMNS = 9;
/** Work that costs less than this part of its line is not named. */
const WORTH_NAMING = 0.02;

/** What one strategy did in one operation. */
export interface Explained {
  readonly strategy: string;
  readonly name: string;
  /** Undefined when the operation has no meaning under it, with the reason. */
  readonly story: readonly StoryLine[] | undefined;
  readonly reason?: string;
  /** Cycles of the story; undefined when not all of its work has a price. */
  readonly cycles: number | undefined;
}

/** What is explained, and whose cycles these are. */
export function explanationHeading(
  benchmark: Benchmark,
  profile: CostProfile,
  { bold, dim }: Colours,
): string {
  return `${bold(`${benchmark.id}: ${benchmark.operation}`)}, one warm operation, event by event ${dim(`(cycles: ${profile.name})`)}`;
}

/** One strategy's walk through it. */
export function explanationSection(explained: Explained, colours: Colours): string {
  const { bold, dim } = colours;
  const { strategy, name, story, reason, cycles } = explained;
  const title = `${bold(strategy)} ${dim(`(${name})`)}`;
  if (story === undefined) return `${title}: ${dim(reason ?? "nothing ran")}`;
  const total = cycles === undefined ? "not all of it modelled" : `${figure(cycles)} cycles`;
  const why = cycles === undefined && reason !== undefined ? wrapped(reason, TEXT_COLUMNS) : [];
  return [
    `${title}: ${total}`,
    ...why.map((line) => dim(`  ${line}`)),
    ...storyLines(story, { colours, told: new Set() }, "  "),
  ].join("\n");
}

interface Telling {
  readonly colours: Colours;
  /** Names of the events that were explained already. */
  readonly told: Set<string>;
}

function storyLines(
  story: readonly StoryLine[],
  telling: Telling,
  indent: string,
): readonly string[] {
  return story.flatMap((line) => {
    switch (line.kind) {
      case "run":
        return [withCycles(`${indent}${runText(line)}`, line.cycles)];
      case "event":
        return eventText(line, telling, indent);
      case "repeat": {
        const title = `${indent}${telling.colours.bold(`${line.times} times:`)}`;
        return [withCycles(title, line.cycles), ...storyLines(line.lines, telling, `${indent}  `)];
      }
    }
  });
}

const markers = { entering: "→ ", serving: "  ", resuming: "← ", executing: "" } as const;

function eventText(line: EventLine, { colours, told }: Telling, indent: string): string[] {
  const { bold, dim } = colours;
  const columns = TEXT_COLUMNS - indent.length - 6;
  const sentences = line.words.map(({ name, meaning }) => {
    if (meaning === "" || told.has(name)) return `${name}.`;
    told.add(name);
    return `${name}: ${meaning}`;
  });
  if (sentences.length === 0) sentences.push("The hypervisor handles it.");
  const prose = sentences.flatMap((sentence, index) =>
    wrapped(sentence, columns).map(
      (part, row) => `${indent}${index === 0 && row === 0 ? markers[line.role] : "  "}${part}`,
    ),
  );
  const [first = "", ...rest] = prose;
  const work = workText(line);
  return [
    ...(line.instruction === undefined ? [] : [`${indent}${bold(line.instruction)}`]),
    withCycles(first, line.cycles),
    ...rest,
    ...(work === "" ? [] : wrapped(work, columns)).map((part) => dim(`${indent}    ${part}`)),
  ];
}

function runText({
  ring,
  instructions,
  walkReferences,
}: Extract<StoryLine, { kind: "run" }>): string {
  const where = ring === undefined ? "" : ` in ring ${ring}`;
  const parts = [
    ...(instructions === 0 ? [] : [`${plural(instructions, "instruction")}${where}`]),
    ...(walkReferences === 0 ? [] : [`${plural(walkReferences, "reference")} of page walks`]),
  ];
  return parts.join(", ");
}

function plural(count: number, noun: string): string {
  return `${figure(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** `reads of VMCS fields × 36 (6,408), VM entries × 1 (2,409)`. */
function workText({ work, cycles }: EventLine): string {
  return work
    .filter((item) => item.cycles >= cycles * WORTH_NAMING)
    .map((item) => `${item.events} × ${figure(item.count)} (${figure(item.cycles)})`)
    .join(", ");
}

/** Cycles flush right; zero is left out, since nothing was priced. */
function withCycles(text: string, cycles: number): string {
  if (cycles === 0) return text;
  // Colour codes take no columns.
  // oxlint-disable-next-line no-control-regex -- Colour codes begin with the escape character.
  const seen = text.replaceAll(/\u001b\[[0-9;]*m/gu, "").length;
  return `${text}${" ".repeat(Math.max(2, TEXT_COLUMNS + CYCLE_COLUMNS - seen - figure(cycles).length))}${figure(cycles)}`;
}
