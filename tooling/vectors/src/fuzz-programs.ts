/**
 * Programs on the processor underneath and on ours; and of one that differs, the first instruction that does.
 */
import {
  differences,
  formatVector,
  PROGRAM,
  type PlannedEncoding,
  type ReplayMachine,
  type Vector,
  type VectorResult,
} from "@ringside/isa/testing";
import type { HarnessProcess } from "./harness-process.ts";
import { observe, observeProgram } from "./observe.ts";
import { explain, type ProcessorDifference } from "./processor-differences.ts";
import { encodingAt, firstSteps, type Program } from "./program.ts";
import type { Regression } from "./regressions.ts";

const UNDEFINED_OPCODE = 6;
const NOTHING: PlannedEncoding["except"] = { flags: [], statusWord: 0 };

/** The two processors. */
export interface Processors {
  readonly harness: HarnessProcess;
  readonly machine: ReplayMachine;
}

/** What became of a program on both. */
export interface ProgramReport extends Findings {
  /** What the processor underneath did. */
  readonly theirs: VectorResult;
}

interface Findings {
  /** Lines that say what differs; none when nothing does. */
  readonly found: readonly string[];
  /** What to keep of it: the first instruction that differs when it does so alone, else the program as far as needed. */
  readonly regression: Regression | undefined;
  /** What explains the first instruction that differs; what came after it was not compared. */
  readonly known?: ProcessorDifference;
}

interface Comparison {
  readonly ours: VectorResult;
  readonly theirs: VectorResult;
  readonly found: readonly string[];
  /** The row of the last instruction that was reached. */
  readonly last: PlannedEncoding | undefined;
}

/**
 * Compares what a program leaves behind.
 *
 * @returns Undefined when the processor underneath lacks an instruction.
 */
export async function fuzzProgram(
  program: Program,
  processors: Processors,
): Promise<ProgramReport | undefined> {
  const whole = await compare(program, processors);
  if (whole === undefined) return undefined;
  const { theirs } = whole;
  if (whole.found.length === 0)
    return { theirs, found: [], regression: regressionOf(program, whole) };
  const { found, regression, known } = await firstDifference(program, processors);
  if (known !== undefined) return { theirs, found: [], regression: undefined, known };
  return { theirs, found: [whole.found.join("; "), ...found], regression };
}

function regressionOf({ input }: Program, { theirs, last }: Comparison): Regression | undefined {
  return last === undefined
    ? undefined
    : { key: `${PROGRAM}${last.key}`, line: formatVector({ input, result: theirs }) };
}

async function compare(
  program: Program,
  { harness, machine }: Processors,
): Promise<Comparison | undefined> {
  const theirs = await observeProgram(program, harness);
  const ours = machine.executeProgram(program.input);
  if (theirs.fault?.vector === UNDEFINED_OPCODE && ours.fault?.vector !== UNDEFINED_OPCODE)
    return undefined;
  // What is undefined is what the last instruction left so: programs define it anew before they go on.
  const last =
    theirs.fault === undefined
      ? program.steps.findLast(({ encoding }) => encoding !== undefined)?.encoding
      : encodingAt(program, theirs.rip);
  return { ours, theirs, found: differences(ours, theirs, last?.except ?? NOTHING), last };
}

/** About the shortest beginning of a program that differs, its last instruction as a line of a vector file. */
async function firstDifference(program: Program, processors: Processors): Promise<Findings> {
  let before: VectorResult | undefined;
  for (const [position, { code, encoding }] of program.steps.entries()) {
    const beginning = firstSteps(program, position + 1);
    const compared = await compare(beginning, processors);
    if (compared === undefined)
      return {
        found: ["An instruction is missing now, and was not before."],
        regression: undefined,
      };
    const { ours, theirs, found } = compared;
    if (found.length > 0) {
      const state = before ?? { registers: program.input.registers, memory: [] };
      const row = encoding ?? { key: "", except: NOTHING };
      const known = explain({ encoding: row, code, before: state, ours, theirs });
      if (known !== undefined) return { found: [], regression: undefined, known };
      const lines = [
        `instruction ${position + 1} of ${program.steps.length}: ${found.join("; ")}`,
        `whole: ${formatVector({ input: beginning.input, result: theirs })}`,
      ];
      const whole = regressionOf(beginning, compared);
      if (encoding === undefined) return { found: lines, regression: whole };
      const { input } = program;
      const alone = {
        mode: input.mode,
        code,
        registers: state.registers,
        memory: [...input.memory, ...state.memory],
      };
      const single = await compareAlone(encoding, alone, processors);
      const differs = single.found.length > 0;
      return {
        found: [
          ...lines,
          differs ? "differs alone, too:" : "does not differ alone:",
          `= ${single.regression.key}`,
          single.regression.line,
        ],
        regression: differs ? single.regression : whole,
      };
    }
    before = theirs;
  }
  return {
    found: ["No beginning of it differs: it does not always do the same."],
    regression: undefined,
  };
}

async function compareAlone(
  encoding: PlannedEncoding,
  input: Vector["input"],
  { harness, machine }: Processors,
): Promise<{ found: readonly string[]; regression: Regression }> {
  const result = await observe(encoding, input, harness);
  return {
    found: differences(machine.execute(input), result, encoding.except),
    regression: { key: encoding.key, line: formatVector({ input, result }) },
  };
}
