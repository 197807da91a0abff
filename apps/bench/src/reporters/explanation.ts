/** The walk through one operation, as text. */
import type { CostProfile } from "@ringside/strategy";
import type { Benchmark } from "../comparison/benchmarks.ts";
import { figure } from "../comparison/figures.ts";
import type { StoryLine, WorkItem } from "../explain/narrative.ts";
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

/** A heading, and a section for each strategy. */
export function explanation(
  benchmark: Benchmark,
  profile: CostProfile,
  explained: readonly Explained[],
  colours: Colours,
): string {
  const { bold, dim } = colours;
  return [
    `${bold(`${benchmark.id}: ${benchmark.operation}`)}, one warm operation, event by event ${dim(`(cycles: ${profile.name})`)}`,
    ...explained.flatMap((one) => ["", ...section(one, colours)]),
  ].join("\n");
}

function section(explained: Explained, colours: Colours): readonly string[] {
  const { bold, dim } = colours;
  const { strategy, name, story, reason, cycles } = explained;
  const title = `${bold(strategy)} ${dim(`(${name})`)}`;
  if (story === undefined) return [`${title}: ${dim(reason ?? "nothing ran")}`];
  const total = cycles === undefined ? "not all of it modelled" : `${figure(cycles)} cycles`;
  const why = cycles === undefined && reason !== undefined ? wrapped(reason, TEXT_COLUMNS) : [];
  return [
    `${title}: ${total}`,
    ...why.map((line) => dim(`  ${line}`)),
    ...storyLines(story, colours),
  ];
}

/** The lines of a story, indented by two columns. */
export function storyLines(
  story: readonly StoryLine[],
  colours: Colours,
  indent = "  ",
): readonly string[] {
  return story.flatMap((line) => linesOf(line, colours, indent));
}

function linesOf(line: StoryLine, colours: Colours, indent: string): readonly string[] {
  const { bold, dim } = colours;
  switch (line.kind) {
    case "run":
      return [withCycles(`${indent}${runText(line)}`, line.cycles)];
    case "event": {
      const isMonitor = line.role === "serving";
      const texts = line.texts.length > 0 ? line.texts : [isMonitor ? "The monitor works." : ""];
      const marker = { entering: "→ ", serving: "  ", resuming: "← ", executing: "" }[line.role];
      const heading = line.instruction === undefined ? [] : [`${indent}${bold(line.instruction)}`];
      const prose = texts.flatMap((text, index) =>
        wrapped(text, TEXT_COLUMNS - indent.length - 4).map(
          (part, row) => `${indent}${index === 0 && row === 0 ? marker : "  "}${part}`,
        ),
      );
      const work = workText(line.work, line.cycles);
      const details = work === "" ? [] : wrapped(work, TEXT_COLUMNS - indent.length - 6);
      const [first = "", ...rest] = prose;
      return [
        ...heading,
        withCycles(first, line.cycles),
        ...rest,
        ...details.map((part) => dim(`${indent}    ${part}`)),
      ];
    }
    case "repeat":
      return [
        withCycles(`${indent}${bold(`${line.times} times:`)}`, line.cycles),
        ...storyLines(line.lines, colours, `${indent}  `),
      ];
  }
}

function runText({ ring, instructions }: Extract<StoryLine, { kind: "run" }>): string {
  const where = ring === undefined ? "" : ` in ring ${ring}`;
  return instructions === 0
    ? "The processor looks for an instruction"
    : `${figure(instructions)} instruction${instructions === 1 ? "" : "s"}${where}`;
}

/** `36 reads of VMCS fields (6,408), 1 instructions emulated (1,000)`. */
function workText(work: readonly WorkItem[], cycles: number): string {
  return work
    .filter((item) => item.cycles >= cycles * WORTH_NAMING)
    .map((item) => `${figure(item.count)} × ${item.events} (${figure(item.cycles)})`)
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
